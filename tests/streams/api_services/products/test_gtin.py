from __future__ import annotations

import pytest

from tests.streams.api_services.conftest import Call


# GS1 General Specifications' own example (0614141...), and articles one can buy.
@pytest.mark.parametrize(
    ("value", "kind", "gtin14", "use"),
    [
        ("4006381333931", "GTIN-13", "04006381333931", "trade item"),
        ("036000291452", "GTIN-12", "00036000291452", "trade item"),
        ("73513537", "GTIN-8", "00000073513537", "trade item"),
        ("10614141000415", "GTIN-14", "10614141000415", "trade item"),
        ("9783161484100", "GTIN-13", "09783161484100", "book or sheet music"),
        ("9771234567003", "GTIN-13", "09771234567003", "periodical"),
        ("2000000000008", "GTIN-13", "02000000000008", "restricted circulation"),
    ],
)
def test_a_number_is_recognised_and_padded(call: Call, value: str, kind: str, gtin14: str, use: str) -> None:
    answer = call("gtin", value=value)

    assert answer.valid, answer.reason
    assert (answer.kind, answer.gtin14, answer.use) == (kind, gtin14, use)
    assert answer.check_digit == value[-1]


@pytest.mark.parametrize(
    ("value", "reason"), [("4006381333932", "check digits"), ("12345", "length"), ("400638133393A", "format")]
)
def test_an_invalid_number_is_an_answer_with_a_reason(call: Call, value: str, reason: str) -> None:
    answer = call("gtin", value=value)

    assert not answer.valid
    assert reason in answer.reason
