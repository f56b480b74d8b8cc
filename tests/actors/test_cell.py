from __future__ import annotations

import asyncio
from typing import Any

import anyio
import pytest

from actors import Actor, ActorSystem, AskTimeout, HandlerLimitExceeded, Message, Request, on
from actors.testing import Probe, VirtualClockLoop
from tests.actors.cast import Add, Crash, Player, Seen, Sleep, Urgent, Wait, settle


class Work(Message, frozen=True):
    n: int


class Names(Request[str], frozen=True):
    pass


async def test_an_actor_handles_one_message_at_a_time(system: ActorSystem) -> None:
    running = 0
    most = 0

    class Busy(Actor[Work]):
        @on(Work)
        async def work(self, message: Work) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await anyio.sleep(1)
            running -= 1

    ref = await system.spawn(Busy, name="busy")
    for n in range(5):
        ref.tell(Work(n))
    await settle(10)
    assert most == 1
    assert ref.vitals().handled == 5


async def test_messages_wait_while_an_async_handler_runs_and_keep_their_order(system: ActorSystem) -> None:
    ref = await system.spawn(Player, name="player")
    ref.tell(Sleep(3))
    ref.tell(Add(1))
    ref.tell(Urgent(2))
    assert await ref.ask(Seen(), timeout=10) == ("urgent 2", "slept 3", 1)


async def test_an_urgent_message_waits_for_the_handler_that_runs(system: ActorSystem) -> None:
    ref = await system.spawn(Player, name="player")
    ref.tell(Sleep(3))
    await settle()
    ref.tell(Add(1))
    ref.tell(Urgent(2))
    assert await ref.ask(Seen(), timeout=10) == ("slept 3", "urgent 2", 1)


async def test_a_handler_past_its_limit_is_cancelled_and_the_actor_restarted(
    system: ActorSystem, events: Probe
) -> None:
    class Limited(Player):
        handler_limit_s = 2.0

    ref = await system.spawn(Limited, name="limited")
    with pytest.raises(HandlerLimitExceeded, match="/limited was still handling Wait after 2 s"):
        await ref.ask(Wait(60), timeout=100)
    assert await ref.ask(Wait(1), timeout=10) == "waited 1"
    assert ref.vitals().restarts == 1


async def test_a_handler_that_swallows_its_cancellation_is_restarted_too(system: ActorSystem) -> None:
    class Stubborn(Actor[Work | Names]):
        handler_limit_s = 2.0

        @on(Work)
        async def work(self, message: Work) -> None:
            for _ in range(2):
                try:
                    await anyio.sleep(60)
                except asyncio.CancelledError:
                    continue

        @on(Names)
        def names(self, message: Names) -> str:
            return "free"

    loop = asyncio.get_running_loop()
    ref = await system.spawn(Stubborn, name="stubborn")
    ref.tell(Work(1))
    assert await ref.ask(Names(), timeout=10) == "free"
    assert loop.time() < 5
    assert ref.vitals().restarts == 1
    failure = ref.vitals().last_failure
    assert failure is not None
    assert failure.kind == "HandlerLimitExceeded"


async def test_the_crashing_message_is_not_replayed_and_the_mailbox_survives(system: ActorSystem) -> None:
    log: list[Any] = []
    ref = await system.spawn(lambda: Player(log), name="player")
    for message in (Add(1), Crash("once"), Add(2), Urgent(3), Add(4)):
        ref.tell(message)
    await settle(5)
    assert log == ["urgent 3", 1, 2, 4]
    letters = list(system.dead_letters.newest)
    assert [(letter.message, letter.reason) for letter in letters] == [(Crash("once"), "failed")]
    assert str(letters[0].error) == "once"
    assert ref.vitals().restarts == 1


async def test_messages_told_while_the_actor_is_down_wait_for_its_next_life(system: ActorSystem) -> None:
    log: list[Any] = []
    ref = await system.spawn(lambda: Player(log), name="player")
    ref.tell(Crash())
    await asyncio.sleep(0)
    ref.tell(Add(1))
    await settle(5)
    assert log == [1]


