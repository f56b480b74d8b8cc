"""Requests that are answered without a task: in order, once, and within the same bounds as all others."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from streams.http_cycle import HttpCycle
from streams.http_host import HttpApp, HttpHost

FIELDS = b"content-length: 5\r\nx-way: quick\r\n"


class Server:
    """Takes `/quick` quickly, and leaves the rest to an application."""

    def __init__(self) -> None:
        self.held: list[HttpCycle] = []
        self.holds = False

    def quick(self, cycle: HttpCycle) -> bool:
        path = cycle.scope["path"]
        if path == "/broken":
            raise RuntimeError("a mistake")
        if path != "/quick":
            return False
        if self.holds:
            self.held.append(cycle)
        else:
            asyncio.get_running_loop().call_soon(cycle.answer, 200, FIELDS, b"quick")
        return True

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"long"})


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[Server, HttpHost]]:
    server = Server()
    host = HttpHost(HttpApp(server.app, server.quick), "127.0.0.1", 0, {})
    await host.start()
    try:
        yield server, host
    finally:
        await host.close(1.0)


async def exchange(port: int, requests: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(requests)
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await writer.wait_closed()
    return answer


def get(path: str, fields: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n{fields}\r\n".encode()


async def test_pipelined_requests_are_answered_in_order_whichever_way_they_go() -> None:
    async with serving() as (_, host):
        paths = ("/quick", "/other", "/quick", "/broken", "/quick")
        *first, last = [get(path) for path in paths]
        answers = await exchange(host.port, b"".join(first) + last[:-2] + b"Connection: close\r\n\r\n")
        bodies = [part[:5].strip() for part in answers.split(b"\r\n\r\n")[1:]]
        assert bodies == [b"quick", b"longH", b"quick", b"longH", b"quick"]
        assert answers.count(b"x-way: quick\r\n") == 3
        assert answers.count(b"date: ") == 5
        assert answers.count(b"connection: close\r\n") == 1
        assert host.stats().requests == 5


async def test_a_body_that_nobody_reads_does_not_disturb_the_next_request() -> None:
    async with serving() as (_, host):
        post = b"POST /quick HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
        answers = await exchange(host.port, post + get("/other", "Connection: close\r\n"))
        assert answers.count(b"HTTP/1.1 200") == 2


async def test_a_peer_that_has_gone_is_no_failure() -> None:
    async with serving() as (server, host):
        server.holds = True
        _, writer = await asyncio.open_connection("127.0.0.1", host.port)
        writer.write(get("/quick"))
        while not server.held:
            await asyncio.sleep(0)
        # With a reset: to one that only closes its side, the answer is owed.
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()
        while host.stats().connections:
            await asyncio.sleep(0)
        server.held[0].answer(200, FIELDS, b"quick")


async def test_what_is_in_progress_is_answered_when_the_host_closes() -> None:
    async with serving() as (server, host):
        server.holds = True
        answer = asyncio.create_task(exchange(host.port, get("/quick")))
        while not server.held:
            await asyncio.sleep(0)
        closing = asyncio.create_task(host.close(1.0))
        await asyncio.sleep(0)
        server.held[0].answer(200, FIELDS, b"quick")
        assert b"connection: close\r\n" in await answer
        await closing


async def test_while_the_host_is_paused_nothing_is_taken() -> None:
    async with serving() as (server, host):
        host.pause()
        answer = await exchange(host.port, get("/quick", "Connection: close\r\n"))
        assert answer.startswith(b"HTTP/1.1 503")
        assert server.held == []
