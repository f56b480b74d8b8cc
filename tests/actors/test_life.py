from __future__ import annotations

import asyncio
import logging
from typing import Any

import anyio
import pytest

from actors import (
    Actor,
    ActorFailed,
    ActorSystem,
    AskTimeout,
    Backoff,
    ChildSpec,
    Interrupted,
    Message,
    Request,
    RestartPolicy,
    StartFailed,
    StopChild,
    Supervisor,
    on,
)
from actors.testing import Probe, no_leaks
from tests.actors.cast import Add, Crash, End, Player, Sleep, Troupe, Wait, settle


class Do(Message, frozen=True):
    what: str


class Ask(Request[str], frozen=True):
    pass


# -- start ----------------------------------------------------------------------------------------------------


async def test_an_actor_is_ready_when_on_start_returns(system: ActorSystem, troupe: Troupe) -> None:
    await system.spawn(troupe.child("a", start_s=7))
    assert system.loop.time() == 7


async def test_messages_wait_for_the_start(system: ActorSystem, troupe: Troupe) -> None:
    spawning = asyncio.create_task(system.spawn(troupe.child("a", start_s=7)))
    await settle(1)
    troupe.tell("a", Add(1))
    await spawning
    await settle()
    assert troupe.take() == ["+a", "a:1"]


async def test_a_start_past_its_limit_has_failed(system: ActorSystem) -> None:
    class Slow(Player):
        start_timeout_s = 3.0

        async def on_start(self) -> None:
            await anyio.sleep_forever()

    with pytest.raises(StartFailed, match="/slow had not started after 3 s"):
        await system.spawn(Slow, name="slow")
    assert system.loop.time() == 3


async def test_on_stop_runs_after_a_failed_start(system: ActorSystem) -> None:
    reasons: list[Any] = []

    class Half(Player):
        async def on_start(self) -> None:
            raise OSError("no disk")

        async def on_stop(self, reason: BaseException | None) -> None:
            reasons.append(reason)

    with pytest.raises(StartFailed, match="no disk") as caught:
        await system.spawn(Half, name="half")
    assert reasons == [caught.value.__cause__]
    assert reasons[0].__notes__ == ["while /half started"]


async def test_a_start_that_awaits_something_cancelled_has_failed(system: ActorSystem) -> None:
    class Odd(Player):
        async def on_start(self) -> None:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            future.cancel()
            await future

    with pytest.raises(StartFailed) as caught:
        await system.spawn(Odd, name="odd")
    assert isinstance(caught.value.__cause__, Interrupted)


# -- stop -----------------------------------------------------------------------------------------------------


async def test_stopping_finishes_the_current_handler_first(system: ActorSystem) -> None:
    log: list[Any] = []
    ref = await system.spawn(lambda: Player(log), name="player")
    ref.tell(Sleep(3))
    ref.tell(Add(1))
    await settle(1)
    await system.root.ask(StopChild("player"), timeout=60)
    assert log == ["slept 3"]
    assert system.loop.time() == 3
    assert [letter.message for letter in system.dead_letters.newest] == [Add(1)]


async def test_a_handler_past_the_stop_deadline_is_cancelled(
    system: ActorSystem, caplog: pytest.LogCaptureFixture
) -> None:
    ref = await system.spawn(ChildSpec("player", Player, stop_timeout_s=4.0))
    asked = ref.ask(Wait(60), timeout=100)
    told = Sleep(60)
    ref.tell(told)
    await settle()
    began = system.loop.time()
    await system.root.ask(StopChild("player"), timeout=60)
    assert system.loop.time() - began == pytest.approx(4)
    with pytest.raises(Exception, match="/player has stopped"):
        await asked
    assert "/player did not stop within 4 s: cancelled" in caplog.text
    assert system.dead_letters.counts == {"stopped": 2}


async def test_on_stop_past_the_deadline_is_cancelled(system: ActorSystem, troupe: Troupe) -> None:
    await system.spawn(troupe.child("a", stop_s=60))
    await system.root.ask(StopChild("a"), timeout=60)
    assert system.loop.time() == pytest.approx(5)
    assert troupe.take() == ["+a"]


