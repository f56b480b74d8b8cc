"""`system.*`: the daemon as a whole."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from time import monotonic, process_time
from typing import Any, Literal, TypeAlias

import msgspec
import psutil

from actors import ActorRef, ActorSystem, ActorVitals
from config.errors import ConfigError, SaveError
from config.fleet import Mode
from orchestrator.access import jsonrpc
from orchestrator.access.dispatch import Methods, NoParams, Session
from orchestrator.access.gateway.whereabouts import GatewayView
from orchestrator.access.jsonrpc import RpcError
from orchestrator.fleet.messages import Summarise
from orchestrator.fleet.view import FleetSummary
from orchestrator.money.messages import ReadTotals
from orchestrator.money.report import Totals
from orchestrator.release import VERSION
from streams.money import format_amount, parse_amount

_CPU_WINDOW_S = 1.0

DaemonState: TypeAlias = Literal["starting", "running", "reloading", "stopping"]


class Pong(msgspec.Struct, frozen=True):
    """The daemon is there."""

    pong: bool
    version: str


class ServiceCount(msgspec.Struct, frozen=True):
    """Services that run, of all there are."""

    up: int
    total: int


class Books(msgspec.Struct, frozen=True):
    """Income less cost, posted, by asset, as decimal text. The two are never added together."""

    paper: dict[str, str]
    live: dict[str, str]


class Status(msgspec.Struct, frozen=True):
    """The daemon at one moment.

    Attributes:
        state: What it is doing.
        mode: Sandbox or live.
        uptime_s: Seconds since its start.
        services: The actors right below the root.
        instances: The fleet in numbers.
        cpu_percent: Of one core, over the last second or longer.
        memory_percent: Of the machine's memory.
        memory_bytes: Resident.
        books: What was earned.
        version: The daemon's.
        pid: Its process.
        home: Where it keeps everything.
        log_file: Where it logs.
        gateway: Where its HTTP gateway is; None where there is none.
    """

    state: DaemonState
    mode: Mode
    uptime_s: float
    services: ServiceCount
    instances: FleetSummary
    cpu_percent: float
    memory_percent: float
    memory_bytes: int
    books: Books
    version: str
    pid: int
    home: str
    log_file: str
    gateway: GatewayView | None


class Accepted(msgspec.Struct, frozen=True):
    """It will be done."""

    accepted: bool = True


class SystemMethods(msgspec.Struct, frozen=True):
    """What the methods work on.

    Attributes:
        system: The actors.
        services: Counts the services that run, and all.
        fleet: The deployment manager.
        ledger: The ledger.
        state: Reads what the daemon is doing.
        mode: Its mode.
        began: When it started, `time.monotonic`.
        home: Its home.
        log_file: Its log.
        shut_down: Asks it to drain and exit.
        reload: Rereads the configuration; raises what is wrong with it.
        gateway: Reads where the HTTP gateway is.
    """

    system: ActorSystem
    services: Callable[[], Awaitable[ServiceCount]]
    fleet: ActorRef[Summarise]
    ledger: ActorRef[ReadTotals]
    state: Callable[[], DaemonState]
    mode: Mode
    began: float
    home: str
    log_file: str
    shut_down: Callable[[str], object]
    reload: Callable[[], Any]
    gateway: Callable[[], GatewayView | None] = lambda: None


def register_system(methods: Methods, on: SystemMethods) -> None:
    """Register the methods."""
    cpu = CpuUse()

    @methods.register("system.ping")
    def ping(params: NoParams, session: Session) -> Pong:
        """Say that the daemon is there."""
        return Pong(True, VERSION)

    @methods.register("system.status")
    async def status(params: NoParams, session: Session) -> Status:
        """Describe the daemon, its fleet, and what was earned."""
        services, summary, paper, live, memory = await asyncio.gather(
            on.services(),
            on.fleet.ask(Summarise(), 5.0),
            on.ledger.ask(ReadTotals("paper"), 10.0),
            on.ledger.ask(ReadTotals("live"), 10.0),
            asyncio.to_thread(_memory),
        )
        return Status(
            state=on.state(),
            mode=on.mode,
            uptime_s=round(monotonic() - on.began, 3),
            services=services,
            instances=summary,
            cpu_percent=cpu.percent(),
            memory_percent=round(memory.percent, 2),
            memory_bytes=memory.resident_bytes,
            books=Books(net_of(paper), net_of(live)),
            version=VERSION,
            pid=os.getpid(),
            home=on.home,
            log_file=on.log_file,
            gateway=on.gateway(),
        )

    @methods.register("system.tree")
    def tree(params: NoParams, session: Session) -> ActorVitals:
        """Describe every actor: state, mailbox, restarts, last failure."""
        return on.system.tree()

    @methods.register("system.shutdown")
    def shutdown(params: NoParams, session: Session) -> Accepted:
        """Drain and exit."""
        on.shut_down(session.origin)
        return Accepted()

    @methods.register("system.reload")
    async def reload(params: NoParams, session: Session) -> Accepted:
        """Reread the configuration; what is wrong in it changes nothing."""
        try:
            await on.reload()
        except (ConfigError, SaveError) as error:
            raise RpcError(jsonrpc.REFUSED, str(error)) from error
        return Accepted()


class CpuUse:
    """What the process uses of one core; several may ask without shortening each other's view."""

    def __init__(self) -> None:
        self._at_s, self._used_s = monotonic(), process_time()
        self._percent = 0.0

    def percent(self) -> float:
        """Return the use between two of the moments at which it was asked for, a second apart at least."""
        now_s, used_s = monotonic(), process_time()
        if now_s - self._at_s >= _CPU_WINDOW_S:
            self._percent = round(100 * (used_s - self._used_s) / (now_s - self._at_s), 1)
            self._at_s, self._used_s = now_s, used_s
        return self._percent


class _Memory(msgspec.Struct, frozen=True):
    percent: float
    resident_bytes: int


def _memory() -> _Memory:
    """Measure this process; reads files."""
    process = psutil.Process()
    return _Memory(process.memory_percent(), process.memory_info().rss)


def net_of(totals: Totals) -> dict[str, str]:
    """Return what was earned less what was spent, posted only, by asset."""
    units: dict[str, int] = {}
    for item in totals.items:
        if item.state == "posted":
            sign = 1 if item.kind == "income" else -1
            units[item.asset] = units.get(item.asset, 0) + sign * parse_amount(item.amount, item.asset)
    return {asset: format_amount(net, asset) for asset, net in units.items()}
