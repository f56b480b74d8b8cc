"""The ways that an instance can earn: found once, from what its venues trade and what it trusts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations

import msgspec

from streams.crypto_arbitrage.cross_venue import Terms, terms_of
from streams.crypto_arbitrage.identity import AllowList
from streams.crypto_arbitrage.market import Market, Side
from streams.crypto_arbitrage.settings import CryptoArbitrageSettings
from streams.crypto_arbitrage.triangle import Triangle, triangles_of

Markets = Mapping[str, Mapping[str, Market]]
"""Markets by venue and symbol."""


class Way(msgspec.Struct, frozen=True):
    """A chain of trades that begins and ends with the same asset.

    Attributes:
        name: What people call it.
        home: The asset.
        markets: Where, in order.
        sides: Which way, in order.
        triangle: The triangle, where it is one; else it leads across two venues.
    """

    name: str
    home: str
    markets: tuple[Market, ...]
    sides: tuple[Side, ...]
    triangle: Triangle | None = None


class Crossing(msgspec.Struct, frozen=True):
    """A way across two venues, with what their fees make of prices."""

    way: Way
    terms: Terms


class Untrusted(msgspec.Struct, frozen=True):
    """A market that is left out, and why."""

    venue: str
    symbol: str
    reason: str


class Routes(msgspec.Struct, frozen=True):
    """All ways of an instance.

    Attributes:
        crossings: Across two venues.
        rounds: Triangles, by venue.
        left_out: Markets that the settings name and that are not traded, and why.
    """

    crossings: tuple[Crossing, ...]
    rounds: dict[str, tuple[Way, ...]]
    left_out: tuple[Untrusted, ...]

    def symbols(self, venue: str) -> frozenset[str]:
        """Return the markets of a venue that any way leads through."""
        ways = [crossing.way for crossing in self.crossings] + [way for ways in self.rounds.values() for way in ways]
        return frozenset(market.symbol for way in ways for market in way.markets if market.venue == venue)


def routes_of(settings: CryptoArbitrageSettings, markets: Markets) -> Routes:
    """Return all ways that the settings ask for and the venues have.

    Args:
        settings: The instance's settings.
        markets: What the venues trade.
    """
    trusted, left_out = AllowList(settings.identities), []

    def usable(venue: str, symbol: str) -> Market | None:
        market = markets[venue].get(symbol)
        reason = "not_listed" if market is None else "" if trusted.trusts(market) else "identity"
        if market is not None and not reason and not market.active:
            reason = "inactive"
        if reason:
            left_out.append(Untrusted(venue, symbol, reason))
            return None
        return market

    at = {(venue, symbol): usable(venue, symbol) for symbol in settings.symbols for venue in settings.venues}
    crossings = [
        _crossing(buy, sell)
        for symbol in settings.symbols
        for first, second in permutations(settings.venues, 2)
        if _allowed(settings, first, second)
        and (buy := at[first, symbol]) is not None
        and (sell := at[second, symbol]) is not None
    ]
    rounds = {}
    for venue in settings.triangle_venues:
        assets = {*settings.homes, *settings.triangle_assets}
        within = [
            market
            for market in markets[venue].values()
            if market.base in assets and market.quote in assets and usable(venue, market.symbol) is not None
        ]
        rounds[venue] = _rounds(venue, within, settings.homes)
    return Routes(tuple(crossings), rounds, tuple(left_out))


def _allowed(settings: CryptoArbitrageSettings, first: str, second: str) -> bool:
    forward = settings.venues.index(first) < settings.venues.index(second)
    return settings.direction == "both" or forward == (settings.direction == "forward")


def _crossing(buy: Market, sell: Market) -> Crossing:
    name = f"buy {buy.symbol} on {buy.venue}, sell on {sell.venue}"
    return Crossing(Way(name, buy.quote, (buy, sell), ("buy", "sell")), terms_of(buy, sell))


def _rounds(venue: str, within: Sequence[Market], homes: Sequence[str]) -> tuple[Way, ...]:
    by_symbol = {market.symbol: market for market in within}
    return tuple(
        Way(
            f"{triangle.name} on {venue}",
            triangle.home,
            tuple(by_symbol[hop.symbol] for hop in triangle.hops),
            tuple(hop.side for hop in triangle.hops),
            triangle,
        )
        for triangle in triangles_of(within, homes)
        # What is left over in the middle has to find its way home in one trade.
        if all(f"{asset}/{triangle.home}" in by_symbol for asset in _between(triangle, by_symbol))
    )


def _between(triangle: Triangle, by_symbol: Mapping[str, Market]) -> set[str]:
    assets = {asset for hop in triangle.hops for asset in (by_symbol[hop.symbol].base, by_symbol[hop.symbol].quote)}
    return assets - {triangle.home}
