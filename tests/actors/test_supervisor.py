from __future__ import annotations

import random
from typing import Any

import pytest

from actors import (
    ActorRestarted,
    ActorSystem,
    Backoff,
    FindChild,
    NameTaken,
    NoSuchChild,
    RemoveChild,
    RestartChild,
    RestartPolicy,
    RestartScheduled,
    StartChild,
    StartFailed,
    StopChild,
    Supervisor,
    WhichChildren,
)
from actors.testing import Probe
from tests.actors.cast import Add, Crash, End, Troupe, settle

AT_ONCE = RestartPolicy(backoff=Backoff(first_s=0.0))
PATIENT = RestartPolicy(max_restarts=100, backoff=Backoff(first_s=1.0, jitter=False, cap_s=8.0))


# -- order ----------------------------------------------------------------------------------------------------


async def test_children_start_in_order_and_stop_in_reverse(system: ActorSystem, troupe: Troupe) -> None:
    await troupe.supervise(troupe.child("a", start_s=1), troupe.child("b"), troupe.child("c", start_s=1))
    assert troupe.take() == ["+a", "+b", "+c"]
    await system.root.ask(StopChild("sup"), timeout=30)
    assert troupe.take() == ["-c", "-b", "-a"]


async def test_a_supervisor_is_ready_when_its_children_are(system: ActorSystem, troupe: Troupe) -> None:
    await troupe.supervise(troupe.child("a", start_s=10), troupe.child("b", start_s=5))
    assert system.loop.time() == 15


async def test_unordered_children_stop_all_at_once(system: ActorSystem, troupe: Troupe) -> None:
    children = [troupe.child(name, stop_s=3) for name in "abcd"]
    await troupe.supervise(*children, ordered=False)
    began = system.loop.time()
    await system.root.ask(StopChild("sup"), timeout=30)
    assert system.loop.time() - began == 3
    assert sorted(troupe.take()[4:]) == ["-a", "-b", "-c", "-d"]


async def test_a_static_child_that_does_not_start_fails_its_supervisor(system: ActorSystem, troupe: Troupe) -> None:
    troupe.failing.add("b")
    with pytest.raises(StartFailed, match="/sup failed to start: StartFailed: /sup/b failed to start: OSError"):
        await troupe.supervise(troupe.child("a"), troupe.child("b"), troupe.child("c"))
    assert troupe.take() == ["+a", "-b", "-a"]
    assert system.tree().children == ()


# -- strategies -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("one_for_one", ["-b", "+b"]),
        ("one_for_all", ["-b", "-d", "-c", "-a", "+a", "+b", "+c", "+d"]),
        ("rest_for_one", ["-b", "-d", "-c", "+b", "+c", "+d"]),
    ],
)
async def test_the_strategy_says_who_restarts_and_in_which_order(
    troupe: Troupe, strategy: str, expected: list[str]
) -> None:
    await troupe.supervise(*(troupe.child(name) for name in "abcd"), strategy=strategy, policy=AT_ONCE)
    troupe.take()
    troupe.tell("sup/b", Crash())
    await settle(1)
    assert troupe.take() == expected


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_siblings_keep_their_mailboxes_and_references(troupe: Troupe, strategy: str) -> None:
    children = [troupe.child("a"), troupe.child("b", start_s=2)]
    await troupe.supervise(*children, strategy=strategy, policy=AT_ONCE)
    ref = troupe.ref("sup/b")
    troupe.tell("sup/a", Crash())
    await settle(1)
    ref.tell(Add(1))
    await settle(5)
    assert troupe.take()[-1] == "b:1"


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
async def test_a_failure_costs_one_unit_however_many_siblings_restart(troupe: Troupe, strategy: str) -> None:
    ref = await troupe.supervise(*(troupe.child(name) for name in "abc"), strategy=strategy, policy=AT_ONCE)
    for left in (2, 1, 0):
        troupe.tell("sup/a", Crash())
        await settle(1)
        assert {child.restarts_left for child in ref.vitals().children} == {left}


