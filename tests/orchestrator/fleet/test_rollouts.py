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
