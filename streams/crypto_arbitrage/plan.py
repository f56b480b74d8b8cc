"""What is going to be tried: legs with sizes and limits, under one id, from which all its order ids follow."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256

import msgspec

from streams.crypto_arbitrage.market import Market, Side
from streams.crypto_arbitrage.order import Order


class Leg(msgspec.Struct, frozen=True):
    """One leg as it was planned.

    Attributes:
        market: Where.
        side: Which way.
        amount: The order's amount; units of the base.
        limit: The worst price that is taken; units.
    """

    market: Market
    side: Side
    amount: int
    limit: int


class Plan(msgspec.Struct, frozen=True):
    """A trip that is going to be made.

    Attributes:
        id: 32 hexadecimal digits.
        route: What people call the way.
        home: The asset that it begins and ends with.
        legs: In the order in which they are sent.
        spend: What the first leg needs; units of the home asset.
        expected: What it should make; units of the home asset.
        made_at: When, UTC.
        unwind_s: How long what is left over may be got rid of; seconds.
    """

    id: str
    route: str
    home: str
    legs: tuple[Leg, ...]
    spend: int
    expected: int
    made_at: datetime
    unwind_s: float

    def order_id(self, number: int) -> str:
        """Return the client id of the trip's nth order: the same after a restart."""
        return sha256(f"{self.id}:{number}".encode()).hexdigest()[:32]

    def order(self, number: int, leg: Leg) -> Order:
        """Return the trip's nth order."""
        return Order(self.order_id(number), leg.market, leg.side, leg.amount, leg.limit)

    def wants(self) -> dict[str, dict[str, int]]:
        """Return what has to be reserved, by venue and asset: all that the legs spend before others bring it."""
        wants: dict[str, dict[str, int]] = {}
        for number, leg in enumerate(self.legs):
            venue, asset = leg.market.venue, leg.market.spends(leg.side)
            if number == 0:
                wants.setdefault(venue, {})[asset] = self.spend
            elif venue != self.legs[number - 1].market.venue:
                # What the leg before brings lies elsewhere: this one spends what lies here.
                amount = leg.amount + leg.market.fee(leg.amount) if leg.market.fee_on("sell") == "spent" else leg.amount
                wants.setdefault(venue, {})[asset] = amount
        return wants

    def still_wants(self, venue: str) -> dict[str, int]:
        """Return what has to be reserved on a venue once the first leg is sent."""
        return {} if venue == self.legs[0].market.venue else self.wants().get(venue, {})

    def symbols(self) -> dict[str, tuple[str, ...]]:
        """Return the markets that are traded in, by venue."""
        symbols: dict[str, tuple[str, ...]] = {}
        for leg in self.legs:
            symbols[leg.market.venue] = (*symbols.get(leg.market.venue, ()), leg.market.symbol)
        return symbols
