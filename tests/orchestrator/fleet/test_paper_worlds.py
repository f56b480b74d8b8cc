"""A stream's paper world is there before its first instance, once, at the address that it had."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import pytest

from actors import Actor, ActorSystem, Refusal, Supervisor, WhichChildren
from orchestrator.fleet.instance import NoSuchAction, WrongArguments
from orchestrator.fleet.messages import Act, Deploy, GetInstance, NotNow
from orchestrator.fleet.paper_worlds import PaperWorlds, PortBook
from streams.sandbox.world import Ground, MakeServer, PaperWorld
from tests.orchestrator.fleet.fakes import FleetUnderTest


async def test_an_instance_finds_its_far_side_when_it_starts(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, market=2, stall=1)
    async with fleet.running():
        await fleet.until("rollout.completed", stream="market")
        view = await fleet.manager.ask(GetInstance("market-002"), 5)
        assert view.details == {"square": "http://127.0.0.1:7799"}
        assert fleet.worlds.of("stall") is None


async def test_a_stream_that_comes_later_gets_its_world_then(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=1)
    async with fleet.running():
        await fleet.until("rollout.completed", stream="stall")
        assert fleet.far_sides.all() == ()
        await fleet.manager.ask(Deploy("market", 1), 5)
        await fleet.until("rollout.completed", stream="market")
        assert [side.name for side in fleet.far_sides.all()] == ["square"]


async def test_a_world_that_cannot_start_costs_its_own_instances_only(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, lost=1, stall=1)
    async with fleet.running():
        await fleet.until("rollout.completed", stream="stall")
        await fleet.until("rollout.incomplete", stream="lost")
        view = await fleet.manager.ask(GetInstance("lost-001"), 5)
        assert view.state == "failed"
        assert "the sandbox of lost cannot start: ModuleNotFoundError" in view.health


async def test_an_operator_reaches_the_actions_of_a_stream(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, market=1, stall=1)
    async with fleet.running():
        await fleet.until("rollout.completed", stream="market")
        await fleet.until("rollout.completed", stream="stall")
        assert (await fleet.manager.ask(GetInstance("market-001"), 5)).actions == ("greet",)
        said = await fleet.manager.ask(Act("market-001", "greet", {"whom": "you", "times": 2}), 5)
        assert said == ["hello you", "hello you"]
        with pytest.raises(Refusal, match="nobody is there"):
            await fleet.manager.ask(Act("market-001", "greet", {"whom": ""}), 5)
        with pytest.raises(WrongArguments, match=r"greet: .*whom"):
            await fleet.manager.ask(Act("market-001", "greet"), 5)
        with pytest.raises(NoSuchAction, match="it has greet"):
            await fleet.manager.ask(Act("market-001", "sing"), 5)
        with pytest.raises(NoSuchAction, match="it has none"):
            await fleet.manager.ask(Act("stall-001", "greet"), 5)
        await fleet.manager.ask(Act("market-001", "greet", {"whom": "still there"}), 5)


def test_a_server_keeps_its_port(tmp_path: Path) -> None:
    book = PortBook(tmp_path / "ports.json", 7800)
    assert [book.port_of(name) for name in ("a", "b", "a")] == [7799, 7798, 7799]
    assert PortBook(tmp_path / "ports.json", 7800).port_of("b") == 7798


def test_ports_follow_a_base_that_moved_and_end_above_the_systems_own(tmp_path: Path) -> None:
    PortBook(tmp_path / "ports.json", 7800).port_of("a")
    moved = PortBook(tmp_path / "ports.json", 1025)
    assert [moved.port_of(name) for name in ("a", "b")] == [1024, 0]


def test_a_damaged_book_of_ports_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text("{")
    assert PortBook(tmp_path / "ports.json", 7800).port_of("a") == 7799


async def test_the_servers_are_supervised_beside_the_fleet(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, market=1)
    async with fleet.running():
        await fleet.until("rollout.completed", stream="market")
        servers = fleet.worlds._supervisor
        assert [vitals.path.rpartition("/")[2] for vitals in await servers.ask(WhichChildren(), 5)] == ["square"]


class Half(Actor[Any]):
    """A server; the one called `second` starts at its second attempt only."""

    attempts: ClassVar[Counter[str]] = Counter()

    def __init__(self, world: PaperWorld, name: str) -> None:
        self.world = world
        self.name = name

    async def on_start(self) -> None:
        self.attempts[self.name] += 1
        if self.name == "second" and self.attempts[self.name] == 1:
            raise OSError("no port")


class HalfWorld(PaperWorld):
    """Two servers of one world."""

    def servers(self) -> dict[str, MakeServer]:
        return {name: lambda port, name=name: Half(self, name) for name in ("first", "second")}  # type: ignore[misc]


async def test_servers_of_a_world_that_could_not_start_whole_are_not_those_of_the_next(tmp_path: Path) -> None:
    Half.attempts.clear()
    kind: Any = SimpleNamespace(paper_world=f"{__name__}:HalfWorld")
    async with ActorSystem("test") as system:
        supervisor = await system.spawn(Supervisor, "servers")
        worlds = PaperWorlds(supervisor, tmp_path / "sandbox", 7800, lambda _: cast("Ground", None))
        with pytest.raises(NotNow, match="no port"):
            await worlds.ensure("half", kind)
        assert await supervisor.ask(WhichChildren(), 5) == ()
        await worlds.ensure("half", kind)
        assert len(await supervisor.ask(WhichChildren(), 5)) == 2
        assert Half.attempts == {"first": 2, "second": 2}
