"""The sequential test keeps its promise: no share that the null hypothesis allows makes the wager grow on average."""

from __future__ import annotations

import itertools
import math
import random

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from orchestrator.fleet.rolling.sequential import Sample, Wager, log_ratio

shares = st.floats(0.001, 0.999)
few = st.integers(1, 5)
margins = st.sampled_from([-0.3, -0.05, 0.0, 0.05, 0.3])


@settings(max_examples=150, deadline=None)
@given(few, few, st.tuples(shares, shares), margins, st.floats(0, 1), st.floats(0, 1))
def test_whatever_the_null_hypothesis_allows_the_expected_wager_is_at_most_what_it_was(
    n: int, m: int, guess: tuple[float, float], margin: float, theirs: float, part: float
) -> None:
    # Any candidate's share that is allowed beside this one of the baseline.
    assume(theirs + margin >= 0)
    mine = part * min(1.0, theirs + margin)
    expected = 0.0
    for bad, bad_of_theirs in itertools.product(range(n + 1), range(m + 1)):
        chance = _binomial(bad, n, mine) * _binomial(bad_of_theirs, m, theirs)
        expected += chance * math.exp(log_ratio(Sample(bad, n), Sample(bad_of_theirs, m), guess, margin))
    assert expected <= 1 + 1e-6


@given(few, few, st.tuples(shares, shares), margins)
def test_a_guess_that_the_null_hypothesis_allows_stakes_nothing(
    n: int, m: int, guess: tuple[float, float], margin: float
) -> None:
    if guess[0] - guess[1] <= margin:
        assert log_ratio(Sample(n, n), Sample(0, m), guess, margin) == 0.0


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 4), st.integers(0, 4)), max_size=12))
def test_nothing_is_lost_of_periods_in_which_one_side_did_nothing(
    periods: list[tuple[int, int, int, int]],
) -> None:
    wager = Wager(0.0, 0.1, 0.02)
    noted = [Sample(), Sample()]
    for bad, good, bad_of_theirs, good_of_theirs in periods:
        mine, theirs = Sample(bad, bad + good), Sample(bad_of_theirs, bad_of_theirs + good_of_theirs)
        wager.note(mine, theirs)
        noted = [noted[0] + mine, noted[1] + theirs]
    # One more period in which both did something takes along whatever waited.
    wager.note(Sample(0, 1), Sample(0, 1))
    assert (wager.candidate, wager.baseline) == (noted[0] + Sample(0, 1), noted[1] + Sample(0, 1))
    assert math.isfinite(wager.log_stake)


def test_groups_that_are_alike_are_rarely_told_apart_however_often_one_looks() -> None:
    alpha = 0.05
    for share in (0.01, 0.1, 0.5):
        alarms = sum(_reaches(alpha, share, share, seed) is not None for seed in range(200))
        # Ville's bound is 10 of 200; more than 20 would come by chance in one of a thousand runs at the bound itself.
        assert alarms <= 20, f"{alarms} false alarms at a share of {share}"


def test_a_difference_of_the_stated_effect_is_found() -> None:
    periods = [_reaches(0.002, 0.06, 0.01, seed) for seed in range(40)]
    found = sorted(period for period in periods if period is not None)
    assert len(found) >= 38
    assert found[len(found) // 2] <= 60  # periods of 6 and 18 pieces
    # One that is ten times as large is found almost at once.
    assert all((_reaches(0.002, 0.5, 0.01, seed) or 99) <= 6 for seed in range(40))


def test_groups_that_are_alike_are_shown_to_be() -> None:
    shown = 0
    for seed in range(40):
        rng = random.Random(seed)
        wager = Wager(-0.05, 0.05, 0.98)
        for _ in range(120):
            wager.note(_sample(rng, 0.01, 6).turned(), _sample(rng, 0.01, 18).turned())
        shown += wager.log_stake >= math.log(20)
    assert shown >= 38


def _reaches(alpha: float, mine: float, theirs: float, seed: int) -> int | None:
    rng = random.Random(seed)
    wager = Wager(0.0, 0.05, 0.02)
    for period in range(1, 121):
        wager.note(_sample(rng, mine, 6), _sample(rng, theirs, 18))
        if wager.log_stake >= math.log(1 / alpha):
            return period
    return None


def _sample(rng: random.Random, share: float, of: int) -> Sample:
    return Sample(sum(rng.random() < share for _ in range(of)), of)


def _binomial(k: int, n: int, share: float) -> float:
    return math.comb(n, k) * share**k * (1 - share) ** (n - k)
