"""A venue's server: an actor that listens, and that looks after what rests while nobody asks."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from actors import Actor, Message, on
from streams.addresses import address_of
from streams.far_sides import FarSide
from streams.http_connection import HttpLimits
from streams.http_host import AsgiApp, HttpApp, HttpHost, PortTaken
from streams.sandbox.venues.binance.dialect import BinanceDialect
from streams.sandbox.venues.customers import FLEET, VISITOR, Customer, open_customers
from streams.sandbox.venues.kraken.dialect import KrakenDialect
from streams.sandbox.venues.listings import VenueTerms
from streams.sandbox.venues.market.feed import slot_steps_of
from streams.sandbox.venues.venue import Venue
from streams.sandbox.venues.world_time import WorldTime
from streams.sandbox.world import Ground

LOOK_EVERY_S: Final = 1.0
"""How often resting orders are held against the market."""

_CLOSE_S: Final = 2.0

# Longer than clients keep a connection, so that they are not cut off in the middle of a thought.
_LIMITS: Final = HttpLimits(keep_alive_s=60)


class LookAfterOrders(Message, frozen=True):
    """Hold resting orders against the market."""


class VenueServer(Actor[LookAfterOrders]):
    """Serves one venue in its dialect.

    Args:
        ground: What the world stands on.
        terms: The venue's.
        time: The world's, the same for all its venues.
        port: Where it should listen, if the port is free; 0 for any.
        deposits: What accounts begin with, in units by account and asset.
    """

    def __init__(
        self, ground: Ground, terms: VenueTerms, time: WorldTime, port: int, deposits: dict[str, dict[str, int]]
    ) -> None:
        self._ground = ground
        self._terms = terms
        self._time = time
        self._port = port
        self._deposits = deposits
        self._name = f"venue.{terms.name}"
        self._venue: Venue | None = None
        self._host: HttpHost | None = None
        self._log = structlog.get_logger("sandbox.venue").bind(venue=terms.name)

    async def on_start(self) -> None:
        """Take up the accounts, listen, and become known."""
        ground, terms = self._ground, self._terms
        await asyncio.to_thread(self._time.open, ground.directory)
        customers = await asyncio.to_thread(open_customers, ground.directory / f"{terms.name}_keys.json")
        self._venue = venue = Venue(
            terms,
            ground.seed,
            self._time,
            ground.directory / f"{terms.name}.sqlite3",
            self._deposits,
            spared=frozenset({VISITOR}),
            slot_steps=slot_steps_of(ground.visits_per_minute),
        )
        await venue.start()
        self._host = await self._listen(HttpApp(_dialect(venue, customers)))
        ground.far_sides.add(
            FarSide(
                name=self._name,
                url=address_of(ground.host, self._host.port),
                credentials={
                    "apiKey": customers[FLEET].api_key,
                    "secret": customers[FLEET].secret,
                    "visitor_apiKey": customers[VISITOR].api_key,
                    "visitor_secret": customers[VISITOR].secret,
                },
            )
        )
        self.context.schedule_every(LOOK_EVERY_S, LookAfterOrders())

    async def on_stop(self, reason: BaseException | None) -> None:
        """Close. What was answered is on the disk already."""
        self._ground.far_sides.remove(self._name)
        try:
            if self._host is not None:
                await self._host.close(_CLOSE_S)
        finally:
            if self._venue is not None:
                await self._venue.stop()

    @on(LookAfterOrders)
    def look_after_orders(self, _: LookAfterOrders) -> None:
        """Hold resting orders against the market."""
        if self._venue is not None:
            self._venue.settle()

    async def _listen(self, app: HttpApp) -> HttpHost:
        host = HttpHost(app, self._ground.host, self._port, {}, _LIMITS)
        try:
            await host.start()
        except PortTaken:
            self._log.warning("venue.port_taken", port=self._port)
            host = HttpHost(app, self._ground.host, 0, {}, _LIMITS)
            await host.start()
        return host


def _dialect(venue: Venue, customers: dict[str, Customer]) -> AsgiApp:
    if venue.terms.name == "binance":
        return BinanceDialect(venue, customers)
    return KrakenDialect(venue, customers)
