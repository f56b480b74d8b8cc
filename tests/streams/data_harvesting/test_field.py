"""Values of strangers become typed ones, or are refused with a reason."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.data_harvesting.field import Field, ValueRefused, rfc3339


@pytest.mark.parametrize(
    ("field", "raw", "value"),
    [
        (Field(), "  Two\n words\t here ", "Two words here"),
        (Field(), "zero\u200bwidth and \x00 control", "zerowidth and control"),
        (Field(extract=r"No\. (\d+)"), "Order No. 17 of today", "17"),
        (Field("integer"), "1,234", 1234),
        (Field("integer"), "-5", -5),
        (Field("integer"), "7.0", 7),
        (Field("decimal"), "12.50", "12.50"),
        (Field("decimal", comma=True), "1.234,50", "1234.50"),
        (Field("decimal", extract=r"EUR ([\d.,]+)", comma=True), "EUR 3,71 a kg", "3.71"),
        (Field("decimal"), "\N{MINUS SIGN}3.5", "-3.5"),
        (Field("decimal"), "1e3", "1000"),
        (Field("boolean"), "Available", True),
        (Field("boolean"), "no", False),
        (Field("date"), "2026-11-25", "2026-11-25"),
        (Field("date"), "2026-11-25T23:30:00-02:00", "2026-11-26"),
        (Field("time"), "Wed, 25 Nov 2026 12:00:00 +0100", "2026-11-25T11:00:00Z"),
        (Field("time"), datetime(2026, 11, 25, 12, tzinfo=UTC), "2026-11-25T12:00:00Z"),
        (Field("url"), "https://example.org/a?b=c", "https://example.org/a?b=c"),
        (Field("list"), ["a ", "b", "a", " "], ["a", "b"]),
        (Field("list"), "alone", ["alone"]),
        (Field(required=False), None, None),
        (Field("integer", required=False), "   ", None),
        (Field(extract=r"EUR (\d+)", required=False), "on request", None),
    ],
)
def test_a_value_is_read(field: Field, raw: Any, value: Any) -> None:
    assert field.read(raw) == value


@pytest.mark.parametrize(
    ("field", "raw", "code"),
    [
        (Field(), None, "missing"),
        (Field(), " \n ", "missing"),
        (Field("list"), [" "], "missing"),
        (Field(extract=r"EUR (\d+)"), "on request", "missing"),
        (Field("integer"), "about 7", "type"),
        (Field("integer"), "7.5", "type"),
        (Field("decimal"), "NaN", "type"),
        (Field("decimal"), "Infinity", "type"),
        (Field("decimal"), "1e999999999", "type"),
        (Field("boolean"), "perhaps", "type"),
        (Field("date"), "yesterday, late", "type"),
        (Field("time"), "0001-01-01T00:00:00+23:59", "type"),
        (Field("url"), "javascript:alert(1)", "type"),
        (Field("integer"), datetime(2026, 1, 1, tzinfo=UTC), "type"),
        (Field(pattern="[a-z]+"), "Abc", "pattern"),
        (Field("list", pattern="[a-z]+"), ["abc", "A"], "pattern"),
        (Field("integer", minimum="1"), "0", "range"),
        (Field("decimal", maximum="60"), "999.9", "range"),
        (Field("decimal", comma=True, minimum="0.5"), "0,49", "range"),
        (Field("date", minimum="2026-01-01"), "2025-12-31", "range"),
        (Field("time", maximum="2026-01-01T00:00:00Z"), "2026-01-01T00:00:01Z", "range"),
        (Field(), "x" * 4_001, "too_long"),
        (Field("integer"), "1" * 4_001, "too_long"),
        (Field("list"), [str(number) for number in range(51)], "too_long"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_a_reason(field: Field, raw: Any, code: str) -> None:
    with pytest.raises(ValueRefused) as refused:
        field.read(raw)
    assert refused.value.code == code


def test_bounds_are_written_as_in_a_dataset_wherever_the_comma_stands() -> None:
    assert Field("decimal", comma=True, minimum="0.01").read("0,87") == "0.87"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"pattern": "("}, "pattern"),
        ({"extract": "EUR"}, "group"),
        ({"type": "integer", "pattern": "1"}, "minimum"),
        ({"minimum": "1"}, "no order"),
        ({"type": "integer", "maximum": "many"}, "maximum"),
        ({"pattern": "a" * 301}, "at most 300"),
        ({"typ": "text"}, "typ"),
    ],
)
def test_a_field_that_makes_no_sense_is_named(settings: dict[str, str], told: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=told):
        msgspec.convert(settings, Field)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=4))
def test_a_decimal_is_never_rounded(number: Decimal) -> None:
    assert Decimal(Field("decimal").read(f"{number:f}")) == number
    assert Decimal(Field("decimal", comma=True).read(f"{number:f}".replace(".", ","))) == number


@given(st.integers(86_400, 4_000_000_000), st.integers(-720, 720))
def test_a_time_is_the_same_moment_wherever_it_was_written(seconds: int, minutes: int) -> None:
    utc = datetime.fromtimestamp(seconds, UTC)
    local = utc.astimezone(timezone(timedelta(minutes=minutes)))
    assert Field("time").read(local.isoformat()) == rfc3339(utc) == Field("time").read(local)


@given(st.text(max_size=200))
def test_whatever_a_page_says_is_read_or_refused(text: str) -> None:
    for field in (Field(), Field("integer"), Field("decimal", comma=True), Field("date"), Field("time"), Field("url")):
        with suppress(ValueRefused):
            assert field.read(text) is not None


def test_an_expression_is_not_looked_for_in_a_text_without_end() -> None:
    field = Field(extract=r"(\d+)\D*$")
    assert field.read("7" + "x" * 2_000) == "7"
    started = time.perf_counter()
    with pytest.raises(ValueRefused) as caught:
        field.read("7" * 1_000_000 + "x1x")
    assert caught.value.code == "too_long"
    assert time.perf_counter() - started < 5
