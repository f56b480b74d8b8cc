"""Requests by turns: in order, none lost, and never in the way of a health check, an end, or a peer that goes away."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from streams import turns as turns_module
from streams.http_cycle import HttpCycle
from streams.http_host import HttpApp, HttpHost
from streams.turns import Shares


class Shop:
    """Serves when it is told to; takes `/quick` without a task."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.begun: list[str] = []

    def quick(self, cycle: HttpCycle) -> bool:
        if cycle.scope["path"] != "/quick":
            return False
        self.begun.append("/quick")
        asyncio.get_running_loop().call_soon(cycle.answer, 200, b"content-length: 5\r\n", b"quick")
        return True

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        self.begun.append(scope["path"])
        if scope["path"] != "/healthz":
            await self.go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


class Bench:
    """Two hosts that share one place."""

    def __init__(self, places: int) -> None:
        self.shares = Shares(requests=places)
        self.shop = Shop()
        app = HttpApp(self.shop.app, self.shop.quick)
        self.share = {name: self.shares.of(name) for name in ("a", "b")}
        self.hosts = {
            name: HttpHost(app, "127.0.0.1", 0, {}, turns=share.requests) for name, share in self.share.items()
        }

    async def ask(self, host: str, *paths: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.hosts[host].port)
        for place, path in enumerate(paths):
            last = "Connection: close\r\n" if place == len(paths) - 1 else ""
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n{last}\r\n".encode())
        return reader, writer

    async def until(self, waiting: int) -> None:
        async with asyncio.timeout(5):
            while self.shares.requests.stats().waiting != waiting:
                await asyncio.sleep(0.001)


@asynccontextmanager
async def serving(places: int = 1) -> AsyncIterator[Bench]:
    bench = Bench(places)
    for host in bench.hosts.values():
        await host.start()
    try:
        yield bench
    finally:
        bench.shop.go.set()
        for host in bench.hosts.values():
            await host.close(1.0)
    stats = bench.shares.requests.stats()
    assert (stats.held, stats.waiting) == (0, 0)


async def read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await writer.wait_closed()
    return answer


async def test_who_finds_no_place_waits_and_is_answered_all_the_same() -> None:
    async with serving() as bench:
        first = await bench.ask("a", "/one", "/two")
        async with asyncio.timeout(5):
            while bench.shop.begun != ["/one"]:
                await asyncio.sleep(0.001)
        second, quick = await bench.ask("b", "/three"), await bench.ask("b", "/quick")
        await bench.until(waiting=2)
        assert bench.shop.begun == ["/one"]
        bench.shop.go.set()
        assert (await read(*first)).count(b"200 OK") == 2
        assert b"200 OK" in await read(*second)
        assert (await read(*quick)).endswith(b"quick")


async def test_a_health_check_waits_for_nobody() -> None:
    async with serving() as bench:
        busy = await bench.ask("a", "/one")
        waiting = await bench.ask("a", "/two")
        await bench.until(waiting=1)
        assert b"200 OK" in await read(*await bench.ask("a", "/healthz"))
        bench.shop.go.set()
        await read(*busy)
        await read(*waiting)


async def test_a_peer_that_goes_away_while_it_waits_leaves_the_queue() -> None:
    async with serving() as bench:
        busy = await bench.ask("a", "/one")
        _, impatient = await bench.ask("a", "/two")
        await bench.until(waiting=1)
        # A reset: a peer that only closes its side may still wait for the answer.
        impatient.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        impatient.close()
        await bench.until(waiting=0)
        bench.shop.go.set()
        await read(*busy)
        assert "/two" not in bench.shop.begun


async def test_who_closes_answers_those_that_wait() -> None:
    async with serving() as bench:
        busy = await bench.ask("b", "/one")
        waiting = await bench.ask("a", "/two")
        await bench.until(waiting=1)
        closing = asyncio.create_task(bench.hosts["a"].close(1.0))
        await bench.until(waiting=0)
        bench.shop.go.set()
        assert b"200 OK" in await read(*waiting)
        await closing
        await read(*busy)


async def test_of_one_instance_so_many_wait_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns_module, "MOST_WAITING", 1)
    async with serving() as bench:
        busy = await bench.ask("a", "/one")
        waiting = await bench.ask("a", "/two")
        await bench.until(waiting=1)
        answer = await read(*await bench.ask("a", "/three"))
        assert b"503 Service Unavailable" in answer
        assert b"retry-after: 5" in answer
        other = await bench.ask("b", "/four")
        await bench.until(waiting=2)
        bench.shop.go.set()
        for each in (busy, waiting, other):
            assert b"200 OK" in await read(*each)
