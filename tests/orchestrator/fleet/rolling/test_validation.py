"""A batch is judged by what it does beside the others, in numbers."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from config.rollouts import RollingOut
from orchestrator.fleet.rolling.validation import Validation, Verdict
from orchestrator.fleet.rolling.work import Work
from streams.traffic import bucket_of

RULES = RollingOut(window_s=10, min_samples=50)
NOTHING = Work()


def work(rng: random.Random, requests: int, **shares: Any) -> Work:
    """What instances do whose requests have these shares and take so long."""
    errors = sum(rng.random() < shares.get("errors", 0.01) for _ in range(requests))
    booked = sum(rng.random() < shares.get("earning", 0.9) for _ in range(requests))
    rejected = sum(rng.random() < shares.get("rejected", 0.0) for _ in range(booked))
    durations: dict[int, int] = {}
    for _ in range(requests):
        bucket = bucket_of(rng.lognormvariate(0, 0.5) * shares.get("took_s", 0.1))
        durations[bucket] = durations.get(bucket, 0) + 1
    looks = shares.get("looks", 3)
    unready = sum(rng.random() < shares.get("unready", 0.0) for _ in range(looks))
    return Work(requests, errors, durations, booked - rejected, rejected, looks, unready, shares.get("restarted", 0))


def judged(seed: int, periods: int = 120, rules: RollingOut = RULES, **candidate: Any) -> Verdict:
    """The first verdict that is one, after so many periods of a second at the latest."""
    rng = random.Random(seed)
    before = work(rng, 100)
    validation = Validation(rules, batches=1, before=before)
    verdict = validation.verdict(0)
    for second in range(1, periods + 1):
        validation.note(work(rng, 6, **candidate), work(rng, 18))
        verdict = validation.verdict(second)
        if verdict.outcome in ("worse", "good"):
            break
    return verdict


def test_what_is_alike_passes_and_is_hardly_ever_called_worse() -> None:
    outcomes = [judged(seed).outcome for seed in range(120)]
    assert outcomes.count("good") >= 114
    # The bound is 1.2 of 120.
    assert outcomes.count("worse") <= 4


@pytest.mark.parametrize(
    ("candidate", "words"),
    [
        ({"took_s": 0.4}, "it is slower"),
        ({"errors": 0.3}, "fails more often"),
        ({"rejected": 0.3}, "evidence rejected"),
        ({"unready": 0.5}, "ready less often"),
        ({"restarted": 1}, "restarted more often"),
    ],
)
def test_what_is_worse_is_found_and_named(candidate: dict[str, Any], words: str) -> None:
    verdicts = [judged(seed, **candidate) for seed in range(10)]
    assert [verdict.outcome for verdict in verdicts] == ["worse"] * 10
    assert all(words in verdict.reason for verdict in verdicts), verdicts[0].reason


def test_what_earns_much_less_is_found_where_there_is_enough_money_to_tell() -> None:
    verdict = judged(1, earning=0.1, rules=msgspec.structs.replace(RULES, window_s=60))
    assert verdict.outcome == "worse"
    assert "earns with fewer requests" in verdict.reason
    poor = Validation(RULES, batches=1, before=NOTHING)
    rng = random.Random(1)
    for _ in range(60):
        poor.note(work(rng, 6, earning=0.0), work(rng, 18, earning=0.0))
    assert poor.verdict(60).outcome == "good"


def test_a_little_slower_than_what_is_conceded_is_not_worse() -> None:
    assert [judged(seed, took_s=0.12).outcome for seed in range(10)] == ["good"] * 10


def test_slowness_that_nobody_feels_does_not_count() -> None:
    rules = msgspec.structs.replace(RULES, slow_above_s=10.0)
    assert judged(1, rules=rules, took_s=0.8).outcome == "good"


@pytest.mark.parametrize(("mine", "theirs"), [(0, 20), (20, 0), (0, 0), (2, 20)])
def test_too_little_on_either_side_is_no_data_and_never_a_pass(mine: int, theirs: int) -> None:
    rng = random.Random(1)
    validation = Validation(RULES, batches=1, before=work(rng, 100))
    for _ in range(20):
        validation.note(work(rng, mine, errors=0), work(rng, theirs, errors=0))
        if mine == 2:
            mine = 0
    verdict = validation.verdict(20)
    assert verdict.outcome == "no_data"
    assert "no data" in verdict.reason
    assert validation.verdict(5).outcome == "watching"


def test_refused_evidence_with_nothing_beside_it_does_not_pass() -> None:
    rng = random.Random(1)
    validation = Validation(RULES, batches=1, before=work(rng, 100))
    for _ in range(40):
        validation.note(work(rng, 6, rejected=1.0), msgspec.structs.replace(work(rng, 18), booked=0))
    assert validation.verdict(40).outcome == "undecided"


def test_where_nothing_else_is_left_it_is_compared_with_its_own_past() -> None:
    rng = random.Random(1)
    past = work(rng, 400)
    for errors, outcome in ((0.01, "good"), (0.4, "worse")):
        validation = Validation(RULES, batches=1, before=NOTHING, past=past, seed="rollout-0001")
        for _ in range(40):
            validation.note(work(rng, 6, errors=errors), NOTHING)
            if validation.verdict(5).outcome == "worse":
                break
        verdict = validation.verdict(40)
        assert verdict.outcome == outcome
        assert "before the change" in verdict.reason
    without = Validation(RULES, batches=1, before=NOTHING, past=NOTHING)
    for _ in range(40):
        without.note(work(rng, 6), NOTHING)
    assert without.verdict(40).outcome == "no_data"


def test_the_batches_of_a_rollout_share_its_chance_of_a_false_alarm() -> None:
    rng = random.Random(3)
    one, many = (Validation(RULES, batches=batches, before=NOTHING) for batches in (1, 50))
    first: dict[int, int] = {}
    for second in range(1, 60):
        mine, theirs = work(rng, 6, errors=0.15), work(rng, 18)
        for name, validation in ((1, one), (50, many)):
            validation.note(mine, theirs)
            if validation.verdict(second).outcome == "worse":
                first.setdefault(name, second)
    assert first[1] < first[50]
