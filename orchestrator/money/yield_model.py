"""What instances are believed to earn with a budget, learnt from what they did earn. Pure.

Revenue comes late, drifts, is noisy, and saturates. So, for each pool of like arms (a stream):

- *delay*: what a period earned is weighed by the share of a period's revenue that has come after so long, learnt
  from periods that are old enough to be complete;
- *drift*: old periods count less and less;
- *saturation*: the scale of the curve is common to the pool, the one of a few candidates that explains the pool's
  revenues best;
- *noise*: an arm of which little is known is believed to be like the others of its pool, and before anything is
  known of the pool, as its prior weight says.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from operator import mul
from typing import Final

import msgspec

from orchestrator.money.allocator import Curve

_RENORMALISE: Final = 1e60
_LEAST_CEILING: Final = 0.25
"""An arm's error is that of one which earns at least this share of what the pool's arms earn: the poor may recover."""
_SCALE_MARGIN: Final = 0.002


class ModelSettings(msgspec.Struct, frozen=True):
    """How the model learns.

    Attributes:
        memory: Weight of a period beside the one after it, 0 to 1.
        mature_periods: Periods after which a period's revenue counts as complete.
        prior_periods: How many full periods of an arm's own weigh as much as what is believed of its pool.
        scales: Candidates for the curve's scale, as multiples of the pool's mean budget.
        optimism: Standard errors that are added to what an arm is believed to earn, so that it is tried.
    """

    memory: float = 0.96
    mature_periods: int = 12
    prior_periods: float = 2.0
    scales: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0, 4.0)
    optimism: float = 0.5


class Belief(msgspec.Struct, frozen=True, gc=False):
    """What an arm is believed to earn.

    Attributes:
        curve: Expected revenue of a period by its budget.
        error: Standard error of the curve's ceiling.
        evidence: How many full periods of its own it is believed from; old ones and partial ones count less.
    """

    curve: Curve
    error: float
    evidence: float = 0.0

    def optimistic(self, errors: float) -> Curve:
        """Return the curve with its ceiling so many standard errors higher."""
        return Curve(self.curve.ceiling + errors * self.error, self.curve.scale)


class Arm:
    """What is remembered of one arm; the periods that are still open come first, the newest at the left."""

    __slots__ = ("budgets", "cross", "earned", "shares", "squares", "total")

    def __init__(self, candidates: int) -> None:
        self.budgets: deque[float] = deque()
        self.earned: deque[float] = deque()
        self.shares: deque[float] = deque()
        # Weighted sums over the periods that are closed, by candidate scale: of h*h and h*y; and of y*y. `h` is
        # the share of its ceiling that the budget of a period can earn.
        self.squares = [0.0] * candidates
        self.cross = [0.0] * candidates
        self.total = 0.0


class Pool:
    """Like arms: what is learnt of one helps to judge the others.

    Args:
        settings: How it learns.
        reference: A usual budget of an arm and period; candidate scales are multiples of it.
        prior: What an arm is believed to earn at most in a period before anything was seen.
    """

    def __init__(self, settings: ModelSettings, reference: float, prior: float) -> None:
        self.settings = settings
        self._scales = [factor * reference for factor in settings.scales]
        self._reference = reference
        self._prior = prior
        self._chosen = len(self._scales) // 2
        self._arms: dict[str, Arm] = {}
        self._weight = 1.0
        self._noise = 1.0
        # By age, weighted: what came at that age, and of how much that could have come at all.
        self._came = [0.0] * (settings.mature_periods + 1)
        self._possible = [0.0] * (settings.mature_periods + 1)

    @property
    def scale(self) -> float:
        """The scale of the pool's curves that explains best what was earned."""
        return self._scales[self._chosen]

    def arrived(self) -> list[float]:
        """Return which share of a period's revenue has come, by the period's age; the last is 1."""
        per_period = [
            came / possible if possible > 0 else 0.0 for came, possible in zip(self._came, self._possible, strict=True)
        ]
        whole = math.fsum(max(each, 0.0) for each in per_period)
        if whole <= 0:
            return [1.0] * len(per_period)
        shares, so_far = [], 0.0
        for each in per_period:
            so_far += max(each, 0.0)
            shares.append(max(so_far / whole, 0.02))
        return shares

    def expect(self, prior: float) -> None:
        """Believe from now on that an arm earns so much at most in a period before anything was seen."""
        self._prior = prior

    def forget(self, arm: str) -> None:
        """Remember nothing more of an arm that is gone."""
        self._arms.pop(arm, None)

    def observe(self, periods: Mapping[str, tuple[float, Sequence[float]]]) -> None:
        """Take a period that has ended.

        Args:
            periods: By arm: the budget that it had, and the revenue that came during the period, by the age of the
                period that it belongs to: first what belongs to this one, then to the one before, and so on. What
                belongs to periods that are closed is past learning from.
        """
        settings = self.settings
        self._weight /= settings.memory
        if self._weight > _RENORMALISE:
            self._renormalise()
        scale = self.scale
        for name, (budget, came) in periods.items():
            arm = self._arms.get(name)
            if arm is None:
                arm = self._arms[name] = Arm(len(self._scales))
            arm.budgets.appendleft(budget)
            arm.shares.appendleft(-math.expm1(-budget / scale))
            arm.earned.appendleft(0.0)
            for age, revenue in enumerate(came):
                if age < len(arm.earned):
                    arm.earned[age] += revenue
                    self._came[age] += self._weight * revenue
            for age, share in enumerate(arm.shares):
                self._possible[age] += self._weight * share
            if len(arm.budgets) > settings.mature_periods:
                self._close(arm)
        self._choose_scale()
        self._noise = self._noise_seen()

    def believe(self) -> dict[str, Belief]:
        """Return what each arm is believed to earn now."""
        settings = self.settings
        arrived = self.arrived()
        # A part of a period's revenue tells as much less, as it is smaller.
        weights = [settings.memory**age * share for age, share in enumerate(arrived)]
        ages = [settings.memory**age for age in range(len(arrived))]
        chosen, weight = self._chosen, self._weight
        sums: list[tuple[str, float, float]] = []
        for name, arm in self._arms.items():
            shares = arm.shares
            squares = arm.squares[chosen] / weight + sum(map(mul, map(mul, shares, shares), weights))
            cross = arm.cross[chosen] / weight + sum(map(mul, map(mul, shares, arm.earned), ages))
            sums.append((name, squares, cross))
        usual = -math.expm1(-self._reference / self.scale)
        full = usual * usual
        prior_weight = settings.prior_periods * full
        seen = math.fsum(squares for _, squares, _ in sums)
        common = (math.fsum(cross for _, _, cross in sums) + prior_weight * self._prior) / (seen + prior_weight)
        prior, least, scale, noise = prior_weight * common, _LEAST_CEILING * abs(common), self.scale, self._noise
        beliefs: dict[str, Belief] = {}
        for name, squares, cross in sums:
            known = squares + prior_weight
            ceiling = max((cross + prior) / known, 0.0)
            error = noise * max(ceiling, least) / math.sqrt(known)
            beliefs[name] = Belief(Curve(ceiling, scale), error, squares / full)
        return beliefs

    def newcomer(self) -> Curve:
        """Return what an arm that was never seen is believed to earn."""
        beliefs = self.believe()
        if not beliefs:
            return Curve(self._prior, self.scale)
        return Curve(math.fsum(each.curve.ceiling for each in beliefs.values()) / len(beliefs), self.scale)

    def _close(self, arm: Arm) -> None:
        budget, earned = arm.budgets.pop(), arm.earned.pop()
        arm.shares.pop()
        weight = self._weight * self.settings.memory**self.settings.mature_periods
        arm.total += weight * earned * earned
        for place, scale in enumerate(self._scales):
            share = -math.expm1(-budget / scale)
            arm.squares[place] += weight * share * share
            arm.cross[place] += weight * share * earned

    def _noise_seen(self) -> float:
        """Return the standard deviation of a full period's revenue, as a multiple of what is expected of it."""
        place = self._chosen
        left = explained = 0.0
        for arm in self._arms.values():
            if arm.squares[place] > 0:
                fitted = arm.cross[place] ** 2 / arm.squares[place]
                left += max(arm.total - fitted, 0.0)
                explained += fitted
        return math.sqrt(left / explained) if explained > 0 else 1.0

    def _choose_scale(self) -> None:
        errors = [0.0] * len(self._scales)
        for arm in self._arms.values():
            for place, squares in enumerate(arm.squares):
                if squares > 0:
                    errors[place] -= arm.cross[place] ** 2 / squares  # the sum of y*y is common to all
        best = min(range(len(errors)), key=errors.__getitem__)
        if best != self._chosen and errors[best] < errors[self._chosen] * (1 + _SCALE_MARGIN):
            self._chosen = best
            for arm in self._arms.values():
                arm.shares = deque(-math.expm1(-budget / self.scale) for budget in arm.budgets)

    def _renormalise(self) -> None:
        for arm in self._arms.values():
            arm.squares = [each / self._weight for each in arm.squares]
            arm.cross = [each / self._weight for each in arm.cross]
            arm.total /= self._weight
        self._came = [each / self._weight for each in self._came]
        self._possible = [each / self._weight for each in self._possible]
        self._weight = 1.0
