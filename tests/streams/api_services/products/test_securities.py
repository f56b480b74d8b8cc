from __future__ import annotations

import pytest

from tests.streams.api_services.conftest import Call


# ISO 6166's examples (Apple, Treasury Corporation of Victoria, BAE), CUSIPs of listed companies, OpenFIGI's
# example and LEIs of the GLEIF register.
@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("US0378331005", "isin"),
        ("AU0000XVGZA3", "isin"),
        ("GB0002634946", "isin"),
        ("037833100", "cusip"),
        ("17275R102", "cusip"),
        ("38259P508", "cusip"),
        ("KYG040111059", "isin"),
        ("0263494", "sedol"),
        ("B0WNLY7", "sedol"),
        ("BBG000BLNNH6", "figi"),
        ("5493001KJTIIGC8Y1R12", "lei"),
        ("7LTWFZYICNSX8D621K86", "lei"),
    ],
)
def test_the_scheme_is_recognised(call: Call, value: str, kind: str) -> None:
    answer = call("securities", value=value)

    assert answer.valid, answer.reason
    assert answer.kind == kind


def test_the_national_number_inside_an_isin_is_given(call: Call) -> None:
    assert call("securities", value="US0378331005").cusip == "037833100"
    assert call("securities", value="GB0002634946").sedol == "0263494"
    assert call("securities", value="AU0000XVGZA3").cusip is None


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("US0378331006", "check digits"),
        ("037833101", "check digits"),
        ("0263495", "check digits"),
        ("5493001KJTIIGC8Y1R13", "check digits"),
        ("BBG000BLNNH7", "check digits"),
        ("12345", "no scheme has this length"),
    ],
)
def test_an_invalid_identifier_is_an_answer_with_a_reason(call: Call, value: str, reason: str) -> None:
    answer = call("securities", value=value)

    assert not answer.valid
    assert reason in answer.reason


def test_a_scheme_that_is_named_is_not_guessed(call: Call) -> None:
    answer = call("securities", value="037833100", kind="isin")

    assert not answer.valid
    assert answer.kind == "isin"
