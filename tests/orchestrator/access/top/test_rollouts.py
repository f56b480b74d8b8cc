"""Rollouts as the terminal page has them."""

from __future__ import annotations

import msgspec

from orchestrator.access.top.rollouts import RolloutPage, describe
from orchestrator.fleet.rollout import Rollout
from orchestrator.fleet.rollout import RolloutPage as Sent


def told(*rollouts: Rollout) -> str:
    """What is shown of rollouts as they come over the socket."""
    page = msgspec.json.decode(msgspec.json.encode(Sent(rollouts, None)), type=RolloutPage)
    return describe(page.items).plain


def test_one_that_waits_says_for_what_and_where_it_is() -> None:
    rollout = Rollout("rollout-0002", "api_services", "canary", 8, done=5, stages=2, phase="watching")
    text = told(rollout.with_change(state="paused", reason="no data: 0 requests"))
    assert "5/8 paused  api_services canary, batch 1 of 2 watching" in text
    assert "no data: 0 requests" in text


def test_one_that_has_ended_says_why_and_what_was_not_ready() -> None:
    rollout = Rollout("rollout-0002", "api_services", "canary", 8, stages=2).with_failure("api_services-001", "no port")
    text = told(rollout.ended("rolled_back", "it is slower"))
    assert "0/8 rolled_back  api_services canary\n" in text
    assert text.splitlines()[1:] == ["         it is slower", "         api_services-001: no port"]
    assert told() == "no rollouts since the daemon's start"
