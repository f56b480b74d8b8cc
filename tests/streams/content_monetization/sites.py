"""A site under test: real HTTP on loopback, a real ledger, and a wall clock that the test holds."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from multidict import CIMultiDictProxy

from streams.booking import BookName
from streams.content_monetization.contract import SponsorContract
from streams.content_monetization.settings import ContentMonetizationSettings
from streams.content_monetization.stream import ContentMonetization
from streams.metering.plan import Plan
from streams.neighbours import Neighbours
from tests.streams.contexts import context_for, open_commons
from tests.streams.ledgers import LedgerBench, open_ledger

INSTANCE = "content_monetization-001"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36"
)
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SIGNED = datetime(2026, 1, 1, tzinfo=UTC)


def contract(id: str = "acme", **terms: Any) -> SponsorContract:  # noqa: A002
    """Return a contract: CPM of 4.00 without limits, unless told otherwise."""
    terms = {
        "sponsor": "Acme",
        "kind": "cpm",
        "rate": "4.00",
        "destination": "https://acme.example/landing?a=1&b=2",
        "headline": "Acme <anvils>",
        "starts": SIGNED,
    } | terms
    return SponsorContract(id=id, **terms)


def settings(*contracts: SponsorContract, **values: Any) -> ContentMonetizationSettings:
    """Return the settings of a site on coffee, which counts views at once and makes statements when told to."""
    values = {
        "title": "Cups & <Beans>",
        "tagline": "Coffee, plainly.",
        "topic": "home-coffee",
        "plans": {"member": Plan(rate_per_s=1000, burst=1000)},
        "default_plan": "member",
        "view_after_s": 0.0,
        "first_statement_s": 3600.0,
        "statement_interval_s": 3600.0,
        "visitor_views_minute": 1000,
        "datasets": 0,
        "affiliate_links": 0,
    } | values
    return ContentMonetizationSettings(contracts=contracts or (contract(),), **values)


class Reply:
    """An answer, read whole."""

    def __init__(self, status: int, headers: CIMultiDictProxy[str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def tokens(self) -> list[str]:
        return re.findall(r'data-token="([^"]+)"', self.text)

    def json(self) -> Any:
        return json.loads(self.body)


class Site:
    """A running site, and someone who visits it.

    Attributes:
        time: The wall clock.
        steady_s: The steady clock.
    """

    def __init__(self, bench: LedgerBench, session: aiohttp.ClientSession) -> None:
        self.stream: ContentMonetization
        self.bench = bench
        self.session = session
        self.time = NOW
        self.steady_s = 1000.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.stream.port}"

    def pass_time(self, seconds: float) -> None:
        """Move both clocks."""
        self.time += timedelta(seconds=seconds)
        self.steady_s += seconds

    async def ask(
        self, path: str, *, method: str = "GET", data: bytes | str | None = None, agent: str = FIREFOX, **headers: str
    ) -> Reply:
        """Send a request and read the whole answer."""
        sent = {"user-agent": agent} | {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(
            method, self.url + path, data=data, headers=sent, allow_redirects=False
        ) as response:
            return Reply(response.status, response.headers, await response.read())

    async def open(self, path: str = "/articles/grind-first", **headers: str) -> list[str]:
        """Open a page and return its tokens."""
        reply = await self.ask(path, **headers)
        assert reply.status == 200
        return reply.tokens

    async def see(self, *tokens: str, **headers: str) -> None:
        """Send a beacon."""
        reply = await self.ask("/b", method="POST", data="\n".join(tokens), **headers)
        assert (reply.status, reply.body) == (204, b"")

    async def click(self, token: str, **headers: str) -> Reply:
        """Follow a sponsor's link, to its redirect."""
        return await self.ask(f"/go/{token}", **headers)

    async def state(self) -> None:
        """Make the statements that are due, and book them."""
        await self.stream._bookkeeper.state()

    async def booked(self, book: BookName = "paper") -> list[tuple[str, str | None]]:
        """Return kinds and amounts of all transactions."""
        return [(entry.kind, entry.amount) for entry in await self.bench.entries(book)]

    def counts(self, *names: str) -> tuple[int, ...]:
        """Return numbers of the funnel."""
        funnel = self.stream.funnel()
        return tuple(funnel.get(name, 0) for name in names)

    def check_sum(self) -> None:
        """Every claim is billable, filtered for a reason, or waited for."""
        funnel = self.stream.funnel()
        filtered = sum(count for name, count in funnel.items() if name.startswith("filtered_"))
        assert funnel["gross"] == funnel["billable"] + filtered + funnel["waiting"]


@asynccontextmanager
async def open_site(
    directory: Path,
    site_settings: ContentMonetizationSettings | None = None,
    *,
    book: BookName = "paper",
    neighbours: Neighbours | None = None,
    checkpoint: bytes = b"",
    time: datetime = NOW,
    kill: bool = False,
) -> AsyncIterator[Site]:
    """Run a site in a directory, new or old.

    Args:
        directory: Where.
        site_settings: Its settings.
        book: What it books in.
        neighbours: Its neighbours.
        checkpoint: Of a former life.
        time: The wall clock.
        kill: Whether it ends without being stopped: nothing more reaches its files.
    """
    async with (
        open_ledger(directory) as bench,
        open_commons() as commons,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), auto_decompress=True) as session,
    ):
        site = Site(bench, session)
        site.time = time
        stream = ContentMonetization(
            context_for(
                site_settings or settings(),
                directory / "instances" / INSTANCE,
                bench.ref,
                commons,
                stream="content_monetization",
                instance=INSTANCE,
                book=book,
                now=lambda: site.time,
                monotonic=lambda: site.steady_s,
                http=lambda: session,
                neighbours=neighbours,
            )
        )
        site.stream = stream
        stream.restore(checkpoint)
        running: asyncio.Task[None] | None = None
        try:
            await stream.start()
            running = asyncio.create_task(stream.run())
            await asyncio.sleep(0)
            yield site
        finally:
            if running is not None:
                running.cancel()
                await asyncio.wait((running,))
            if kill:
                stream._log._pending.clear()
            await stream.stop()


def entry_artefact(artefact: bytes) -> dict[str, Any]:
    """Return what a statement says."""
    statement: dict[str, Any] = msgspec.json.decode(artefact)
    return statement
