"""Decimal text to whole steps and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.sandbox.venues.decimals import NotADecimal, TooPrecise, steps_of, text_of


@given(st.integers(0, 10**24), st.integers(0, 12))
def test_what_is_written_is_read_back(steps: int, places: int) -> None:
    whole_digits = len(str(steps // 10**places))
    text = text_of(steps, places)
    if whole_digits <= 20:
        assert steps_of(text, places) == steps


@pytest.mark.parametrize(
    ("text", "places", "steps"),
    [("1", 0, 1), ("1.", 2, 100), ("0.10", 1, 1), ("0.1000000", 1, 1), ("64000.01", 2, 6400001), ("007", 1, 70)],
)
def test_zeros_make_no_difference(text: str, places: int, steps: int) -> None:
    assert steps_of(text, places) == steps


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1e5", "1,0", " 1", "1 ", "NaN", "Infinity", "0x1", "٣", ".5", "1" * 21]
)
def test_what_is_no_plain_number_is_refused(text: str) -> None:
    with pytest.raises(NotADecimal):
        steps_of(text, 8)


def test_what_is_finer_than_a_step_is_refused() -> None:
    with pytest.raises(TooPrecise):
        steps_of("0.015", 2)


def test_more_places_can_be_shown_than_there_are() -> None:
    assert text_of(-150, 2, 8) == "-1.50000000"
    assert text_of(3, 0) == "3"