async def test_a_sibling_that_fails_during_a_group_restart_begins_it_anew(troupe: Troupe) -> None:
    children = [troupe.child("a"), troupe.child("b", start_s=5), troupe.child("c")]
    await troupe.supervise(*children, strategy="one_for_all", policy=AT_ONCE)
    troupe.take()
    troupe.tell("sup/c", Crash())
    await settle(2)  # a is up again, b is starting, c is down
    assert troupe.take() == ["-c", "-b", "-a", "+a"]
    troupe.tell("sup/a", Crash())
    await settle(20)
    assert troupe.take() == ["-a", "-b", "+a", "+b", "+c"]


async def test_rest_for_one_interrupted_by_an_earlier_child_restarts_all_who_are_down(troupe: Troupe) -> None:
    children = [troupe.child("a"), troupe.child("b"), troupe.child("c", start_s=5), troupe.child("d")]
    await troupe.supervise(*children, strategy="rest_for_one", policy=AT_ONCE)
    troupe.take()
    troupe.tell("sup/c", Crash())
    await settle(1)
    troupe.tell("sup/b", Crash())
    await settle(20)
    taken = troupe.take()
    assert taken[-3:] == ["+b", "+c", "+d"]
    assert "-a" not in taken


async def test_a_failed_start_during_a_group_restart_counts_and_is_tried_again(troupe: Troupe) -> None:
    ref = await troupe.supervise(*(troupe.child(name) for name in "abc"), strategy="one_for_all", policy=AT_ONCE)
    troupe.take()
    troupe.failing.add("b")
    troupe.tell("sup/c", Crash())
    await settle(0.001)
    troupe.failing.clear()
    await settle(20)
    assert troupe.take()[-3:] == ["+a", "+b", "+c"]
    assert {child.condition for child in ref.vitals().children} == {"running"}


async def test_two_who_fail_at_once_with_a_slow_end_are_each_started_once(troupe: Troupe) -> None:
    children = [troupe.child("a", stop_s=1), troupe.child("b", stop_s=3), troupe.child("c")]
    ref = await troupe.supervise(*children, strategy="one_for_all", policy=AT_ONCE)
    troupe.take()
    troupe.tell("sup/a", Crash())
    troupe.tell("sup/b", Crash())
    await settle(20)
    taken = troupe.take()
    assert sorted(taken[:3]) == ["-a", "-b", "-c"]
    assert taken[3:] == ["+a", "+b", "+c"]
    assert [child.condition for child in ref.vitals().children] == ["running"] * 3
    assert ref.vitals().children[0].restarts_left == 2


# -- kinds ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "after_crash", "after_end"),
    [("permanent", True, True), ("transient", True, False), ("temporary", False, False)],
)
async def test_the_kind_says_what_is_restarted(troupe: Troupe, kind: Any, after_crash: bool, after_end: bool) -> None:
    for message, restarted in ((Crash(), after_crash), (End(), after_end)):
        name = f"sup-{type(message).__name__}"
        ref = await troupe.supervise(troupe.child("a", kind), name=name, policy=AT_ONCE)
        child = troupe.ref(f"{name}/a")
        child.tell(message)
        await settle(1)
        assert [vitals.condition for vitals in ref.vitals().children] == (["running"] if restarted else [])
        assert child.stopped is not restarted


async def test_a_temporary_sibling_is_not_restarted_with_a_group(troupe: Troupe) -> None:
    children = [troupe.child("a"), troupe.child("b", "temporary"), troupe.child("c")]
    await troupe.supervise(*children, strategy="one_for_all", policy=AT_ONCE)
    troupe.take()
    troupe.tell("sup/a", Crash())
    await settle(1)
    assert troupe.take() == ["-a", "-c", "-b", "+a", "+c"]


