"""Whether a batch is as good as the instances beside it. Pure: told what both did, period by period."""

from __future__ import annotations

from math import exp, log
from typing import Final, Literal, TypeAlias

import msgspec

from config.rollouts import RollingOut
from orchestrator.fleet.rolling.measures import (
    MEASURES,
    PROVEN,
    WORDS,
    Measure,
    harm_wagers,
    proof_wagers,
    sample_of,
    samples_of,
)
from orchestrator.fleet.rolling.sequential import Sample
from orchestrator.fleet.rolling.work import Past, Work, slowness, together

Outcome: TypeAlias = Literal["watching", "good", "worse", "no_data", "undecided"]
"""`watching`: the window is not over. `no_data`: it is, and there was too little to compare. `undecided`: neither good
nor worse so far."""

_LOG_SHOWN: Final = 30.0
"""A wager beyond e to this, or below e to minus this, is shown as that: nobody reads more digits."""


class Figure(msgspec.Struct, frozen=True):
    """A measure of a batch beside its baseline.

    Attributes:
        candidate: The batch's share of bad pieces; null without any.
        candidate_of: Of how many.
        baseline: The baseline's.
        baseline_of: Of how many.
        worse: What one unit, wagered on the batch being worse, has become.
        good: The same of its not being much worse; null where that need not be shown.
    """

    candidate: float | None
    candidate_of: int
    baseline: float | None
    baseline_of: int
    worse: float
    good: float | None = None


class Verdict(msgspec.Struct, frozen=True):
    """What is said of a batch now.

    Attributes:
        outcome: Whether it is good.
        reason: Why, in a sentence.
        figures: Every measure of which there is something.
    """

    outcome: Outcome
    reason: str
    figures: dict[str, Figure]


class Validation:
    """Judges one batch.

    Args:
        rules: By what.
        batches: How many batches of the rollout are judged; they share its chance of a false alarm.
        before: What the baseline did before the batch was watched: it tells what is slow.
        past: What the batch's own instances did before they were changed, where no others are left to compare with.
        seed: The same draws from the past come of the same seed.
    """

    def __init__(
        self, rules: RollingOut, *, batches: int, before: Work, past: Work | None = None, seed: str = ""
    ) -> None:
        self._rules = rules
        self._harm = harm_wagers(rules)
        self._proof = proof_wagers(rules)
        self._log_worse = log(len(MEASURES) * batches / rules.alpha)
        self._log_good = log(1 / rules.beta)
        self._durations = Work(durations=before.durations if past is None else past.durations)
        self._booked = before.booked if past is None else past.booked
        self._seen: dict[Measure, tuple[Sample, Sample]] = dict.fromkeys(MEASURES, (Sample(), Sample()))
        self._past = None if past is None else self._draws_of(past, seed)

    def _draws_of(self, past: Work, seed: str) -> dict[Measure, Past]:
        border = slowness(past.durations, self._rules.slowdown, self._rules.slow_above_s)
        above = None if border is None else border.baseline
        return {measure: Past(sample_of(past, measure, above), f"{seed}/{measure}") for measure in MEASURES}

    def note(self, candidate: Work, baseline: Work) -> None:
        """Take in what both did in a period."""
        border = slowness(self._durations.durations, self._rules.slowdown, self._rules.slow_above_s)
        for measure in MEASURES:
            mine, theirs = samples_of(candidate, baseline, measure, border)
            if self._past is not None:
                theirs = self._past[measure].draw(mine.of)
                if measure in ("unready", "restarts"):
                    theirs = Sample(0, mine.of)  # it was ready, or there would be nothing to compare with
            before = self._seen[measure]
            self._seen[measure] = before[0] + mine, before[1] + theirs
            self._harm[measure].note(mine, theirs)
            if measure in self._proof:
                self._proof[measure].note(mine.turned(), theirs.turned())
        if self._past is None:
            # Only from now on: what is slow is settled before it is seen who is.
            self._durations = together((self._durations, Work(durations=baseline.durations)))
            self._booked += baseline.booked

    def verdict(self, watched_s: float) -> Verdict:
        """Say what is known after so many seconds."""
        figures = self._figures()
        for measure in MEASURES:
            if measure == "unpaid" and self._booked < self._rules.min_samples:
                continue  # too little money to say anything by
            if self._harm[measure].log_stake >= self._log_worse:
                return Verdict("worse", self._told(measure), figures)
        if watched_s < self._rules.window_s:
            return Verdict("watching", f"watched for {watched_s:.0f} of at least {self._rules.window_s:g} s", figures)
        enough = [measure for measure in PROVEN if min(each.of for each in self._seen[measure]) >= self._needed]
        if not enough:
            return Verdict("no_data", self._missing(), figures)
        doubted = [measure for measure in MEASURES if self._harm[measure].log_stake >= self._log_good]
        unproven = [measure for measure in enough if self._proof[measure].log_stake < self._log_good]
        alone = [measure for measure in PROVEN if self._seen[measure][0].bad and not self._seen[measure][1].of]
        if alone:
            return Verdict("undecided", f"{self._told(alone[0], claim=False)}: nothing to compare with", figures)
        if doubted:
            return Verdict("undecided", f"it may be worse: {self._told(doubted[0])}", figures)
        if unproven:
            return Verdict("undecided", f"not sure yet: {self._told(unproven[0], claim=False)}", figures)
        told = "; ".join(self._told(measure, claim=False) for measure in enough)
        return Verdict("good", f"it is as good as the others: {told}", figures)

    @property
    def _needed(self) -> int:
        return self._rules.min_samples

    def _told(self, measure: Measure, *, claim: bool = True) -> str:
        mine, theirs = self._seen[measure]
        claims, shares = WORDS[measure]
        beside = "in the others" if self._past is None else "before the change"
        told = f"{_percent(mine)} of {mine.of} {shares.removeprefix('of ')}, {beside} {_percent(theirs)} of {theirs.of}"
        return f"it {claims}: {told}" if claim else told

    def _missing(self) -> str:
        requests, bookings = self._seen["errors"], self._seen["rejected"]
        beside = "the others" if self._past is None else "itself before the change"
        return (
            f"no data: {requests[0].of} requests and {bookings[0].of} bookings to compare with {requests[1].of} and "
            f"{bookings[1].of} of {beside}; {self._needed} of either are needed on both sides"
        )

    def _figures(self) -> dict[str, Figure]:
        return {
            measure: Figure(
                candidate=_rounded(mine),
                candidate_of=mine.of,
                baseline=_rounded(theirs),
                baseline_of=theirs.of,
                worse=_stake(self._harm[measure].log_stake),
                good=_stake(self._proof[measure].log_stake) if measure in self._proof else None,
            )
            for measure, (mine, theirs) in self._seen.items()
            if mine.of or theirs.of
        }


def _percent(sample: Sample) -> str:
    return "nothing" if sample.share is None else f"{sample.share:.1%}"


def _rounded(sample: Sample) -> float | None:
    return None if sample.share is None else round(sample.share, 6)


def _stake(log_stake: float) -> float:
    return float(f"{exp(max(-_LOG_SHOWN, min(log_stake, _LOG_SHOWN))):.3g}")
