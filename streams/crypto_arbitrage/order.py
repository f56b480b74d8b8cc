"""An order as it is sent, and what a venue says came of it."""

from __future__ import annotations

from datetime import datetime

import msgspec

from streams.crypto_arbitrage.market import Market, Side


class Order(msgspec.Struct, frozen=True):
    """A limit order that takes what is there at once, and leaves nothing behind.

    Attributes:
        client_id: Our own id of it, made and journaled before it is sent; 32 hexadecimal digits.
        market: Where.
        side: Which way.
        amount: Units of the base.
        limit: The worst price; units.
    """

    client_id: str
    market: Market
    side: Side
    amount: int
    limit: int


class Fee(msgspec.Struct, frozen=True, array_like=True):
    """What a venue took for a fill."""

    asset: str
    units: int


class OrderReport(msgspec.Struct, frozen=True):
    """What a venue says of an order that is over.

    Attributes:
        client_id: Our id of it.
        order_id: The venue's.
        filled: How much was traded; units of the base, 0 for nothing.
        cost: For how much; units of the quote, rounded against us.
        fees: What it took; rounded up.
        at: When it was over, UTC.
        artefact: The venue's own words.
    """

    client_id: str
    order_id: str
    filled: int
    cost: int
    fees: tuple[Fee, ...]
    at: datetime
    artefact: bytes

    def fee_in(self, asset: str) -> int:
        """Return what was taken in one asset."""
        return sum(fee.units for fee in self.fees if fee.asset == asset)


def changes_of(market: Market, side: Side, report: OrderReport) -> dict[str, int]:
    """Return what a fill changes on the account: signed units by asset, fees included."""
    sign = 1 if side == "buy" else -1
    changes = {market.base: sign * report.filled, market.quote: -sign * report.cost}
    for fee in report.fees:
        changes[fee.asset] = changes.get(fee.asset, 0) - fee.units
    return changes
