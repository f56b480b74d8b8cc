"""What the streams earn, as weights for sharing room out. Ratios only: no money is reckoned here."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from config.fleet import StreamPlan

Source: TypeAlias = Literal["earnings", "multipliers"]
"""Whether weights are what was earned lately or, where nothing was, the multipliers of the configuration."""


class Weights(msgspec.Struct, frozen=True):
    """What one instance of each stream earns, beside each other.

    Attributes:
        by_stream: By stream; in units of no meaning, equal for all of them.
        source: Where they come from.
    """

    by_stream: dict[str, float]
    source: Source


class Earnings:
    """Remembers what the streams had earned in all, and says what they earn now."""

    def __init__(self) -> None:
        self._totals: deque[tuple[float, Mapping[str, int]]] = deque()

    def note(self, t_s: float, totals: Mapping[str, int], window_s: float) -> None:
        """Note what each stream has earned in all, in minor units of one asset.

        Args:
            t_s: When, monotonic.
            totals: By stream.
            window_s: What is older is forgotten.
        """
        self._totals.append((t_s, dict(totals)))
        while len(self._totals) > 1 and self._totals[1][0] <= t_s - window_s:
            self._totals.popleft()

    def weigh(self, plans: Mapping[str, StreamPlan]) -> Weights:
        """Return the weights: what each stream earned per instance since the window's begin, at least 0."""
        weights: dict[str, float] = {}
        if self._totals:
            before, now = self._totals[0][1], self._totals[-1][1]
            for stream, plan in plans.items():
                earned = now.get(stream, 0) - before.get(stream, 0)
                weights[stream] = max(0, earned) / max(1, plan.count)
        if any(weights.values()):
            return Weights(weights, "earnings")
        return Weights({stream: plan.multiplier for stream, plan in plans.items()}, "multipliers")
