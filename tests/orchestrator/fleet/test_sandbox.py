"""The sandbox gives every instance that sells a customer, and never fails for want of one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from structlog.testing import capture_logs

from actors import ActorRef, RemoveChild, Supervisor, WhichChildren
from orchestrator.fleet.messages import Command, Scale
from orchestrator.fleet.sandbox import Sandbox
from tests.orchestrator.fleet.fakes import FleetUnderTest


def _no_network() -> None:
    raise OSError("there is no network here")


@asynccontextmanager
async def sandbox(fleet: FleetUnderTest) -> AsyncIterator[ActorRef[object]]:
    async with fleet.running():
        customers: ActorRef[object] = await fleet.system.spawn(lambda: Supervisor(ordered=False), "customers")
        await fleet.system.spawn(
            lambda: Sandbox(
                fleet=fleet.manager,
                instances=fleet.instances,
                customers=customers,
                events=fleet.bus,
                directory=fleet.directory / "state" / "sandbox",
                http=_no_network,  # type: ignore[arg-type]
                calls_per_minute=15,
                seed=1,
            ),
            "sandbox",
        )
        await fleet.until("rollout.completed")
        await asyncio.sleep(1)
        yield customers


async def _customers_of(fleet: FleetUnderTest, customers: ActorRef[object]) -> list[str]:
    await asyncio.sleep(1)
    children = await customers.ask(WhichChildren(), 5)
    return sorted(child.path.rpartition("/")[2] for child in children)


async def test_customers_come_with_instances_that_sell_and_go_with_them(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, api_services=2, stall=1)
    async with sandbox(fleet) as customers:
        assert await _customers_of(fleet, customers) == ["api_services-001", "api_services-002"]
        assert (tmp_path / "state" / "sandbox").stat().st_mode & 0o777 == 0o700
        await fleet.manager.ask(Command("api_services-002", "stop"), 5)
        assert await _customers_of(fleet, customers) == ["api_services-001"]
        await fleet.manager.ask(Command("api_services-002", "start"), 5)
        await fleet.manager.ask(Scale("api_services", 3), 5)
        assert await _customers_of(fleet, customers) == [f"api_services-00{n}" for n in (1, 2, 3)]
        await fleet.manager.ask(Scale("api_services", 0), 5)
        assert await _customers_of(fleet, customers) == []


async def test_instances_that_were_ready_before_it_get_theirs_too(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, api_services=1)
    async with sandbox(fleet) as customers:
        await fleet.system.root.ask(RemoveChild("sandbox"), 5)
        await customers.ask(RemoveChild("api_services-001"), 5)
        await fleet.system.spawn(
            lambda: Sandbox(
                fleet.manager,
                fleet.instances,
                customers,  # type: ignore[arg-type]
                fleet.bus,
                tmp_path / "state" / "sandbox",
                _no_network,  # type: ignore[arg-type]
                15,
                1,
            ),
            "sandbox",
        )
        assert await _customers_of(fleet, customers) == ["api_services-001"]


async def test_where_no_customer_can_be_had_the_sandbox_says_so_and_goes_on(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, api_services=1)
    async with sandbox(fleet):
        await fleet.system.root.ask(RemoveChild("customers"), 5)
        with capture_logs() as lines:
            for _ in range(5):
                await fleet.manager.ask(Command("api_services-001", "restart"), 5)
                await asyncio.sleep(1)
            await fleet.manager.ask(Command("api_services-001", "stop"), 5)
            await asyncio.sleep(1)
        told = [line["event"] for line in lines]
        assert told.count("sandbox.customer_absent") == 5
        assert "sandbox.customer_stays" in told
        assert "service.crashed" not in fleet.names()
