"""From prices to plans: every way is looked at when its prices change, and walked only when they pay.

The first look is at best prices, which come cheaply for all markets at once. What passes it is looked at again on
whole books, fetched at that moment, before anything is planned.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol

import msgspec

from streams.crypto_arbitrage.amounts import PPM, PRICE_ONE, ceil_div, down_to, up_to
from streams.crypto_arbitrage.conversion import Conversion, realised, refusal
from streams.crypto_arbitrage.cross_venue import Match, best_match, transfer_cost
from streams.crypto_arbitrage.funnel import Funnel
from streams.crypto_arbitrage.gates import Sighting, refuse_edge, refuse_sightings
from streams.crypto_arbitrage.market import Market
from streams.crypto_arbitrage.plan import Leg, Plan
from streams.crypto_arbitrage.routes import Routes, Way
from streams.crypto_arbitrage.settings import CryptoArbitrageSettings
from streams.crypto_arbitrage.triangle import TriangleBoard, best_round
from streams.crypto_arbitrage.venue import Wallet

SightingOf = Callable[[str, str], Sighting | None]
"""Returns the last best prices of a venue's market."""


class Surroundings(Protocol):
    """What a plan depends on besides prices."""

    def free(self, venue: str, asset: str) -> int:
        """Return what is free of an asset on a venue; units."""
        ...

    def claimed(self, venue: str, symbol: str) -> bool:
        """Return whether a trip trades in a venue's market now."""
        ...

    def wallet(self, venue: str, asset: str) -> Wallet:
        """Return whether an asset can come to a venue and go."""
        ...


_BUDGET_PERMILLE: Final = 990
"""What is sized of a budget: the rest is for a limit that is a little looser than the price."""

_FIRST_LEG_SHARE: Final = 4
_LATER_LEGS_SHARE: Final = 2
"""By which part of the edge the first leg's limit may be worse than the book, and the other legs' together: the
book moves on while an order is under way, and a second leg that misses costs more than the edge."""


