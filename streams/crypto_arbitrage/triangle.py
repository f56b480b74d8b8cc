"""Three markets of one venue that lead back to where one began: enumerated once, looked at as books change.

A triangle pays only if the product of its three best rates, after fees, is more than one: depth can only make it
worse. So that is the first look, as the sum of three logarithms, which are whole numbers that were rounded up: it
lets none pass by that pays, to the last unit. The walk down three books is for those that it lets through.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import permutations
from typing import Final

import msgspec

from streams.crypto_arbitrage.amounts import PPM, PRICE_ONE
from streams.crypto_arbitrage.conversion import Conversion, buyable, buying, sellable, selling
from streams.crypto_arbitrage.market import Market, Side
from streams.crypto_arbitrage.order_book import OrderBook

RATE_ONE: Final = 1 << 96
"""The walk's rates are whole numbers of 2⁻⁹⁶, rounded down."""

_THREE_RATES: Final = RATE_ONE**3

LOG_ONE: Final = 1 << 40
"""The first look's gains are binary logarithms of rates, whole numbers of 2⁻⁴⁰."""

_NEVER: Final = -(1 << 60)
"""The gain of a side on which nobody offers anything."""

_PPM_PER_GAIN: Final = 693_147
"""A millionth is so many millionths of a binary logarithm's unit: for edges, which are small."""


class Hop(msgspec.Struct, frozen=True, gc=False):
    """One side of one market."""

    symbol: str
    side: Side


class Triangle(msgspec.Struct, frozen=True):
    """A way from an asset over two others and back.

    Attributes:
        home: The asset that it begins and ends with.
        hops: The three trades.
    """

    home: str
    hops: tuple[Hop, Hop, Hop]

    @property
    def name(self) -> str:
        """What people call it: `buy BTC/USDT, buy ETH/BTC, sell ETH/USDT`."""
        return ", ".join(f"{hop.side} {hop.symbol}" for hop in self.hops)


def triangles_of(markets: Iterable[Market], homes: Sequence[str]) -> tuple[Triangle, ...]:
    """Return every triangle over these markets of one venue, in both directions.

    Args:
        markets: The markets.
        homes: The assets that a triangle may begin with.
    """
    hops: dict[str, dict[str, Hop]] = {}
    for market in markets:
        hops.setdefault(market.quote, {})[market.base] = Hop(market.symbol, "buy")
        hops.setdefault(market.base, {})[market.quote] = Hop(market.symbol, "sell")
    return tuple(
        Triangle(home, (hops[home][first], hops[first][second], hops[second][home]))
        for home in homes
        for first, second in permutations(sorted(hops.get(home, ())), 2)
        if second in hops.get(first, ())
    )


class TriangleBoard:
    """All triangles of one venue, with the gains of their markets' sides as they are now.

    Args:
        markets: The markets, by symbol.
        triangles: The triangles over them.
    """

    def __init__(self, markets: Mapping[str, Market], triangles: Sequence[Triangle]) -> None:
        self.triangles = tuple(triangles)
        symbols = dict.fromkeys(hop.symbol for triangle in self.triangles for hop in triangle.hops)
        self._place = {symbol: 2 * number for number, symbol in enumerate(symbols)}
        self._factors = {symbol: _factors(markets[symbol]) for symbol in symbols}
        self._gains = [_NEVER] * (2 * len(symbols))
        self._hops = [
            (number, *(self._place[hop.symbol] + (hop.side == "sell") for hop in triangle.hops))
            for number, triangle in enumerate(self.triangles)
        ]
        self._through = {
            symbol: frozenset(
                number
                for number, triangle in enumerate(self.triangles)
                if symbol in (hop.symbol for hop in triangle.hops)
            )
            for symbol in symbols
        }
        self._hops_through = {
            symbol: [self._hops[number] for number in sorted(numbers)] for symbol, numbers in self._through.items()
        }

    @property
    def symbols(self) -> Collection[str]:
        """The markets that any triangle needs."""
        return self._place.keys()

    def update(self, book: OrderBook) -> list[int]:
        """Take up a book, or the top of one, and return the numbers of the triangles through it that may pay."""
        self._set_gains(book)
        return self._paying(self._hops_through[book.symbol])

    def update_all(self, books: Iterable[OrderBook]) -> tuple[int, list[int]]:
        """Take up books that came together.

        Returns:
            How many triangles lead through any of them, and the numbers of those among them that may pay.
        """
        through: set[int] = set()
        for book in books:
            self._set_gains(book)
            through |= self._through[book.symbol]
        if len(through) == len(self._hops):
            return len(through), self._paying(self._hops)
        return len(through), self._paying([self._hops[number] for number in through])

    def forget(self, symbol: str) -> None:
        """Let nothing pay that needs this market, until its next book."""
        place = self._place[symbol]
        self._gains[place] = self._gains[place + 1] = _NEVER

    def paying(self) -> list[int]:
        """Return the numbers of all triangles that may pay."""
        return self._paying(self._hops)

    def edge_ppm(self, number: int) -> int:
        """Return by how much a triangle's rates make more than one, parts per million; good for small edges."""
        _, *hops = self._hops[number]
        return sum(self._gains[hop] for hop in hops) * _PPM_PER_GAIN // LOG_ONE

    def _paying(self, hops: Iterable[tuple[int, ...]]) -> list[int]:
        gains = self._gains
        return [number for number, first, second, third in hops if gains[first] + gains[second] + gains[third] > 0]

    def _set_gains(self, book: OrderBook) -> None:
        buy_up, buy_down, sell_up, sell_down = self._factors[book.symbol]
        place = self._place[book.symbol]
        self._gains[place] = _gain(buy_up, book.asks[0][0] * buy_down) if book.asks else _NEVER
        self._gains[place + 1] = _gain(book.bids[0][0] * sell_up, sell_down) if book.bids else _NEVER


