"""A sequential test of two shares: looked at after every period, for as long as one likes. Pure.

Two groups of instances work side by side, and of each piece of work it is known whether it was bad. May the first
group's share of bad ones be larger than the second's by more than a margin? A test that is made once must not be
looked at again and again: sooner or later it would say yes of any two groups. This one may.

It is an e-process, after Turner, Ly and Grünwald, "Generic E-variables for exact sequential k-sample tests that allow
for optional stopping" (2024), and Turner and Grünwald, "Exact anytime-valid confidence intervals for contingency
tables and beyond" (2023). Think of a wager, one unit at the start, on the claim that the share is larger. Before each
period a guess (c, b) of both shares is made from the periods before. The wager is then multiplied by how much
likelier the period is under the guess than under (c', b'), which is, of all pairs that the null hypothesis `c <= b +
margin` allows, the nearest to the guess in Kullback-Leibler divergence, weighted by the numbers of pieces n and m.

Whatever shares (p, q) the null allows, the wager's expectation after the period is at most what it was:

    E = (1 + x)^n (1 + y)^m <= exp(n x + m y)
    where x = (p - c')(c - c') / (c'(1 - c')) and y = (q - b')(b - b') / (b'(1 - b'))

and `n x + m y <= 0` is what it means that (c', b') is the nearest on a convex set. So, by Ville's inequality, the
chance that the wager ever reaches 1 / alpha is at most alpha, however often it is looked at. What it takes for granted
is that a piece's outcome tells nothing of the next one's, nor of how many there are.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

_LEAST: Final = 1e-4
"""A guess is never surer than this: a wager that is lost altogether can never be won back."""

_HALVINGS: Final = 50


class Sample(msgspec.Struct, frozen=True):
    """What one group did in a period.

    Attributes:
        bad: How many pieces were bad.
        of: How many there were.
    """

    bad: int = 0
    of: int = 0

    def __add__(self, other: Sample) -> Sample:
        return Sample(self.bad + other.bad, self.of + other.of)

    def turned(self) -> Sample:
        """Return it with good and bad exchanged."""
        return Sample(self.of - self.bad, self.of)

    @property
    def share(self) -> float | None:
        """The share of bad ones; None where there is nothing."""
        return self.bad / self.of if self.of else None


class Wager:
    """A wager that the candidate's share of bad pieces exceeds the baseline's by more than a margin.

    Args:
        margin: What it may exceed the baseline's by, from -1 to 1.
        effect: By how much more, at least, it is guessed to exceed it: where it really does, the wager grows fastest.
        prior: What the baseline's share is guessed to be before anything is known.
        prior_weight: As how many pieces that guess counts.

    Attributes:
        log_stake: The natural logarithm of what the wager has become.
        candidate: All of the candidate so far.
        baseline: All of the baseline so far.
    """

    def __init__(self, margin: float, effect: float, prior: float, prior_weight: float = 10.0) -> None:
        self._margin = margin
        self._effect = effect
        self._prior = prior
        self._prior_weight = prior_weight
        self._waiting = (Sample(), Sample())
        self.log_stake = 0.0
        self.candidate = Sample()
        self.baseline = Sample()

    def note(self, candidate: Sample, baseline: Sample) -> None:
        """Take a period in. One in which a group did nothing is taken together with the next."""
        mine, theirs = self._waiting[0] + candidate, self._waiting[1] + baseline
        if not mine.of or not theirs.of:
            self._waiting = mine, theirs
            return
        self._waiting = Sample(), Sample()
        self.log_stake += log_ratio(mine, theirs, self._guess(), self._margin)
        self.candidate += mine
        self.baseline += theirs

    def _guess(self) -> tuple[float, float]:
        theirs = _bounded(self._estimate(self.baseline, self._prior))
        mine = self._estimate(self.candidate, theirs)
        return _bounded(max(mine, theirs + self._margin + self._effect)), theirs

    def _estimate(self, seen: Sample, prior: float) -> float:
        return (seen.bad + prior * self._prior_weight) / (seen.of + self._prior_weight)


def log_ratio(candidate: Sample, baseline: Sample, guess: tuple[float, float], margin: float) -> float:
    """Return by what factor a wager grows in a period, as a natural logarithm.

    Args:
        candidate: What the one group did.
        baseline: What the other did.
        guess: Both groups' shares, guessed before the period; each more than 0 and less than 1.
        margin: What the null hypothesis lets the candidate's share exceed the baseline's by.
    """
    mine, theirs = guess
    if mine - theirs <= margin:
        return 0.0  # the guess is one that the null hypothesis allows: nothing is staked
    nearest = _nearest(candidate.of, baseline.of, guess, margin)
    return _log_likelihood_ratio(candidate, mine, nearest + margin) + _log_likelihood_ratio(baseline, theirs, nearest)


def _nearest(candidate_of: int, baseline_of: int, guess: tuple[float, float], margin: float) -> float:
    """Return the baseline's share of the nearest pair that the null hypothesis allows: on its border."""
    mine, theirs = guess
    if margin == 0.0:
        return (candidate_of * mine + baseline_of * theirs) / (candidate_of + baseline_of)
    low, high = max(0.0, -margin), min(1.0, 1.0 - margin)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        other = middle + margin
        slope = candidate_of * (other - mine) / (other * (1 - other)) + baseline_of * (middle - theirs) / (
            middle * (1 - middle)
        )
        if slope < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _log_likelihood_ratio(sample: Sample, guessed: float, null: float) -> float:
    good = sample.of - sample.bad
    return sample.bad * math.log(guessed / null) + good * math.log((1 - guessed) / (1 - null))


def _bounded(share: float) -> float:
    return min(1 - _LEAST, max(_LEAST, share))
