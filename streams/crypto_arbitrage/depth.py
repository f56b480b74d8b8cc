"""Walking a side of an order book: what a size really costs or brings."""

from __future__ import annotations

import msgspec

from streams.crypto_arbitrage.order_book import Levels


class Walk(msgspec.Struct, frozen=True, gc=False):
    """What was found on the way down a side.

    Attributes:
        amount: How much of the base was found; units.
        exact_cost: The sum of price times amount, not rounded: in units of price times units of amount.
        worst: The price of the last level that was touched; 0 where there was none.
        complete: Whether all that was looked for was found.
    """

    amount: int
    exact_cost: int
    worst: int
    complete: bool


def walk(levels: Levels, amount: int) -> Walk:
    """Take an amount of the base from a side.

    Args:
        levels: Asks to buy from, or bids to sell to; best first.
        amount: Units of the base.
    """
    left = amount
    exact_cost = worst = 0
    for price, offered in levels:
        if left <= 0:
            break
        taken = min(left, offered)
        exact_cost += price * taken
        left -= taken
        worst = price
    return Walk(amount - left, exact_cost, worst, left <= 0)


def walk_budget(levels: Levels, exact_budget: int) -> Walk:
    """Buy as much as a budget allows.

    Args:
        levels: Asks, best first.
        exact_budget: What may be spent, in units of price times units of amount.
    """
    left = exact_budget
    found = worst = 0
    for price, offered in levels:
        affordable = left // price
        if not affordable:
            break
        taken = min(affordable, offered)
        found += taken
        left -= price * taken
        worst = price
        if taken < offered:
            break
    else:
        return Walk(found, exact_budget - left, worst, complete=False)
    return Walk(found, exact_budget - left, worst, complete=True)
