"""A context for a stream under test: real in everything that the test does not hold itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import aiohttp
import structlog

from actors import ActorSystem, Backoff, RestartPolicy, Supervisor
from streams.booking import BookName, LedgerRef
from streams.commons import Commons
from streams.far_sides import FarSides
from streams.neighbours import Neighbour, Neighbours
from streams.stream import Limits, StreamContext
from streams.turns import Share


class NoNeighbours(Neighbours):
    """A fleet of one."""

    async def of(self, stream: str) -> tuple[Neighbour, ...]:
        return ()

    async def own_key(self, instance: str) -> str:
        raise LookupError(instance)


@asynccontextmanager
async def open_commons() -> AsyncIterator[Commons]:
    """Run what instances share."""
    async with ActorSystem("commons-bench") as system:
        policy = RestartPolicy(backoff=Backoff(first_s=0.01, cap_s=0.1), per_child=True, when_exhausted="delay")
        yield Commons(await system.spawn(lambda: Supervisor(policy=policy), "commons"))


def no_client() -> aiohttp.ClientSession:
    """Stand for the shared HTTP client where a stream should not use it."""
    raise AssertionError("this stream has no use for the shared client here")


def context_for(
    settings: Any,
    directory: Path,
    ledger: LedgerRef,
    commons: Commons,
    *,
    stream: str,
    instance: str | None = None,
    port: int = 0,
    book: BookName = "paper",
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    monotonic: Callable[[], float] = monotonic,
    limits: Limits | None = None,
    http: Callable[[], aiohttp.ClientSession] = no_client,
    secret: Callable[[str], str | None] = lambda _: None,
    far_sides: FarSides | None = None,
    neighbours: Neighbours | None = None,
    share: Share | None = None,
) -> StreamContext[Any]:
    """Return a context; the directory is made."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = instance if instance is not None else f"{stream}-001"
    return StreamContext(
        id=name,
        stream=stream,
        directory=directory,
        host="127.0.0.1",
        port=port,
        settings=settings,
        book=book,
        ledger=ledger,
        log=structlog.get_logger("streams." + stream).bind(instance=name),
        now=now,
        monotonic=monotonic,
        limits=limits if limits is not None else Limits(),
        http=http,
        secret=secret,
        commons=commons,
        far_sides=far_sides if far_sides is not None else FarSides(),
        neighbours=neighbours if neighbours is not None else NoNeighbours(),
        share=share,
    )
