from __future__ import annotations

import pytest

from tests.streams.api_services.conftest import Call


def test_a_code_is_split_by_iso_9362(call: Call) -> None:
    answer = call("bic", value="deut de ff 500")

    assert answer.valid
    assert (answer.bank_prefix, answer.country, answer.location, answer.branch) == ("DEUT", "DE", "FF", "500")
    assert answer.country_name == "Germany"
    assert answer.kind == "default"
    assert answer.known
    assert "Deutsche Bank" in answer.bank_names


def test_a_well_formed_code_that_nobody_has_is_valid_but_not_known(call: Call) -> None:
    answer = call("bic", value="ZZZZDEZZ")

    assert answer.valid
    assert not answer.known
    assert answer.bank_names == ()


def test_a_zero_in_the_location_marks_a_test_code(call: Call) -> None:
    assert call("bic", value="DEUTDEF0").kind == "testing"


@pytest.mark.parametrize(
    ("value", "reason"), [("DEUTDEF", "8 or 11"), ("DEUTZZFF", "country"), ("DEUT1EFF", "structure")]
)
def test_an_invalid_code_is_an_answer_with_a_reason(call: Call, value: str, reason: str) -> None:
    answer = call("bic", value=value)

    assert not answer.valid
    assert reason in answer.reason
