from __future__ import annotations

import pytest

from streams.api_services.product import ProductError
from tests.streams.api_services.conftest import Call


def test_a_national_number_is_brought_to_e164(call: Call) -> None:
    # libphonenumber's own example, Google's head office.
    answer = call("phone", value="(650) 253-0000", region="us")

    assert answer.valid
    assert answer.e164 == "+16502530000"
    assert answer.international == "+1 650-253-0000"
    assert answer.rfc3966 == "tel:+1-650-253-0000"
    assert answer.region == "US"


@pytest.mark.parametrize(
    ("value", "kind", "region"),
    [
        ("+44 7400 123456", "mobile", "GB"),
        ("+41 44 668 18 00", "fixed_line", "CH"),
        ("+800 1234 5678", "toll_free", "001"),
    ],
)
def test_the_kind_and_region_are_told(call: Call, value: str, kind: str, region: str) -> None:
    answer = call("phone", value=value)

    assert answer.valid
    assert (answer.kind, answer.region) == (kind, region)


# Ofcom and the North American plan reserve these numbers for fiction or never assign them.
@pytest.mark.parametrize("value", ["+1 555", "+49 1", "+1 123 456 7890"])
def test_a_number_outside_the_plan_is_not_valid(call: Call, value: str) -> None:
    answer = call("phone", value=value)

    assert not answer.valid
    assert answer.reason


def test_a_number_without_country_asks_for_one(call: Call) -> None:
    answer = call("phone", value="030 901820")

    assert not answer.valid
    assert "region" in answer.reason


def test_text_is_not_a_number(call: Call) -> None:
    assert "does not look like" in call("phone", value="hello").reason


def test_an_unknown_region_is_the_customers_mistake(call: Call) -> None:
    with pytest.raises(ProductError) as caught:
        call("phone", value="1", region="ZZ")

    assert caught.value.field == "region"
