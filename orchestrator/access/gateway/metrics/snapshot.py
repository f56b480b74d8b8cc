"""What is looked at for the metrics: the daemon at one moment, at a cost that does not grow with the fleet's actors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any, TypeVar

import msgspec
import psutil

from actors import ActorError, ActorRef
from orchestrator.access.gateway.event_hub import HubStatistics
from orchestrator.fleet.messages import Summarise
from orchestrator.fleet.view import FleetSummary
from orchestrator.money.messages import ReadTotals
from orchestrator.money.report import Totals
from orchestrator.services import Service
from streams.http_host import HostStats

T = TypeVar("T")

ASK_S = 5.0
"""How long a part may take before the metrics are shown without it."""


class Machine(msgspec.Struct, frozen=True):
    """The machine, as far as the daemon depends on it.

    Attributes:
        load_1m: Processes that ran or wanted to, over the last minute.
        memory_total_bytes: All of it.
        memory_available_bytes: What could be had.
        disk_total_bytes: Of the file system that holds the home.
        disk_free_bytes: What the daemon's user may still fill.
    """

    load_1m: float
    memory_total_bytes: int
    memory_available_bytes: int
    disk_total_bytes: int
    disk_free_bytes: int


class Snapshot(msgspec.Struct, frozen=True):
    """The daemon at one moment; None for what did not answer.

    Attributes:
        uptime_s: Seconds since its start.
        loop_lag_s: How long the event loop took to come round.
        machine: The machine.
        services: The actors right below the root.
        fleet: The instances in numbers.
        books: Income and cost by stream, of each book.
        hub: Who listens to events.
        host: The gateway's connections.
    """

    uptime_s: float
    loop_lag_s: float
    machine: Machine | None
    services: list[Service]
    fleet: FleetSummary | None
    books: dict[str, Totals | None]
    hub: HubStatistics
    host: HostStats | None


class Sources(msgspec.Struct, frozen=True):
    """Who is asked.

    Attributes:
        look: Describes the services.
        fleet: The deployment manager.
        ledger: The ledger.
        home: The daemon's home.
        began: When the daemon started, `time.monotonic`.
        mode: Its mode.
    """

    look: Callable[[], Awaitable[list[Service]]]
    fleet: ActorRef[Any]
    ledger: ActorRef[Any]
    home: Path
    began: float
    mode: str


async def take_snapshot(sources: Sources, hub: HubStatistics, host: HostStats | None) -> Snapshot:
    """Look at everything, at the same time."""
    lag_s = await loop_lag_s()
    services, machine, fleet, paper, live = await asyncio.gather(
        sources.look(),
        asyncio.to_thread(machine_of, sources.home),
        _known(sources.fleet.ask(Summarise(), ASK_S)),
        _known(sources.ledger.ask(ReadTotals("paper", "stream"), ASK_S)),
        _known(sources.ledger.ask(ReadTotals("live", "stream"), ASK_S)),
    )
    return Snapshot(
        uptime_s=monotonic() - sources.began,
        loop_lag_s=lag_s,
        machine=machine,
        services=services,
        fleet=fleet,
        books={"paper": paper, "live": live},
        hub=hub,
        host=host,
    )


async def _known(answer: Awaitable[T]) -> T | None:
    try:
        return await answer
    except ActorError:
        return None


async def loop_lag_s() -> float:
    """Return how long the event loop takes to come round."""
    began_s = perf_counter()
    await asyncio.sleep(0)
    return perf_counter() - began_s


def machine_of(home: Path) -> Machine | None:
    """Look at the machine, and the file system that holds a home; None where it cannot be asked. For a thread."""
    try:
        memory, disk = psutil.virtual_memory(), psutil.disk_usage(str(home))
        return Machine(psutil.getloadavg()[0], memory.total, memory.available, disk.total, disk.free)
    except OSError:
        return None
