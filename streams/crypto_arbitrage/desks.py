"""The desks that one instance has a share in, as they are now: any of them may be down, or made anew."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from streams.commons import CommonDown, Lease
from streams.crypto_arbitrage.access import Access, access_of
from streams.crypto_arbitrage.amounts import show_amount
from streams.crypto_arbitrage.desk import DeskState, VenueDesk
from streams.crypto_arbitrage.gates import Sighting
from streams.crypto_arbitrage.inventory import Inventory
from streams.crypto_arbitrage.market import Market
from streams.crypto_arbitrage.routes import Way
from streams.crypto_arbitrage.settings import CryptoArbitrageSettings
from streams.crypto_arbitrage.venue import Venue, VenueUnavailable, Wallet
from streams.crypto_arbitrage.watchers import Watcher, Watchers
from streams.stream import StreamContext


class PaceDiffers(Exception):
    """Others trade on the same account at another pace, and one account has one client."""

    def __init__(self, venue: str, account: str, wanted_ms: int | None, kept_ms: int | None) -> None:
        wanted, kept = (f"{pace} ms" if pace else "ccxt's own pace" for pace in (wanted_ms, kept_ms))
        super().__init__(
            f"rate_limits_ms: {wanted} for {venue}, while others trade on its account {account!r} at {kept}; "
            "give all of them the same, or this one another account"
        )


class Desks:
    """Shares in the desks of an instance's venues.

    Args:
        context: The instance's context.
        make_venue: Returns the client of a venue; no work is done before it is opened.
        wake: Set when a price has changed.
    """

    def __init__(
        self,
        context: StreamContext[CryptoArbitrageSettings],
        make_venue: Callable[[Access], Venue],
        wake: asyncio.Event,
    ) -> None:
        self._context = context
        self._make_venue = make_venue
        self._wake = wake
        self._leases: dict[str, Lease[VenueDesk]] = {}
        self._watchers: dict[str, tuple[Watchers, Watcher]] = {}

    async def open(self) -> None:
        """Take a share in the desk of every venue.

        Raises:
            StartFailed: A venue cannot be reached; its cause says why.
            PaceDiffers: Others trade on the account at another pace.
        """
        shares = (self._share_in(venue) for venue in self._context.settings.venues)
        failures = [each for each in await asyncio.gather(*shares, return_exceptions=True) if each is not None]
        if failures:
            raise failures[0]

    async def close(self) -> None:
        """Watch no more, and give the shares back."""
        for watchers, _ in self._watchers.values():
            watchers.remove(self._context.id)
        self._watchers.clear()
        leases, self._leases = self._leases, {}
        for lease in leases.values():
            await lease.release()

    def get(self, venue: str) -> VenueDesk:
        """Return a desk. Raises `CommonDown` while it is down."""
        lease = self._leases.get(venue)
        if lease is None:
            raise CommonDown(venue)
        return lease.get()

    def find(self, venue: str) -> VenueDesk | None:
        """Return a desk; None while it is down."""
        try:
            return self.get(venue)
        except CommonDown:
            return None

    def markets(self) -> dict[str, Mapping[str, Market]]:
        """Return what the venues trade. Raises `CommonDown`."""
        return {venue: self.get(venue).markets for venue in self._leases}

    def watch(self, venue: str, symbols: frozenset[str]) -> None:
        """Be told when prices of these markets change. Raises `CommonDown`."""
        settings, watchers = self._context.settings, self.get(venue).watchers
        self._watchers[venue] = (
            watchers,
            watchers.add(self._context.id, symbols, self._wake, settings.poll_s, settings.depth_levels),
        )

    def changed(self) -> dict[str, set[str]]:
        """Return the markets whose prices changed since this was asked last, by venue."""
        return {venue: watcher.take() for venue, (_, watcher) in self._watchers.items()}

    # -- what is known of markets and accounts; where a desk is down, nothing is --------------------------------------

    def seen(self, venue: str, symbol: str) -> Sighting | None:
        """Return the best prices that were last seen of a market."""
        desk = self.find(venue)
        return None if desk is None else desk.sighting(symbol)

    def free(self, venue: str, asset: str) -> int:
        """Return what is free of an asset; units."""
        desk = self.find(venue)
        return 0 if desk is None else desk.inventory.free(asset)

    def claimed(self, venue: str, symbol: str) -> bool:
        """Return whether a trip trades in a market now, or nobody can."""
        desk = self.find(venue)
        return desk is None or desk.inventory.claimed(symbol)

    def wallet(self, venue: str, asset: str) -> Wallet:
        """Return whether an asset can come to a venue and go."""
        desk = self.find(venue)
        return Wallet(open=False) if desk is None else desk.wallet(asset)

    async def books(self, way: Way) -> list[Sighting]:
        """Return the books of a way's markets, fetched at once; one that does not come is one that no gate passes."""
        return list(await asyncio.gather(*(self._book(market.venue, market.symbol) for market in way.markets)))

    async def _book(self, venue: str, symbol: str) -> Sighting:
        try:
            desk = self.get(venue)
            sighting = await desk.look(symbol)
            if desk.traded_since(symbol, sighting.book.received_s):
                sighting = await desk.look(symbol)
        except (CommonDown, VenueUnavailable) as error:
            self._context.log.debug("book.unavailable", venue=venue, symbol=symbol, reason=str(error))
            return Sighting.nothing(venue, symbol)
        return sighting

    def describe(self, venue: str) -> dict[str, Any]:
        """Return what an operator wants to see of a venue."""
        far_side = self._context.far_sides.find(f"venue.{venue}")
        url = far_side.url if far_side is not None and self._context.book == "paper" else "live"
        desk = self.find(venue)
        if desk is None:
            return {"url": url, "up": False}
        best = desk.clock.best
        return {
            "url": url,
            "up": True,
            "inventory": _shown(desk.inventory.balances()),
            "reserved": {trip: _shown(wants) for trip, wants in desk.inventory.reservations().items()},
            "clock_offset_ms": round(best.offset_ms, 1),
            "clock_uncertainty_ms": round(best.uncertainty_ms, 1),
            "polls": desk.polls,
            "failures": desk.failures,
        }

    async def _share_in(self, venue: str) -> None:
        context, settings = self._context, self._context.settings
        state = DeskState(Inventory(venue), Watchers())
        pace_ms = settings.rate_limits_ms.get(venue)

        def make() -> VenueDesk:
            access = access_of(venue, settings.account, pace_ms, context.book, context.far_sides, context.secret)
            return VenueDesk(
                self._make_venue(access),
                state,
                pace_ms=pace_ms,
                poll_s=settings.poll_s,
                depth_levels=settings.depth_levels,
                now=context.now,
                monotonic=context.monotonic,
                log=structlog.get_logger("crypto_arbitrage.desk").bind(venue=venue),
            )

        # One account, one client and one inventory, however else the settings of those that share it differ.
        key = f"crypto_arbitrage/{venue}/{context.book}/{settings.account}"
        lease = self._leases[venue] = await context.commons.lease(key, make)
        kept_ms = lease.get().pace_ms
        if kept_ms != pace_ms:
            raise PaceDiffers(venue, settings.account, pace_ms, kept_ms)


def _shown(units: Mapping[str, int]) -> dict[str, str]:
    return {asset: show_amount(amount) for asset, amount in units.items()}
