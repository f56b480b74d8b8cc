from __future__ import annotations

import logging
from typing import Any

import pytest

from actors import (
    ActorSystem,
    Backoff,
    BudgetExhausted,
    ChildGaveUp,
    ChildSpec,
    EndCooldown,
    NotCoolingDown,
    RestartBudgetExhausted,
    RestartChild,
    RestartPolicy,
    StartFailed,
    StopChild,
    Supervisor,
    SystemFailed,
)
from actors.restart import WhenExhausted
from actors.testing import Probe
from tests.actors.cast import Add, Crash, Troupe, settle


def policy(outcome: WhenExhausted, max_restarts: int = 3, **options: Any) -> RestartPolicy:
    return RestartPolicy(max_restarts=max_restarts, backoff=Backoff(first_s=0.0), when_exhausted=outcome, **options)


def conditions(ref: Any) -> dict[str, str]:
    return {child.path.rpartition("/")[2]: child.condition for child in ref.vitals().children}


async def crash(troupe: Troupe, path: str, times: int) -> None:
    for _ in range(times):
        troupe.tell(path, Crash())
        await settle(1)


async def test_three_restarts_succeed_and_the_fourth_failure_trips(troupe: Troupe, events: Probe) -> None:
    sup = await troupe.supervise(troupe.child("a"), policy=policy("stop"))
    await crash(troupe, "sup/a", 3)
    assert conditions(sup) == {"a": "running"}
    assert troupe.take() == ["+a", *["-a", "+a"] * 3]
    await crash(troupe, "sup/a", 1)
    assert conditions(sup) == {"a": "gave_up"}
    [tripped] = [event for event in events.received if isinstance(event, BudgetExhausted)]
    assert tripped.path == "/sup/a"
    assert tripped.outcome == "stop"
    assert len(tripped.history) == 4
    assert all("RuntimeError: crash while handling Crash" in failure for failure in tripped.history)


@pytest.mark.parametrize(("gap_s", "trips"), [(60.0, True), (60.5, False)])
async def test_the_window_slides_and_includes_its_sixtieth_second(troupe: Troupe, gap_s: float, trips: bool) -> None:
    sup = await troupe.supervise(troupe.child("a"), policy=policy("stop"))
    began = troupe.system.loop.time()
    for _ in range(3):
        troupe.tell("sup/a", Crash())
        await settle()
        await settle(0.001)
    first_at = began
    await settle(first_at + gap_s - troupe.system.loop.time())
    troupe.tell("sup/a", Crash())
    await settle(1)
    assert conditions(sup) == {"a": "gave_up" if trips else "running"}


async def test_failed_starts_count(troupe: Troupe) -> None:
    sup = await troupe.supervise(troupe.child("a"), policy=policy("stop"))
    troupe.failing.add("a")
    await crash(troupe, "sup/a", 1)
    assert conditions(sup) == {"a": "gave_up"}
    assert troupe.take() == ["+a", "-a", "-a", "-a", "-a"]


async def test_stop_keeps_what_failed_down_until_somebody_starts_it(troupe: Troupe) -> None:
    sup = await troupe.supervise(troupe.child("a"), troupe.child("b"), policy=policy("stop", 0))
    await crash(troupe, "sup/a", 1)
    await settle(3600)
    assert conditions(sup) == {"a": "gave_up", "b": "running"}
    assert troupe.ref("sup/a").stopped
    await sup.ask(RestartChild("a"), timeout=5)
    assert conditions(sup) == {"a": "running", "b": "running"}


async def test_stop_keeps_a_whole_group_down(troupe: Troupe) -> None:
    children = [troupe.child(name) for name in "abc"]
    sup = await troupe.supervise(*children, strategy="rest_for_one", policy=policy("stop", 0))
    troupe.take()
    await crash(troupe, "sup/b", 1)
    await settle(3600)
    assert troupe.take() == ["-b", "-c"]
    assert conditions(sup) == {"a": "running", "b": "gave_up", "c": "stopped"}


