from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors import Actor, ActorStopped, ActorSystem, AskTimeout, Interrupted, MessageRefused, Request, on
from actors.testing import Probe, VirtualClockLoop
from tests.actors.cast import Add, Crash, Defer, Deny, Divide, End, No, Player, Seen, Sleep, Wait, settle


async def test_an_answer_is_the_handlers_result(system: ActorSystem) -> None:
    ref = await system.spawn(Player, name="player")
    assert await ref.ask(Divide(7, 2), timeout=1) == 3


async def test_an_asynchronous_handler_answers_when_it_returns(system: ActorSystem) -> None:
    ref = await system.spawn(Player, name="player")
    assert await ref.ask(Wait(10), timeout=11) == "waited 10"


async def test_no_answer_in_time_is_a_timeout_that_names_the_actor(system: ActorSystem) -> None:
    ref = await system.spawn(Player, name="player")
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(AskTimeout, match="/player did not answer Wait within 2 s") as caught:
        await ref.ask(Wait(10), timeout=2)
    assert isinstance(caught.value, TimeoutError)
    assert loop.time() - began == pytest.approx(2, abs=0.001)


async def test_a_reply_that_comes_late_goes_to_dead_letters(system: ActorSystem) -> None:
    ref = await system.spawn(Player, name="player")
    with pytest.raises(AskTimeout):
        await ref.ask(Wait(10), timeout=2)
    await settle(10)
    assert system.dead_letters.counts == {"late_reply": 1}
    assert system.dead_letters.newest[0].message == Wait(10)


async def test_a_deferred_reply_that_comes_late_goes_to_dead_letters(system: ActorSystem) -> None:
    ref = await system.spawn(Player, name="player")
    with pytest.raises(AskTimeout):
        await ref.ask(Defer(10), timeout=2)
    await settle(10)
    assert system.dead_letters.counts == {"late_reply": 1}


async def test_a_request_whose_asker_was_cancelled_is_skipped(system: ActorSystem) -> None:
    log: list[Any] = []
    ref = await system.spawn(lambda: Player(log), name="player")
    ref.tell(Sleep(5))
    asker = asyncio.create_task(_ask(ref, Wait(1)))
    await settle()
    asker.cancel()
    await settle(10)
    assert system.dead_letters.counts == {"expired": 1}
    assert await ref.ask(Seen(), timeout=1) == ("slept 5",)


async def _ask(ref: Any, request: Any) -> Any:
    return await ref.ask(request, timeout=60)


async def test_asking_an_actor_that_has_stopped_fails_at_once(system: ActorSystem) -> None:
    ref = await system.spawn(Player, name="player")
    await system.root.ask(_stop("player"), timeout=5)
    assert ref.stopped
    with pytest.raises(ActorStopped, match="/player has stopped"):
        await ref.ask(Divide(1, 1), timeout=5)
    ref.tell(Add(1))
    assert system.dead_letters.counts == {"stopped": 2}


def _stop(name: str) -> Any:
    from actors import StopChild

    return StopChild(name)


async def test_an_actor_that_stops_answers_all_who_wait(system: ActorSystem) -> None:
    ref = await system.spawn(Player, name="player")
    ref.tell(End())
    asked = [ref.ask(Divide(1, 1), timeout=5) for _ in range(3)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(answer) for answer in answers] == [ActorStopped] * 3


async def test_a_handlers_failure_is_the_askers_with_the_path_in_its_notes(system: ActorSystem) -> None:
    ref = await system.spawn(Player, name="player")
    with pytest.raises(ZeroDivisionError) as caught:
        await ref.ask(Divide(1, 0), timeout=5)
    assert caught.value.__notes__ == ["while /player handled Divide"]
    await settle(1)
    assert ref.vitals().restarts == 1


async def test_a_refusal_is_an_answer_and_the_actor_goes_on(system: ActorSystem) -> None:
    ref = await system.spawn(Player, name="player")
    ref.tell(Add(1))
    with pytest.raises(No, match="not today"):
        await ref.ask(Deny(), timeout=5)
    assert await ref.ask(Seen(), timeout=5) == (1,)
    assert ref.vitals().restarts == 0


async def test_a_deferred_reply_leaves_the_actor_free(system: ActorSystem) -> None:
    ref = await system.spawn(Player, name="player")
    deferred = ref.ask(Defer(30), timeout=60)
    assert await ref.ask(Divide(4, 2), timeout=1) == 2
    assert not deferred.done()
    assert await deferred == "later 30"


