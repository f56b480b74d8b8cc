"""A stream's paper world is there before its first instance, once, at the address that it had."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors import Refusal, WhichChildren
from orchestrator.fleet.instance import NoSuchAction, WrongArguments
from orchestrator.fleet.messages import Act, Deploy, GetInstance
from orchestrator.fleet.paper_worlds import PortBook
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
