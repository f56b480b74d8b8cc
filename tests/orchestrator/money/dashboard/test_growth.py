from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.money.dashboard.growth import UnitChange, growth_of, percent_more
from orchestrator.money.instants import hour_of, to_us
from tests.orchestrator.money.bookings import NOON

NOW = NOON + timedelta(minutes=30)


def income(*hours_ago: tuple[int, int]) -> dict[str, int]:
    return {hour_of(to_us(NOW - timedelta(hours=hours))): units for hours, units in hours_ago}


def test_the_hour_under_way_is_no_part_of_any_growth() -> None:
    growth = growth_of(income((0, 999)), NOW)
    assert {growth.hour.current, growth.day.current, growth.week.current, growth.today.current} == {0}


def test_whole_hours_are_compared_with_those_before() -> None:
    growth = growth_of(income((1, 150), (2, 100), (26, 200), (24 * 7 + 1, 500)), NOW)
    assert growth.hour == UnitChange(150, 100, "50.0")
    assert growth.day == UnitChange(250, 200, "25.0")
    assert growth.week == UnitChange(450, 500, "-10.0")


def test_today_is_compared_with_the_same_hours_of_yesterday() -> None:
    since_midnight = NOW.hour
    growth = growth_of(income((1, 30), (since_midnight, 10), (25, 20), (since_midnight + 1, 777)), NOW)
    assert growth.today == UnitChange(40, 20, "100.0")
    midnight = growth_of(income((1, 5)), NOW.replace(hour=0))
    assert midnight.today == UnitChange(0, 0, None)


@pytest.mark.parametrize(
    ("current", "previous", "percent"),
    [
        (0, 0, None),
        (5, 0, None),
        (5, -1, None),
        (0, 4, "-100.0"),
        (1, 3, "-66.7"),
        (10**30, 10**29, "900.0"),
        (3, 3, "0.0"),
    ],
)
def test_a_percentage_says_something_or_nothing(current: int, previous: int, percent: str | None) -> None:
    assert percent_more(current, previous) == percent


@given(st.dictionaries(st.integers(0, 24 * 15), st.integers(0, 10**12), max_size=40))
def test_no_hour_is_lost_between_two_weeks(hours: dict[int, int]) -> None:
    growth = growth_of(income(*hours.items()), NOW)
    inside = sum(units for hour, units in hours.items() if 1 <= hour <= 24 * 14)
    assert growth.week.current + growth.week.previous == inside
