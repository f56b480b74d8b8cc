"""What the rest asks of a venue: one account, seen through whatever client speaks its language."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

import msgspec

from streams.crypto_arbitrage.market import Market
from streams.crypto_arbitrage.order import Order, OrderReport
from streams.crypto_arbitrage.order_book import OrderBook


class VenueUnavailable(Exception):
    """The venue does not answer now, or asks for patience."""


class OrderRefused(Exception):
    """The order surely does not exist: the venue said no before it took it."""


class OutcomeUnknown(Exception):
    """The order may exist: the venue did not say. Ask by its client id."""


class Wallet(msgspec.Struct, frozen=True):
    """Whether an asset can come to a venue and go.

    Attributes:
        open: Whether deposits and withdrawals are; where a venue does not say, they are taken for open.
        withdrawal_fee: What a withdrawal costs; units of the asset, 0 where the venue does not say.
    """

    open: bool = True
    withdrawal_fee: int = 0


class Venue(Protocol):
    """One account on one venue.

    All methods but `close` raise `VenueUnavailable`; none gives up silently.
    """

    @property
    def name(self) -> str:
        """The venue's name."""
        ...

    @property
    def time_resolution_ms(self) -> int:
        """The steps in which it tells its time."""
        ...

    async def open(self) -> None:
        """Connect."""
        ...

    async def close(self) -> None:
        """Disconnect. Also called after a failure."""
        ...

    async def markets(self) -> Mapping[str, Market]:
        """Return its spot markets, by symbol."""
        ...

    async def wallets(self) -> Mapping[str, Wallet]:
        """Return whether assets can come and go, by ticker."""
        ...

    async def tops(self, symbols: Collection[str]) -> list[OrderBook]:
        """Return the best offers of these markets, in as few calls as there can be."""
        ...

    async def depth(self, symbol: str, levels: int) -> OrderBook:
        """Return a market's book."""
        ...

    async def balances(self) -> dict[str, int]:
        """Return what can be traded with; units by ticker, rounded down."""
        ...

    async def time_ms(self) -> int:
        """Return its time, Unix milliseconds."""
        ...

    async def place(self, order: Order) -> OrderReport:
        """Send an order, and return what came of it.

        Raises:
            OrderRefused: It surely does not exist.
            OutcomeUnknown: It may exist.
        """
        ...

    async def find(self, order: Order) -> OrderReport | None:
        """Return what came of an order, by its client id; None where the venue does not know it.

        What still rests is cancelled first.
        """
        ...
