"""What one peer does to another: nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from orchestrator.access.control_socket import Limits
from tests.orchestrator.access.wire import Gate, Wire, call, serving, until

PING = call("system.ping")
PONG = {"jsonrpc": "2.0", "result": {"pong": True}, "id": 1}
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


async def test_a_peer_that_does_not_read_its_answers_is_cut_off_and_logged(path: Path) -> None:
    limits = Limits(write_limit_s=0.03, sweep_s=0.01)
    with capture_logs() as logs:
        async with serving(path, limits=limits) as server, Wire(path) as deaf, Wire(path) as other:
            deaf.reader._transport.pause_reading()  # type: ignore[attr-defined]
            deaf.send(call("large", [900_000]) * 5)
            while server.statistics().cut_off == 0:
                assert await other.ask(PING) == PONG
                await asyncio.sleep(0.001)
    (cut,) = [entry for entry in logs if entry["event"] == "control.cut_off"]
    assert cut["reason"] == "it did not read its answers for 0.03 s"
    assert cut["origin"] == f"pid {os.getpid()} of uid {os.geteuid()}"


async def test_requests_wait_while_their_answers_are_not_read_and_all_are_answered_in_the_end(path: Path) -> None:
    async with serving(path), Wire(path) as wire:
        wire.reader._transport.pause_reading()  # type: ignore[attr-defined]
        wire.send(b"".join(call("large", [300_000], number) for number in range(40)))
        await asyncio.sleep(0.02)
        wire.reader._transport.resume_reading()  # type: ignore[attr-defined]
        assert [(await wire.answer())["id"] for _ in range(40)] == list(range(40))


async def test_a_subscriber_that_does_not_read_never_keeps_its_publisher_waiting(path: Path) -> None:
    gate = Gate()
    limits = Limits(held_notification_bytes=100_000, write_high_bytes=50_000)
    with capture_logs() as logs:
        async with serving(path, gate, limits), Wire(path) as deaf, Wire(path) as awake:
            await deaf.ask(call("subscribe"))
            await awake.ask(call("subscribe"))
            deaf.reader._transport.pause_reading()  # type: ignore[attr-defined]
            slow, quick = gate.sessions
            sent = 0
            while slow.notify("events.event", "x" * 10_000):
                assert quick.notify("events.event", sent)
                assert (await awake.answer())["params"] == sent
                sent += 1
                assert sent < 1_000
            await until(lambda: gate.closed)
            assert gate.closed == [slow]
            assert quick.notify("events.event", "last")
            assert (await awake.answer())["params"] == "last"
    assert [entry["reason"] for entry in logs if entry["event"] == "control.cut_off"] == [
        "it does not read its notifications"
    ]


async def test_notifications_held_back_are_sent_when_the_peer_reads_again(path: Path) -> None:
    gate = Gate()
    async with serving(path, gate, Limits(write_high_bytes=50_000)), Wire(path) as wire:
        await wire.ask(call("subscribe"))
        wire.reader._transport.pause_reading()  # type: ignore[attr-defined]
        for number in range(100):
            assert gate.sessions[0].notify("events.event", [number, "x" * 10_000])
            await asyncio.sleep(0)
        wire.reader._transport.resume_reading()  # type: ignore[attr-defined]
        assert [(await wire.answer())["params"][0] for _ in range(100)] == list(range(100))
        assert await wire.ask(PING) == PONG


async def test_a_peer_that_does_not_finish_its_line_is_cut_off_though_it_trickles(path: Path) -> None:
    limits = Limits(partial_line_s=0.03, sweep_s=0.01)
    async with serving(path, limits=limits) as server, Wire(path) as trickling, Wire(path) as idle:
        assert await trickling.ask(PING) == PONG
        assert await idle.ask(PING) == PONG
        while server.statistics().cut_off == 0:
            trickling.send(b" ")
            await asyncio.sleep(0.002)
        assert await trickling.ended()
        assert await idle.ask(PING) == PONG  # an idle one may stay for as long as it likes


async def test_a_line_finished_in_time_is_not_held_against_the_next(path: Path) -> None:
    limits = Limits(partial_line_s=0.2, sweep_s=0.01)
    async with serving(path, limits=limits), Wire(path) as wire:
        started_s = time.monotonic()
        while time.monotonic() - started_s < 0.4:
            wire.send(PING[:10])
            await asyncio.sleep(0.002)
            assert await wire.ask(PING[10:]) == PONG


async def test_a_subscriber_that_hung_up_its_half_is_let_go_once_it_is_gone(path: Path) -> None:
    gate = Gate()
    async with serving(path, gate, Limits(sweep_s=0.01)) as server:
        async with Wire(path) as wire:
            await wire.ask(call("subscribe"))
            wire.writer.write_eof()
            await asyncio.sleep(0.03)
            assert server.connected == 1
        await until(lambda: not server.connected)
        assert len(gate.closed) == 1


async def test_a_refused_peer_that_neither_reads_nor_leaves_is_let_go(path: Path) -> None:
    limits = Limits(line_bytes=10, linger_s=0.02, sweep_s=0.01)
    async with serving(path, limits=limits) as server, Wire(path) as wire:
        wire.send(b"x" * 100)
        await until(lambda: server.statistics().oversized)
        wire.send(b"y" * 1_000)  # read, and not answered
        await until(lambda: not server.connected)
        assert (await wire.answer())["error"]["code"] == -32600


async def test_a_newcomer_takes_the_place_of_who_never_asked_anything(path: Path) -> None:
    async with serving(path, limits=Limits(connections=3)) as server, contextlib.AsyncExitStack() as stack:
        good = await stack.enter_async_context(Wire(path))
        assert await good.ask(PING) == PONG
        silent = [await stack.enter_async_context(Wire(path)) for _ in range(2)]
        newcomer = await stack.enter_async_context(Wire(path))
        assert await newcomer.ask(PING) == PONG
        assert await silent[0].ended()
        assert await good.ask(PING) == PONG
        assert await silent[1].ask(PING) == PONG
        assert server.statistics().evicted == 1


async def test_among_those_who_asked_the_longest_quiet_one_makes_room_and_no_busy_one(path: Path) -> None:
    gate = Gate()
    async with serving(path, gate, Limits(connections=3)) as server, contextlib.AsyncExitStack() as stack:
        busy, quiet, recent = [await stack.enter_async_context(Wire(path)) for _ in range(3)]
        busy.send(call("gate.wait"))
        await gate.entered.wait()
        assert await quiet.ask(PING) == PONG
        await asyncio.sleep(0.002)
        assert await recent.ask(PING) == PONG
        newcomer = await stack.enter_async_context(Wire(path))
        newcomer.send(call("gate.wait"))
        assert await quiet.ended()
        assert await recent.ask(PING) == PONG
        gate.opened.set()
        assert (await busy.answer())["result"] == "opened"
        assert (await newcomer.answer())["result"] == "opened"
        assert server.statistics().evicted == 1


async def test_when_all_are_busy_a_newcomer_is_told_so(path: Path) -> None:
    gate = Gate()
    async with serving(path, gate, Limits(connections=1)) as server, Wire(path) as subscriber:
        await subscriber.ask(call("subscribe"))
        async with Wire(path) as newcomer:
            reply = await newcomer.answer()
            assert (reply["error"]["code"], reply["id"]) == (-32002, None)
            assert "try again" in reply["error"]["message"]
            assert await newcomer.ended()
        assert gate.sessions[0].notify("events.event", 1)
        assert (await subscriber.answer())["params"] == 1
        assert server.statistics().turned_away == 1


async def test_a_flood_of_requests_does_not_keep_another_peer_waiting(path: Path) -> None:
    async with serving(path), Wire(path) as flood, Wire(path) as other:
        flood.send(PING * 8_000)
        reading = asyncio.create_task(_read_lines(flood, 8_000))
        served = 0
        while not reading.done():
            assert await other.ask(PING) == PONG
            served += 1
        await reading
        assert served > 10


async def _read_lines(wire: Wire, count: int) -> None:
    for _ in range(count):
        await wire.line()


async def test_what_happens_often_is_logged_seldom(path: Path) -> None:
    with capture_logs() as logs:
        async with serving(path, limits=Limits(connections=1)) as server, contextlib.AsyncExitStack() as stack:
            for _ in range(20):
                await stack.enter_async_context(Wire(path))
            await until(lambda: server.statistics().evicted == 19)
    assert len([entry for entry in logs if entry["event"] == "control.evicted"]) < 5


async def test_two_thousand_bad_peers_leave_the_others_served(path: Path) -> None:
    """The acceptance figure, 10,000 and 50 ms, is measured by `python -m tests.benchmarks control`."""
    async with serving(path, limits=Limits(connections=256)) as server, Wire(path) as regular:
        crowd = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.benchmarks.control_crowd", str(path), "2000", "400",
            stdout=asyncio.subprocess.PIPE, cwd=ROOT,
        )  # fmt: skip
        waits_s = []
        waiting = asyncio.create_task(crowd.communicate())
        while not waiting.done():
            started_s = time.perf_counter()
            assert await regular.ask(PING) == PONG
            async with Wire(path) as newcomer:
                assert await newcomer.ask(PING) == PONG
            waits_s.append(time.perf_counter() - started_s)
            await asyncio.sleep(0.002)
        output, _ = await waiting
        assert output == b"2000\n"
        assert server.statistics().accepted > 2_000
        assert server.statistics().malformed > 200
        assert server.statistics().oversized > 200
        waits_s.sort()
        assert waits_s[len(waits_s) * 9 // 10] < 0.05
