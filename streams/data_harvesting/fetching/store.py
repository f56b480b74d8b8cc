"""The durable frontier of one instance: what it knows of URLs and hosts, in one SQLite file.

Nothing in the file says that a URL is being fetched. That is known in memory alone, so that after a kill exactly
what was not finished is due again, and nothing else is.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, TypeVar

import msgspec

from streams.data_harvesting.fetching import store_schema
from streams.data_harvesting.fetching.outcome import Validators
from streams.data_harvesting.fetching.policy import FetchPolicy
from streams.data_harvesting.fetching.robots_cache import RobotsRecord
from streams.data_harvesting.fetching.store_schema import instant, microseconds
from streams.data_harvesting.fetching.urls import UrlError, authority_of, canonical_url

R = TypeVar("R")

_KNOWN: Final = 8192
_LATEST: Final = timedelta(days=8)
"""Past the longest that anything is put off, a week."""

_ROOM: Final = 20
"""A frontier that is full forgets this part of itself at a time, 1 in 20: finding out what takes a moment."""

State: TypeAlias = Literal["due", "visited", "failed", "refused", "gone"]
"""What became of the last try; `due` before the first."""


class Link(msgspec.Struct, frozen=True):
    """A URL that may be worth a visit.

    Attributes:
        url: Absolute; need not be canonical.
        kind: What it is to its finder: "feed", "page", the name of a recipe.
        depth: Links from a seed.
    """

    url: str
    kind: str = ""
    depth: int = 0


class Target(msgspec.Struct, frozen=True):
    """A URL that is due.

    Attributes:
        url: Canonical; its identity.
        original: As it was first found, without fragment; what is fetched.
        authority: Host and port.
        kind: See `Link`.
        depth: Links from a seed.
        validators: Of the last answer; None without.
        digest: Of the content at the last visit; empty before the first.
        failures: Failed tries since the last visit.
        visited_at: Of the last visit.
    """

    url: str
    original: str
    authority: str
    kind: str
    depth: int
    validators: Validators | None
    digest: str
    failures: int
    visited_at: datetime | None


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a try.

    Attributes:
        url: Canonical.
        state: See `State`.
        next_at: When it is due again; None for never.
        reason: Why it was refused, or failed.
        visited_at: When it was visited; None keeps what was known of the last visit: validators, digest, times.
        validators: Of the answer.
        digest: Of the content.
        changed: Whether that differs from the one before.
    """

    url: str
    state: State
    next_at: datetime | None
    reason: str = ""
    visited_at: datetime | None = None
    validators: Validators | None = None
    digest: str = ""
    changed: bool = False


