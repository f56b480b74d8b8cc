"""What the assets are worth: one seeded process that all venues follow.

A price is its base plus lattice noise of several periods, from a second to a day, each as large as a random
walk's steps over its period. So it moves like a market over the times that matter here, stays within bounds for
ever, and any moment of it can be computed by itself: nothing ticks while nobody asks.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from streams.sandbox.venues.market.dice import MILLION, Dice

STEP_MS: Final = 500
"""How long prices stand between two of their changes."""

USD_SCALE: Final = 10
"""Worth is counted in units of 10^-10 dollars."""

_OCTAVES: Final = 18
_KEPT_STEPS: Final = 128
_BILLION: Final = 1_000_000_000
_ROOT_OF_TWO_PPM: Final = 1_414_214


def _usd(text: str) -> int:
    whole, _, fraction = text.partition(".")
    return int(whole + fraction.ljust(USD_SCALE, "0"))


# What each is worth on average, and how far it moves in the shortest period (a standard deviation, billionths).
_ASSETS: Final = {
    "BTC": (_usd("64000"), 70_000),
    "ETH": (_usd("3100"), 90_000),
    "SOL": (_usd("150"), 130_000),
    "XRP": (_usd("0.55"), 120_000),
    "LTC": (_usd("72"), 110_000),
    "USDT": (_usd("1.0004"), 600),
    "USD": (_usd("1"), 0),
}


class FairPrices:
    """The process.

    Args:
        seed: What decides on it.
    """

    def __init__(self, seed: int) -> None:
        self._dice = Dice(f"{seed}/worth")
        self._edges: dict[tuple[str, int], tuple[int, int, int]] = {}
        self._steps: OrderedDict[int, dict[str, int]] = OrderedDict()

    def at(self, step: int) -> dict[str, int]:
        """Return what each asset is worth in a step (of `STEP_MS` since the beginning), in units of 10^-10 USD."""
        step = max(step, 0)
        worths = self._steps.get(step)
        if worths is None:
            worths = self._steps[step] = {asset: self._worth(asset, step) for asset in _ASSETS}
            if len(self._steps) > _KEPT_STEPS:
                self._steps.popitem(last=False)
        return worths

    @staticmethod
    def base_of(asset: str) -> int:
        """Return what an asset is worth on average, in units of 10^-10 USD."""
        return _ASSETS[asset][0]

    def _worth(self, asset: str, step: int) -> int:
        base, deviation = _ASSETS[asset]
        if not deviation:
            return base
        moved = 0  # billionths
        for octave in range(1, _OCTAVES + 1):
            period = 2**octave
            cell, offset = divmod(step, period)
            left, right = self._edges_of(asset, octave, cell)
            height = left * (period - offset) + right * offset
            moved += height * deviation // (period * MILLION)
            deviation = deviation * _ROOT_OF_TWO_PPM // MILLION
        return base * (_BILLION + moved) // _BILLION

    def _edges_of(self, asset: str, octave: int, cell: int) -> tuple[int, int]:
        known = self._edges.get((asset, octave))
        if known is None or known[0] != cell:
            left = known[2] if known is not None and known[0] == cell - 1 else self._edge(asset, octave, cell)
            known = self._edges[asset, octave] = (cell, left, self._edge(asset, octave, cell + 1))
        return known[1], known[2]

    def _edge(self, asset: str, octave: int, cell: int) -> int:
        return self._dice.bell(f"{asset}/{octave}/{cell}")
