"""Rollouts are remembered while they run, and for a while after."""

from __future__ import annotations

from orchestrator.fleet.rollouts import KEPT, Rollouts


def test_a_rollout_that_runs_is_remembered_however_many_follow() -> None:
    rollouts = Rollouts()
    slow = rollouts.begin("stall", 1)
    later = [rollouts.begin("stall", 0).id for _ in range(KEPT)]
    for rollout in later:
        rollouts.end(rollout)
    newest = rollouts.begin("stall", 0)
    assert rollouts.get(later[0]) is None
    assert rollouts.get(newest.id) == newest
    rollouts.advance(slow.id)
    assert rollouts.end(slow.id).state == "completed"


def test_one_that_is_interrupted_is_incomplete_and_says_how_far_it_came() -> None:
    rollouts = Rollouts()
    done, running = rollouts.begin("stall", 0), rollouts.begin("stall", 2)
    rollouts.end(done.id)
    rollouts.advance(running.id)
    (ended,) = rollouts.interrupt()
    assert (ended.id, ended.state, ended.done, ended.total) == (running.id, "incomplete", 1, 2)
    assert list(rollouts.interrupt()) == []


def test_one_with_a_failure_is_incomplete() -> None:
    rollouts = Rollouts()
    rollout = rollouts.begin("stall", 1)
    rollouts.fail(rollout.id, "stall-001", "no stall today")
    assert rollouts.end(rollout.id).state == "incomplete"


def test_rollouts_are_listed_from_the_newest_on_a_page_at_a_time() -> None:
    rollouts = Rollouts()
    ids = [rollouts.begin("stall", 1).id for _ in range(5)]
    first = rollouts.page(2, None)
    assert [rollout.id for rollout in first.items] == ids[:2:-1]
    second = rollouts.page(2, first.next_cursor)
    assert [rollout.id for rollout in second.items] == [ids[2], ids[1]]
    last = rollouts.page(2, second.next_cursor)
    assert ([rollout.id for rollout in last.items], last.next_cursor) == ([ids[0]], None)
    assert rollouts.page(2, "rollout-9999").items == ()
