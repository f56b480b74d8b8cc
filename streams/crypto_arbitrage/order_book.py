"""An order book as it was received, or only the top of one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import msgspec

from streams.crypto_arbitrage.amounts import NotExact, read_amount, read_price

Level: TypeAlias = tuple[int, int]
"""A price and the amount that is offered there, in units."""

Levels: TypeAlias = tuple[Level, ...]


class OrderBook(msgspec.Struct, frozen=True, gc=False):
    """Both sides of a market, best prices first.

    Attributes:
        venue: The venue's name.
        symbol: The market's symbol.
        bids: What others pay, dearest first.
        asks: What others take, cheapest first.
        received_s: When it was received, on the own monotonic clock, seconds.
        venue_time_ms: When the venue says it was so, Unix milliseconds; None where it does not say.
        nonce: The venue's number for this state of the book; None where it gives none.
    """

    venue: str
    symbol: str
    bids: Levels
    asks: Levels
    received_s: float
    venue_time_ms: int | None = None
    nonce: int | None = None

    @property
    def two_sided(self) -> bool:
        """Whether there is somebody on both sides."""
        return bool(self.bids and self.asks)

    @property
    def crossed(self) -> bool:
        """Whether somebody pays at least what somebody else takes: no market that matches orders looks like that."""
        return self.two_sided and self.bids[0][0] >= self.asks[0][0]

    def same_state(self, other: OrderBook) -> bool:
        """Return whether the venue has not moved between the two, by its own number, else by what is offered."""
        if self.nonce is not None and other.nonce is not None:
            return self.nonce == other.nonce
        if self.venue_time_ms is not None and other.venue_time_ms is not None:
            return self.venue_time_ms == other.venue_time_ms
        # A top and a whole book of the same state differ in length only.
        depth = min(len(self.bids), len(other.bids)), min(len(self.asks), len(other.asks))
        return self.bids[: depth[0]] == other.bids[: depth[0]] and self.asks[: depth[1]] == other.asks[: depth[1]]


def read_levels(rows: Iterable[tuple[object, object]], *, dearest_first: bool) -> Levels:
    """Return levels in order, from a venue's prices and amounts.

    Args:
        rows: Prices and amounts, in any order, as decimal text.
        dearest_first: True for bids.

    Raises:
        NotExact: One is no number, is finer than a price can be, or is not positive.
    """
    levels = []
    for price, amount in rows:
        level = read_price(price), read_amount(amount)
        if level[0] <= 0 or level[1] < 0:
            raise NotExact(f"{amount} at {price} is no offer")
        if level[1]:
            levels.append(level)
    levels.sort(reverse=dearest_first)
    return tuple(levels)
