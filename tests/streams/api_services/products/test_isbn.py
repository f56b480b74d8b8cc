from __future__ import annotations

import pytest

from tests.streams.api_services.conftest import Call


# ISBN Users' Manual (International ISBN Agency) and well-known titles.
@pytest.mark.parametrize(
    ("value", "isbn13", "isbn10", "formatted"),
    [
        ("978-3-16-148410-0", "9783161484100", "316148410X", "978-3-16-148410-0"),
        ("0-306-40615-2", "9780306406157", "0306406152", "978-0-306-40615-7"),
        ("0-8044-2957-x", "9780804429573", "080442957X", "978-0-8044-2957-3"),
        ("979 10 90636 07 1", "9791090636071", None, "979-10-90636-07-1"),
    ],
)
def test_a_number_is_converted_and_hyphenated(
    call: Call, value: str, isbn13: str, isbn10: str | None, formatted: str
) -> None:
    answer = call("isbn", value=value)

    assert answer.valid
    assert (answer.isbn13, answer.isbn10, answer.formatted) == (isbn13, isbn10, formatted)
    assert f"{answer.group}-{answer.registrant}-{answer.publication}" in formatted


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("9783161484101", "check digits"),
        ("0306406153", "check digits"),
        ("4006381333931", "not assigned"),
        ("123456789", "10 or 13"),
        ("030640615Y", "check digits"),
        ("X306406152", "format"),
        ("٠٣٠٦٤٠٦١٥٢", "other than letters"),
    ],
)
def test_an_invalid_number_is_an_answer_with_a_reason(call: Call, value: str, reason: str) -> None:
    answer = call("isbn", value=value)

    assert not answer.valid
    assert reason in answer.reason
