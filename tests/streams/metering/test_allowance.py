"""Quota and credit: never overshot, always given back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from streams.metering.allowance import Allowance, Reservation, period_at
from streams.metering.refusal import OutOfCredit, QuotaExceeded

NOVEMBER = datetime(2026, 11, 23, 12, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)


def allowance(quota: int | None = None, credit: int | None = None, calls: int = 0, spent: int = 0) -> Allowance:
    return Allowance(quota, credit, period_at(NOVEMBER), calls=calls, spent=spent)


@pytest.mark.parametrize(
    ("now", "name", "ends"),
    [
        (NOVEMBER, "2026-11", DECEMBER),
        (datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC), "2026-12", datetime(2027, 1, 1, tzinfo=UTC)),
        (datetime(2027, 1, 1, tzinfo=UTC), "2027-01", datetime(2027, 2, 1, tzinfo=UTC)),
        (datetime(2026, 12, 1, 0, 30, tzinfo=timezone(timedelta(hours=1))), "2026-11", DECEMBER),
    ],
)
def test_a_period_is_a_calendar_month_in_utc(now: datetime, name: str, ends: datetime) -> None:
    period = period_at(now)
    assert (period.name, period.ends) == (name, ends)
    assert period.starts <= now < period.ends


def test_the_quota_counts_what_is_delivered_and_what_is_under_way() -> None:
    keys = allowance(quota=3, calls=1)
    keys.reserve(1, NOVEMBER).commit(booked=True)
    keys.reserve(1, NOVEMBER)
    assert keys.remaining_calls() == 0
    with pytest.raises(QuotaExceeded):
        keys.reserve(1, NOVEMBER)


def test_an_exhausted_quota_says_when_the_period_ends() -> None:
    with pytest.raises(QuotaExceeded, match="2026-11") as refused:
        allowance(quota=1, calls=1).reserve(1, NOVEMBER)
    wait_s = int((DECEMBER - NOVEMBER).total_seconds())
    assert refused.value.headers == [(b"retry-after", b"%d" % wait_s)]


def test_a_quota_that_may_yet_be_released_says_to_come_back_soon() -> None:
    keys = allowance(quota=1)
    keys.reserve(1, NOVEMBER)
    with pytest.raises(QuotaExceeded) as refused:
        keys.reserve(1, NOVEMBER)
    assert refused.value.headers == [(b"retry-after", b"1")]


def test_a_released_call_can_be_made_again() -> None:
    keys = allowance(quota=1, credit=10)
    keys.reserve(10, NOVEMBER).release()
    keys.reserve(10, NOVEMBER).commit(booked=True)
    assert (keys.calls, keys.spent) == (1, 10)


def test_credit_is_spent_to_the_last_unit_and_not_beyond() -> None:
    keys = allowance(credit=10, spent=4)
    keys.reserve(3, NOVEMBER)
    keys.reserve(3, NOVEMBER)
    with pytest.raises(OutOfCredit):
        keys.reserve(1, NOVEMBER)
    keys.reserve(0, NOVEMBER)


def test_a_new_month_brings_a_new_quota_but_no_new_credit() -> None:
    keys = allowance(quota=1, credit=10)
    keys.reserve(10, NOVEMBER).commit(booked=True)
    with pytest.raises(OutOfCredit):
        keys.reserve(1, DECEMBER)
    assert (keys.calls, keys.spent, keys.period.name) == (0, 10, "2026-12")


def test_a_call_begun_in_one_month_does_not_count_in_the_next() -> None:
    keys = allowance(quota=1)
    late = keys.reserve(5, NOVEMBER)
    keys.reserve(5, DECEMBER)
    late.commit(booked=True)
    assert late.period.name == "2026-11"
    assert (keys.calls, keys.spent, keys.reserved_calls, keys.reserved_units) == (0, 5, 1, 5)


def test_a_clock_set_back_does_not_reopen_a_quota() -> None:
    keys = allowance(quota=1)
    keys.reserve(1, DECEMBER).commit(booked=True)
    with pytest.raises(QuotaExceeded):
        keys.reserve(1, NOVEMBER)


def test_settling_twice_changes_nothing() -> None:
    keys = allowance()
    reservation = keys.reserve(7, NOVEMBER)
    reservation.commit(booked=True)
    reservation.commit(booked=True)
    reservation.release()
    assert (keys.calls, keys.spent, keys.reserved_calls, keys.reserved_units) == (1, 7, 0, 0)


class Overshoot(RuleBasedStateMachine):
    """However calls are begun, delivered, given back and refunded, no limit is overshot and nothing leaks."""

    begun: Bundle[Reservation] = Bundle("begun")
    done: Bundle[Reservation] = Bundle("done")

    @initialize(quota=st.none() | st.integers(0, 8), credit=st.none() | st.integers(0, 30))
    def begin(self, quota: int | None, credit: int | None) -> None:
        self.now = NOVEMBER
        self.allowance = allowance(quota, credit)
        self.under_way: dict[int, Reservation] = {}
        self.delivered: dict[int, Reservation] = {}

    @rule(target=begun, units=st.integers(0, 10))
    def reserve(self, units: int) -> Reservation | None:
        keys = self.allowance
        calls = keys.calls + keys.reserved_calls
        spent = keys.spent + keys.reserved_units
        try:
            reservation = keys.reserve(units, self.now)
        except QuotaExceeded:
            assert calls == keys.quota
            return None
        except OutOfCredit:
            assert keys.credit is not None
            assert spent + units > keys.credit
            return None
        self.under_way[id(reservation)] = reservation
        return reservation

    @rule(target=done, reservation=consumes(begun))
    def commit(self, reservation: Reservation | None) -> Reservation | None:
        if reservation is None:
            return None
        reservation.commit(booked=True)
        self.delivered[id(reservation)] = self.under_way.pop(id(reservation))
        return reservation

    @rule(reservation=consumes(begun))
    def release(self, reservation: Reservation | None) -> None:
        if reservation is not None:
            reservation.release()
            del self.under_way[id(reservation)]

    @rule(reservation=consumes(done))
    def refund(self, reservation: Reservation | None) -> None:
        if reservation is not None:
            reservation.refund()
            del self.delivered[id(reservation)]

    @rule(days=st.integers(1, 40))
    def pass_time(self, days: int) -> None:
        self.now += timedelta(days=days)
        self.allowance.roll(self.now)

    @invariant()
    def nothing_is_overshot_or_lost(self) -> None:
        if not hasattr(self, "allowance"):
            return
        keys = self.allowance
        assert keys.reserved_units == sum(each.units for each in self.under_way.values())
        assert keys.spent == sum(each.units for each in self.delivered.values())
        assert keys.calls == sum(each.period is keys.period for each in self.delivered.values())
        assert keys.reserved_calls == sum(each.period is keys.period for each in self.under_way.values())
        assert keys.credit is None or keys.spent + keys.reserved_units <= keys.credit
        assert keys.quota is None or keys.calls + keys.reserved_calls <= keys.quota


TestOvershoot = Overshoot.TestCase
TestOvershoot.settings = settings(max_examples=60, stateful_step_count=30)
