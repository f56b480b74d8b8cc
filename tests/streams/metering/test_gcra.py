"""The rate limiter's promise, and what it tells callers."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.metering.gcra import NANOSECONDS, Rate, RateDecision, decide

PAUSES_NS = st.lists(
    st.one_of(st.just(0), st.integers(0, NANOSECONDS // 100), st.integers(0, 5 * NANOSECONDS)),
    min_size=1,
    max_size=150,
)


def run(rate: Rate, times_s: list[float]) -> list[RateDecision]:
    arrival_ns = 0
    decisions = []
    for now_s in times_s:
        decision = decide(rate, arrival_ns, now_s)
        arrival_ns = decision.arrival_ns
        decisions.append(decision)
    return decisions


@settings(max_examples=150)
@given(
    per_s=st.floats(0.05, 5_000.0),
    burst=st.integers(1, 50),
    start_ns=st.integers(0, 10**15),
    pauses_ns=PAUSES_NS,
)
def test_never_more_than_burst_plus_rate_times_time_are_admitted_in_any_span(
    per_s: float, burst: int, start_ns: int, pauses_ns: list[int]
) -> None:
    times_s = []
    now_ns = start_ns
    for pause_ns in pauses_ns:
        now_ns += pause_ns
        times_s.append(now_ns / NANOSECONDS)
    decisions = run(Rate.per_second(per_s, burst), times_s)
    admitted_s = [now_s for now_s, decision in zip(times_s, decisions, strict=True) if decision.allowed]
    for first, first_s in enumerate(admitted_s):
        for last in range(first, len(admitted_s)):
            # The limiter's clock is whole nanoseconds.
            span = Fraction(int(admitted_s[last] * NANOSECONDS) - int(first_s * NANOSECONDS), NANOSECONDS)
            assert last - first + 1 <= burst + Fraction(per_s) * span


@settings(max_examples=100)
@given(per_s=st.floats(0.1, 1_000.0), burst=st.integers(1, 20), now_s=st.floats(0, 1e6))
def test_exactly_the_burst_is_admitted_at_once_and_remaining_counts_down(
    per_s: float, burst: int, now_s: float
) -> None:
    decisions = run(Rate.per_second(per_s, burst), [now_s] * (burst + 1))
    assert [decision.remaining for decision in decisions] == [*range(burst - 1, -1, -1), 0]
    assert [decision.allowed for decision in decisions] == [True] * burst + [False]


@settings(max_examples=100)
@given(per_s=st.floats(0.1, 1_000.0), burst=st.integers(1, 20))
def test_a_caller_that_waits_as_it_is_told_is_admitted(per_s: float, burst: int) -> None:
    rate = Rate.per_second(per_s, burst)
    refused = run(rate, [1000.0] * (burst + 1))[-1]
    assert not refused.allowed
    assert 0 < refused.retry_after_s <= 1 / per_s + 1e-6
    assert decide(rate, refused.arrival_ns, 1000.0 + refused.retry_after_s + 1e-6).allowed
    assert not decide(rate, refused.arrival_ns, 1000.0 + refused.retry_after_s - 1e-6).allowed


@settings(max_examples=50)
@given(per_s=st.floats(0.1, 1_000.0), burst=st.integers(2, 20))
def test_after_the_reset_the_whole_burst_is_there_again(per_s: float, burst: int) -> None:
    rate = Rate.per_second(per_s, burst)
    last = run(rate, [50.0] * burst)[-1]
    assert last.reset_s == pytest.approx(burst / per_s, rel=1e-6)
    assert decide(rate, last.arrival_ns, 50.0 + last.reset_s + 1e-6).remaining == burst - 1


def test_a_refused_call_costs_nothing() -> None:
    rate = Rate.per_second(1.0, 1)
    first, *refused = run(rate, [10.0] * 50)
    assert {decision.arrival_ns for decision in refused} == {first.arrival_ns}


def test_the_window_is_the_time_that_fills_an_empty_bucket() -> None:
    assert Rate.per_second(10.0, 25).window_s == 3
    assert Rate.per_second(0.5, 1).window_s == 2


@pytest.mark.parametrize(("per_s", "burst"), [(0.0, 1), (-1.0, 1), (math.inf, 1), (math.nan, 1), (1.0, 0)])
def test_a_rate_that_admits_nothing_or_everything_is_refused(per_s: float, burst: int) -> None:
    with pytest.raises(ValueError, match=r"a (rate|burst) is"):
        Rate.per_second(per_s, burst)
