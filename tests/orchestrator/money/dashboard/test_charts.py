from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.money.dashboard.charts import BOTTOM, HEIGHT, LEFT, TOP, WIDTH, stacked_bars, step_of

DAYS = [f"2026-01-{day:02d}" for day in range(1, 31)]


def test_parts_stand_on_each_other_and_fill_the_height() -> None:
    values = {("2026-01-01", "a"): Decimal(3), ("2026-01-01", "b"): Decimal(5)}
    chart = stacked_bars(["2026-01-01"], ["a", "b"], values, "USD")
    lower, upper = chart.bars
    assert (lower.series, upper.series) == (0, 1)
    assert lower.y + lower.height == pytest.approx(chart.zero)
    assert upper.y + upper.height == pytest.approx(lower.y)
    assert upper.y == pytest.approx(TOP)
    assert [tick.label for tick in chart.ticks] == ["0", "2", "4", "6", "8"]
    assert upper.title == "2026-01-01  b  5 USD"


def test_what_is_negative_hangs_below_zero() -> None:
    chart = stacked_bars(["2026-01-01"], ["a"], {("2026-01-01", "a"): Decimal(-4)}, "USD")
    (bar,) = chart.bars
    assert bar.y == pytest.approx(chart.zero)
    assert bar.y + bar.height == pytest.approx(HEIGHT - BOTTOM)
    assert [tick.label for tick in chart.ticks] == ["-4", "-3", "-2", "-1", "0"]


def test_nothing_earned_is_an_empty_chart_with_an_axis() -> None:
    chart = stacked_bars(DAYS, ["a"], {}, "USD")
    assert chart.bars == ()
    assert [tick.label for tick in chart.ticks] == ["0", "1"]
    assert len(chart.labels) <= 8
    assert stacked_bars([], [], {}, "USD").labels == ()


@pytest.mark.parametrize(("span", "step"), [(0, 1), (4, 1), (5, 2), (7.9, 2), (0.003, 0.001), (1e9, 5e8), (100, 50)])
def test_ticks_are_round(span: float, step: float) -> None:
    assert step_of(span) == pytest.approx(step)


amounts = st.decimals(-(10**9), 10**9, places=6)


@given(st.dictionaries(st.tuples(st.sampled_from(DAYS), st.sampled_from("abc")), amounts, max_size=20))
def test_nothing_is_drawn_outside(values: dict[tuple[str, str], Decimal]) -> None:
    chart = stacked_bars(DAYS, list("abc"), values, "USD")
    for bar in chart.bars:
        assert bar.x >= LEFT
        assert bar.x + bar.width <= WIDTH
        assert bar.height >= 0
        assert bar.y >= TOP - 0.02
        assert bar.y + bar.height <= HEIGHT - BOTTOM + 0.02
    assert all(TOP - 0.01 <= tick.y <= HEIGHT - BOTTOM + 0.01 for tick in chart.ticks)
