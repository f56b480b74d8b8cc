from __future__ import annotations

import asyncio
import time
from time import perf_counter

import anyio
import pytest

from actors import Actor, ActorSystem, Message, Request, on
from actors.testing import Leak, Probe, Stalled, VirtualClockLoop, no_leaks, run_virtual


class Ping(Message, frozen=True):
    n: int = 0


class Pong(Message, frozen=True):
    pass


class Sum(Request[int], frozen=True):
    a: int
    b: int


class Sleeper(Actor[Ping]):
    async def on_start(self) -> None:
        self.context.start_task(anyio.sleep_forever)

    @on(Ping)
    def ping(self, message: Ping) -> None:
        self.context.schedule(10, message)


def test_a_minute_passes_in_no_time() -> None:
    async def main(seconds: float) -> float:
        await asyncio.sleep(seconds)
        return asyncio.get_running_loop().time()

    began = perf_counter()
    assert run_virtual(main, 60.0) == 60.0
    assert perf_counter() - began < 5


async def test_timers_fire_in_their_order_and_at_their_time() -> None:
    seen: list[tuple[str, float]] = []
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualClockLoop)
    began = loop.time()

    async def wait(name: str, seconds: float) -> None:
        await anyio.sleep(seconds)
        seen.append((name, round(loop.time() - began, 6)))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(wait("late", 3600))
        tasks.create_task(wait("early", 0.1))
        tasks.create_task(wait("middle", 60))
    assert seen == [("early", 0.1), ("middle", 60), ("late", 3600)]


async def test_the_clock_stands_still_while_a_thread_works() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(1):
        await asyncio.to_thread(time.sleep, 0.02)
    assert loop.time() == began


async def test_sockets_work_on_the_virtual_clock() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hello\n")
        assert await reader.readline() == b"hello\n"
        writer.close()
        await writer.wait_closed()


async def test_time_can_pass_without_a_turn() -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualClockLoop)
    began = loop.time()
    loop.advance(2.5)
    assert loop.time() == began + 2.5


def test_a_loop_on_which_nothing_can_happen_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.testing._STALLED_S", 0.01)
    with pytest.raises(Stalled, match="no timer is set"):
        run_virtual(asyncio.Event().wait)


async def test_a_probe_returns_messages_in_order(system: ActorSystem) -> None:
    probe = Probe()
    ref = await system.spawn(probe.child("probe", Ping, Pong))
    ref.tell(Ping(1))
    ref.tell(Pong())
    assert (await probe.expect(Ping)).n == 1
    await probe.expect(Pong)
    assert probe.received == [Ping(1), Pong()]


async def test_a_probe_waits_for_a_message(system: ActorSystem) -> None:
    probe = Probe()
    ref = await system.spawn(probe.child("probe", Ping))
    asyncio.get_running_loop().call_later(0.9, ref.tell, Ping(7))
    assert await probe.expect(Ping, timeout_s=1) == Ping(7)


async def test_a_probe_fails_on_another_type_and_on_silence(system: ActorSystem) -> None:
    probe = Probe()
    ref = await system.spawn(probe.child("probe", Ping, Pong))
    ref.tell(Pong())
    with pytest.raises(AssertionError, match=r"expected Ping, but Pong\(\) came"):
        await probe.expect(Ping)
    with pytest.raises(AssertionError, match="nothing came within 30 s"):
        await probe.expect(Ping, timeout_s=30)


async def test_a_probe_can_expect_nothing(system: ActorSystem) -> None:
    probe = Probe()
    ref = await system.spawn(probe.child("probe", Ping))
    await probe.expect_nothing(for_s=60)
    ref.tell(Ping())
    with pytest.raises(AssertionError, match=r"expected nothing, but Ping\(n=0\) came"):
        await probe.expect_nothing()
    probe.skip()
    await probe.expect_nothing()


async def test_a_probe_answers_when_the_test_does(system: ActorSystem) -> None:
    probe = Probe()
    ref = await system.spawn(probe.child("probe", Sum))
    reply = ref.ask(Sum(1, 2), timeout=5)
    request = await probe.expect(Sum)
    assert not reply.done()
    probe.answer(request, request.a + request.b)
    assert await reply == 3
    with pytest.raises(AssertionError, match="nobody waits"):
        probe.answer(request, 3)


async def test_a_block_that_cleans_up_has_no_leaks() -> None:
    async with no_leaks():
        async with ActorSystem("inner") as inner:
            ref = await inner.spawn(Sleeper, name="sleeper")
            ref.tell(Ping())
        task = asyncio.create_task(asyncio.sleep(0))
    assert task.done()


async def test_a_task_left_behind_is_named() -> None:
    with pytest.raises(Leak, match="task forgotten"):
        async with no_leaks():
            task = asyncio.create_task(asyncio.sleep(60), name="forgotten")
    task.cancel()


async def test_an_actor_and_its_timer_left_behind_are_named(system: ActorSystem) -> None:
    async def leak() -> None:
        async with no_leaks(system):
            ref = await system.spawn(Sleeper, name="sleeper")
            ref.tell(Ping())

    with pytest.raises(Leak, match="actor /sleeper; 1 timers"):
        await leak()


async def test_a_block_that_raises_is_not_checked() -> None:
    started: list[asyncio.Task[None]] = []

    async def fail() -> None:
        async with no_leaks():
            started.append(asyncio.create_task(asyncio.sleep(60)))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    started[0].cancel()