def _gain(up: int, down: int) -> int:
    """Return the binary logarithm of a fraction, rounded up.

    The logarithms are right to 2⁻⁴⁴, for all numbers here are far below 2²⁵⁶; the unit that is added covers that.
    """
    return math.ceil((math.log2(up) - math.log2(down)) * LOG_ONE) + 1


def _factors(market: Market) -> tuple[int, int, int, int]:
    """Return what makes a rate of a price: fees and the scale of prices, in one fraction for each side."""
    fee = market.fee_ppm
    buy = (PPM - fee, PPM) if market.fee_on("buy") == "brought" else (PPM, PPM + fee)
    sell = (PPM, PPM + fee) if market.fee_on("sell") == "spent" else (PPM - fee, PPM)
    return PRICE_ONE * buy[0], buy[1], sell[0], PRICE_ONE * sell[1]


def best_round(
    triangle: Triangle, books: Sequence[OrderBook], markets: Sequence[Market], budget: int
) -> tuple[Conversion, Conversion, Conversion] | None:
    """Return the three legs at the size that pays most along three depths; None where none is an order.

    Args:
        triangle: The triangle.
        books: The books of its hops, in order.
        markets: The markets of its hops, in order.
        budget: How much of the home asset may be spent; units.
    """
    start = _overlap(triangle, books, markets, budget)
    held = start
    legs: list[Conversion] = []
    for hop, book, market in zip(triangle.hops, books, markets, strict=True):
        leg = _leg(hop, book, market, held)
        if leg is None:
            return None
        legs.append(leg)
        held = leg.brought
    first, second, third = legs
    return first, second, third


def _leg(hop: Hop, book: OrderBook, market: Market, held: int) -> Conversion | None:
    most = market.max_amount
    if hop.side == "buy":
        amount = buyable(market, book.asks, held)
        return buying(market, book.asks, min(amount, most) if most else amount)
    amount = sellable(market, held)
    return selling(market, book.bids, min(amount, most) if most else amount)


def _overlap(triangle: Triangle, books: Sequence[OrderBook], markets: Sequence[Market], budget: int) -> int:
    """Return how much of the home asset can go round at prices that still pay.

    All three sides are walked together. At each step the product of the three rates is constant, and the leg
    with the least left gives the step's length; the walk ends where the product is not above one.
    """
    sides = [book.asks if hop.side == "buy" else book.bids for hop, book in zip(triangle.hops, books, strict=True)]
    if not all(sides):
        return 0
    factors = [_factors(market) for market in markets]
    buys = [hop.side == "buy" for hop in triangle.hops]

    def level(leg: int, at: int) -> tuple[int, int]:
        """Return a level's rate, and how much of what the leg spends it takes."""
        price, amount = sides[leg][at]
        buy_up, buy_down, sell_up, sell_down = factors[leg]
        if buys[leg]:
            rate = RATE_ONE * buy_up // (price * buy_down)
            return rate, amount * RATE_ONE // rate if rate else 0
        return RATE_ONE * price * sell_up // sell_down, amount

    at = [0, 0, 0]
    (rate_1, left_1), (rate_2, left_2), (rate_3, left_3) = (level(leg, 0) for leg in range(3))
    total = 0
    while total < budget and rate_1 * rate_2 * rate_3 > _THREE_RATES:
        # What is left on each leg, in the home asset.
        home_2 = left_2 * RATE_ONE // rate_1
        home_3 = (left_3 * RATE_ONE // rate_2) * RATE_ONE // rate_1
        step = min(left_1, home_2, home_3)
        if total + step >= budget:
            return budget
        total += step
        through_1 = step * rate_1 // RATE_ONE
        left_1, left_2, left_3 = left_1 - step, left_2 - through_1, left_3 - through_1 * rate_2 // RATE_ONE
        ended = 2 if step == home_3 else 1 if step == home_2 else 0
        at[ended] += 1
        if at[ended] == len(sides[ended]):
            break
        rate, left = level(ended, at[ended])
        if ended == 2:
            rate_3, left_3 = rate, left
        elif ended == 1:
            rate_2, left_2 = rate, left
        else:
            rate_1, left_1 = rate, left
    return total