async def test_delay_waits_and_begins_with_a_fresh_budget(troupe: Troupe) -> None:
    sup = await troupe.supervise(troupe.child("a"), policy=policy("delay", 1, cooldown_s=30))
    await crash(troupe, "sup/a", 2)
    assert conditions(sup) == {"a": "gave_up"}
    assert troupe.ref("sup/a").stopped
    await settle(25)
    assert conditions(sup) == {"a": "gave_up"}
    await settle(5)
    assert conditions(sup) == {"a": "running"}
    assert sup.vitals().children[0].restarts_left == 1


async def test_delay_takes_the_group_down_with_what_failed(troupe: Troupe) -> None:
    children = [troupe.child(name) for name in "abc"]
    sup = await troupe.supervise(*children, strategy="one_for_all", policy=policy("delay", 0, cooldown_s=30))
    troupe.take()
    await crash(troupe, "sup/b", 1)
    assert troupe.take() == ["-b", "-c", "-a"]
    assert all(troupe.ref(f"sup/{name}").stopped for name in "abc")
    await settle(30)
    assert troupe.take() == ["+a", "+b", "+c"]
    assert sup.vitals().children[0].restarts_left == 0


async def test_a_stop_during_the_cooldown_holds(troupe: Troupe) -> None:
    sup = await troupe.supervise(troupe.child("a"), policy=policy("delay", 0, cooldown_s=30))
    await crash(troupe, "sup/a", 1)
    await sup.ask(StopChild("a"), timeout=5)
    await settle(60)
    assert conditions(sup) == {"a": "stopped"}


async def test_failover_tells_the_reference_at_once_and_starts_again_later(system: ActorSystem, troupe: Troupe) -> None:
    probe = Probe()
    standby = await system.spawn(probe.child("standby", ChildGaveUp))
    sup = await troupe.supervise(troupe.child("a"), policy=policy("failover", 1, cooldown_s=30), failover=standby)
    troupe.tell("sup/a", Crash("first"))
    await settle(1)
    assert probe.received == []
    troupe.tell("sup/a", Crash("second"))
    told = await probe.expect(ChildGaveUp)
    assert (told.path, told.name, len(told.history), told.was_running) == ("/sup/a", "a", 2, True)
    await settle(31)
    assert conditions(sup) == {"a": "running"}
    troupe.failing.add("a")
    troupe.tell("sup/a", Crash("third"))
    await settle(1)
    assert not (await probe.expect(ChildGaveUp)).was_running


async def test_a_failover_that_cannot_be_told_is_logged_and_changes_nothing(
    system: ActorSystem, troupe: Troupe, caplog: pytest.LogCaptureFixture
) -> None:
    probe = Probe()
    wrong: Any = await system.spawn(probe.child("wrong", Add))
    sup = await troupe.supervise(troupe.child("a"), policy=policy("failover", 0, cooldown_s=30), failover=wrong)
    with caplog.at_level(logging.ERROR):
        await crash(troupe, "sup/a", 1)
    assert "could not be told that /sup/a gave up" in caplog.text
    await settle(31)
    assert conditions(sup) == {"a": "running"}


async def test_escalation_restarts_the_supervisor_with_all_its_children(troupe: Troupe) -> None:
    inner = ChildSpec("inner", lambda: Supervisor([troupe.child("a"), troupe.child("b")], policy=policy("escalate", 1)))
    outer = await troupe.supervise(inner, troupe.child("c"), policy=policy("escalate", 3))
    troupe.take()
    await crash(troupe, "sup/inner/a", 2)
    assert troupe.take() == ["-a", "+a", "-a", "-b", "+a", "+b"]
    [vitals, _] = outer.vitals().children
    assert vitals.restarts == 1
    assert vitals.last_failure is not None
    assert vitals.last_failure.kind == "RestartBudgetExhausted"
    assert [child.restarts_left for child in vitals.children] == [1, 1]


async def test_budgets_of_nested_supervisors_multiply(troupe: Troupe) -> None:
    inner = ChildSpec("inner", lambda: Supervisor([troupe.child("a")], policy=policy("escalate", 1)))
    outer = await troupe.supervise(inner, policy=policy("stop", 2))
    await crash(troupe, "sup/inner/a", 5)
    assert conditions(outer) == {"inner": "running"}
    await crash(troupe, "sup/inner/a", 1)
    assert conditions(outer) == {"inner": "gave_up"}
    assert troupe.ref("sup/inner/a").stopped