@pytest.mark.parametrize("how", ["raise", "cancelled"])
async def test_an_on_stop_that_fails_is_logged_and_the_actor_is_gone(
    system: ActorSystem, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    class Clumsy(Player):
        async def on_stop(self, reason: BaseException | None) -> None:
            if how == "raise":
                raise OSError("no disk")
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            future.cancel()
            await future

    ref = await system.spawn(Clumsy, name="clumsy")
    await system.root.ask(StopChild("clumsy"), timeout=60)
    assert ref.stopped
    assert [record.levelno for record in caplog.records if "/clumsy" in record.message] == [logging.ERROR]


async def test_a_nested_supervisor_waits_for_its_children_whatever_its_deadline(
    system: ActorSystem, troupe: Troupe
) -> None:
    inner = ChildSpec("inner", lambda: Supervisor([troupe.child("a", stop_s=4)]), stop_timeout_s=1.0)
    await troupe.supervise(inner, troupe.child("b"))
    troupe.take()
    await system.root.ask(StopChild("sup"), timeout=60)
    assert troupe.take() == ["-b", "-a"]
    assert system.loop.time() == 4


async def test_an_actor_can_stop_itself_after_the_current_message(system: ActorSystem) -> None:
    log: list[Any] = []
    ref = await system.spawn(ChildSpec("player", lambda: Player(log), kind="transient"))
    for message in (Add(1), End(), Add(2)):
        ref.tell(message)
    await settle(1)
    assert log == [1]
    assert ref.stopped
    assert system.dead_letters.counts == {"stopped": 1}


async def test_a_failure_while_stopping_is_logged_and_changes_nothing(
    system: ActorSystem, caplog: pytest.LogCaptureFixture
) -> None:
    class Late(Actor[Do]):
        @on(Do)
        async def do(self, message: Do) -> None:
            await anyio.sleep(1)
            raise OSError("too late")

    ref = await system.spawn(Late, name="late")
    ref.tell(Do("it"))
    await settle(0.5)
    await system.root.ask(StopChild("late"), timeout=60)
    assert ref.stopped
    assert "/late failed while stopping" in caplog.text
    assert system.dead_letters.counts == {"failed": 1}


# -- tasks ----------------------------------------------------------------------------------------------------


class Keeper(Actor[Do | Ask]):
    """Does things beside its handlers."""

    def __init__(self, log: list[str]) -> None:
        self.log = log

    async def on_stop(self, reason: BaseException | None) -> None:
        self.log.append("on_stop")

    @on(Do)
    def do(self, message: Do) -> None:
        self.context.start_task(getattr(self, message.what))

    @on(Ask)
    def ask(self, message: Ask) -> str:
        return "here"

    async def stay(self) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            self.log.append("stay ended")

    async def fail(self) -> None:
        await anyio.sleep(1)
        raise OSError("task")

    async def stumble(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    async def breed(self) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            self.context.start_task(self.stay)


async def test_a_task_is_cancelled_after_on_stop(system: ActorSystem) -> None:
    log: list[str] = []
    ref = await system.spawn(lambda: Keeper(log), name="keeper")
    async with no_leaks():
        ref.tell(Do("stay"))
        await settle(1)
        await system.root.ask(StopChild("keeper"), timeout=60)
    assert log == ["on_stop", "stay ended"]


@pytest.mark.parametrize("what", ["fail", "stumble"])
async def test_the_failure_of_a_task_is_the_actors(system: ActorSystem, events: Probe, what: str) -> None:
    log: list[str] = []
    ref = await system.spawn(lambda: Keeper(log), name="keeper")
    async with no_leaks():
        ref.tell(Do("stay"))
        ref.tell(Do(what))
        await settle(5)
    assert log == ["on_stop", "stay ended"]
    assert ref.vitals().restarts == 1
    [failed] = [event for event in events.received if isinstance(event, ActorFailed)]
    assert failed.error.__notes__ == [f"in the task {what!r} of /keeper"]


async def test_a_task_that_starts_another_as_it_ends_leaves_nothing_behind(system: ActorSystem) -> None:
    log: list[str] = []
    ref = await system.spawn(lambda: Keeper(log), name="keeper")
    async with no_leaks():
        ref.tell(Do("breed"))
        await settle(1)
        await system.root.ask(StopChild("keeper"), timeout=60)
        assert ref.stopped
    await settle(1)


async def test_a_failed_task_cancels_the_handler_that_runs(system: ActorSystem) -> None:
    class Both(Keeper):
        @on(Ask)
        async def ask(self, message: Ask) -> str:
            await anyio.sleep(10)
            return "late"

    ref = await system.spawn(lambda: Both([]), name="both")
    ref.tell(Do("fail"))
    with pytest.raises(Exception, match="/both has stopped"):
        await ref.ask(Ask(), timeout=60)
    await settle(5)
    assert ref.vitals().restarts == 1
    assert system.loop.time() < 10


# -- what a restart keeps ---------------------------------------------------------------------------------------


async def test_references_stay_valid_and_state_does_not_survive(system: ActorSystem) -> None:
    ref = await system.spawn(Player, name="player")
    same = system._root.children["player"].cell.ref  # type: ignore[index]
    ref.tell(Add(1))
    ref.tell(Crash())
    await settle(5)
    assert same is ref
    assert ref.vitals().handled == 2
    from tests.actors.cast import Seen

    assert await same.ask(Seen(), timeout=1) == ()


async def test_a_suspended_actor_answers_a_request_within_the_askers_patience_only(
    system: ActorSystem, troupe: Troupe
) -> None:
    policy = RestartPolicy(backoff=Backoff(first_s=30.0, jitter=False, cap_s=30.0))
    sup = await system.spawn(lambda: Supervisor([ChildSpec("player", Player)], policy=policy), name="sup")
    ref = troupe.ref("sup/player")
    ref.tell(Crash())
    await settle()
    with pytest.raises(AskTimeout):
        await ref.ask(Wait(0), timeout=10)
    assert await ref.ask(Wait(0), timeout=60) == "waited 0"
    assert sup.vitals().condition == "running"
