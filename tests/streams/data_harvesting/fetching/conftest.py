from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from streams.data_harvesting.fetching.client import FetchClient
from streams.data_harvesting.fetching.fetcher import Fetcher
from streams.data_harvesting.fetching.policy import FetchPolicy
from streams.data_harvesting.fetching.robots_cache import RobotsRecord
from tests.streams.data_harvesting.fetching.sites import Site, serving


class Clock:
    """Wall time and monotonic time that a test moves."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def now(self) -> datetime:
        return datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(seconds=self.passed_s)

    def monotonic(self) -> float:
        return 1000.0 + self.passed_s

    def advance(self, seconds: float) -> None:
        self.passed_s += seconds


class Memory:
    """A `HostMemory` that can be looked into."""

    def __init__(self) -> None:
        self.robots: dict[str, RobotsRecord] = {}
        self.pauses: dict[str, datetime] = {}

    async def recall_robots(self, origin: str) -> RobotsRecord | None:
        return self.robots.get(origin)

    async def keep_robots(self, record: RobotsRecord) -> None:
        self.robots[record.origin] = record

    async def keep_pause(self, authority: str, until: datetime) -> None:
        self.pauses[authority] = until


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with serving() as site:
        yield site


@pytest.fixture
async def client(clock: Clock) -> AsyncIterator[FetchClient]:
    client = FetchClient(clock.now, clock.monotonic)
    await client.start()
    yield client
    await client.stop()


def policy_for(*sites: Site, **fields: Any) -> FetchPolicy:
    """Return a policy that reaches sites on loopback, without delay or patience."""
    return FetchPolicy(
        **{
            "allow_private": tuple(f"{site.host}:{site.port}" for site in sites),
            "min_delay_s": 0.0,
            "patience_s": 0.0,
            "total_timeout_s": 5.0,
            **fields,
        }
    )


@pytest.fixture
def fetcher_for(client: FetchClient, clock: Clock, memory: Memory) -> Callable[..., Fetcher]:
    def make(*sites: Site, **fields: Any) -> Fetcher:
        return Fetcher(lambda: client, policy_for(*sites, **fields), memory, clock.now)

    return make


@pytest.fixture
def fetcher(site: Site, fetcher_for: Callable[..., Fetcher]) -> Fetcher:
    return fetcher_for(site)


@pytest.fixture
def store_path(tmp_path: Path) -> Path:
    return tmp_path / "frontier.sqlite3"
