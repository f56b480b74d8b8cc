"""A customer buys a key, calls and pays, and stays one whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from actors import Actor, ActorSystem, Refusal, on
from streams.addresses import address_of
from streams.metering.messages import CreateKey
from streams.metering.selling import NewKey
from streams.sandbox.api_customer import ApiCustomer, Purchase, purchases_of


class SoldOut(Refusal):
    """No keys today."""


class Desk(Actor[CreateKey]):
    """Sells keys, after it has refused a few times."""

    def __init__(self, refusals: int = 0) -> None:
        self.refusals = refusals
        self.sold = 0

    @on(CreateKey)
    def create(self, message: CreateKey) -> NewKey:
        if self.refusals:
            self.refusals -= 1
            raise SoldOut
        self.sold += 1
        return NewKey(f"key-{self.sold}", f"ak_test_{self.sold}")


class Shop:
    """An HTTP server that notes who calls for what, and answers with the statuses given, then with 200."""

    def __init__(self) -> None:
        self.calls: asyncio.Queue[tuple[str, str, Any]] = asyncio.Queue()
        self.statuses: list[int] = []
        self.port = 0

    async def answer(self, request: web.Request) -> web.Response:
        await self.calls.put((request.path, request.headers["Authorization"], await request.json()))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    async def call(self) -> tuple[str, str, Any]:
        return await asyncio.wait_for(self.calls.get(), 10)


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    shop = Shop()
    app = web.Application()
    app.router.add_post("/v1/{product}", shop.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    shop.port = runner.addresses[0][1]
    yield shop
    await runner.cleanup()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def system() -> AsyncIterator[ActorSystem]:
    async with ActorSystem() as system:
        yield system


async def customer(system: ActorSystem, shop: Shop, session: aiohttp.ClientSession, purse: Path, desk: Desk) -> None:
    keys = await system.spawn(lambda: desk, "desk")
    await system.spawn(
        lambda: ApiCustomer(
            instance="api_services-001",
            base_url=address_of("127.0.0.1", shop.port),
            desk=keys,
            purchases=[Purchase("iban", {"value": "DE89370400440532013000"})],
            purse=purse,
            http=lambda: session,
            calls_per_minute=60_000,
            seed="1/api_services-001",
        ),
        "customer",
    )


async def test_it_buys_one_key_keeps_it_for_itself_and_calls_with_it(
    system: ActorSystem, shop: Shop, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    purse = tmp_path / "purse"
    desk = Desk()
    await customer(system, shop, session, purse, desk)
    for _ in range(3):
        assert await shop.call() == ("/v1/iban", "Bearer ak_test_1", {"value": "DE89370400440532013000"})
    assert desk.sold == 1
    assert purse.read_text() == "ak_test_1"
    assert purse.stat().st_mode & 0o777 == 0o600


async def test_it_takes_up_the_key_of_a_former_life(
    system: ActorSystem, shop: Shop, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    purse = tmp_path / "purse"
    purse.write_text("ak_test_old\n")
    desk = Desk()
    await customer(system, shop, session, purse, desk)
    assert (await shop.call())[1] == "Bearer ak_test_old"
    assert desk.sold == 0


async def test_a_key_that_is_not_known_any_more_is_thrown_away_for_another(
    system: ActorSystem, shop: Shop, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    purse = tmp_path / "purse"
    purse.write_text("ak_test_old")
    shop.statuses = [401]
    await customer(system, shop, session, purse, Desk())
    assert [(await shop.call())[1] for _ in range(2)] == ["Bearer ak_test_old", "Bearer ak_test_1"]


async def test_one_who_is_refused_comes_again(
    system: ActorSystem, shop: Shop, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    shop.statuses = [429, 503, 402]
    desk = Desk(refusals=3)
    await customer(system, shop, session, tmp_path / "purse", desk)
    for _ in range(5):
        await shop.call()
    assert desk.sold == 1


async def test_a_purse_that_cannot_be_read_or_written_does_not_keep_it_from_trying(
    system: ActorSystem, shop: Shop, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    purse = tmp_path / "purse"
    purse.mkdir()
    desk = Desk()
    await customer(system, shop, session, purse, desk)
    async with asyncio.timeout(10):
        while desk.sold < 2:
            await asyncio.sleep(0.001)
    assert shop.calls.empty()
    (vitals,) = (child for child in system.tree().children if child.path == "/customer")
    assert (vitals.condition, vitals.restarts) == ("running", 0)


def test_only_what_an_instance_sells_and_can_be_asked_for_is_bought() -> None:
    sold = {"products": {"iban": {}, "unknown": {}}}
    assert purchases_of(sold, {"iban": {"value": "x"}, "vat": {}}) == [Purchase("iban", {"value": "x"})]
    assert purchases_of({"name": "stall"}, {"iban": {}}) == []
