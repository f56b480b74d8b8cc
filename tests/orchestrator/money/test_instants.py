from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.money.instants import day_of, from_us, now_us, to_us


@given(st.datetimes(datetime(1971, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_an_instant_survives_the_way_into_the_ledger_and_back(instant: datetime) -> None:
    assert from_us(to_us(instant)) == instant


def test_an_instant_elsewhere_is_stored_as_utc() -> None:
    elsewhere = datetime(2026, 2, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    assert from_us(to_us(elsewhere)).isoformat() == "2026-01-31T23:30:00+00:00"
    assert day_of(to_us(elsewhere)) == "2026-01-31"


def test_a_day_ends_at_midnight_utc() -> None:
    midnight = to_us(datetime(2026, 2, 1, tzinfo=UTC))
    assert (day_of(midnight - 1), day_of(midnight)) == ("2026-01-31", "2026-02-01")


def test_the_clock_is_the_wall_clock() -> None:
    assert abs(from_us(now_us()) - datetime.now(UTC)) < timedelta(seconds=5)
