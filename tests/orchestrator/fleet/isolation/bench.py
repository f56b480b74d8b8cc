"""Instances in real processes under a real supervisor, with a real ledger."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from structlog.testing import capture_logs

from actors import (
    ActorRef,
    ActorSystem,
    Backoff,
    ChildSpec,
    FindChild,
    RestartChild,
    RestartPolicy,
    StartChild,
    Supervisor,
)
from config.isolation import ProcessLimits
from orchestrator.events import EventBus
from orchestrator.fleet.checkpoints import Checkpoints
from orchestrator.fleet.chronicle import Chronicle
from orchestrator.fleet.instance import Perform, Surroundings
from orchestrator.fleet.isolation.processes import Processes
from orchestrator.fleet.neighbours import Directory
from orchestrator.fleet.record import Record
from streams.commons import Commons
from streams.far_sides import FarSides
from tests.orchestrator.fleet.isolation.rogue import Rogue
from tests.streams.ledgers import LedgerBench, open_ledger

MIB = 1024 * 1024
TIGHT = ProcessLimits(
    memory_bytes=160 * MIB,
    address_space_bytes=1024 * MIB,
    open_files=64,
    processes=4,
    threads=40,
    heartbeat_s=1.0,
    watch_s=0.1,
    start_timeout_s=10.0,
    stop_timeout_s=3.0,
    lines_per_s=50,
)
SECRETS = {"OWN_SECRET": "of mine", "OTHER_SECRET": "of others"}


class Bench:
    """What a test holds.

    Attributes:
        directory: The home.
        ledger: The ledger.
        far_sides: Who is on the other side.
        events: All events so far.
        said: All lines of the log so far.
    """

    def __init__(self, directory: Path, ledger: LedgerBench, system: ActorSystem) -> None:
        self.directory = directory
        self.ledger = ledger
        self.system = system
        self.far_sides = FarSides()
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.said: list[Any] = []
        self.around: Surroundings
        self.bus = EventBus()
        self.bus.subscribe(("*",), lambda event: self.events.append((event.name, event.fields)))
        self._number = 0
        self._supervisors: dict[int, ActorRef[Any]] = {}

    async def start(
        self, limits: ProcessLimits = TIGHT, *, restarts: int = 0, wait: bool = True, **settings: Any
    ) -> ActorRef[Any]:
        """Start an instance of the rogue, and return its reference."""
        self._number += 1
        record = Record(f"rogue-{self._number:03d}", "rogue", self._number, 7000 + self._number, "process")
        return await self.start_record(record, limits, restarts, wait, settings)

    async def start_record(
        self, record: Record, limits: ProcessLimits, restarts: int, wait: bool, settings: dict[str, Any]
    ) -> ActorRef[Any]:
        record = Record(record.id, record.stream, record.number, record.port, "process", settings=settings)
        processes = Processes(self.around, lambda: limits)
        supervisor = await self._supervisor(restarts)
        asked = supervisor.ask(
            StartChild(ChildSpec(record.id, partial(processes.make, record, Rogue)), supervised_start=True), 30
        )
        if wait:
            return await asked  # type: ignore[no-any-return]
        await asyncio.wait({asked})
        asked.exception()
        found: ActorRef[Any] | None = await supervisor.ask(FindChild(record.id), 5)
        assert found is not None
        return found

    async def _supervisor(self, restarts: int) -> ActorRef[Any]:
        if restarts not in self._supervisors:
            policy = RestartPolicy(
                max_restarts=restarts,
                when_exhausted="delay",
                cooldown_s=600,
                per_child=True,
                backoff=Backoff(first_s=0.01, jitter=False),
            )
            name = "instances" if restarts == 0 else f"instances{restarts}"
            self._supervisors[restarts] = await self.system.spawn(
                lambda: Supervisor(policy=policy, ordered=False), name
            )
        return self._supervisors[restarts]

    async def attempt(self, instance: ActorRef[Any], what: str, target: str = "") -> list[Any]:
        """Have the rogue try something; returns what came of it."""
        found: list[Any] = await instance.ask(Perform("try", {"what": what, "target": target}), 10)
        return found

    async def restart(self, instance: ActorRef[Any]) -> None:
        """Stop an instance in order, and start it again."""
        _, supervisor, name = instance.path.split("/")
        place = int(supervisor.removeprefix("instances") or 0)
        await self._supervisors[place].ask(RestartChild(name), 10)

    def lines(self, instance: str) -> int:
        """Return how many lines were logged of an instance by itself."""
        return sum(line.get("instance") == instance and "process" in line for line in self.said)

    async def until_given_up(self, instance: ActorRef[Any], within_s: float = 10.0) -> str:
        """Wait until an instance's restart budget is used up, and return why it failed last."""
        async with asyncio.timeout(within_s):
            while instance.vitals().condition != "gave_up":
                await asyncio.sleep(0.02)
        failure = instance.vitals().last_failure
        assert failure is not None
        return f"{failure.kind}: {failure.text}"


@asynccontextmanager
async def bench(directory: Path) -> AsyncIterator[Bench]:
    """Open all that instances in processes need; no process is left when it closes."""
    before = children()
    (directory / "checkpoints").mkdir()
    async with open_ledger(directory) as ledger, ActorSystem("isolation") as system:
        made = Bench(directory, ledger, system)
        with capture_logs() as made.said:
            await _open(made, system, ledger, directory)
            yield made
    assert children() == before


async def _open(made: Bench, system: ActorSystem, ledger: LedgerBench, directory: Path) -> None:
    system.events.subscribe(Chronicle(made.bus))
    made.around = Surroundings(
        instances=directory / "instances",
        checkpoints=Checkpoints(directory / "checkpoints"),
        host="127.0.0.1",
        book="paper",
        ledger=ledger.ref,
        events=made.bus,
        http=lambda: None,  # type: ignore[arg-type, return-value]
        secret=SECRETS.get,
        commons=Commons(await system.spawn(Supervisor, "commons")),
        far_sides=made.far_sides,
        directory=Directory(),
    )


def children() -> set[int]:
    """Return the processes below this one, those that nobody has reaped included."""
    return {process.pid for process in psutil.Process(os.getpid()).children(recursive=True)}


def runs(pid: int) -> bool:
    """Return whether a process runs; one that has ended and waits for its new parent to ask how does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