async def test_a_permanent_child_that_stops_itself_is_restarted_at_the_budgets_cost(troupe: Troupe) -> None:
    ref = await troupe.supervise(troupe.child("a"), policy=AT_ONCE)
    troupe.tell("sup/a", End())
    await settle(1)
    assert troupe.take() == ["+a", "-a", "+a"]
    assert ref.vitals().children[0].restarts_left == 2


# -- backoff --------------------------------------------------------------------------------------------------


async def test_delays_grow_to_a_cap_and_begin_again_after_a_healthy_period(
    system: ActorSystem, troupe: Troupe, events: Probe
) -> None:
    await troupe.supervise(troupe.child("a"), policy=PATIENT)

    async def delays(crashes: int) -> list[float]:
        events.received.clear()
        for _ in range(crashes):
            troupe.tell("sup/a", Crash())
            await settle(10)
        return [event.delay_s for event in events.received if isinstance(event, RestartScheduled)]

    assert await delays(6) == [1, 2, 4, 8, 8, 8]
    await settle(61)
    assert await delays(2) == [1, 2]


async def test_a_start_that_keeps_failing_is_not_taken_for_a_healthy_period(
    system: ActorSystem, troupe: Troupe, events: Probe
) -> None:
    await troupe.supervise(troupe.child("a"), policy=PATIENT)
    await settle(100)
    troupe.failing.add("a")
    events.received.clear()
    troupe.tell("sup/a", Crash())
    await settle(16)
    scheduled = [event.delay_s for event in events.received if isinstance(event, RestartScheduled)]
    assert scheduled == [1, 2, 4, 8, 8]


async def test_the_jitter_comes_from_the_generator_that_was_given(troupe: Troupe, events: Probe) -> None:
    await troupe.supervise(troupe.child("a"), policy=RestartPolicy(backoff=Backoff(first_s=4.0)), rng=random.Random(1))
    troupe.tell("sup/a", Crash())
    await settle(5)
    [scheduled] = [event for event in events.received if isinstance(event, RestartScheduled)]
    assert scheduled.delay_s == random.Random(1).uniform(0, 4.0)
    assert scheduled.restarts_left == 2
    [restarted] = [event for event in events.received if isinstance(event, ActorRestarted)]
    assert restarted.restarts == 1


# -- children that come and go ----------------------------------------------------------------------------------


async def test_a_child_is_started_found_and_removed(system: ActorSystem, troupe: Troupe) -> None:
    sup = await troupe.supervise()
    ref = await sup.ask(StartChild(troupe.child("a", start_s=2)), timeout=5)
    assert await sup.ask(FindChild("a"), timeout=5) == ref
    assert [vitals.path for vitals in await sup.ask(WhichChildren(), timeout=5)] == ["/sup/a"]
    await sup.ask(RemoveChild("a"), timeout=5)
    assert troupe.take() == ["+a", "-a"]
    assert await sup.ask(FindChild("a"), timeout=5) is None
    with pytest.raises(NoSuchChild, match="/sup has no child 'a'"):
        await sup.ask(StopChild("a"), timeout=5)
    assert sup.vitals().restarts == 0


async def test_a_name_that_is_taken_is_refused_and_the_supervisor_goes_on(troupe: Troupe) -> None:
    sup = await troupe.supervise(troupe.child("a"))
    with pytest.raises(NameTaken, match="there is an actor at /sup/a already"):
        await sup.ask(StartChild(troupe.child("a")), timeout=5)
    assert troupe.take() == ["+a"]
    assert sup.vitals().restarts == 0


async def test_a_first_start_that_fails_is_the_askers_and_the_child_is_forgotten(troupe: Troupe) -> None:
    sup = await troupe.supervise()
    troupe.failing.add("a")
    with pytest.raises(StartFailed, match="/sup/a failed to start: OSError: a cannot start") as caught:
        await sup.ask(StartChild(troupe.child("a")), timeout=5)
    assert isinstance(caught.value.__cause__, OSError)
    assert sup.vitals().children == ()


