"""Which offer a click goes to: Thompson sampling on commission per click, with rewards that come late.

Every offer has a belief about how often a click earns (a beta distribution) and what it earns then (a mean). Each
click draws from the beliefs and follows the best draw: offers that earn get most clicks, and doubtful ones get
just enough to be found out.

A draw holds for some milliseconds, so that a rush of clicks costs no more draws than it has beliefs to follow.

A click that has not earned yet is no failure yet. It becomes one gradually, as it ages past the usual delay of
a conversion: were it one at once, every new offer would look bad until its first commission came in. Beliefs
also fade, because offers do not stay what they were.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Final

import msgspec

PRIOR_CONVERSIONS: Final = 1.0
PRIOR_CLICKS: Final = 30.0
"""What is believed of an offer without evidence: about one click in thirty earns."""


DRAW_HOLDS_S: Final = 0.02
_MAX_DRAWS: Final = 256


class Belief(msgspec.Struct):
    """What is known of one offer. Weights, not counts: all of them fade.

    Attributes:
        young: Clicks that are too recent to have failed.
        matured: Clicks that would have earned by now, if they do.
        conversions: Clicks that earned.
        reward: What they earned, units.
        at_s: When all that was true, seconds since 1970.
    """

    young: float = 0.0
    matured: float = 0.0
    conversions: float = 0.0
    reward: float = 0.0
    at_s: float = 0.0


class Rotation:
    """Chooses among offers.

    Args:
        expected: What a commission of each offer should be before there is one, units.
        delay_s: How long a conversion takes to be reported, typically.
        half_life_s: After which time evidence counts half.
        rng: Where draws come from.
    """

    def __init__(
        self,
        expected: dict[str, int],
        *,
        delay_s: float,
        half_life_s: float,
        rng: random.Random,
    ) -> None:
        self._expected = expected
        self._delay_s = delay_s
        self._half_life_s = half_life_s
        self._draw: Callable[[float, float], float] = rng.betavariate
        self._beliefs: dict[str, Belief] = {offer: Belief() for offer in expected}
        self._drawn: dict[tuple[str, ...], tuple[str, float]] = {}

    def choose(self, offers: tuple[str, ...], now_s: float) -> str:
        """Return the offer that the next click goes to, of one or more."""
        if len(offers) == 1:
            return offers[0]
        drawn = self._drawn.get(offers)
        if drawn is not None and 0 <= now_s - drawn[1] < DRAW_HOLDS_S:
            return drawn[0]
        best = max(offers, key=lambda offer: self._sample(offer, now_s))
        if len(self._drawn) >= _MAX_DRAWS:
            self._drawn.clear()
        self._drawn[offers] = best, now_s
        return best

    def clicked(self, offer: str) -> None:
        """Note a click."""
        self._beliefs[offer].young += 1.0

    def earned(self, offer: str, units: int, now_s: float) -> None:
        """Note a conversion. Units are what is new about it: negative where a commission was taken back."""
        belief = self._aged(offer, now_s)
        if units > 0:
            belief.conversions += 1.0
        elif units < 0:
            belief.conversions = max(0.0, belief.conversions - 1.0)
        belief.reward = max(0.0, belief.reward + units)

    def beliefs(self) -> dict[str, Belief]:
        """Return what is known, by offer."""
        return self._beliefs

    def restore(self, beliefs: dict[str, Belief]) -> None:
        """Take up former beliefs about offers that are still there."""
        self._beliefs.update({offer: belief for offer, belief in beliefs.items() if offer in self._beliefs})

    def _sample(self, offer: str, now_s: float) -> float:
        belief = self._aged(offer, now_s)
        wins = PRIOR_CONVERSIONS + belief.conversions
        losses = PRIOR_CLICKS - PRIOR_CONVERSIONS + max(0.0, belief.matured - belief.conversions)
        mean = (self._expected[offer] * PRIOR_CONVERSIONS + belief.reward) / wins
        return self._draw(wins, losses) * mean

    def _aged(self, offer: str, now_s: float) -> Belief:
        belief = self._beliefs[offer]
        passed_s = now_s - belief.at_s
        if passed_s > 0:
            ripe = belief.young * -math.expm1(-passed_s / self._delay_s)
            kept = 0.5 ** (passed_s / self._half_life_s)
            belief.young -= ripe
            belief.matured = (belief.matured + ripe) * kept
            belief.conversions *= kept
            belief.reward *= kept
            belief.at_s = now_s
        return belief