async def test_an_asynchronous_failure_restarts_the_actor_too(system: ActorSystem) -> None:
    class Failing(Actor[Work]):
        @on(Work)
        async def work(self, message: Work) -> None:
            await anyio.sleep(1)
            raise OSError("gone")

    ref = await system.spawn(Failing, name="failing")
    ref.tell(Work(1))
    await settle(5)
    assert ref.vitals().restarts == 1
    assert system.dead_letters.counts == {"failed": 1}


async def test_what_an_actor_tells_itself_waits_for_its_next_turn(system: ActorSystem) -> None:
    order: list[str] = []

    class Chatty(Actor[Work]):
        def __init__(self, name: str) -> None:
            self.name = name

        @on(Work)
        def work(self, message: Work) -> None:
            order.append(f"{self.name}{message.n}")
            if message.n < 3:
                self.context.ref.tell(Work(message.n + 1))

    a = await system.spawn(lambda: Chatty("a"), name="a")
    b = await system.spawn(lambda: Chatty("b"), name="b")
    a.tell(Work(1))
    b.tell(Work(1))
    await settle()
    assert order == ["a1", "b1", "a2", "b2", "a3", "b3"]


async def test_a_busy_actor_starves_neither_others_nor_the_loop(system: ActorSystem) -> None:
    class Endless(Actor[Work]):
        @on(Work)
        def work(self, message: Work) -> None:
            self.context.ref.tell(message)

    busy = await system.spawn(Endless, name="endless")
    ref = await system.spawn(Player, name="player")
    for n in range(10):
        busy.tell(Work(n))
    for _ in range(3):
        assert await ref.ask(Seen(), timeout=1) == ()
    passes = 0
    for _ in range(20):
        await asyncio.sleep(0)
        passes += 1
    assert passes == 20
    assert busy.vitals().handled > 100


async def test_an_actor_with_a_long_queue_lets_others_in_between(system: ActorSystem) -> None:
    order: list[str] = []

    class Named(Actor[Work]):
        def __init__(self, name: str) -> None:
            self.name = name

        @on(Work)
        def work(self, message: Work) -> None:
            order.append(self.name)

    busy = await system.spawn(lambda: Named("busy"), name="busy")
    idle = await system.spawn(lambda: Named("idle"), name="idle")
    for n in range(1000):
        busy.tell(Work(n))
    idle.tell(Work(0))
    await settle()
    assert order.index("idle") < 100
    assert len(order) == 1001


async def test_a_turn_left_over_from_a_former_life_does_not_run_two_handlers_at_once(system: ActorSystem) -> None:
    ref = await system.spawn(Player, name="player")
    cell = ref._cell
    ref.tell(Sleep(5))
    cell.dispatcher.wake(cell)  # as after a restart between wake and turn
    ref.tell(Add(1))
    await settle(1)
    assert cell.current is not None
    assert await ref.ask(Seen(), timeout=10) == ("slept 5", 1)


async def test_handled_messages_are_counted_exactly_even_when_a_batch_is_left(system: ActorSystem) -> None:
    ref = await system.spawn(Player, name="player")
    for n in range(10):
        ref.tell(Add(n))
    ref.tell(Sleep(5))
    for n in range(10):
        ref.tell(Add(n))
    await settle(1)
    assert ref.vitals().handled == 11
    assert ref.vitals().mailbox_depth == 10


async def test_the_time_of_an_asynchronous_handler_counts_as_busy(system: ActorSystem) -> None:
    ref = await system.spawn(Player, name="player")
    before = ref.vitals().busy_s
    await ref.ask(Wait(1), timeout=5)
    assert ref.vitals().busy_s > before


async def test_handlers_do_not_run_in_the_context_of_a_sender(system: ActorSystem) -> None:
    from contextvars import ContextVar

    caller: ContextVar[str] = ContextVar("caller", default="nobody")

    class Contextual(Actor[Names]):
        @on(Names)
        def names(self, message: Names) -> str:
            return caller.get()

    ref = await system.spawn(Contextual, name="contextual")
    caller.set("a request")
    assert await ref.ask(Names(), timeout=1) == "nobody"


async def test_a_timer_of_a_blocked_loop_fires_late_but_fires(system: ActorSystem) -> None:
    ref = await system.spawn(Player, name="player")
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualClockLoop)
    with pytest.raises(AskTimeout):
        await ref.ask(Wait(10), timeout=1)
    loop.advance(100)
    await settle()
    assert await ref.ask(Seen(), timeout=1) == ()
