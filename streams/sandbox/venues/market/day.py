"""What became of a pair in 24 hours."""

from __future__ import annotations

from typing import Final

import msgspec

from streams.sandbox.venues.listings import Listing
from streams.sandbox.venues.market.fair_prices import STEP_MS, FairPrices

DAY_MS: Final = 24 * 60 * 60 * 1000

_SAMPLES: Final = 8


class Day(msgspec.Struct, frozen=True):
    """What became of a pair in 24 hours.

    Attributes:
        open_ticks: What it was worth then.
        high_ticks: The greatest of nine moments since then.
        low_ticks: The smallest of them.
        lots: What the venue's accounts traded.
        cost_units: What that cost, in units of the quote asset.
        trades: In how many trades.
    """

    open_ticks: int
    high_ticks: int
    low_ticks: int
    lots: int
    cost_units: int
    trades: int


class DaySamples:
    """What assets were worth at a few moments of the last 24 hours.

    Args:
        prices: The market; its own, for `look_back` runs in a thread.
    """

    def __init__(self, prices: FairPrices) -> None:
        self._prices = prices
        self._worths: dict[int, dict[str, int]] = {}

    def look_back(self, step: int) -> None:
        """Find out what is not known yet of the day before a step. Takes some milliseconds every few hours."""
        # At the same moments for hours, so that most of them are known from the last time.
        apart = DAY_MS // STEP_MS // _SAMPLES
        newest = step // apart
        wanted = range(max(newest - _SAMPLES, 0), newest + 1)
        self._worths = {each: self._worths.get(each) or self._prices.at(each * apart) for each in wanted}

    def day(self, listing: Listing, last_ticks: int, volume: tuple[int, int, int]) -> Day:
        """Return the day of a pair, as far as was looked back.

        Args:
            listing: The pair.
            last_ticks: What it is worth now.
            volume: Lots, cost and number of its trades.
        """
        worths = self._worths.values()
        ticks = [each[listing.base] * 10**listing.price_decimals // each[listing.quote] for each in worths]
        return Day(ticks[0], max(*ticks, last_ticks), min(*ticks, last_ticks), *volume)
