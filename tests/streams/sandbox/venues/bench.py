"""A venue on loopback whose market stands still until the test moves it, and unmodified ccxt clients for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from streams.http_host import HttpApp, HttpHost
from streams.sandbox.venues.binance.dialect import BinanceDialect
from streams.sandbox.venues.customers import VISITOR, Customer, open_customers
from streams.sandbox.venues.kraken.dialect import KrakenDialect
from streams.sandbox.venues.listings import VenueTerms
from streams.sandbox.venues.venue import Venue
from streams.sandbox.venues.world import deposits_of
from streams.sandbox.venues.world_time import WorldTime

SEED = 7


class MarketTime(WorldTime):
    """The world's time. The wall clock is the real one, for clients sign with it; `ahead` sets it off.

    Attributes:
        monotonic_s: Moves only when the test moves it, and with it the market.
        ahead: How far the venue's wall clock is ahead.
        slept_s: How long orders were on their way.
        market_moves_s: How far the market moves while an order is on its way.
    """

    def __init__(self) -> None:
        super().__init__(lambda: datetime.now(UTC) + self.ahead, lambda: self.monotonic_s, self._sleep)
        self.monotonic_s = 100.0
        self.ahead = timedelta(0)
        self.slept_s: list[float] = []
        self.market_moves_s = 0.0

    async def _sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.monotonic_s += self.market_moves_s


class VenueBench:
    """A venue that serves.

    Attributes:
        venue: The venue.
        url: Where it is.
        customers: Who may trade there.
        time: Its time.
    """

    def __init__(self, venue: Venue, url: str, customers: dict[str, Customer], time: MarketTime) -> None:
        self.venue = venue
        self.url = url
        self.customers = customers
        self.time = time

    @asynccontextmanager
    async def client(self, ccxt: Any, account: str = VISITOR, **options: Any) -> AsyncIterator[Any]:
        """Yield a ccxt client of an account: its class as it is, told nothing but the address and the key."""
        customer = self.customers[account]
        client = getattr(ccxt, self.venue.terms.name)(
            {"apiKey": customer.api_key, "secret": customer.secret, "rateLimit": 1, "verify": False, **options}
        )
        client.urls["api"] = {name: self.url + urlsplit(at).path for name, at in client.urls["api"].items()}
        client.timeout_on_exit = 1  # milliseconds
        try:
            yield client
        finally:
            await client.close()


@asynccontextmanager
async def open_bench(
    directory: Path, terms: VenueTerms, time: MarketTime | None = None, seed: int = SEED
) -> AsyncIterator[VenueBench]:
    """Open a venue whose file, keys and time are a test's."""
    time = time or MarketTime()
    await asyncio.to_thread(time.open, directory)
    customers = await asyncio.to_thread(open_customers, directory / "keys.json")
    venue = Venue(
        terms,
        seed,
        time,
        directory / f"{terms.name}.sqlite3",
        deposits_of(terms),
        spared=frozenset({VISITOR}),
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(venue.stop)
        await venue.start()
        dialect = BinanceDialect if terms.name == "binance" else KrakenDialect
        host = HttpHost(HttpApp(dialect(venue, customers)), "127.0.0.1", 0, {})
        stack.push_async_callback(host.close, 1.0)
        await host.start()
        yield VenueBench(venue, f"http://127.0.0.1:{host.port}", customers, time)
