"""The venues as servers of the paper world: known, kept over restarts, and true after a kill."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import signal
import stat
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from actors import ActorSystem, ChildSpec
from streams.far_sides import FarSide, FarSides
from streams.sandbox.venues.customers import open_customers
from streams.sandbox.venues.world import VenuesWorld
from streams.sandbox.venues.world_time import WorldTime
from streams.sandbox.world import Ground, Visit
from tests.streams.sandbox.venues.bench import SEED

ROOT = Path(__file__).parents[4]


def no_http() -> aiohttp.ClientSession:
    raise AssertionError("venues call nobody")


def ground(directory: Path, far_sides: FarSides) -> Ground:
    return Ground(
        directory=directory / "venues",
        host="127.0.0.1",
        seed=SEED,
        visits_per_minute=15.0,
        http=no_http,
        now=lambda: datetime.now(UTC),
        monotonic=time.monotonic,
        far_sides=far_sides,
    )


@asynccontextmanager
async def open_servers(directory: Path, port: int = 0) -> AsyncIterator[FarSides]:
    """Start both venues as the daemon does."""
    far_sides = FarSides()
    async with ActorSystem() as system:
        for name, make in VenuesWorld(ground(directory, far_sides)).servers().items():
            preferred = port if name == "venue.binance" else 0
            await system.spawn(ChildSpec(name, partial(make, preferred)))
        yield far_sides
    assert far_sides.all() == ()


def signed(far_side: FarSide, who: str = "", **parameters: str) -> tuple[str, dict[str, str]]:
    """Return a query that Binance takes, and its headers."""
    query = urlencode({**parameters, "timestamp": str(time.time_ns() // 1_000_000)})
    secret = far_side.credentials[f"{who}secret"]
    signature = hmac.new(secret.encode(), query.encode(), hashlib.sha256).hexdigest()
    return f"{query}&signature={signature}", {"X-MBX-APIKEY": far_side.credentials[f"{who}apiKey"]}


async def test_both_venues_are_known_with_the_keys_of_the_fleet_and_of_a_visitor(tmp_path: Path) -> None:
    async with open_servers(tmp_path) as far_sides, aiohttp.ClientSession() as http:
        assert [far_side.name for far_side in far_sides.all()] == ["venue.binance", "venue.kraken"]
        for far_side in far_sides.all():
            assert set(far_side.credentials) == {"apiKey", "secret", "visitor_apiKey", "visitor_secret"}
            assert len(set(far_side.credentials.values())) == 4
        binance = far_sides.find("venue.binance")
        assert binance is not None
        worth = []
        for who in ("", "visitor_"):
            query, headers = signed(binance, who)
            async with http.get(f"{binance.url}/api/v3/account?{query}", headers=headers) as answer:
                balances = (await answer.json())["balances"]
            worth.append({row["asset"]: float(row["free"]) for row in balances})
        fleet, visitor = worth
        assert fleet["USDT"] == pytest.approx(100_000, rel=0.01)
        assert fleet["BTC"] == pytest.approx(10 * visitor["BTC"], rel=0.01)


async def test_keys_accounts_and_ports_are_the_same_after_a_restart(tmp_path: Path) -> None:
    async with open_servers(tmp_path) as far_sides:
        before = far_sides.find("venue.binance")
        assert before is not None
        port = int(before.url.rpartition(":")[2])
    async with open_servers(tmp_path, port) as far_sides:
        assert far_sides.find("venue.binance") == before


async def test_a_port_that_is_taken_is_not_waited_for(tmp_path: Path) -> None:
    async with open_servers(tmp_path / "one") as first:
        taken = first.find("venue.binance")
        assert taken is not None
        async with open_servers(tmp_path / "two", int(taken.url.rpartition(":")[2])) as second:
            other = second.find("venue.binance")
            assert other is not None
            assert other.url != taken.url


async def test_secrets_are_for_their_owner_only(tmp_path: Path) -> None:
    async with open_servers(tmp_path):
        directory = tmp_path / "venues"
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert {stat.S_IMODE(file.stat().st_mode) for file in directory.iterdir()} == {0o600}


def test_keys_are_made_once(tmp_path: Path) -> None:
    assert open_customers(tmp_path / "keys.json") == open_customers(tmp_path / "keys.json")
    assert open_customers(tmp_path / "keys.json") != open_customers(tmp_path / "others.json")


def test_a_world_goes_on_where_it_was_and_a_wall_clock_that_is_set_does_not_move_it(tmp_path: Path) -> None:
    wall, monotonic_s = datetime(2026, 1, 1, tzinfo=UTC), 5.0
    first = WorldTime(lambda: wall, lambda: monotonic_s)
    first.open(tmp_path)
    monotonic_s, wall = 7.0, datetime(2026, 1, 2, tzinfo=UTC)
    first.open(tmp_path)
    assert first.elapsed_ms() == 2_000
    second = WorldTime(lambda: wall, lambda: monotonic_s)
    second.open(tmp_path)
    assert second.elapsed_ms() == 86_400_000
    wall = datetime(2025, 1, 1, tzinfo=UTC)
    before_its_beginning = WorldTime(lambda: wall, lambda: monotonic_s)
    before_its_beginning.open(tmp_path)
    assert before_its_beginning.elapsed_ms() == 0


def test_traders_have_no_visitors(tmp_path: Path) -> None:
    world = VenuesWorld(ground(tmp_path, FarSides()))
    visit = Visit("crypto_arbitrage-001", "http://127.0.0.1:1", {}, None)  # type: ignore[arg-type]
    assert world.visitor(visit) is None


async def test_what_is_no_request_of_the_dialect_is_answered_and_disturbs_nobody(tmp_path: Path) -> None:
    async with open_servers(tmp_path) as far_sides, aiohttp.ClientSession() as http:
        binance, kraken = far_sides.all()
        for far_side, path in (
            (binance, "/api/v3/nothing"),
            (binance, "/api/v3/depth?symbol=%ff"),
            (binance, "/api/v3/depth?symbol=BTCUSDT&limit=-1"),
            (binance, "/api/v3/depth?" + "&".join(f"a{each}=1" for each in range(100))),
            (binance, "/api/v3/account?timestamp=1&signature=ü"),
            (kraken, "/0/public/Depth?pair=XBTUSDT&count=many"),
            (kraken, "/0/private/Balance"),
            (kraken, "/"),
        ):
            async with http.get(far_side.url + path) as answer:
                body = await answer.json()
                assert body.get("code", 0) < 0 or body["error"], path
        async with http.post(f"{kraken.url}/0/private/Balance", data=b"x" * 100_000) as answer:
            assert (await answer.json())["error"] == ["EGeneral:Invalid arguments"]
        async with http.post(f"{kraken.url}/0/private/Balance", data="nonce=1\xff".encode("latin-1")) as answer:
            assert (await answer.json())["error"] == ["EGeneral:Invalid arguments"]
        async with http.get(f"{binance.url}/api/v3/depth?symbol=BTCUSDT") as answer:
            assert answer.status == 200


_DAEMON = """
import asyncio, json, sys
from pathlib import Path
from tests.streams.sandbox.venues.test_world import open_servers
async def main():
    async with open_servers(Path(sys.argv[1])) as far_sides:
        binance = far_sides.find("venue.binance")
        print(json.dumps({"url": binance.url, "credentials": binance.credentials}), flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


async def test_an_order_that_was_answered_survives_kill_9(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _DAEMON, str(tmp_path)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    killed: list[int] = []
    try:
        said = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))
        binance = FarSide("venue.binance", said["url"], said["credentials"])
        answered: dict[str, Any] = {}
        async with aiohttp.ClientSession() as http:

            async def sell(number: int) -> None:
                order = {"symbol": "ETHUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.0100"}
                query, headers = signed(binance, "visitor_", newClientOrderId=f"o{number}", **order)
                async with http.post(f"{binance.url}/api/v3/order?{query}", headers=headers) as answer:
                    answered[f"o{number}"] = await answer.json()
                    if len(answered) == 5:
                        killed.append(number)
                        os.kill(process.pid, signal.SIGKILL)

            await asyncio.gather(*(sell(number) for number in range(20)), return_exceptions=True)
    finally:
        if not killed:
            process.kill()
        status = await process.wait()
    assert status == -signal.SIGKILL
    async with open_servers(tmp_path) as far_sides, aiohttp.ClientSession() as http:
        again = far_sides.find("venue.binance")
        assert again is not None
        assert again.credentials == binance.credentials
        query, headers = signed(again, "visitor_", symbol="ETHUSDT")
        async with http.get(f"{again.url}/api/v3/allOrders?{query}", headers=headers) as answer:
            kept = {order["clientOrderId"]: order for order in await answer.json()}
        async with http.get(f"{again.url}/api/v3/myTrades?{query}", headers=headers) as answer:
            trades = await answer.json()
        query, headers = signed(again, "visitor_")
        async with http.get(f"{again.url}/api/v3/account?{query}", headers=headers) as answer:
            free = {row["asset"]: row["free"] for row in (await answer.json())["balances"]}
    for name, order in answered.items():
        assert kept[name]["orderId"] == order["orderId"]
        assert kept[name]["executedQty"] == order["executedQty"]
    # Balances, orders and trades tell the same story, whatever had not been answered.
    sold = sum(int(order["executedQty"].replace(".", "")) for order in kept.values())
    assert sum(int(trade["qty"].replace(".", "")) for trade in trades) == sold
    assert int(free["ETH"].replace(".", "")) == 322_580_645 - sold
