"""Whose work may have a standby."""

from __future__ import annotations

import pytest

from orchestrator.fleet.failover.trips import Trips


@pytest.mark.parametrize(("after_s", "again"), [(0.0, True), (60.0, True), (60.1, False)])
def test_what_fails_again_within_the_window_after_a_takeover_has_no_second_one(after_s: float, again: bool) -> None:
    trips = Trips(60.0)
    assert not trips.is_again("stall-001", 100.0)
    trips.note("stall-001", 100.0, 100.0)
    assert trips.is_again("stall-001", 100.0 + after_s) is again
    assert not trips.is_again("stall-002", 100.0)


def test_after_a_cool_down_the_window_begins_with_the_fresh_budget() -> None:
    trips = Trips(60.0)
    trips.note("stall-001", 100.0, 100.0)
    # Poisoned: it trips every 5 s of its run, and cools down for 60 s in between. No standby is ever spent on it again.
    now_s = 105.0
    for _ in range(20):
        assert trips.is_again("stall-001", now_s)
        trips.note("stall-001", now_s + 60.0, now_s)
        now_s += 65.0
    assert not trips.is_again("stall-001", now_s + 60.0)


def test_what_was_long_ago_is_forgotten_and_nothing_else() -> None:
    trips = Trips(60.0)
    trips.note("cools", 10_000.0, 0.0)
    for number in range(1000):
        trips.note(f"stall-{number:04d}", number * 10.0, number * 10.0)
    assert len(trips) < 100
    assert trips.is_again("cools", 10_000.0)
    assert all(trips.is_again(f"stall-{number:04d}", 9_990.0) for number in range(993, 1000))
