from __future__ import annotations

import pytest

from streams.api_services.product import ProductError
from tests.streams.api_services.conftest import Call

# Numbers that the tax authorities or their algorithm descriptions publish.
KNOWN_GOOD = [
    "ATU13585627",
    "BE0403170701",
    "CHE107787577IVA",
    "DE136695976",
    "DK13585628",
    "EL094259216",
    "FI20774740",
    "FR40303265045",
    "GB980780684",
    "IT00743110157",
    "NL004495445B01",
    "NO995525828MVA",
    "PL8567346215",
    "PT501964843",
    "SE123456789701",
]


@pytest.mark.parametrize("value", KNOWN_GOOD)
def test_a_known_number_is_valid_in_its_country(call: Call, value: str) -> None:
    answer = call("vat", value=value)

    assert answer.valid, answer.reason
    assert answer.value == value
    assert answer.country == value[:2]
    assert answer.number == value[2:]


@pytest.mark.parametrize("value", KNOWN_GOOD)
def test_a_wrong_digit_is_found(call: Call, value: str) -> None:
    at = next(index for index in range(len(value) - 4, 0, -1) if value[index].isdigit())
    wrong = value[:at] + str((int(value[at]) + 1) % 10) + value[at + 1 :]

    answer = call("vat", value=wrong)

    assert not answer.valid
    assert answer.reason


def test_separators_small_letters_and_a_country_apart_are_understood(call: Call) -> None:
    assert call("vat", value="che-107.787.577 iva").value == "CHE107787577IVA"
    assert call("vat", value="136 695 976", country="de").value == "DE136695976"
    assert call("vat", value="DE 136695976", country="DE").value == "DE136695976"


def test_greece_is_el_whatever_the_customer_writes(call: Call) -> None:
    assert call("vat", value="GR094259216").value == "EL094259216"
    assert call("vat", value="094259216", country="GR").value == "EL094259216"


def test_only_members_are_in_the_union(call: Call) -> None:
    assert call("vat", value="DE136695976").european_union
    assert not call("vat", value="GB980780684").european_union
    assert not call("vat", value="XI980780684").european_union


def test_a_number_of_no_supported_country_is_invalid(call: Call) -> None:
    answer = call("vat", value="ZZ123")

    assert not answer.valid
    assert "prefix" in answer.reason


def test_an_unsupported_country_is_the_customers_mistake(call: Call) -> None:
    with pytest.raises(ProductError, match="US is not supported") as caught:
        call("vat", value="123", country="US")

    assert caught.value.field == "country"
