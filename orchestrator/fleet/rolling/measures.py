"""The measures that a candidate and its baseline are compared by, each as bad pieces of so many. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from config.rollouts import RollingOut
from orchestrator.fleet.rolling.sequential import Sample, Wager
from orchestrator.fleet.rolling.work import Slowness, Work, slow

Measure: TypeAlias = Literal["unready", "restarts", "errors", "slow", "rejected", "unpaid"]

MEASURES: Final[tuple[Measure, ...]] = ("unready", "restarts", "errors", "slow", "rejected", "unpaid")

PROVEN: Final[tuple[Measure, ...]] = ("errors", "slow", "rejected")
"""Measures by which a batch must be shown not to be much worse. The others only must not be shown to be worse: of the
first two a batch has few, and how much a request earns differs between businesses."""

WORDS: Final[Mapping[Measure, tuple[str, str]]] = {
    "unready": ("is ready less often", "of looks found it not ready"),
    "restarts": ("is restarted more often", "of looks found it restarted"),
    "errors": ("fails more often", "of requests failed"),
    "slow": ("is slower", "of requests were slow"),
    "rejected": ("has its evidence rejected", "of bookings were rejected"),
    "unpaid": ("earns with fewer requests", "of requests earned nothing"),
}

_READINESS_EFFECT: Final = 0.2


def harm_wagers(rules: RollingOut) -> dict[Measure, Wager]:
    """Return wagers that the candidate is worse, by measure."""
    return {
        "unready": Wager(0.0, _READINESS_EFFECT, 0.02),
        "restarts": Wager(0.0, _READINESS_EFFECT, 0.02),
        "errors": Wager(0.0, rules.error_increase, 0.02),
        "slow": Wager(0.0, rules.slow_increase, 0.1),
        "rejected": Wager(0.0, rules.error_increase, 0.02),
        # Two businesses differ in how much of what they answer is free.
        "unpaid": Wager(rules.unpaid_increase, rules.unpaid_increase, 0.5),
    }


def proof_wagers(rules: RollingOut) -> dict[Measure, Wager]:
    """Return wagers that the candidate's share of *good* pieces is more than the baseline's less the margin."""
    return {
        "errors": Wager(-rules.error_increase, rules.error_increase, 0.98),
        "slow": Wager(-rules.slow_increase, rules.slow_increase, 0.9),
        "rejected": Wager(-rules.error_increase, rules.error_increase, 0.98),
    }


def sample_of(work: Work, measure: Measure, above: int | None) -> Sample:
    """Return what instances did, by a measure.

    Args:
        work: What they did.
        measure: Which measure.
        above: The bucket beyond which a request is slow; None where that is not known yet.
    """
    match measure:
        case "unready":
            return Sample(work.unready, work.looks)
        case "restarts":
            return Sample(work.restarted, work.looks)
        case "errors":
            return Sample(work.errors, work.requests)
        case "slow":
            return Sample() if above is None else slow(work.durations, above)
        case "rejected":
            return Sample(work.rejected, work.booked + work.rejected)
        case "unpaid":
            return Sample(max(0, work.requests - work.booked), work.requests)


def samples_of(candidate: Work, baseline: Work, measure: Measure, border: Slowness | None) -> tuple[Sample, Sample]:
    """Return what both did, by a measure."""
    return (
        sample_of(candidate, measure, None if border is None else border.candidate),
        sample_of(baseline, measure, None if border is None else border.baseline),
    )
