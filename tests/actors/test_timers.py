from __future__ import annotations

import asyncio
from typing import Any

import anyio
import pytest

from actors import Actor, ActorStopped, ActorSystem, Message, RestartChild, StopChild, Timer, on
from actors.testing import VirtualClockLoop, no_leaks
from actors.timers import RepeatingTimer, Timers
from tests.actors.cast import settle


class Tick(Message, frozen=True):
    pass


class Crash(Message, frozen=True):
    pass


class Cancel(Message, frozen=True):
    pass


class Clock(Actor[Tick | Crash | Cancel]):
    def __init__(self, ticks: list[float], *, every: float = 0.0, after: float = 0.0) -> None:
        self.ticks = ticks
        self.every = every
        self.after = after
        self.timer: Timer | RepeatingTimer | None = None

    async def on_start(self) -> None:
        if self.every:
            self.timer = self.context.schedule_every(self.every, Tick())
        if self.after:
            self.timer = self.context.schedule(self.after, Tick())

    @on(Tick)
    def tick(self, message: Tick) -> None:
        self.ticks.append(round(self.context.now(), 6))

    @on(Crash)
    def crash(self, message: Crash) -> None:
        raise RuntimeError("crash")

    @on(Cancel)
    def cancel(self, message: Cancel) -> None:
        assert self.timer is not None
        self.timer.cancel()


def advance(seconds: float) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualClockLoop)
    loop.advance(seconds)


async def test_a_scheduled_message_comes_once_and_in_time(system: ActorSystem) -> None:
    ticks: list[float] = []
    await system.spawn(lambda: Clock(ticks, after=10), name="clock")
    await settle(100)
    assert ticks == [10]


async def test_a_repeating_timer_does_not_drift(system: ActorSystem) -> None:
    ticks: list[float] = []
    await system.spawn(lambda: Clock(ticks, every=0.1), name="clock")
    await settle(100.05)
    assert len(ticks) == 1000
    assert ticks[-1] == 100.0


async def test_ticks_that_were_missed_are_skipped_not_made_up(system: ActorSystem) -> None:
    ticks: list[float] = []
    await system.spawn(lambda: Clock(ticks, every=10), name="clock")
    await settle(15)
    advance(30)  # 45: the ticks of 20, 30 and 40 are overdue
    await settle(30)
    assert ticks == [10, 45, 50, 60, 70]


async def test_a_cancelled_timer_does_not_fire(system: ActorSystem) -> None:
    ticks: list[float] = []
    once = await system.spawn(lambda: Clock(ticks, after=10), name="once")
    every = await system.spawn(lambda: Clock(ticks, every=10), name="every")
    once.tell(Cancel())
    await settle(15)
    every.tell(Cancel())
    await settle(100)
    assert ticks == [10]
    assert system.timers.scheduled == 0


async def test_timers_die_with_the_life_that_set_them(system: ActorSystem) -> None:
    ticks: list[float] = []
    ref = await system.spawn(lambda: Clock(ticks, every=10), name="clock")
    await settle(5)
    ref.tell(Crash())
    await settle(1)
    started = round(system.loop.time(), 3)
    await settle(30)
    assert len(ticks) == 3
    assert all(5 + 10 * n < tick < started + 10 * n for n, tick in enumerate(ticks, start=1))


async def test_stopping_leaves_no_timer_behind(system: ActorSystem) -> None:
    async with no_leaks():
        ref = await system.spawn(lambda: Clock([], every=10), name="clock")
        assert system.timers.scheduled == 1
        await system.root.ask(StopChild("clock"), timeout=5)
        assert system.timers.scheduled == 0
    assert ref.stopped


async def test_a_timer_set_while_the_actor_stops_is_cancelled_too(system: ActorSystem) -> None:
    class Late(Clock):
        async def on_stop(self, reason: BaseException | None) -> None:
            self.context.schedule(10, Tick())
            self.context.schedule_every(10, Tick())

    await system.spawn(lambda: Late([]), name="late")
    await system.root.ask(StopChild("late"), timeout=5)
    assert system.timers.scheduled == 0


async def test_timers_that_are_over_are_not_kept(system: ActorSystem) -> None:
    ref = await system.spawn(lambda: Clock([]), name="clock")
    context: Any = ref._cell.actor.context  # type: ignore[union-attr]
    for _ in range(100):
        context.schedule(1, Tick())
        context.schedule(1, Tick()).cancel()
        context.schedule_every(1, Tick()).cancel()
    assert len(ref._cell._timers or ()) == 100
    await settle(2)
    assert len(ref._cell._timers or ()) == 0


async def test_a_tick_that_finds_no_room_is_a_dead_letter(system: ActorSystem) -> None:
    class Narrow(Clock):
        mailbox_capacity = 1
        overflow = "reject"

        async def on_start(self) -> None:
            for _ in range(3):
                self.context.schedule(1, Tick())

    ticks: list[float] = []
    await system.spawn(lambda: Narrow(ticks), name="narrow")
    await settle(5)
    assert len(ticks) == 1
    assert system.dead_letters.counts == {"overflow": 2}


async def test_a_context_of_a_life_that_ended_refuses_to_begin_anything(system: ActorSystem) -> None:
    ref = await system.spawn(lambda: Clock([]), name="clock")
    context: Any = ref._cell.actor.context  # type: ignore[union-attr]
    await system.root.ask(StopChild("clock"), timeout=5)
    with pytest.raises(ActorStopped):
        context.schedule(1, Tick())
    with pytest.raises(ActorStopped):
        context.schedule_every(1, Tick())
    with pytest.raises(ActorStopped):
        context.start_task(anyio.sleep, 1)
    assert system.timers.scheduled == 0
    await system.root.ask(RestartChild("clock"), timeout=5)


async def test_an_interval_must_be_positive(system: ActorSystem) -> None:
    with pytest.raises(ValueError, match="an interval must be positive, not 0"):
        RepeatingTimer(system.timers, 0, lambda: None)


async def test_the_heap_forgets_in_bulk_what_is_over() -> None:
    timers = Timers(asyncio.get_running_loop())
    fired: list[int] = []
    for n in range(10_000):
        timer = timers.call_later(60 + n, fired.append, n)
        if n % 100:
            timer.cancel()
    assert len(timers._heap) < 5_000
    assert timers.scheduled == 100
    await asyncio.sleep(20_000)
    assert fired == list(range(0, 10_000, 100))
    timers.close()


async def test_a_callback_that_raises_does_not_stop_the_others() -> None:
    loop = asyncio.get_running_loop()
    complaints: list[Any] = []
    loop.set_exception_handler(lambda _, complaint: complaints.append(complaint["exception"]))
    timers = Timers(loop)
    fired: list[str] = []

    def fail() -> None:
        raise OSError("timer")

    timers.call_later(1, fail)
    timers.call_later(1, fired.append, "same time")
    timers.call_later(2, fired.append, "later")
    await asyncio.sleep(3)
    assert fired == ["same time", "later"]
    assert [str(complaint) for complaint in complaints] == ["timer"]
    timers.close()