async def test_a_deferred_reply_of_an_actor_that_stops_is_answered(system: ActorSystem) -> None:
    ref = await system.spawn(Player, name="player")
    deferred = ref.ask(Defer(30), timeout=60)
    ref.tell(End())
    with pytest.raises(ActorStopped):
        await deferred


async def test_who_is_asked_while_the_actor_restarts_is_answered_by_the_next_life(system: ActorSystem) -> None:
    ref = await system.spawn(Player, name="player")
    ref.tell(Crash())
    assert await ref.ask(Divide(9, 3), timeout=5) == 3


async def test_a_message_without_a_handler_is_refused_by_name_at_the_sender(system: ActorSystem) -> None:
    class Other(Request[int], frozen=True):
        pass

    probe = Probe()
    ref: Any = await system.spawn(probe.child("probe", Add))
    with pytest.raises(MessageRefused, match="/probe has no handler for Other; it accepts Add"):
        ref.tell(Other())
    with pytest.raises(MessageRefused, match="/probe has no handler for Other; it accepts Add"):
        ref.ask(Other(), timeout=1)
    with pytest.raises(MessageRefused):
        await ref.send(Other())
    assert probe.received == []


async def test_many_asks_in_flight_each_get_their_own_answer(system: ActorSystem) -> None:
    ref = await system.spawn(Player, name="player")
    asked = [ref.ask(Divide(n, 1), timeout=5) for n in range(1000)]
    assert await asyncio.gather(*asked) == list(range(1000))


class Odd(Request[int], frozen=True):
    how: str


class Oddity(Actor[Odd]):
    """Ends handlers in ways that mean something else to a future."""

    @on(Odd)
    def odd(self, message: Odd) -> int:
        if message.how == "stop iteration":
            return next(iter(()))
        if message.how == "cancelled":
            raise asyncio.CancelledError
        return 1


class SlowOddity(Actor[Odd]):
    @on(Odd)
    async def odd(self, message: Odd) -> int:
        if message.how == "cancelled":
            future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            future.cancel()
            return await future
        return 1


@pytest.mark.parametrize(
    ("kind", "how"), [(Oddity, "stop iteration"), (Oddity, "cancelled"), (SlowOddity, "cancelled")]
)
async def test_an_exception_that_futures_misread_is_a_failure_like_any_other(
    system: ActorSystem, kind: type[Actor[Odd]], how: str
) -> None:
    ref = await system.spawn(kind, name="oddity")
    with pytest.raises(Interrupted):
        await ref.ask(Odd(how), timeout=60)
    assert await ref.ask(Odd(""), timeout=60) == 1
    assert ref.vitals().restarts == 1


async def test_an_asker_that_the_handler_itself_cancels_does_not_fail_the_actor(system: ActorSystem) -> None:
    askers: list[asyncio.Task[Any]] = []

    class Canceller(Actor[Odd]):
        @on(Odd)
        def odd(self, message: Odd) -> int:
            for asker in askers:
                asker.cancel()
            return 1

    ref = await system.spawn(Canceller, name="canceller")
    askers.append(asyncio.create_task(_ask(ref, Odd(""))))
    await asyncio.wait(askers)
    assert askers[0].cancelled()
    assert ref.vitals().restarts == 0
    assert system.dead_letters.counts == {"late_reply": 1}


async def test_a_failure_in_answer_later_is_the_askers_alone(system: ActorSystem) -> None:
    class Deferring(Actor[Odd]):
        @on(Odd)
        def odd(self, message: Odd) -> asyncio.Future[int]:
            return self.context.answer_later(self.fail if message.how == "fail" else self.stumble)

        async def fail(self) -> int:
            raise KeyError("nothing there")

        async def stumble(self) -> int:
            future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            future.cancel()
            return await future

    ref = await system.spawn(Deferring, name="deferring")
    with pytest.raises(KeyError):
        await ref.ask(Odd("fail"), timeout=5)
    with pytest.raises(Interrupted):
        await ref.ask(Odd("stumble"), timeout=5)
    assert ref.vitals().restarts == 0


async def test_an_ask_that_times_out_in_a_blocked_loop_times_out_at_its_time(system: ActorSystem) -> None:
    ref = await system.spawn(Player, name="player")
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualClockLoop)
    asked = ref.ask(Wait(10), timeout=2)
    await asyncio.sleep(0)
    loop.advance(5)
    with pytest.raises(AskTimeout):
        await asked
