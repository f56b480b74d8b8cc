from __future__ import annotations

import asyncio
from typing import Any

import anyio
import pytest
import uvloop

from actors import Actor, ActorStopped, ActorSystem, Message, NameTaken, Request, StopChild, on
from actors.testing import VirtualClockLoop, no_leaks
from tests.actors.cast import Add, Defer, Divide, Player, Sleep, Troupe, Wait, settle


class Go(Message, frozen=True):
    pass


class Obstinate(Actor[Go]):
    """Does not want to end."""

    stop_timeout_s = None
    handler_limit_s = None

    def __init__(self, log: list[str]) -> None:
        self.log = log

    @on(Go)
    async def go(self, message: Go) -> None:
        try:
            await anyio.sleep(1000)
        except asyncio.CancelledError:
            self.log.append("cancelled")
            raise
        self.log.append("done")

    async def on_stop(self, reason: BaseException | None) -> None:
        self.log.append("on_stop")


async def test_leaving_the_block_stops_every_actor_in_reverse_order() -> None:
    async with no_leaks():
        async with ActorSystem("test") as system:
            troupe = Troupe(system)
            for name in "abc":
                await system.spawn(troupe.child(name, stop_s=1))
        assert troupe.take() == ["+a", "+b", "+c", "-c", "-b", "-a"]
        assert system.timers.scheduled == 0


async def test_an_error_of_the_body_stops_the_actors_and_comes_out_as_it_is() -> None:
    log: list[str] = []

    async def body() -> None:
        async with ActorSystem("test") as system:
            troupe = Troupe(system)
            troupe.log = log
            await system.spawn(troupe.child("a", stop_s=1))
            raise ZeroDivisionError("body")

    async with no_leaks():
        with pytest.raises(ZeroDivisionError, match="body"):
            await body()
    assert log == ["+a", "-a"]


async def test_a_body_cancelled_once_stops_in_order() -> None:
    log: list[str] = []
    started = asyncio.Event()

    async def body() -> None:
        async with ActorSystem("test") as system:
            ref = await system.spawn(lambda: Obstinate(log), name="obstinate")
            ref.tell(Go())
            started.set()
            await anyio.sleep_forever()

    async with no_leaks():
        task = asyncio.create_task(body())
        await started.wait()
        await settle(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert log == ["done", "on_stop"]


async def test_a_body_cancelled_twice_is_ended_by_force() -> None:
    log: list[str] = []
    refs: list[Any] = []

    async def body() -> None:
        async with ActorSystem("test") as system:
            ref = await system.spawn(lambda: Obstinate(log), name="obstinate")
            ref.tell(Go())
            refs.append(ref)
            await anyio.sleep_forever()

    loop = asyncio.get_running_loop()
    async with no_leaks():
        task = asyncio.create_task(body())
        await settle(1)
        task.cancel()
        await settle(1)
        assert log == []
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert log == ["cancelled"]
    assert loop.time() < 10
    assert refs[0].stopped


async def test_nobody_who_asked_is_left_waiting_after_a_forced_end() -> None:
    asked: list[asyncio.Future[Any]] = []
    refs: list[Any] = []

    async def body() -> None:
        async with ActorSystem("test") as system:
            ref = await system.spawn(Player, name="player")
            asked.extend([ref.ask(Wait(1000), timeout=5000), ref.ask(Divide(1, 1), timeout=5000)])
            other = await system.spawn(Player, name="other")
            asked.append(other.ask(Defer(1000), timeout=5000))
            stuck = await system.spawn(lambda: Obstinate([]), name="stuck")
            stuck.tell(Go())
            refs.extend([ref, other])
            await anyio.sleep_forever()

    task = asyncio.create_task(body())
    await settle(1)
    task.cancel()
    await settle()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(answer) for answer in answers] == [ActorStopped] * 3
    with pytest.raises(ActorStopped):
        await refs[0].ask(Divide(1, 1), timeout=5000)


async def test_a_handler_that_turns_its_forced_end_into_an_error_does_not_hide_the_cancellation() -> None:
    class Defiant(Actor[Go]):
        stop_timeout_s = None
        handler_limit_s = None

        @on(Go)
        async def go(self, message: Go) -> None:
            try:
                await anyio.sleep(1000)
            finally:
                raise OSError("not like this")

    async def body() -> None:
        async with ActorSystem("test") as system:
            (await system.spawn(Defiant, name="defiant")).tell(Go())
            await anyio.sleep_forever()

    async with no_leaks():
        task = asyncio.create_task(body())
        await settle(1)
        task.cancel()
        await settle()
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()


async def test_a_handler_that_had_not_begun_at_a_forced_end_is_closed_quietly() -> None:
    async def body() -> None:
        async with ActorSystem("test") as system:
            stuck = await system.spawn(lambda: Obstinate([]), name="stuck")
            stuck.tell(Go())
            await settle(1)
            late = await system.spawn(Player, name="late")
            late.tell(Sleep(1))
            await anyio.sleep_forever()

    task = asyncio.create_task(body())
    await settle(1)
    task.cancel()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_whoever_asks_after_the_end_is_answered_at_once() -> None:
    async with ActorSystem("test") as system:
        ref = await system.spawn(Player, name="player")
    with pytest.raises(ActorStopped, match="/player has stopped"):
        await ref.ask(Divide(1, 1), timeout=5)
    ref.tell(Add(1))
    with pytest.raises(ActorStopped):
        await system.spawn(Player, name="another")


async def test_a_system_can_be_cancelled_while_it_starts() -> None:
    async def body() -> None:
        async with ActorSystem("test"):
            await anyio.sleep_forever()

    async with no_leaks():
        task = asyncio.create_task(body())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()


async def test_two_systems_live_side_by_side() -> None:
    async with ActorSystem("one") as one, ActorSystem("two") as two:
        first = await one.spawn(Player, name="player")
        second = await two.spawn(Player, name="player")
        with pytest.raises(NameTaken):
            await one.spawn(Player, name="player")
        assert first != second
        assert await second.ask(Divide(4, 2), timeout=1) == 2


async def test_the_root_can_be_asked_like_any_supervisor(system: ActorSystem) -> None:
    ref = await system.spawn(Player, name="player")
    await system.root.ask(StopChild("player"), timeout=5)
    assert ref.stopped
    assert [child.path for child in system.tree().children] == ["/player"]


class Count(Request[int], frozen=True):
    pass


class Counter(Actor[Go | Count]):
    def __init__(self) -> None:
        self.count = 0

    @on(Go)
    def go(self, message: Go) -> None:
        self.count += 1

    @on(Count)
    async def read(self, message: Count) -> int:
        await asyncio.sleep(0.001)
        return self.count


@pytest.mark.parametrize("make_loop", [uvloop.new_event_loop, asyncio.SelectorEventLoop, VirtualClockLoop])
def test_it_runs_on_every_loop(make_loop: Any) -> None:
    async def main() -> int:
        async with ActorSystem("test") as system:
            ref = await system.spawn(Counter, name="counter")
            for _ in range(1000):
                ref.tell(Go())
            return await ref.ask(Count(), timeout=5)

    with asyncio.Runner(loop_factory=make_loop) as runner:
        assert runner.run(main()) == 1000


def test_ten_thousand_actors_are_spawned_messaged_and_stopped() -> None:
    async def main() -> int:
        async with ActorSystem("test") as system:
            refs = [await system.spawn(Counter, name=f"counter-{number}") for number in range(10_000)]
            for ref in refs:
                ref.tell(Go())
            return sum(await asyncio.gather(*(ref.ask(Count(), timeout=60) for ref in refs)))

    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        assert runner.run(main()) == 10_000
