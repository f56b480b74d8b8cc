"""What was taken of the makers' offers, until they offer it anew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from streams.sandbox.venues.market.feed import Ladder, Rung, Side

RungKey: TypeAlias = tuple[str, Side, int]
"""A pair, the side of the orders that take, and a rung's index."""


class Consumption:
    """Takes off what is gone. An epoch of a ladder is over when another one is looked at.

    Attributes:
        changed: What to store.
    """

    def __init__(self) -> None:
        self._taken: dict[RungKey, tuple[int, int]] = {}
        self.changed: set[RungKey] = set()

    def visible(self, symbol: str, side: Side, ladder: Ladder) -> Iterator[Rung]:
        """Yield what is left for orders of a side, best price first."""
        for rung in ladder.rungs:
            epoch, lots = self._taken.get((symbol, side, rung.index), (ladder.epoch, 0))
            left = rung.lots - lots if epoch == ladder.epoch else rung.lots
            if left > 0:
                yield rung if left == rung.lots else Rung(rung.ticks, left, rung.index)

    def take(self, symbol: str, side: Side, ladder: Ladder, index: int, lots: int) -> None:
        """Remember that so much is gone."""
        key = (symbol, side, index)
        epoch, before = self._taken.get(key, (ladder.epoch, 0))
        self._taken[key] = (ladder.epoch, lots + (before if epoch == ladder.epoch else 0))
        self.changed.add(key)

    def of(self, key: RungKey) -> tuple[int, int]:
        """Return the epoch and the lots that were taken of a rung."""
        return self._taken[key]

    def restore(self, key: RungKey, epoch: int, lots: int) -> None:
        """Set what was stored."""
        self._taken[key] = (epoch, lots)