class Scout:
    """Looks for trips on the ways of one instance.

    Args:
        settings: The instance's settings.
        routes: Its ways.
        funnel: Where it counts.
        monotonic: Seconds for intervals.
        now: The time, aware UTC.
    """

    def __init__(
        self,
        settings: CryptoArbitrageSettings,
        routes: Routes,
        funnel: Funnel,
        monotonic: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._limits = settings.gate_limits()
        self._routes = routes
        self._funnel = funnel
        self._monotonic = monotonic
        self._now = now
        self._boards = {venue: _boards(ways) for venue, ways in routes.rounds.items() if ways}
        for left_out in routes.left_out:
            funnel.reject(left_out.reason)

    def first_look(self, changed: Mapping[str, Collection[str]], seen: SightingOf) -> list[Way]:
        """Return the ways that may pay after fees by their best prices, the best first.

        Args:
            changed: The markets whose prices changed, by venue.
            seen: The best prices of all markets.
        """
        now_s, wall_ms = self._monotonic(), self._now().timestamp() * 1e3
        found = self._look_across(changed, seen, now_s, wall_ms)
        for venue, symbols in changed.items():
            found += self._look_round(venue, symbols, seen, now_s, wall_ms)
        found.sort(key=lambda each: each[0], reverse=True)
        return [way for _, way in found]

    def plan(self, way: Way, sightings: Sequence[Sighting], around: Surroundings) -> tuple[Plan | None, str]:
        """Return a trip on these books, or None and why not.

        Args:
            way: A way that passed the first look.
            sightings: The whole books of its markets, in order.
            around: What a plan depends on besides prices.
        """
        reason, plan = self._plan(way, sightings, around)
        if plan is None:
            self._funnel.reject(reason)
        else:
            self._funnel.reach("depth")
        return plan, reason

    def _look_across(
        self, changed: Mapping[str, Collection[str]], seen: SightingOf, now_s: float, wall_ms: float
    ) -> list[tuple[int, Way]]:
        found = []
        funnel = self._funnel
        for crossing in self._routes.crossings:
            buy, sell = crossing.way.markets
            if buy.symbol not in changed.get(buy.venue, ()) and sell.symbol not in changed.get(sell.venue, ()):
                continue
            funnel.reach("evaluated")
            bought, sold = seen(buy.venue, buy.symbol), seen(sell.venue, sell.symbol)
            if bought is None or sold is None:
                funnel.reject("unseen")
                continue
            reason = refuse_sightings((bought, sold), self._limits, now_s, wall_ms)
            if reason:
                funnel.reject(reason)
                continue
            funnel.reach("fresh")
            ask, bid = bought.book.asks[0][0], sold.book.bids[0][0]
            if bid <= ask:
                funnel.reject("no_edge")
                continue
            funnel.reach("gross")
            if not crossing.terms.pays(ask, bid):
                funnel.reject("fees")
                continue
            funnel.reach("net")
            found.append(((bid - ask) * PPM // ask, crossing.way))
        return found

    def _look_round(
        self, venue: str, changed: Collection[str], seen: SightingOf, now_s: float, wall_ms: float
    ) -> list[tuple[int, Way]]:
        boards = self._boards.get(venue)
        if boards is None:
            return []
        net, gross = boards
        books = []
        for symbol in changed:
            sighting = seen(venue, symbol) if symbol in net.symbols else None
            if sighting is None:
                continue
            if refuse_sightings((sighting,), self._limits, now_s, wall_ms):
                net.forget(symbol)
                gross.forget(symbol)
            else:
                books.append(sighting.book)
        if not books:
            return []
        looked, paying = net.update_all(books)
        _, with_edge = gross.update_all(books)
        funnel = self._funnel
        funnel.reach("evaluated", looked)
        fresh, found = looked, []
        for number in with_edge:
            # Only these are worth a look at the freshness of all three.
            reason = self._refuse_round(self._routes.rounds[venue][number], seen, now_s, wall_ms)
            if reason:
                fresh -= 1
                funnel.reject(reason)
                continue
            funnel.reach("gross")
            if number not in paying:
                funnel.reject("fees")
                continue
            funnel.reach("net")
            found.append((net.edge_ppm(number), self._routes.rounds[venue][number]))
        funnel.reach("fresh", fresh)
        funnel.reject("no_edge", looked - len(with_edge))
        return found

    def _refuse_round(self, way: Way, seen: SightingOf, now_s: float, wall_ms: float) -> str:
        sightings = [seen(market.venue, market.symbol) for market in way.markets]
        known = [sighting for sighting in sightings if sighting is not None]
        return "unseen" if len(known) < len(sightings) else refuse_sightings(known, self._limits, now_s, wall_ms)

    def _plan(self, way: Way, sightings: Sequence[Sighting], around: Surroundings) -> tuple[str, Plan | None]:
        reason = refuse_sightings(sightings, self._limits, self._monotonic(), self._now().timestamp() * 1e3)
        if reason:
            return reason, None
        if any(around.claimed(market.venue, market.symbol) for market in way.markets):
            return "claimed", None
        first = way.markets[0]
        budget = min(self._settings.budget(way.home), around.free(first.venue, way.home)) * _BUDGET_PERMILLE // 1000
        if way.triangle is not None:
            legs: Sequence[Conversion] | None = best_round(
                way.triangle, [each.book for each in sightings], way.markets, budget
            )
            cost = 0
        else:
            match = self._match(way, sightings, around, budget)
            if isinstance(match, str):
                return match, None
            legs, cost = (None, 0) if match is None else ((match.buy, match.sell), self._transfer(match, around))
        if legs is None:
            return "depth", None
        reason = refusal(legs)
        if reason:
            return reason, None
        spent, profit = legs[0].spent, realised(legs) - cost
        reason = refuse_edge(profit, spent, self._settings.min_profit_ppm, self._limits)
        if reason:
            return reason, None
        return "", self._make(way, legs, profit)

    def _match(self, way: Way, sightings: Sequence[Sighting], around: Surroundings, budget: int) -> Match | str | None:
        buy, sell = way.markets
        # What can be bought here and not brought there costs another price for a reason.
        if not all(around.wallet(market.venue, market.base).open for market in way.markets):
            return "transfers_closed"
        stock = around.free(sell.venue, sell.base)
        if stock <= 0 or budget <= 0:
            return "inventory"
        return best_match(buy, sightings[0].book.asks, sell, sightings[1].book.bids, budget, stock)

    def _transfer(self, match: Match, around: Surroundings) -> int:
        """Return the trip's share of bringing the coins back there and the money back here."""
        settings, buy, sell = self._settings, match.buy.market, match.sell.market
        base_fee, quote_fee = settings.transfer_fee(buy.base), settings.transfer_fee(buy.quote)
        return transfer_cost(
            match,
            around.wallet(buy.venue, buy.base).withdrawal_fee if base_fee is None else base_fee,
            around.wallet(sell.venue, sell.quote).withdrawal_fee if quote_fee is None else quote_fee,
            settings.trips_per_transfer,
        )

    def _make(self, way: Way, priced: Sequence[Conversion], profit: int) -> Plan:
        edge_ppm = profit * PPM // priced[0].spent
        legs = tuple(
            Leg(
                each.market,
                each.side,
                each.amount,
                _loosened(
                    each,
                    edge_ppm // _FIRST_LEG_SHARE if not number else edge_ppm // (_LATER_LEGS_SHARE * (len(priced) - 1)),
                ),
            )
            for number, each in enumerate(priced)
        )
        return Plan(
            id=uuid.uuid4().hex,
            route=way.name,
            home=way.home,
            legs=legs,
            spend=_most_spent(legs[0]),
            expected=profit,
            made_at=self._now(),
            unwind_s=self._settings.unwind_s,
        )


def _loosened(leg: Conversion, ppm: int) -> int:
    """Return a limit that is worse than the book's by a little, rounded to the better side."""
    tick = leg.market.price_tick
    if leg.side == "buy":
        return max(leg.limit, down_to(leg.limit * (PPM + ppm) // PPM, tick))
    return min(leg.limit, up_to(ceil_div(leg.limit * (PPM - ppm), PPM), tick))


def _most_spent(leg: Leg) -> int:
    """Return what a first leg may spend at its limit, fee included."""
    market: Market = leg.market
    if leg.side == "sell":
        return leg.amount + market.fee(leg.amount) if market.fee_on("sell") == "spent" else leg.amount
    cost = ceil_div(leg.amount * leg.limit, PRICE_ONE)
    return cost + market.fee(cost) if market.fee_on("buy") == "spent" else cost


def _boards(ways: Sequence[Way]) -> tuple[TriangleBoard, TriangleBoard]:
    """Return a board of rates after fees, and one of rates before them."""
    markets = {market.symbol: market for way in ways for market in way.markets}
    free = {symbol: msgspec.structs.replace(market, fee_ppm=0) for symbol, market in markets.items()}
    triangles = [way.triangle for way in ways if way.triangle is not None]
    return TriangleBoard(markets, triangles), TriangleBoard(free, triangles)
