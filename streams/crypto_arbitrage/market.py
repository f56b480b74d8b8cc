"""What is traded where, and on which terms."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from streams.crypto_arbitrage.amounts import PPM, ceil_div

Side: TypeAlias = Literal["buy", "sell"]

FeeIn: TypeAlias = Literal["quote", "base", "received", "third"]
"""What a venue takes its fee in: always the quote, always the base, whatever the trade brings in, or a third coin."""


class Market(msgspec.Struct, frozen=True):
    """One market of one venue.

    Attributes:
        venue: The venue's name.
        symbol: `BTC/USDT`.
        base: The ticker of what is traded.
        quote: The ticker of what prices are in.
        base_id: What the venue itself calls the base.
        quote_id: What the venue itself calls the quote.
        amount_step: Amounts of orders are multiples of it; units.
        price_tick: Prices of orders are multiples of it; units.
        min_amount: Smallest amount of an order; units of the base.
        max_amount: Largest; 0 for no limit.
        min_cost: Smallest amount times price of an order; units of the quote.
        fee_ppm: The taker's fee, parts per million of the trade.
        fee_in: What it is taken in.
        fee_asset: The ticker of the third coin, where it is taken in one.
        active: Whether the venue trades it at the moment.
    """

    venue: str
    symbol: str
    base: str
    quote: str
    base_id: str
    quote_id: str
    amount_step: int
    price_tick: int
    min_amount: int
    min_cost: int
    fee_ppm: int
    fee_in: FeeIn
    max_amount: int = 0
    fee_asset: str = ""
    active: bool = True

    def __post_init__(self) -> None:
        if self.amount_step < 1 or self.price_tick < 1:
            raise ValueError(f"{self.venue} {self.symbol}: amount_step and price_tick must be at least one unit")
        if not 0 <= self.fee_ppm < PPM:
            raise ValueError(f"{self.venue} {self.symbol}: a fee of {self.fee_ppm} ppm is none that can be paid")

    def spends(self, side: Side) -> str:
        """Return the ticker of what a trade gives away."""
        return self.quote if side == "buy" else self.base

    def brings(self, side: Side) -> str:
        """Return the ticker of what a trade brings in."""
        return self.base if side == "buy" else self.quote

    def fee_on(self, side: Side) -> Literal["spent", "brought", "third"]:
        """Return whether the fee makes a trade spend more, bring less, or is paid in something else."""
        if self.fee_in == "third":
            return "third"
        if self.fee_in == "received":
            return "brought"
        return "spent" if (self.fee_in == "quote") == (side == "buy") else "brought"

    def fee(self, units: int) -> int:
        """Return the fee on an amount, rounded up."""
        return ceil_div(units * self.fee_ppm, PPM)

    def refuses(self, amount: int, least_cost: int) -> str:
        """Return why an order of this size is none; empty where it is one.

        Args:
            amount: Units of the base.
            least_cost: What it costs at its limit price, units of the quote.
        """
        if amount <= 0 or amount < self.min_amount:
            return "min_amount"
        if self.max_amount and amount > self.max_amount:
            return "max_amount"
        return "min_cost" if least_cost < self.min_cost else ""
