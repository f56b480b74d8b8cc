"""An instance that harvests the paper world's sites on real sockets, with the real ledger behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from multidict import CIMultiDictProxy

from streams.commons import Commons
from streams.data_harvesting.settings import DataHarvestingSettings
from streams.data_harvesting.stream import DataHarvesting
from tests.streams.contexts import context_for, open_commons
from tests.streams.ledgers import LedgerBench, open_ledger
from tests.streams.sandbox.sites.bench import OpenSites


class Reply:
    """An answer, read whole."""

    def __init__(self, status: int, headers: CIMultiDictProxy[str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def json(self) -> Any:
        """Return what the body says."""
        return json.loads(self.body)

    def records(self) -> list[dict[str, Any]]:
        """Return what the lines of the body say."""
        return [json.loads(line) for line in self.body.splitlines()]


class Time:
    """A wall clock that can be turned on; otherwise it goes as clocks do."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def skip(self, seconds: float) -> None:
        """Turn it on."""
        self.ahead += timedelta(seconds=seconds)


class Customer:
    """Calls one instance over HTTP.

    Attributes:
        stream: The instance.
        bench: Its ledger.
        directory: Its directory.
    """

    def __init__(self, stream: DataHarvesting, bench: LedgerBench, session: aiohttp.ClientSession) -> None:
        self.stream = stream
        self.bench = bench
        self.directory = stream.context.directory
        self._session = session

    async def ask(self, path: str, key: str | None = None, *, method: str = "GET", **headers: str) -> Reply:
        """Send a request and read the whole answer."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            sent["authorization"] = f"Bearer {key}"
        url = f"http://127.0.0.1:{self.stream.port}{path}"
        async with self._session.request(method, url, headers=sent) as response:
            return Reply(response.status, response.headers, await response.read())

    async def key(self, **terms: Any) -> str:
        """Make a key."""
        return (await self.stream.create_key(**terms)).key

    async def booked(self) -> list[str | None]:
        """Return the amounts of all transactions."""
        return [entry.amount for entry in await self.bench.entries()]

    async def versions(self, dataset: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait for so many versions; return them, the newest first."""
        async with asyncio.timeout(20):
            while True:
                reply = await self.ask(f"/v1/datasets/{dataset}")
                versions: list[dict[str, Any]] = reply.json()["versions"]
                if versions and versions[0]["version"] >= count:
                    return versions
                await asyncio.sleep(0.02)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something."""
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.01)


@asynccontextmanager
async def open_instance(
    directory: Path,
    settings: DataHarvestingSettings,
    sites: OpenSites | None = None,
    *,
    bench: LedgerBench,
    commons: Commons,
    session: aiohttp.ClientSession,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    instance: str = "data_harvesting-007",
    checkpoint: bytes = b"",
    runs: bool = True,
) -> AsyncIterator[Customer]:
    """Start an instance in a directory, new or old, and become its customer."""
    context = context_for(
        settings,
        directory / "instances" / instance,
        bench.ref,
        commons,
        stream="data_harvesting",
        instance=instance,
        now=now,
        far_sides=sites.far_sides if sites is not None else None,
    )
    stream = DataHarvesting(context)
    stream.restore(checkpoint)
    running: asyncio.Task[None] | None = None
    try:
        await stream.start()
        if runs:
            running = asyncio.create_task(stream.run())
        yield Customer(stream, bench, session)
    finally:
        if running is not None:
            failed = running.done() and not running.cancelled() and running.exception()
            running.cancel()
            await asyncio.wait((running,))
            assert not failed, failed
        await stream.stop()


@asynccontextmanager
async def open_customer(
    directory: Path, settings: DataHarvestingSettings, sites: OpenSites | None = None, **more: Any
) -> AsyncIterator[Customer]:
    """Start an instance with a ledger of its own."""
    async with (
        open_ledger(directory) as bench,
        open_commons() as commons,
        aiohttp.ClientSession() as session,
        open_instance(directory, settings, sites, bench=bench, commons=commons, session=session, **more) as customer,
    ):
        yield customer
