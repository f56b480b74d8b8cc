"""The pool of standbys: who sits where, and until when."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from orchestrator.fleet.failover.pool import Pool, Seat


def standby(*, running: bool = True) -> Any:
    return SimpleNamespace(running=running)


def full(size: int) -> Pool:
    pool = Pool(size)
    for seat in pool.start(0.0):
        pool.seat(seat, standby())
    return pool


def test_seats_are_numbered_and_all_are_due_at_first() -> None:
    pool = Pool(2)
    assert [(seat.id, seat.state) for seat in pool] == [("standby-001", "due"), ("standby-002", "due")]
    assert (pool.ready(), pool.is_full(), pool.take()) == (0, False, None)
    assert [seat.id for seat in pool.start(0.0)] == ["standby-001", "standby-002"]
    assert pool.start(0.0) == []  # they start already


def test_whoever_was_taken_is_not_taken_again_until_given_back() -> None:
    pool = full(2)
    first, second = pool.take(), pool.take()
    assert first is not None
    assert second is not None
    assert (first.id, second.id, pool.take()) == ("standby-001", "standby-002", None)
    pool.give_back(first)
    assert pool.take(frozenset({first.id})) is None
    assert pool.take() is first


def test_a_standby_that_does_not_run_is_not_taken() -> None:
    pool = Pool(1)
    [seat] = pool.start(0.0)
    pool.seat(seat, standby(running=False))
    assert (pool.take(), pool.ready()) == (None, 0)


def test_a_body_that_failed_cools_down_before_its_seat_is_filled() -> None:
    pool = full(2)
    seat = pool.take()
    assert seat is not None
    pool.cool(seat, 60.0, "it crashed", "stall-001")
    pool.give_back(seat)  # too late: it is used up
    assert (seat.state, seat.carried, pool.ready(), pool.is_full()) == ("cooling", "stall-001", 1, False)
    assert pool.next_start_s() == 60.0
    assert pool.start(59.9) == []
    assert pool.start(60.0) == [seat]
    pool.seat(seat, standby())
    assert pool.is_full()
    assert (seat.carried, seat.reason, pool.next_start_s()) == ("", "", None)


def test_what_was_half_done_is_begun_anew_and_what_cools_goes_on_cooling() -> None:
    pool = full(3)
    taken, cooling = pool.take(), pool.take()
    assert taken is not None
    assert cooling is not None
    pool.cool(cooling, 60.0, "it crashed")
    pool.take_up()
    assert [seat.state for seat in pool] == ["due", "cooling", "ready"]


class AnyPool(RuleBasedStateMachine):
    """Whatever happens in whatever order: no seat is lost, and nobody carries two works."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = Pool(4)
        self.now_s = 0.0
        self.starting: list[Seat] = []
        self.taken: list[Seat] = []

    @rule(passed_s=st.sampled_from([0.0, 1.0, 30.0]))
    def begin(self, passed_s: float) -> None:
        self.now_s += passed_s
        begun = self.pool.start(self.now_s)
        assert not [seat for seat in begun if seat in self.starting or seat in self.taken]
        assert all(seat.until_s <= self.now_s for seat in begun)
        self.starting += begun

    @rule(well=st.booleans())
    def started(self, well: bool) -> None:
        if self.starting:
            seat = self.starting.pop()
            if well:
                self.pool.seat(seat, standby())
            else:
                self.pool.cool(seat, self.now_s + 10.0, "the disk is full")

    @rule()
    def take(self) -> None:
        seat = self.pool.take()
        if seat is not None:
            assert seat not in self.taken
            assert seat not in self.starting
            self.taken.append(seat)

    @rule(used=st.booleans())
    def taken_over(self, used: bool) -> None:
        if self.taken:
            seat = self.taken.pop()
            if used:
                self.pool.cool(seat, self.now_s + 60.0, "it crashed", "stall-001")
            else:
                self.pool.give_back(seat)

    @invariant()
    def every_seat_is_accounted_for(self) -> None:
        states = [seat.state for seat in self.pool]
        assert len(states) == 4
        assert states.count("taken") == len(self.taken)
        assert states.count("starting") == len(self.starting)
        assert self.pool.ready() == states.count("ready")


TestAnyPool = AnyPool.TestCase
TestAnyPool.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
