"""The sandbox gives every instance that sells a visitor, and never fails for want of one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from structlog.testing import capture_logs

from actors import ActorRef, FindChild, RemoveChild, Supervisor, WhichChildren
from orchestrator.fleet.messages import Command, Scale
from orchestrator.fleet.sandbox import ListFarSides, Sandbox
from streams.far_sides import FarSide
from tests.orchestrator.fleet.fakes import FleetUnderTest


def _sandbox(fleet: FleetUnderTest, visitors: ActorRef[object]) -> Sandbox:
    told = fleet.directory / "sandbox.json"
    return Sandbox(fleet.manager, fleet.instances, visitors, fleet.bus, fleet.worlds, fleet.far_sides, told)


@asynccontextmanager
async def sandbox(fleet: FleetUnderTest) -> AsyncIterator[ActorRef[object]]:
    async with fleet.running():
        visitors: ActorRef[object] = await fleet.system.spawn(lambda: Supervisor(ordered=False), "visitors")
        await fleet.system.spawn(lambda: _sandbox(fleet, visitors), "sandbox")
        await fleet.until("rollout.completed")
        await asyncio.sleep(1)
        yield visitors


async def _visitors_of(fleet: FleetUnderTest, visitors: ActorRef[object]) -> list[str]:
    await asyncio.sleep(1)
    children = await visitors.ask(WhichChildren(), 5)
    return sorted(child.path.rpartition("/")[2] for child in children)


async def test_visitors_come_with_instances_that_sell_and_go_with_them(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, api_services=2, stall=1)
    async with sandbox(fleet) as visitors:
        assert await _visitors_of(fleet, visitors) == ["api_services-001", "api_services-002"]
        assert (tmp_path / "sandbox" / "api_services").stat().st_mode & 0o777 == 0o700
        await fleet.manager.ask(Command("api_services-002", "stop"), 5)
        assert await _visitors_of(fleet, visitors) == ["api_services-001"]
        await fleet.manager.ask(Command("api_services-002", "start"), 5)
        await fleet.manager.ask(Scale("api_services", 3), 5)
        assert await _visitors_of(fleet, visitors) == [f"api_services-00{n}" for n in (1, 2, 3)]
        await fleet.manager.ask(Scale("api_services", 0), 5)
        assert await _visitors_of(fleet, visitors) == []


async def test_instances_that_were_ready_before_it_get_theirs_too(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, api_services=1)
    async with sandbox(fleet) as visitors:
        await fleet.system.root.ask(RemoveChild("sandbox"), 5)
        await visitors.ask(RemoveChild("api_services-001"), 5)
        await fleet.system.spawn(lambda: _sandbox(fleet, visitors), "sandbox")
        assert await _visitors_of(fleet, visitors) == ["api_services-001"]


async def test_where_no_visitor_can_be_had_the_sandbox_says_so_and_goes_on(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, api_services=1)
    async with sandbox(fleet):
        await fleet.system.root.ask(RemoveChild("visitors"), 5)
        with capture_logs() as lines:
            for _ in range(5):
                await fleet.manager.ask(Command("api_services-001", "restart"), 5)
                await asyncio.sleep(1)
            await fleet.manager.ask(Command("api_services-001", "stop"), 5)
            await asyncio.sleep(1)
        told = [line["event"] for line in lines]
        assert told.count("sandbox.visitor_absent") == 5
        assert "sandbox.visitor_stays" in told
        assert "service.crashed" not in fleet.names()


async def test_people_find_the_far_sides_in_a_private_file_while_they_are_there(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, market=1)
    told = tmp_path / "sandbox.json"
    async with sandbox(fleet):
        (side,) = await (await fleet.system.root.ask(FindChild("sandbox"), 5)).ask(ListFarSides(), 5)
        assert json.loads(told.read_text()) == [{"name": side.name, "url": side.url, "credentials": {"token": "t"}}]
        assert told.stat().st_mode & 0o777 == 0o600
        fleet.far_sides.add(FarSide("another", "http://127.0.0.1:1"))
        await asyncio.sleep(1)
        assert [each["name"] for each in json.loads(told.read_text())] == ["another", "square"]
    assert not told.exists()
