"""Server-sent events over real sockets."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from orchestrator.access.gateway import event_hub, observing
from orchestrator.access.gateway.event_stream import EventStream
from orchestrator.access.gateway.routes import PREFIX
from tests.orchestrator.access.gateway.conftest import GatewayUnderTest
from tests.orchestrator.access.wire import until

EVENTS = f"{PREFIX}/events"
FOLLOW = f"{PREFIX}/logs/stream"


class Reader:
    """Reads events one after the other."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer

    async def raw(self) -> bytes:
        return await self.answer.content.readuntil(b"\n\n")

    async def event(self) -> Any:
        while not (block := await self.raw()).startswith(b"data: "):
            assert block.startswith((b":", b"retry:"))
        return json.loads(block.removeprefix(b"data: "))


@asynccontextmanager
async def reading(gateway: GatewayUnderTest, path: str, **headers: str) -> AsyncIterator[Reader]:
    headers = headers or {"Authorization": f"Bearer {gateway.token}"}
    async with gateway.http.get(gateway.url + path, headers=headers) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/event-stream"
        reader = Reader(answer)
        assert await reader.raw() == b"retry: 3000\n\n"
        yield reader


def _listeners(gateway: GatewayUnderTest) -> int:
    actor: Any = gateway.ref._cell.actor
    listeners: int = actor._hub.statistics().listeners
    return listeners


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence lasts no longer than a moment. A peer that hung up is found out when it is written to."""
    monkeypatch.setattr(EventStream.__init__, "__defaults__", (0.05,))


async def test_events_of_the_topics_come_as_they_happen(gateway: GatewayUnderTest, often: None) -> None:
    async with reading(gateway, f"{EVENTS}?topics=instance.*,rollout.*&topics=odd") as reader:
        gateway.fleet.bus.hand_out("ledger.booked", {"sequence": 1})
        gateway.fleet.bus.hand_out("odd", {"text": "line\nbreak"})
        assert (await reader.event())["text"] == "line\nbreak"
        await gateway.post(f"{PREFIX}/fleet/instances/stall-001/restart")
        seen = [await reader.event() for _ in range(2)]
        assert {event["instance"] for event in seen} == {"stall-001"}
        assert all(event["event"].startswith("instance.") and event["timestamp"] for event in seen)
    await until(lambda: _listeners(gateway) == 0)


async def test_without_topics_everything_comes(gateway: GatewayUnderTest) -> None:
    async with reading(gateway, EVENTS) as reader:
        gateway.fleet.bus.hand_out("anything.at.all", {})
        assert (await reader.event())["event"] == "anything.at.all"


async def test_topics_that_cannot_be_listened_to_are_refused(gateway: GatewayUnderTest) -> None:
    for topics in ("", "x" * 201, ",".join(["x"] * 101), "%ff"):
        status, _, problem = await gateway.get(f"{EVENTS}?topics={topics}")
        assert (status, problem["code"]) == (422, "invalid_params")


async def test_silence_is_broken_by_a_comment(gateway: GatewayUnderTest, often: None) -> None:
    async with reading(gateway, EVENTS) as reader:
        assert await reader.raw() == b": still here\n\n"
        assert await reader.raw() == b": still here\n\n"


async def test_nothing_is_told_to_a_browser_that_has_logged_out(gateway: GatewayUnderTest) -> None:
    cookie = await gateway.log_in()
    async with reading(gateway, f"{EVENTS}?topics=x", Cookie=cookie) as reader:
        gateway.fleet.bus.hand_out("x", {"n": 1})
        assert (await reader.event())["n"] == 1
        await gateway.post("/logout", token=None, headers={"Cookie": cookie, "Origin": gateway.url})
        gateway.fleet.bus.hand_out("x", {"n": 2})
        assert await reader.answer.content.read() == b""
    await until(lambda: _listeners(gateway) == 0)


async def test_a_stop_ends_the_streams_in_order(gateway: GatewayUnderTest) -> None:
    async with reading(gateway, EVENTS) as first, reading(gateway, FOLLOW) as second:
        async with asyncio.timeout(3):
            await gateway.ref._cell.stop()
            assert await first.answer.content.read() == b""
            assert await second.answer.content.read() == b""


def _slow_socket(gateway: GatewayUnderTest) -> socket.socket:
    """Ask for events with a socket that takes little."""
    host, _, port = gateway.host.partition(":")
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect((host, int(port)))
    request = (
        f"GET {EVENTS}?topics=big HTTP/1.1\r\nHost: {gateway.host}\r\nAuthorization: Bearer {gateway.token}\r\n\r\n"
    )
    connection.sendall(request.encode())
    return connection


async def test_a_slow_reader_is_cut_off_and_holds_nobody_up(
    gateway: GatewayUnderTest, monkeypatch: pytest.MonkeyPatch, often: None
) -> None:
    monkeypatch.setattr(event_hub, "AGAIN_AFTER_S", 0.001)
    slow = await asyncio.to_thread(_slow_socket, gateway)
    try:
        await until(lambda: _listeners(gateway) == 1)
        async with reading(gateway, f"{EVENTS}?topics=big") as reader:
            for number in range(100):
                gateway.fleet.bus.hand_out("big", {"number": number, "text": "x" * 100_000})
                assert (await reader.event())["number"] == number

        def drain() -> bytes:
            slow.settimeout(5)
            got = b""
            while not got.endswith(b"\r\n0\r\n\r\n"):
                got = (got + slow.recv(1 << 16))[-200:]
            return got

        assert b": cut off" in await asyncio.to_thread(drain)
        actor: Any = gateway.ref._cell.actor
        assert actor._hub.statistics().cut_off == 1
    finally:
        slow.close()
    await until(lambda: _listeners(gateway) == 0)


async def test_the_log_is_followed_from_its_last_lines_on(
    gateway: GatewayUnderTest, write_log: Any, often: None
) -> None:
    for number in range(4):
        await write_log(gateway.log_file, {"level": "info", "event": f"e{number}", "instance": f"x-00{number % 2}"})
    async with reading(gateway, f"{FOLLOW}?lines=1&instance=x-001&level=info") as reader:
        assert (await reader.event())["event"] == "e3"
        await write_log(gateway.log_file, {"level": "debug", "event": "quiet", "instance": "x-001"})
        await write_log(gateway.log_file, {"level": "error", "event": "loud", "instance": "x-001"})
        assert (await reader.event())["event"] == "loud"
    await until(lambda: not any("logs.tail" in (task.get_name() or "") for task in asyncio.all_tasks()))


async def test_what_cannot_be_followed_is_refused_and_followers_are_bounded(
    gateway: GatewayUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    for query in ("lines=-1", "level=loud", "line=3"):
        assert (await gateway.get(f"{FOLLOW}?{query}"))[0] in (409, 422)
    monkeypatch.setattr(observing, "MAX_FOLLOWERS", 1)
    async with reading(gateway, FOLLOW):
        status, headers, _ = await gateway.get(FOLLOW)
        assert (status, headers["retry-after"]) == (503, "10")


async def test_a_log_that_grows_faster_than_it_is_read_cuts_the_reader_off() -> None:
    from orchestrator.access.gateway.frames import MAX_BYTES, TooSlow
    from orchestrator.access.gateway.log_follower import LogFollower

    follower = LogFollower("a test")
    ended = []
    follower.on_close(lambda: ended.append(True))
    line = "x" * 10_000
    taken = 0
    while follower.notify("logs.line", line):
        taken += 1
    assert taken == MAX_BYTES // (len(line) + 10)
    assert not follower.notify("logs.line", line)
    assert not follower.notify_line(b"")
    got = 0
    while got < taken:
        got += follower.take().count(b"data: ")
    assert got == taken
    with pytest.raises(TooSlow):
        follower.take()
    follower.leave()
    follower.leave()
    assert ended == [True]
    assert not follower.notify("logs.line", "late")
