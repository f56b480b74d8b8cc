"""A stream that is as small as a stream can be, and a fleet of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import EntryPoint
from pathlib import Path
from time import monotonic
from typing import Any, ClassVar

import msgspec

from actors import Actor, ActorRef, ActorSystem, Backoff, Refusal, RestartPolicy, Supervisor
from config.auto_scaling import SetBy
from config.fleet import Fleet, StreamPlan, plan_patch
from config.recovery import Recovery
from orchestrator.events import EventBus
from orchestrator.fleet.checkpoints import Checkpoints
from orchestrator.fleet.chronicle import Chronicle
from orchestrator.fleet.deployment_manager import DeploymentManager
from orchestrator.fleet.failover.failover import Failover, FillPool, Means
from orchestrator.fleet.failover.pool import Pool
from orchestrator.fleet.failover.standby import Provisions, Standby
from orchestrator.fleet.failover.trips import Trips
from orchestrator.fleet.instance import Surroundings
from orchestrator.fleet.neighbours import Directory
from orchestrator.fleet.paper_worlds import PaperWorlds
from orchestrator.fleet.rollouts import Rollouts
from orchestrator.fleet.roster import Roster
from streams.catalog import GROUP, Catalog
from streams.commons import Commons
from streams.far_sides import FarSide, FarSides
from streams.sandbox.world import Ground, MakeServer, PaperWorld
from streams.stream import Health, Stream


class StallSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    price: int = 1
    fails: bool = False


class Stall(Stream[StallSettings]):
    """Counts its lives, keeps a checkpoint, and fails to start where its settings say so."""

    name = "stall"
    settings_type = StallSettings
    lives: ClassVar[dict[str, int]] = {}

    @classmethod
    def blueprint(cls, n: int) -> Sequence[StallSettings]:
        return [StallSettings(f"stall {number}") for number in range(1, n + 1)]

    async def start(self) -> None:
        self.open = True
        self.taken = int(getattr(self, "restored", b"0"))
        self.lives[self.context.id] = self.lives.get(self.context.id, 0) + 1
        if self.context.settings.fails:
            raise RuntimeError("no stall today")

    async def run(self) -> None:
        while True:
            await asyncio.sleep(1)
            self.taken += 1

    async def stop(self) -> None:
        self.open = False

    def health(self) -> Health:
        return Health(ready=self.open)

    def pause(self) -> None:
        self.open = False

    def resume(self) -> None:
        self.open = True

    def checkpoint(self) -> bytes:
        return str(self.taken).encode()

    def restore(self, checkpoint: bytes) -> None:
        self.restored = checkpoint

    def funnel(self) -> dict[str, int]:
        return {"seen": self.taken}


class Sluggish(Stall):
    """Takes its time to start."""

    name = "sluggish"

    async def start(self) -> None:
        await asyncio.sleep(20)
        await super().start()


class Careless(Stall):
    """Cannot say how to set itself up."""

    name = "careless"

    @classmethod
    def blueprint(cls, n: int) -> Sequence[StallSettings]:
        raise ZeroDivisionError("of no use")


class KioskSettings(StallSettings, frozen=True, forbid_unknown_fields=True):
    products: dict[str, dict[str, str]] = {}


class Greet(msgspec.Struct, frozen=True):
    """Say hello so many times."""

    whom: str
    times: int = 1


class Market(Stall):
    """Has a paper world of one server, and actions."""

    name = "market"
    paper_world = f"{__name__}:MarketWorld"
    actions: ClassVar[dict[str, type[msgspec.Struct]]] = {"greet": Greet}

    async def start(self) -> None:
        self.seen = self.context.far_sides.find("square")
        await super().start()

    async def act(self, action: msgspec.Struct) -> Any:
        assert isinstance(action, Greet)
        if not action.whom:
            raise Refusal("nobody is there")
        return ["hello " + action.whom] * action.times

    def describe(self) -> dict[str, Any]:
        return {"square": self.seen.url if self.seen is not None else None}


class Square(Actor[Any]):
    """A server that listens nowhere, and says so."""

    def __init__(self, ground: Ground, port: int) -> None:
        self.ground = ground
        self.port = port

    async def on_start(self) -> None:
        self.ground.far_sides.add(FarSide("square", f"http://127.0.0.1:{self.port}", {"token": "t"}))

    async def on_stop(self, reason: BaseException | None) -> None:
        self.ground.far_sides.remove("square")


class MarketWorld(PaperWorld):
    """One square for all."""

    def servers(self) -> dict[str, MakeServer]:
        return {"square": lambda port: Square(self.ground, port)}


class Lost(Stall):
    """Its paper world cannot be imported."""

    name = "lost"
    paper_world = "no.such.module:World"


class Kiosk(Stall):
    """Sells by call, as the settings of `api_services` say it."""

    name = "api_services"
    settings_type = KioskSettings
    paper_world = "streams.sandbox.api_customers:ApiCustomersWorld"

    @classmethod
    def blueprint(cls, n: int) -> Sequence[StallSettings]:
        return [KioskSettings(f"kiosk {number}", products={"iban": {}}) for number in range(1, n + 1)]


def catalog() -> Catalog:
    return Catalog(
        {
            "stall": EntryPoint("stall", f"{__name__}:Stall", GROUP),
            "api_services": EntryPoint("api_services", f"{__name__}:Kiosk", GROUP),
            "sluggish": EntryPoint("sluggish", f"{__name__}:Sluggish", GROUP),
            "careless": EntryPoint("careless", f"{__name__}:Careless", GROUP),
            "market": EntryPoint("market", f"{__name__}:Market", GROUP),
            "lost": EntryPoint("lost", f"{__name__}:Lost", GROUP),
            "worker": EntryPoint("worker", "tests.orchestrator.fleet.rolling.worker:Worker", GROUP),
            "broken": EntryPoint("broken", "no.such.module:Stream", GROUP),
        }
    )


def _no_network() -> Any:
    raise OSError("there is no network here")


class FleetUnderTest:
    """What a test holds of a fleet.

    Attributes:
        manager: The deployment manager.
        events: The names of all events so far, with their fields.
        fleet: The configuration in force.
    """

    def __init__(self, directory: Path, **streams: int) -> None:
        self.directory = directory
        self.fleet = Fleet(port_base=7000, chaos=True, streams={n: StreamPlan(count=c) for n, c in streams.items()})
        self.counts: dict[str, int] | None = None
        self.refuses_counts: Exception | None = None
        self.bus = EventBus()
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.bus.subscribe(("*",), lambda event: self.events.append((event.name, event.fields)))
        self.far_sides = FarSides()
        self.worlds: PaperWorlds
        self.system: ActorSystem
        self.manager: ActorRef[Any]
        self.instances: ActorRef[Any]
        self.pool: Pool
        self.failover: ActorRef[Any] | None

    async def keep_count(self, stream: str, count: int, by: SetBy = "hand") -> None:
        if self.refuses_counts is not None:
            raise self.refuses_counts
        plan = self.fleet.streams.get(stream, StreamPlan())
        kept = msgspec.convert({**msgspec.to_builtins(plan), **plan_patch(plan, count, by)}, StreamPlan)
        streams = {**self.fleet.streams, stream: kept}
        self.fleet = msgspec.structs.replace(self.fleet, streams=streams)

    async def keep_settings(self, stream: str, settings: Mapping[str, Any]) -> None:
        plan = msgspec.structs.replace(self.fleet.streams[stream], settings=dict(settings))
        self.fleet = msgspec.structs.replace(self.fleet, streams={**self.fleet.streams, stream: plan})

    def names(self) -> list[str]:
        return [name for name, _ in self.events]

    async def until(self, name: str, **fields: Any) -> dict[str, Any]:
        """Wait for an event with these fields, one that has come included."""
        async with asyncio.timeout(600):
            while True:
                for seen, said in self.events:
                    if seen == name and fields.items() <= said.items():
                        return said
                await asyncio.sleep(0.01)

    def _ground(self, directory: Path) -> Ground:
        return Ground(
            directory=directory,
            host="127.0.0.1",
            seed=1,
            visits_per_minute=15,
            http=_no_network,
            now=lambda: datetime.now(UTC),
            monotonic=monotonic,
            far_sides=self.far_sides,
        )

    @asynccontextmanager
    async def running(
        self, *, max_restarts: int = 3, cooldown_s: float = 60.0, standbys: int = 0
    ) -> AsyncIterator[None]:
        for name in ("instances", "checkpoints"):
            (self.directory / name).mkdir(exist_ok=True)
        streams = catalog()
        policy = RestartPolicy(
            max_restarts=max_restarts,
            backoff=Backoff(jitter=False),
            when_exhausted="failover" if standbys else "delay",
            cooldown_s=cooldown_s,
            per_child=True,
        )
        rules = Recovery(max_retries=max_restarts, retry_delay=cooldown_s, backup_instances=standbys)
        self.pool, self.failover = Pool(standbys), None
        async with ActorSystem("fleet under test") as self.system:
            self.system.events.subscribe(Chronicle(self.bus))
            # What a test of the fleet books, nobody takes: its streams book nothing.
            nobody = await self.system.spawn(Supervisor, "nobody")
            around = Surroundings(
                instances=self.directory / "instances",
                checkpoints=Checkpoints(self.directory / "checkpoints"),
                host="127.0.0.1",
                book="paper",
                ledger=nobody,
                events=self.bus,
                http=lambda: None,  # type: ignore[arg-type, return-value]
                secret=lambda name: None,
                commons=Commons(await self.system.spawn(Supervisor, "commons")),
                far_sides=self.far_sides,
                directory=(directory := Directory()),
            )
            servers = await self.system.spawn(lambda: Supervisor(ordered=False), "far_sides")
            self.worlds = PaperWorlds(servers, self.directory / "sandbox", 7800, self._ground)
            roster, rollouts = Roster(around.instances), Rollouts(self.directory / "rollouts")
            if standbys:
                lenient = RestartPolicy(backoff=Backoff(jitter=False), when_exhausted="delay", per_child=True)
                spares = await self.system.spawn(lambda: Supervisor(policy=lenient), "standbys")
                make = partial(Standby, Provisions(around, roster, streams, self.worlds))
                means = Means(rules, roster, self.pool, Trips(60.0), lambda: instances, spares, make, self.bus)
                self.failover = await self.system.spawn(lambda: Failover(means), "failover")
            instances = self.instances = await self.system.spawn(
                lambda: Supervisor(policy=policy, failover=self.failover, ordered=False), "instances"
            )
            self.manager = await self.system.spawn(
                lambda: DeploymentManager(
                    streams,
                    lambda: self.fleet,
                    self.keep_count,
                    instances,
                    around,
                    self.bus,
                    self.counts,
                    roster,
                    rollouts,
                    self.worlds,
                    self.keep_settings,
                    self.pool,
                ),
                "deployment_manager",
            )
            directory.manager = self.manager
            if self.failover is not None:
                self.failover.tell(FillPool())
            yield
