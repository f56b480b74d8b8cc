"""What the instances of one book are believed to earn with a share of the places, learnt from periods. Pure.

A pool for each stream (`orchestrator/money/yield_model.py`); what is not known of one yet follows from its multiplier,
at the rate at which the fleet as a whole has earned so far. The multiplier says what to expect beside other streams;
it never multiplies money that came.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from orchestrator.money.allocator import Curve
from orchestrator.money.profit.period import Period
from orchestrator.money.yield_model import Belief, ModelSettings, Pool

_UNKNOWN_MULTIPLIER = 1.0


class Learner:
    """Learns from the periods of one book in one asset.

    Args:
        settings: How.
        multipliers: By stream.
        reference: A usual share of one instance.

    Attributes:
        reference: The same.
        periods: How many it has seen.
    """

    def __init__(self, settings: ModelSettings, multipliers: Mapping[str, float], reference: float) -> None:
        self.reference = reference
        self.periods = 0
        self._settings = settings
        self._multipliers = dict(multipliers)
        self._pools: dict[str, Pool] = {}
        self._arms: dict[str, set[str]] = {}
        self._earned = 0.0
        self._expected = 0.0
        self._paid_here: set[str] = set()
        self._paid_elsewhere: set[str] = set()

    @classmethod
    def taught(
        cls,
        settings: ModelSettings,
        multipliers: Mapping[str, float],
        reference: float,
        periods: Iterable[Period],
    ) -> Learner:
        """Return one that has seen these periods, the oldest first."""
        learner = cls(settings, multipliers, reference)
        for period in periods:
            learner.observe(period)
        return learner

    @property
    def has_evidence(self) -> bool:
        """Whether anything was earned or spent in what it has seen."""
        return bool(self._paid_here)

    def rate(self) -> float:
        """Return what a multiplier of 1 stands for: units in a period, at a usual share's full yield."""
        return self._earned / self._expected if self._earned > 0 and self._expected > 0 else 1.0

    def multiplier(self, stream: str) -> float:
        """Return a stream's multiplier."""
        return self._multipliers.get(stream, _UNKNOWN_MULTIPLIER)

    def is_measured(self, stream: str) -> bool:
        """Whether a stream's money can be judged: not where all of it came in other assets."""
        return stream in self._paid_here or stream not in self._paid_elsewhere

    def observe(self, period: Period) -> None:
        """Take a period that has ended; the one after those taken before."""
        self.periods += 1
        self._earned *= self._settings.memory
        self._expected *= self._settings.memory
        for names in period.elsewhere.values():
            self._paid_elsewhere.update(names)
        for stream, arms in period.streams.items():
            pool = self._pools.get(stream)
            if pool is None:
                prior = self.multiplier(stream) * self.rate()
                pool = self._pools[stream] = Pool(self._settings, self.reference, prior)
            for gone in self._arms.get(stream, set()) - arms.keys():
                pool.forget(gone)
            self._arms[stream] = set(arms)
            pool.observe({name: (had.budget, had.came) for name, had in arms.items()})
            if any(any(had.came) for had in arms.values()):
                self._paid_here.add(stream)
            self._earned += math.fsum(sum(had.came) for had in arms.values())
            shares = math.fsum(-math.expm1(-had.budget / self.reference) for had in arms.values())
            self._expected += self.multiplier(stream) * shares
        for stream in self._pools.keys() - period.streams.keys():
            del self._pools[stream]
            self._arms.pop(stream, None)

    def believe(self, stream: str) -> dict[str, Belief]:
        """Return what the instances of a stream that it has seen are believed to earn."""
        pool = self._pools.get(stream)
        if pool is None or not self.is_measured(stream):
            return {}
        pool.expect(self.multiplier(stream) * self.rate())
        return pool.believe()

    def newcomer(self, stream: str, others: Mapping[str, Belief]) -> Curve:
        """Return what an instance of a stream is believed to earn of which nothing was seen.

        Args:
            stream: The stream.
            others: What `believe` says of it.
        """
        if not others:
            return self.prior(stream)
        mean = math.fsum(belief.curve.ceiling for belief in others.values()) / len(others)
        return Curve(mean, self._pools[stream].scale)

    def prior(self, stream: str) -> Curve:
        """Return what an instance of a stream is believed to earn by its multiplier alone."""
        return Curve(self.multiplier(stream) * self.rate(), self.reference)