async def test_escalation_ends_at_the_system_which_fails_with_the_last_failure() -> None:
    seen: list[str] = []

    async def body() -> None:
        async with ActorSystem("doomed", policy=policy("escalate", 1)) as system:
            troupe = Troupe(system)
            troupe.log = seen
            inner = ChildSpec("inner", lambda: Supervisor([troupe.child("a")], policy=policy("escalate", 1)))
            await troupe.supervise(inner, policy=policy("escalate", 0))
            asked = troupe.ref("sup/inner/a")
            for _ in range(4):
                asked.tell(Crash())
                await settle(1)
            await settle(3600)
            seen.append("the body went on")

    with pytest.raises(SystemFailed, match="the root of doomed gave up: .*RestartBudgetExhausted: / failed"):
        await body()
    assert seen == ["+a", "-a"] * 4


async def test_an_exhausted_budget_carries_its_history() -> None:
    error = RestartBudgetExhausted("/sup", 3, 60.0, ("first", "second"))
    assert str(error) == "/sup failed more than 3 times in 60 s: first; second"
    assert error.history == ("first", "second")


async def test_a_budget_per_child_is_not_shared(troupe: Troupe) -> None:
    sup = await troupe.supervise(troupe.child("a"), troupe.child("b"), policy=policy("stop", 1, per_child=True))
    await crash(troupe, "sup/a", 1)
    await crash(troupe, "sup/b", 1)
    assert conditions(sup) == {"a": "running", "b": "running"}
    await crash(troupe, "sup/a", 1)
    assert conditions(sup) == {"a": "gave_up", "b": "running"}


async def test_a_cool_down_can_be_ended_at_once_with_a_fresh_budget(troupe: Troupe) -> None:
    sup = await troupe.supervise(troupe.child("a"), policy=policy("delay", 1, cooldown_s=30))
    await crash(troupe, "sup/a", 2)
    ref = troupe.ref("sup/a")
    assert await sup.ask(EndCooldown("a"), 5) is ref
    assert conditions(sup) == {"a": "running"}
    assert sup.vitals().children[0].restarts_left == 1
    troupe.take()
    await settle(60)
    assert troupe.take() == []  # the end of the cool-down does not come on top


async def test_a_cool_down_that_was_ended_counts_failed_starts_by_the_fresh_budget(troupe: Troupe) -> None:
    sup = await troupe.supervise(troupe.child("a"), policy=policy("delay", 1, cooldown_s=30))
    await crash(troupe, "sup/a", 2)
    troupe.failing.add("a")
    troupe.take()
    with pytest.raises(StartFailed):
        await sup.ask(EndCooldown("a"), 5)
    await settle(1)
    assert troupe.take() == ["-a", "-a"]
    assert conditions(sup) == {"a": "gave_up"}


@pytest.mark.parametrize("command", [None, StopChild("a"), RestartChild("a")])
async def test_a_cool_down_that_is_over_cannot_be_ended(troupe: Troupe, command: Any) -> None:
    sup = await troupe.supervise(troupe.child("a"), policy=policy("delay", 0, cooldown_s=30))
    if command is not None:
        await crash(troupe, "sup/a", 1)
        await sup.ask(command, 5)
    before = conditions(sup)
    with pytest.raises(NotCoolingDown, match="/sup/a"):
        await sup.ask(EndCooldown("a"), 5)
    assert conditions(sup) == before


async def test_what_was_stopped_for_good_or_cools_down_as_a_group_is_left_so(troupe: Troupe) -> None:
    stopped = await troupe.supervise(troupe.child("a"), policy=policy("stop", 0))
    await crash(troupe, "sup/a", 1)
    with pytest.raises(NotCoolingDown):
        await stopped.ask(EndCooldown("a"), 5)
    assert conditions(stopped) == {"a": "gave_up"}
