"""One leg, priced to the unit: what an order of a size spends and brings, after fees, on a given book."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from streams.crypto_arbitrage.amounts import PPM, PRICE_ONE, ceil_div, down_to, up_to
from streams.crypto_arbitrage.depth import walk, walk_budget
from streams.crypto_arbitrage.market import Market, Side
from streams.crypto_arbitrage.order_book import Levels


class Conversion(msgspec.Struct, frozen=True, gc=False):
    """An order that takes what is there, and what comes of it.

    Attributes:
        market: Where.
        side: Which way.
        amount: The order's amount; units of the base.
        limit: The worst price that it takes; units, a multiple of the tick.
        cost: Amount times price, rounded against us; units of the quote.
        spent: What it takes away, fee included where that is taken from there; units of what is spent.
        brought: What it brings in, less the fee where that is taken from there; units of what is brought.
    """

    market: Market
    side: Side
    amount: int
    limit: int
    cost: int
    spent: int
    brought: int

    @property
    def least_cost(self) -> int:
        """The amount at the limit price: what venues compare with their smallest cost. Units of the quote."""
        return self.amount * self.limit // PRICE_ONE


def buying(market: Market, asks: Levels, amount: int) -> Conversion | None:
    """Price the purchase of an amount; None where so much is not offered."""
    found = walk(asks, amount)
    if not found.complete or amount <= 0:
        return None
    cost = ceil_div(found.exact_cost, PRICE_ONE)
    on = market.fee_on("buy")
    spent = cost + market.fee(cost) if on == "spent" else cost
    brought = amount - market.fee(amount) if on == "brought" else amount
    return Conversion(market, "buy", amount, down_to(found.worst, market.price_tick), cost, spent, brought)


def selling(market: Market, bids: Levels, amount: int) -> Conversion | None:
    """Price the sale of an amount; None where so much is not wanted."""
    found = walk(bids, amount)
    if not found.complete or amount <= 0:
        return None
    cost = found.exact_cost // PRICE_ONE
    on = market.fee_on("sell")
    spent = amount + market.fee(amount) if on == "spent" else amount
    brought = cost - market.fee(cost) if on == "brought" else cost
    return Conversion(market, "sell", amount, up_to(found.worst, market.price_tick), cost, spent, brought)


def buyable(market: Market, asks: Levels, budget: int) -> int:
    """Return the largest amount of an order that a budget in the quote pays for, fee included."""
    if market.fee_on("buy") == "spent":
        budget = budget * PPM // (PPM + market.fee_ppm)
    return down_to(walk_budget(asks, budget * PRICE_ONE).amount, market.amount_step)


def sellable(market: Market, held: int) -> int:
    """Return the largest amount of an order that what is held covers, fee included."""
    if market.fee_on("sell") == "spent":
        held = held * PPM // (PPM + market.fee_ppm)
    return down_to(held, market.amount_step)


def realised(legs: Sequence[Conversion]) -> int:
    """Return what a chain of legs makes in the asset that it begins and ends with.

    What a leg brings and the next cannot spend, for its lot step, stays at what it has cost: it is neither a loss
    nor a profit until it is sold. Fees in a third coin are valued at what they are a part of.
    """
    basis = legs[0].spent
    third = 0
    for number, leg in enumerate(legs):
        if number:
            basis = ceil_div(basis * leg.spent, legs[number - 1].brought)
        if leg.market.fee_in == "third":
            third += leg.market.fee(basis)
    return legs[-1].brought - basis - third


def refusal(legs: Sequence[Conversion]) -> str:
    """Return why a venue would not take one of the legs; empty where all are orders."""
    for leg in legs:
        reason = leg.market.refuses(leg.amount, leg.least_cost)
        if reason:
            return reason
    return ""
