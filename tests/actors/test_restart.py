from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import Backoff, RestartBudget


@given(
    max_restarts=st.integers(0, 5),
    window_s=st.sampled_from([1.0, 10.0, 60.0]),
    gaps=st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, 9.5, 10.0, 20.0, 59.5, 60.0, 60.5]), max_size=30),
)
def test_a_budget_agrees_with_the_naive_rule(max_restarts: int, window_s: float, gaps: list[float]) -> None:
    budget = RestartBudget(max_restarts, window_s)
    failures: list[float] = []
    now = 0.0
    for number, gap in enumerate(gaps):
        now += gap
        failures.append(now)
        inside = [failure for failure in failures if now - window_s <= failure]
        assert budget.spend(now, str(number)) is (len(inside) <= max_restarts)
        assert budget.left(now) == max(0, max_restarts - len(inside))
        assert budget.history() == tuple(str(n) for n in range(number + 1 - len(inside), number + 1))


@pytest.mark.parametrize(("fourth_at", "allowed"), [(59.9, False), (60.0, False), (60.1, True)])
def test_the_sixtieth_second_is_inside_the_window(fourth_at: float, allowed: bool) -> None:
    budget = RestartBudget(3, 60.0)
    assert [budget.spend(at, "") for at in (0.0, 1.0, 2.0)] == [True, True, True]
    assert budget.spend(fourth_at, "") is allowed


def test_a_renewed_budget_has_forgotten_everything() -> None:
    budget = RestartBudget(1, 60.0)
    assert budget.spend(0.0, "first")
    assert not budget.spend(0.0, "second")
    budget.renew()
    assert budget.history() == ()
    assert budget.left(0.0) == 1
    assert budget.spend(0.0, "third")


@given(attempt=st.integers(1, 1_000_000), seed=st.integers(0, 2**32))
def test_a_delay_is_between_nothing_and_its_bound(attempt: int, seed: int) -> None:
    backoff = Backoff(first_s=0.1, factor=2.0, cap_s=10.0)
    delay_s = backoff.delay_s(attempt, random.Random(seed))
    assert 0 <= delay_s <= min(10.0, 0.1 * 2 ** min(attempt - 1, 20))


def test_without_jitter_a_delay_is_its_bound() -> None:
    backoff = Backoff(first_s=0.1, factor=2.0, cap_s=1.0, jitter=False)
    delays = [backoff.delay_s(attempt, random.Random(0)) for attempt in range(1, 7)]
    assert delays == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.0, 1.0])


def test_jitter_spreads_a_crowd_over_the_whole_interval() -> None:
    rng = random.Random(7)
    delays = [Backoff(first_s=8.0).delay_s(1, rng) for _ in range(1000)]
    assert min(delays) < 0.5
    assert max(delays) > 7.5
    assert sum(delays) / 1000 == pytest.approx(4.0, rel=0.1)
