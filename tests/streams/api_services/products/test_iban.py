from __future__ import annotations

import pytest

from tests.streams.api_services.conftest import Call


# Examples of the IBAN registry (SWIFT, ISO 13616-2), one a country.
@pytest.mark.parametrize(
    ("value", "country", "bank_code", "branch_code", "account_code"),
    [
        ("DE89370400440532013000", "DE", "37040044", None, "0532013000"),
        ("GB29 NWBK 6016 1331 9268 19", "GB", "NWBK", "601613", "31926819"),
        ("fr14 2004 1010 0505 0001 3m02 606", "FR", "20041", "01005", "0500013M026"),
        ("NO9386011117947", "NO", "8601", None, "111794"),
        ("MT84MALT011000012345MTLCAST001S", "MT", "MALT", "01100", "0012345MTLCAST001S"),
    ],
)
def test_the_examples_of_the_registry_are_valid_and_split(
    call: Call, value: str, country: str, bank_code: str, branch_code: str | None, account_code: str
) -> None:
    answer = call("iban", value=value)

    assert answer.valid
    assert answer.reason is None
    assert (answer.country, answer.bank_code, answer.branch_code) == (country, bank_code, branch_code)
    assert answer.account_code == account_code
    assert answer.formatted.replace(" ", "") == answer.value == value.replace(" ", "").upper()


def test_the_bank_is_named_where_the_registry_knows_it(call: Call) -> None:
    answer = call("iban", value="DE89370400440532013000")

    assert answer.bic == "COBADEFFXXX"
    assert answer.bank_name == "Commerzbank"
    assert answer.sepa


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("DE88370400440532013000", "check digits"),
        ("DE8937040044053201300", "length"),
        ("ZZ89370400440532013000", "country"),
        ("GB29123460161331926819", "structure"),
        ("DE8937040044053201300٠", "other than letters"),
        ("\x00", "other than letters"),
    ],
)
def test_an_invalid_number_is_an_answer_with_a_reason(call: Call, value: str, reason: str) -> None:
    answer = call("iban", value=value)

    assert not answer.valid
    assert reason in answer.reason
    assert answer.formatted is None


@pytest.mark.parametrize("digits", ["00", "01", "99"])
def test_check_digits_that_the_standard_never_makes_are_refused(call: Call, digits: str) -> None:
    assert not call("iban", value=f"DE{digits}370400440532013000").valid
