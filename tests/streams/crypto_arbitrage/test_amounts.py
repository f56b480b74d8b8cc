"""Numbers of venues, read exactly."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.crypto_arbitrage.amounts import NotExact, down_to, read_amount, read_price, read_units, show_units, up_to


@pytest.mark.parametrize(
    ("value", "units"),
    [
        ("61837.63000000", 6183763000000),
        ("0", 0),
        ("1", 100000000),
        (".5", 50000000),
        ("5.", 500000000),
        ("-0.00000001", -1),
        ("1e-8", 1),
        ("1E+2", 10_000_000_000),
        (0.1, 10000000),
        (1e-05, 1000),
        (7, 700000000),
        (Decimal("2.5"), 250000000),
        ("1.000000000000000000", 100000000),
    ],
)
def test_what_venues_write_is_read_to_the_unit(value: object, units: int) -> None:
    assert read_units(value, 8) == units


@pytest.mark.parametrize("value", ["", "NaN", "Infinity", "1_000", "12,5", "0x10", "one", None, "9" * 70, "1e99", "٣x"])
def test_what_is_no_amount_is_refused(value: object) -> None:
    with pytest.raises(NotExact):
        read_units(value, 8)


def test_what_is_finer_than_a_unit_is_refused_or_rounded_as_told() -> None:
    with pytest.raises(NotExact, match="more than 8 decimal places"):
        read_units("0.000000019", 8)
    assert (read_units("0.000000019", 8, "down"), read_units("0.000000011", 8, "up")) == (1, 2)
    assert read_amount("0.0000000099") == 0
    with pytest.raises(NotExact):
        read_price("0.00000000000000001")


@settings(max_examples=100)
@given(st.integers(-(10**20), 10**20), st.integers(0, 18))
def test_text_leads_back_to_the_units(units: int, scale: int) -> None:
    assert read_units(show_units(units, scale), scale) == units


@settings(max_examples=100)
@given(st.integers(0, 10**12), st.integers(1, 10**6))
def test_steps_round_to_the_side_that_is_asked_for(units: int, step: int) -> None:
    below, above = down_to(units, step), up_to(units, step)
    assert below <= units <= above
    assert above - below in (0, step)
    assert below % step == above % step == 0
