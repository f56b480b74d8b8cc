"""What happens when two things happen at once below one supervisor."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors import (
    ActorStopped,
    ActorSystem,
    Backoff,
    ChildSpec,
    FindChild,
    NameTaken,
    NoSuchChild,
    RemoveChild,
    RestartChild,
    RestartPolicy,
    StartChild,
    StartFailed,
    StopChild,
    Superseded,
    Supervisor,
)
from actors.testing import no_leaks
from tests.actors.cast import Add, Crash, Staged, Troupe, settle

SLOWLY = RestartPolicy(backoff=Backoff(first_s=5.0, jitter=False))
AT_ONCE = RestartPolicy(backoff=Backoff(first_s=0.0))


def conditions(ref: Any) -> dict[str, str]:
    return {child.path.rpartition("/")[2]: child.condition for child in ref.vitals().children}


async def test_a_stop_during_the_restart_delay_beats_the_restart(troupe: Troupe) -> None:
    sup = await troupe.supervise(troupe.child("a"), policy=SLOWLY)
    troupe.tell("sup/a", Crash())
    await settle(1)
    assert conditions(sup) == {"a": "restarting"}
    await sup.ask(StopChild("a"), timeout=1)
    assert troupe.ref("sup/a").stopped
    await settle(60)
    assert conditions(sup) == {"a": "stopped"}
    assert troupe.take() == ["+a", "-a"]


async def test_a_stop_while_a_failed_life_is_torn_down_beats_the_restart(troupe: Troupe) -> None:
    sup = await troupe.supervise(troupe.child("a", stop_s=3), policy=AT_ONCE)
    troupe.tell("sup/a", Crash())
    await settle(1)
    await sup.ask(StopChild("a"), timeout=10)
    await settle(60)
    assert conditions(sup) == {"a": "stopped"}
    assert troupe.take() == ["+a", "-a"]


async def test_a_stop_during_a_start_ends_the_start(system: ActorSystem, troupe: Troupe) -> None:
    sup = await troupe.supervise(troupe.child("a"), policy=AT_ONCE)
    await sup.ask(StopChild("a"), timeout=5)
    slow = await sup.ask(StartChild(troupe.child("slow")), timeout=5)
    await sup.ask(StopChild("slow"), timeout=5)
    slow._cell.spec = troupe.child("slow", start_s=20)
    restarting = sup.ask(RestartChild("slow"), timeout=60)
    await settle(5)
    began = system.loop.time()
    await sup.ask(StopChild("slow"), timeout=60)
    assert system.loop.time() - began < 1
    with pytest.raises(StartFailed, match="ActorStopped"):
        await restarting
    assert conditions(sup) == {"a": "stopped", "slow": "stopped"}


async def test_a_stop_during_the_first_start_fails_the_start_and_forgets_the_child(troupe: Troupe) -> None:
    sup = await troupe.supervise()
    starting = sup.ask(StartChild(troupe.child("a", start_s=20)), timeout=60)
    await settle(5)
    stopping = sup.ask(StopChild("a"), timeout=60)
    with pytest.raises(StartFailed, match="/sup/a has stopped"):
        await starting
    await stopping
    assert conditions(sup) == {}
    await sup.ask(StartChild(troupe.child("a")), timeout=5)


async def test_a_restart_during_the_first_start_keeps_the_child(troupe: Troupe) -> None:
    sup = await troupe.supervise()
    starting = sup.ask(StartChild(troupe.child("a", start_s=20)), timeout=60)
    await settle(5)
    restarting = sup.ask(RestartChild("a"), timeout=60)
    with pytest.raises(StartFailed):
        await starting
    await restarting
    assert conditions(sup) == {"a": "running"}


async def test_a_child_that_crashes_right_after_its_first_start_is_restarted(troupe: Troupe) -> None:
    sup = await troupe.supervise(policy=AT_ONCE)
    starting = sup.ask(StartChild(troupe.child("a")), timeout=60)
    while not troupe.log:
        await asyncio.sleep(0)
    troupe.tell("sup/a", Crash())
    await starting
    await settle(1)
    assert conditions(sup) == {"a": "running"}
    assert troupe.take() == ["+a", "-a", "+a"]


async def test_a_child_that_crashes_right_after_its_spawn_is_restarted(system: ActorSystem, troupe: Troupe) -> None:
    spawning = asyncio.create_task(system.spawn(troupe.child("a")))
    while not troupe.log:
        await asyncio.sleep(0)
    troupe.tell("a", Crash())
    ref = await spawning
    await settle(5)
    assert ref.vitals().condition == "running"
    assert ref.vitals().restarts == 1


async def test_a_spawn_that_fails_can_be_tried_again_under_the_same_name(system: ActorSystem, troupe: Troupe) -> None:
    troupe.failing.add("a")
    with pytest.raises(StartFailed):
        await system.spawn(troupe.child("a", stop_s=3))
    troupe.failing.clear()
    await system.spawn(troupe.child("a"))
    with pytest.raises(NameTaken):
        await system.spawn(troupe.child("a"))
    assert troupe.take() == ["-a", "+a"]


async def test_a_factory_that_raises_is_a_failed_start(system: ActorSystem) -> None:
    def make() -> Staged:
        raise OSError("no parts")

    with pytest.raises(StartFailed, match="/a failed to start: OSError: no parts"):
        await system.spawn(make, name="a")
    assert system.tree().children == ()


async def test_a_spawn_that_is_cancelled_leaves_nothing_behind(system: ActorSystem, troupe: Troupe) -> None:
    async with no_leaks(system):
        spawning = asyncio.create_task(system.spawn(troupe.child("a", start_s=20)))
        await settle(5)
        spawning.cancel()
        await settle(1)
    assert troupe.take() == ["-a"]


async def test_commands_that_wait_for_the_same_end_are_all_answered(troupe: Troupe) -> None:
    sup = await troupe.supervise(troupe.child("a", stop_s=3))
    stops = [sup.ask(StopChild("a"), timeout=10) for _ in range(3)]
    impatient = asyncio.create_task(_await(sup.ask(StopChild("a"), timeout=10)))
    await settle(1)
    impatient.cancel()
    assert await asyncio.gather(*stops) == [None, None, None]


async def _await(future: asyncio.Future[Any]) -> Any:
    return await future


async def test_the_last_of_several_restarts_holds_and_starts_once(troupe: Troupe) -> None:
    sup = await troupe.supervise(troupe.child("a", stop_s=3))
    troupe.take()
    restarts = [sup.ask(RestartChild("a"), timeout=10) for _ in range(3)]
    answers = await asyncio.gather(*restarts, return_exceptions=True)
    assert [type(answer) for answer in answers] == [Superseded, Superseded, type(None)]
    assert troupe.take() == ["-a", "+a"]


async def test_a_stop_after_a_restart_holds(troupe: Troupe) -> None:
    sup = await troupe.supervise(troupe.child("a", stop_s=3))
    restarting = sup.ask(RestartChild("a"), timeout=10)
    await sup.ask(StopChild("a"), timeout=10)
    with pytest.raises(Superseded, match="a later command for /sup/a took over"):
        await restarting
    await settle(60)
    assert conditions(sup) == {"a": "stopped"}


async def test_a_restart_after_a_stop_holds(troupe: Troupe) -> None:
    sup = await troupe.supervise(troupe.child("a", stop_s=3))
    stopping = sup.ask(StopChild("a"), timeout=10)
    await sup.ask(RestartChild("a"), timeout=10)
    await stopping
    assert conditions(sup) == {"a": "running"}


async def test_removing_wins_over_a_restart_and_frees_the_name(troupe: Troupe) -> None:
    sup = await troupe.supervise(troupe.child("a", stop_s=3))
    restarting = sup.ask(RestartChild("a"), timeout=10)
    removing = [sup.ask(RemoveChild("a"), timeout=10) for _ in range(2)]
    too_late = sup.ask(RestartChild("a"), timeout=10)
    taken = sup.ask(StartChild(troupe.child("a")), timeout=10)
    answers = await asyncio.gather(restarting, *removing, too_late, taken, return_exceptions=True)
    assert [type(answer) for answer in answers] == [Superseded, type(None), type(None), NoSuchChild, NameTaken]
    assert conditions(sup) == {}
    await sup.ask(StartChild(troupe.child("a")), timeout=10)
    await settle(10)
    assert conditions(sup) == {"a": "running"}


@pytest.mark.parametrize("delay_s", [0.0, 0.5, 1.5, 3.0])
async def test_removing_a_child_that_is_down_or_coming_down(troupe: Troupe, delay_s: float) -> None:
    sup = await troupe.supervise(troupe.child("a", stop_s=1, start_s=0.7), policy=SLOWLY)
    troupe.tell("sup/a", Crash())
    await settle(delay_s)
    await sup.ask(RemoveChild("a"), timeout=10)
    assert await sup.ask(FindChild("a"), timeout=1) is None
    await settle(60)
    assert troupe.take() == ["+a", "-a"]


async def test_a_temporary_child_can_be_restarted_by_hand(troupe: Troupe) -> None:
    sup = await troupe.supervise(troupe.child("a", "temporary"))
    await sup.ask(RestartChild("a"), timeout=10)
    assert conditions(sup) == {"a": "running"}
    await sup.ask(StopChild("a"), timeout=10)
    assert conditions(sup) == {}


async def test_a_supervisor_that_stops_while_a_child_starts_ends_the_start(system: ActorSystem, troupe: Troupe) -> None:
    spawning = asyncio.create_task(
        system.spawn(lambda: Supervisor([troupe.child("a"), troupe.child("b", start_s=60)]), name="sup")
    )
    await settle(5)
    began = system.loop.time()
    await system.root.ask(StopChild("sup"), timeout=60)
    assert system.loop.time() == began
    with pytest.raises(StartFailed):
        await spawning
    assert troupe.take() == ["+a", "-b", "-a"]


async def test_a_supervisor_that_stops_answers_those_who_wait_for_its_children(
    system: ActorSystem, troupe: Troupe
) -> None:
    sup = await troupe.supervise(troupe.child("b", stop_s=3))
    starting = sup.ask(StartChild(troupe.child("a", start_s=60)), timeout=100)
    restarting = sup.ask(RestartChild("b"), timeout=100)
    await settle(1)
    await system.root.ask(StopChild("sup"), timeout=60)
    answers = await asyncio.gather(starting, restarting, return_exceptions=True)
    assert isinstance(answers[0], (StartFailed, ActorStopped))
    assert isinstance(answers[1], (Superseded, ActorStopped))
    assert troupe.take() == ["+b", "-a", "-b"]


async def test_a_restart_that_is_due_while_the_supervisor_stops_does_not_happen(
    system: ActorSystem, troupe: Troupe
) -> None:
    await troupe.supervise(troupe.child("a"), troupe.child("b", stop_s=4), policy=SLOWLY)
    troupe.tell("sup/a", Crash())
    await settle(3)
    await system.root.ask(StopChild("sup"), timeout=60)
    await settle(60)
    assert troupe.take() == ["+a", "+b", "-a", "-b"]


async def test_a_stop_during_a_group_restart_ends_it(system: ActorSystem, troupe: Troupe) -> None:
    children = [troupe.child("a"), troupe.child("b", stop_s=4), troupe.child("c")]
    await troupe.supervise(*children, strategy="one_for_all", policy=AT_ONCE)
    troupe.take()
    troupe.tell("sup/c", Crash())
    await settle(1)  # b is on its way down for the restart
    await system.root.ask(StopChild("sup"), timeout=60)
    await settle(60)
    assert troupe.take() == ["-c", "-b", "-a"]


async def test_stopping_one_by_hand_during_a_group_restart_does_not_keep_the_others_down(troupe: Troupe) -> None:
    children = [troupe.child("a"), troupe.child("b", start_s=5), troupe.child("c")]
    sup = await troupe.supervise(*children, strategy="one_for_all", policy=AT_ONCE)
    troupe.tell("sup/a", Crash())
    await settle(2)  # b is starting
    await sup.ask(StopChild("b"), timeout=5)
    await settle(10)
    assert conditions(sup) == {"a": "running", "b": "stopped", "c": "running"}


async def test_a_sibling_that_fails_while_the_supervisor_starts_is_restarted_after_that(
    system: ActorSystem, troupe: Troupe
) -> None:
    spawning = asyncio.create_task(
        system.spawn(lambda: Supervisor([troupe.child("a"), troupe.child("b", start_s=10)], policy=AT_ONCE), name="sup")
    )
    await settle(5)
    troupe.tell("sup/a", Crash())
    sup = await spawning
    await settle(1)
    assert troupe.take() == ["+a", "-a", "+b", "+a"]
    assert conditions(sup) == {"a": "running", "b": "running"}


async def test_a_supervisor_that_fails_while_a_child_is_torn_down_waits_for_it(troupe: Troupe) -> None:
    policy = RestartPolicy(max_restarts=0)
    sup = await troupe.supervise(troupe.child("a", stop_s=4), troupe.child("b"), policy=policy)
    troupe.take()
    troupe.tell("sup/a", Crash())
    await settle(1)
    troupe.tell("sup/b", Crash())  # escalates while a is still on its way down
    await settle(20)
    assert troupe.take() == ["-b", "-a", "+a", "+b"]
    assert conditions(sup) == {"a": "running", "b": "running"}


async def test_messages_wait_through_the_restart_of_the_supervisor_itself(troupe: Troupe) -> None:
    policy = RestartPolicy(max_restarts=0)
    await troupe.supervise(troupe.child("a"), troupe.child("b", stop_s=2), policy=policy)
    b = troupe.ref("sup/b")
    troupe.tell("sup/a", Crash())
    await settle(1)
    b.tell(Add(1))
    assert not b.stopped
    await settle(20)
    assert troupe.take()[-1] == "b:1"


async def test_a_supervisor_removed_while_suspended_answers_those_who_ask_below_it(
    system: ActorSystem, troupe: Troupe
) -> None:
    policy = RestartPolicy(max_restarts=0)
    outer = await troupe.supervise(
        ChildSpec("inner", lambda: Supervisor([troupe.child("a")], policy=policy)),
        policy=RestartPolicy(backoff=Backoff(first_s=1000.0, cap_s=1000.0, jitter=False)),
    )
    a = troupe.ref("sup/inner/a")
    troupe.tell("sup/inner/a", Crash())
    await settle(1)
    assert conditions(outer) == {"inner": "restarting"}
    await a.send(Add(1))  # it is kept
    assert system.dead_letters.counts["stopped"] == 0
    await outer.ask(RemoveChild("inner"), timeout=5)
    assert a.stopped
    assert system.dead_letters.counts["stopped"] == 1


async def test_a_budget_that_is_exhausted_while_asked_to_start_a_child_answers_the_asker(troupe: Troupe) -> None:
    sup = await troupe.supervise(policy=RestartPolicy(max_restarts=0))

    def make() -> Staged:
        raise OSError("no parts")

    with pytest.raises((StartFailed, ActorStopped)):
        await sup.ask(StartChild(ChildSpec("a", make), supervised_start=True), timeout=5)
