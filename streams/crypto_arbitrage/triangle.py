"""Three markets of one venue that lead back to where one began: enumerated once, looked at as books change.

A triangle pays only if the product of its three best prices, after fees, is more than one: depth can only make it
worse. So that product is the first look, three multiplications of integers, and the walk down three books is for
those that pass it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import permutations
from typing import Final

import msgspec

from streams.crypto_arbitrage.amounts import PPM, PRICE_ONE
from streams.crypto_arbitrage.conversion import Conversion, buyable, buying, sellable, selling
from streams.crypto_arbitrage.market import Market, Side
from streams.crypto_arbitrage.order_book import OrderBook

RATE_ONE: Final = 1 << 96
"""Rates are whole numbers of 2⁻⁹⁶, rounded up: what the first look refuses does not pay, to the last unit."""

_THREE_RATES: Final = RATE_ONE**3


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
    """All triangles of one venue, with the rates of their markets as they are now.

    Args:
        markets: The markets, by symbol.
        triangles: The triangles over them.
    """

    def __init__(self, markets: Mapping[str, Market], triangles: Sequence[Triangle]) -> None:
        self.triangles = tuple(triangles)
        symbols = dict.fromkeys(hop.symbol for triangle in self.triangles for hop in triangle.hops)
        self._place = {symbol: 2 * number for number, symbol in enumerate(symbols)}
        self._factors = {symbol: _factors(markets[symbol]) for symbol in symbols}
        self._rates = [0] * (2 * len(symbols))
        self._hops = [
            tuple(self._place[hop.symbol] + (hop.side == "sell") for hop in triangle.hops)
            for triangle in self.triangles
        ]
        self._with: dict[str, list[tuple[int, int, int, int]]] = {symbol: [] for symbol in symbols}
        for number, (hops, triangle) in enumerate(zip(self._hops, self.triangles, strict=True)):
            for hop in triangle.hops:
                self._with[hop.symbol].append((number, *hops))  # type: ignore[arg-type]

    @property
    def symbols(self) -> Collection[str]:
        """The markets that any triangle needs."""
        return self._place.keys()

    def update(self, book: OrderBook) -> list[int]:
        """Take up a book, or the top of one, and return the numbers of the triangles through it that may pay."""
        rates = self._rates
        self._set_rates(book)
        return [
            number
            for number, first, second, third in self._with[book.symbol]
            if rates[first] * rates[second] * rates[third] > _THREE_RATES
        ]

    def update_all(self, books: Iterable[OrderBook]) -> tuple[int, list[int]]:
        """Take up books that came together.

        Returns:
            How many triangles lead through any of them, and the numbers of those among them that may pay.
        """
        rates = self._rates
        touched: set[tuple[int, int, int, int]] = set()
        for book in books:
            self._set_rates(book)
            touched.update(self._with[book.symbol])
        return len(touched), [
            number
            for number, first, second, third in touched
            if rates[first] * rates[second] * rates[third] > _THREE_RATES
        ]

    def forget(self, symbol: str) -> None:
        """Let nothing pay that needs this market, until its next book."""
        place = self._place[symbol]
        self._rates[place] = self._rates[place + 1] = 0

    def paying(self) -> list[int]:
        """Return the numbers of all triangles that may pay."""
        rates = self._rates
        return [
            number
            for number, (first, second, third) in enumerate(self._hops)
            if rates[first] * rates[second] * rates[third] > _THREE_RATES
        ]

    def edge_ppm(self, number: int) -> int:
        """Return by how much the product of a triangle's rates is above one, parts per million, rounded down."""
        first, second, third = (self._rates[place] for place in self._hops[number])
        return first * second * third * PPM // _THREE_RATES - PPM

    def _set_rates(self, book: OrderBook) -> None:
        buy_up, buy_down, sell_up, sell_down = self._factors[book.symbol]
        place = self._place[book.symbol]
        self._rates[place] = buy_up // (book.asks[0][0] * buy_down) + 1 if book.asks else 0
        self._rates[place + 1] = book.bids[0][0] * sell_up // sell_down + 1 if book.bids else 0


def _factors(market: Market) -> tuple[int, int, int, int]:
    """Return what makes a rate of a price: fees, and the scales of prices and rates, in one fraction for each side."""
    fee = market.fee_ppm
    buy = (PPM - fee, PPM) if market.fee_on("buy") == "brought" else (PPM, PPM + fee)
    sell = (PPM, PPM + fee) if market.fee_on("sell") == "spent" else (PPM - fee, PPM)
    return RATE_ONE * PRICE_ONE * buy[0], buy[1], RATE_ONE * sell[0], PRICE_ONE * sell[1]


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
            rate = buy_up // (price * buy_down)
            return rate, amount * RATE_ONE // rate if rate else 0
        return price * sell_up // sell_down, amount

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
