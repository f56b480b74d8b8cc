"""Money goes to units and back exactly, or not at all."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.money import ASSETS, MAX_UNITS, AmountError, UnknownAssetError, format_amount, parse_amount


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("0.002", 2_000),
        ("12.30", 12_300_000),
        ("-1", -1_000_000),
        ("0", 0),
        ("1e3", 1_000_000_000),
        ("0e999999", 0),
        ("1." + "0" * 99, 1_000_000),
        ("9223372036854.775807", MAX_UNITS),
    ],
)
def test_a_decimal_text_becomes_whole_units_of_the_asset(text: str, units: int) -> None:
    assert parse_amount(text, "USD") == units


@pytest.mark.parametrize(
    ("units", "text"), [(2_000, "0.002"), (12_300_000, "12.30"), (-500_000, "-0.50"), (0, "0.00"), (1, "0.000001")]
)
def test_an_amount_is_shown_as_short_as_is_exact(units: int, text: str) -> None:
    assert format_amount(units, "USD") == text


@given(st.integers(-MAX_UNITS, MAX_UNITS), st.sampled_from(sorted(ASSETS)))
def test_what_is_formatted_parses_to_the_same_units(units: int, code: str) -> None:
    text = format_amount(units, code)
    assert parse_amount(text, code) == units
    assert Decimal(text).scaleb(ASSETS[code].scale) == units


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "1,5",
        "NaN",
        "Infinity",
        "0.0000001",
        "1e400",
        "9e999999",
        "1e-999999",
        "sNaN",
        "1.0000000000000000000000000000001",
        str(2**63),
    ],
)
def test_what_is_no_exact_amount_is_refused(text: str) -> None:
    with pytest.raises(AmountError):
        parse_amount(text, "USD")


def test_an_undeclared_asset_is_refused_with_those_that_are() -> None:
    with pytest.raises(UnknownAssetError, match="'XYZ'.*USD"):
        parse_amount("1", "XYZ")