class CrawlStore:
    """Opens, reads and writes the file, in threads. Also the `HostMemory` of the instance.

    Writes that come together are one transaction. When a write returns it survives a kill of the process; a power
    failure may take the last ones, never a part of one.

    Args:
        path: The file; made where it is missing, 0600.
        now: The time, aware UTC.
        max_urls: How many URLs are remembered.

    Attributes:
        turned_away: URLs that found no room, since the start.
    """

    def __init__(self, path: Path, now: Callable[[], datetime], max_urls: int = FetchPolicy().max_urls) -> None:
        self.turned_away = 0
        self._path = path
        self._now = now
        self._max_urls = max_urls
        self._count = 0
        self._connection: sqlite3.Connection | None = None
        self._turn = asyncio.Lock()
        self._waiting: list[_Job] = []
        self._authorities: set[str] = set()
        self._known: set[str] = set()  # some of what the file knows: pages link to the same ones again and again

    async def open(self) -> None:
        """Open the file.

        Raises:
            StoreBusy: Another process has it open.
            StoreDamaged: It is not a frontier, or broken.
            OSError: Its directory cannot be written.
        """
        self._connection = await self._in_thread(lambda: store_schema.open_store(self._path))
        now = self._now()
        times = {"now": microseconds(now), "latest": microseconds(now + _LATEST)}

        def heal(connection: sqlite3.Connection) -> None:
            for statement in store_schema.OF_A_WRONG_CLOCK:
                connection.execute(statement, times)

        await self._write(heal)
        (self._count,) = await self._read("SELECT count(*) FROM urls", lambda row: int(row[0]))
        self._authorities = set(await self._read("SELECT DISTINCT authority FROM urls", lambda row: str(row[0])))

    async def close(self) -> None:
        """Close the file. Doing it again changes nothing."""
        async with self._turn:
            connection, self._connection = self._connection, None
            if connection is not None:
                await self._in_thread(connection.close)

    async def add(self, links: Iterable[Link]) -> dict[str, int]:
        """Note URLs that are not known yet, due at once. Return how many are new, by authority.

        Where there is no room for them, those found longest ago are forgotten; where all of these are yet to be
        visited, the new ones are left out, but for seeds.
        Those that are not http(s) URLs are left out: whoever takes links from pages has counted them.
        """
        rows: dict[str, tuple[Any, ...]] = {}
        now = microseconds(self._now())
        for link in links:
            try:
                url = canonical_url(link.url)
                if url in self._known or url in rows:
                    continue
                original = link.url.partition("#")[0]
                rows[url] = (url, original, authority_of(url), link.kind, link.depth, now, now)
            except UrlError:
                continue
        if not rows:
            return {}
        new: Counter[str] = Counter()
        left_out: list[str] = []
        forgotten = 0

        def write(connection: sqlite3.Connection) -> None:
            nonlocal forgotten
            room = self._max_urls - self._count
            if room < len(rows):
                at_least = max(len(rows) - room, self._max_urls // _ROOM)
                forgotten = connection.execute(store_schema.FORGET, (at_least,)).rowcount
            for url, row in rows.items():
                if row[4] and new.total() >= room + forgotten:
                    left_out.append(url)
                elif connection.execute(store_schema.ADD, row).rowcount:
                    new[row[2]] += 1

        await self._write(write)
        self._count += new.total() - forgotten
        self.turned_away += len(left_out)
        self._authorities.update(new)
        if forgotten or len(self._known) + len(rows) > _KNOWN:
            self._known.clear()
        self._known.update(rows.keys() - left_out)
        return dict(new)

    async def due(self, authority: str, limit: int, *, skip: Collection[str] = ()) -> list[Target]:
        """Return what is due at a host, longest first.

        Args:
            authority: The host.
            limit: The most that is returned.
            skip: URLs that are being fetched already.
        """
        # Those to skip are the first due, mostly; so look so much further.
        found = await self._read(
            store_schema.DUE,
            _target,
            (authority, microseconds(self._now()), limit + len(skip)),
        )
        return [target for target in found if target.url not in skip][:limit]

    async def due_at(self) -> dict[str, datetime]:
        """Return when each host's next URL is due; hosts that have none left are not there."""
        authorities = sorted(self._authorities)

        def read(connection: sqlite3.Connection) -> dict[str, datetime]:
            times = ((each, connection.execute(store_schema.NEXT, (each,)).fetchone()[0]) for each in authorities)
            return {authority: instant(time) for authority, time in times if time is not None}

        return await self._with_connection(read)

    async def settle(self, settled: Settled) -> None:
        """Write what became of a try."""
        validators = settled.validators or Validators("")
        visited = None if settled.visited_at is None else microseconds(settled.visited_at)
        values = {
            "url": settled.url,
            "state": settled.state,
            "next_at": None if settled.next_at is None else microseconds(settled.next_at),
            "reason": settled.reason,
            "visited_at": visited,
            "validators_url": validators.url,
            "etag": validators.etag,
            "last_modified": validators.last_modified,
            "terms": validators.terms,
            "digest": settled.digest,
            "changed": settled.changed,
            "failed": settled.state == "failed",
        }
        statement = store_schema.SETTLE if visited is None else store_schema.SETTLE_VISIT
        await self._write(lambda connection: connection.execute(statement, values))

    async def counts(self) -> dict[str, int]:
        """Return how many URLs there are by state."""
        return dict(await self._read("SELECT state, count(*) FROM urls GROUP BY state", lambda row: (row[0], row[1])))

    async def recall_robots(self, origin: str) -> RobotsRecord | None:
        """Return the robots.txt of an origin, as long as it holds and perhaps longer."""
        found = await self._read(store_schema.RECALL_ROBOTS, _robots, (origin,))
        return found[0] if found else None

    async def keep_robots(self, record: RobotsRecord) -> None:
        """Keep a robots.txt in place of the one before."""
        times = (microseconds(record.fetched_at), microseconds(record.good_until))
        row = (record.origin, record.meaning, record.body, *times, record.detail)
        await self._keep(store_schema.KEEP_ROBOTS, row, store_schema.FORGET_ROBOTS)

    async def keep_pause(self, authority: str, until: datetime) -> None:
        """Keep when a host may be asked again."""
        await self._keep(store_schema.KEEP_PAUSE, (authority, microseconds(until)), store_schema.FORGET_PAUSES)

    async def pauses(self) -> dict[str, datetime]:
        """Return which hosts are not to be asked before when; only what is not over."""
        rows = await self._read(
            "SELECT authority, until FROM pauses WHERE until > ?",
            lambda row: (str(row[0]), instant(row[1])),
            (microseconds(self._now()),),
        )
        return dict(rows)

    async def _keep(self, statement: str, row: tuple[Any, ...], forget: str) -> None:
        """Write a row, and make room: redirects lead to any number of hosts, and what is over is of no use."""
        now = microseconds(self._now())

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(forget, (now,))
            connection.execute(statement, row)

        await self._write(write)

    async def _read(self, query: str, make: Callable[[Any], R], parameters: tuple[Any, ...] = ()) -> list[R]:
        return await self._with_connection(
            lambda connection: [make(row) for row in connection.execute(query, parameters)]
        )

    async def _with_connection(self, work: Callable[[sqlite3.Connection], R]) -> R:
        async with self._turn:
            connection = self._opened()
            return await self._in_thread(lambda: work(connection))

    async def _write(self, work: Callable[[sqlite3.Connection], object]) -> None:
        job = _Job(work)
        self._waiting.append(job)
        async with self._turn:
            if not job.done:  # else somebody who waited before has written it too
                jobs, self._waiting = self._waiting, []
                connection = self._opened()
                await self._in_thread(lambda: _run_all(connection, jobs))
        if job.error is not None:
            raise job.error

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise store_schema.StoreClosed(self._path)
        return self._connection

    @staticmethod
    async def _in_thread(work: Callable[[], R]) -> R:
        """Run in a thread; cancelled, wait for it all the same: two threads must not use one connection."""
        job = asyncio.get_running_loop().run_in_executor(None, work)
        try:
            return await asyncio.shield(job)
        except asyncio.CancelledError:
            await asyncio.wait((job,))
            raise


class _Job:
    __slots__ = ("done", "error", "work")

    def __init__(self, work: Callable[[sqlite3.Connection], object]) -> None:
        self.work = work
        self.done = False
        self.error: sqlite3.Error | None = None


def _run_all(connection: sqlite3.Connection, jobs: list[_Job]) -> None:
    try:
        with connection:
            for job in jobs:
                job.work(connection)
    except sqlite3.Error as error:
        for job in jobs:
            job.error = error
    for job in jobs:
        job.done = True


def _target(row: Any) -> Target:
    url, original, authority, kind, depth, *validators, digest, failures, visited_at = row
    return Target(
        url=url,
        original=original,
        authority=authority,
        kind=kind,
        depth=depth,
        validators=Validators(*validators) if validators[0] else None,
        digest=digest,
        failures=failures,
        visited_at=None if visited_at is None else instant(visited_at),
    )


def _robots(row: Any) -> RobotsRecord:
    origin, meaning, body, fetched_at, good_until, detail = row
    return RobotsRecord(origin, meaning, body, instant(fetched_at), instant(good_until), detail)
