"""A customer of datasets waits for something to buy, pays once for an order, and comes again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from actors import Actor, ActorSystem, on
from streams.far_sides import FarSides
from streams.metering.messages import CreateKey
from streams.metering.selling import NewKey
from streams.sandbox.sites.customer import DatasetCustomer
from streams.sandbox.sites.world import SitesWorld
from streams.sandbox.world import Visit
from tests.streams.sandbox.sites.bench import open_sites


class Desk(Actor[CreateKey]):
    """Sells keys."""

    @on(CreateKey)
    def create(self, message: CreateKey) -> NewKey:
        return NewKey("key-1", "ak_test_1")


class Seller:
    """Lists datasets and notes what is ordered; answers with the statuses given, then with 200."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.looks = 0
        self.orders: asyncio.Queue[tuple[str, str, str]] = asyncio.Queue()
        self.statuses: list[int] = []
        self.port = 0

    async def list(self, request: web.Request) -> web.Response:
        self.looks += 1
        return web.json_response({"items": self.items})

    async def sell(self, request: web.Request) -> web.Response:
        headers = request.headers
        await self.orders.put((request.path, headers["Authorization"], headers["Idempotency-Key"]))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    async def order(self) -> tuple[str, str, str]:
        return await asyncio.wait_for(self.orders.get(), 10)


@pytest.fixture
async def seller() -> AsyncIterator[Seller]:
    seller = Seller()
    app = web.Application()
    app.router.add_get("/v1/datasets", seller.list)
    app.router.add_get("/v1/datasets/{name}/{version}", seller.sell)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    seller.port = runner.addresses[0][1]
    yield seller
    await runner.cleanup()


def item(name: str, *sellable: bool) -> dict[str, Any]:
    return {"name": name, "versions": [{"version": 9 - place, "sellable": each} for place, each in enumerate(sellable)]}


async def test_it_waits_for_a_version_orders_each_time_anew_and_repeats_what_was_not_answered(
    seller: Seller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.sandbox.sites.customer._FIRST_LOOK_S", 0.01)
    seller.items = [item("nothing"), item("withheld", False, True)]
    seller.statuses = [503, 401]
    async with aiohttp.ClientSession() as session, ActorSystem() as system:
        desk = await system.spawn(Desk, "desk")
        await system.spawn(
            lambda: DatasetCustomer(
                instance="data_harvesting-001",
                base_url=f"http://127.0.0.1:{seller.port}",
                desk=desk,
                datasets=["nothing", "withheld", "ready"],
                purse=tmp_path / "purses" / "purse",
                http=lambda: session,
                downloads_per_minute=6_000,
                seed="1",
            ),
            "customer",
        )
        async with asyncio.timeout(10):
            while seller.looks < 3:
                await asyncio.sleep(0.005)
        assert seller.orders.empty()
        seller.items.append(item("ready", True))
        orders = [await seller.order() for _ in range(5)]
    assert {path for path, _, _ in orders} == {"/v1/datasets/ready/latest"}
    assert {key for _, key, _ in orders} == {"Bearer ak_test_1"}
    names = [order for _, _, order in orders]
    assert names[0] == names[1] == names[2]  # 503, and 401 with an old key, were no answers
    assert len(set(names)) == 3
    assert (tmp_path / "purses" / "purse").read_text() == "ak_test_1"


async def test_the_world_sends_a_customer_to_who_has_datasets(tmp_path: Path) -> None:
    async with open_sites(tmp_path, []) as sites, ActorSystem() as system:
        desk = await system.spawn(Desk, "desk")
        world: SitesWorld = sites.world
        assert isinstance(world.ground.far_sides, FarSides)
        settings = {"datasets": {"prices": {}}}
        make = world.visitor(Visit("data_harvesting-001", "http://127.0.0.1:1", settings, desk))
        assert make is not None
        assert isinstance(make(), DatasetCustomer)
        assert world.visitor(Visit("other-001", "http://127.0.0.1:1", {}, desk)) is None