async def test_a_supervised_first_start_that_fails_is_tried_again(troupe: Troupe) -> None:
    sup = await troupe.supervise(policy=PATIENT)
    troupe.failing.add("a")
    with pytest.raises(StartFailed):
        await sup.ask(StartChild(troupe.child("a"), supervised_start=True), timeout=5)
    troupe.failing.clear()
    await settle(2)
    assert troupe.take() == ["-a", "+a"]
    assert sup.vitals().children[0].restarts_left == 99


async def test_children_that_were_added_come_back_after_the_supervisors_own_restart(
    system: ActorSystem, troupe: Troupe
) -> None:
    sup = await troupe.supervise(
        troupe.child("static"), policy=RestartPolicy(max_restarts=0, backoff=Backoff(first_s=0.0))
    )
    added = await sup.ask(StartChild(troupe.child("added")), timeout=5)
    await sup.ask(StartChild(troupe.child("by hand")), timeout=5)
    await sup.ask(StopChild("by hand"), timeout=5)
    troupe.take()
    troupe.tell("sup/static", Crash())  # escalates
    await settle(0.01)
    added.tell(Add(1))
    await settle(20)
    assert troupe.take() == ["-static", "-added", "+static", "+added", "added:1"]
    assert [vitals.condition for vitals in sup.vitals().children] == ["running", "running", "stopped"]


async def test_an_added_child_that_does_not_come_back_at_once_does_not_fail_its_supervisor(troupe: Troupe) -> None:
    sup = await troupe.supervise(
        troupe.child("static"), policy=RestartPolicy(max_restarts=1, backoff=Backoff(first_s=0.0))
    )
    await sup.ask(StartChild(troupe.child("added")), timeout=5)
    troupe.tell("sup/static", Crash())
    await settle(1)
    troupe.failing.add("added")
    troupe.tell("sup/static", Crash())
    await settle(0.0)
    assert sup.vitals().condition in ("restarting", "running", "starting")
    await _until(lambda: "+static" in troupe.log[-3:])
    troupe.failing.clear()
    await settle(20)
    assert [vitals.condition for vitals in sup.vitals().children] == ["running", "running"]
    assert sup.vitals().restarts == 1


async def _until(condition: Any) -> None:
    for _ in range(10_000):
        if condition():
            return
        await settle(0.001)
    raise AssertionError("it did not happen")


async def test_a_restart_by_hand_renews_the_budget(troupe: Troupe) -> None:
    for per_child in (False, True):
        name = f"sup-{per_child}"
        policy = RestartPolicy(backoff=Backoff(first_s=0.0), per_child=per_child)
        sup = await troupe.supervise(troupe.child("a"), name=name, policy=policy)
        for _ in range(2):
            troupe.tell(f"{name}/a", Crash())
            await settle(1)
        assert sup.vitals().children[0].restarts_left == 1
        await sup.ask(RestartChild("a"), timeout=5)
        assert sup.vitals().children[0].restarts_left == 3


async def test_the_static_children_follow_the_factory(system: ActorSystem, troupe: Troupe) -> None:
    names = ["a", "b"]

    def make() -> Supervisor:
        policy = RestartPolicy(max_restarts=0)
        return Supervisor([troupe.child(name) for name in names], policy=policy)

    sup = await system.spawn(make, name="sup")
    names[:] = ["b", "c"]
    troupe.tell("sup/b", Crash())
    await settle(20)
    assert [vitals.path for vitals in sup.vitals().children] == ["/sup/b", "/sup/c"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"policy": RestartPolicy(when_exhausted="failover")}, "needs the reference that takes over"),
        ({"policy": RestartPolicy(per_child=True), "strategy": "one_for_all"}, "go with 'one_for_one'"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Supervisor(**options)
