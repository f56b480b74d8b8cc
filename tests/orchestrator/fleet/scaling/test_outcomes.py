"""What came of a change, and when that is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from orchestrator.fleet.scaling.decision import Decision, Round
from orchestrator.fleet.scaling.outcomes import Outcomes
from tests.orchestrator.fleet.scaling.loads import figures

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def changed(number: int = 1, *streams: str) -> Round:
    decisions = tuple(
        Decision(stream, "scale_up", "grown", "much to do", 2, 3, rollout=f"rollout-{stream}")
        for stream in streams or ("a",)
    )
    return Round(number, NOW, figures(1000.0), decisions, 0.8, 0.2)


def test_it_is_known_a_whole_look_after_the_rollout_has_ended() -> None:
    outcomes = Outcomes()
    outcomes.follow(changed(1, "a", "b"))
    assert outcomes.rollouts() == {"rollout-a": "a", "rollout-b": "b"}
    one, other = {"rollout-a": "completed", "rollout-b": None}, {"rollout-b": "incomplete"}
    assert outcomes.settle(one, figures(1060.0, 0.7), {"a": 3, "b": 3}, NOW) == []
    ((taken, decision),) = outcomes.settle(other, figures(1120.0, 0.6), {"a": 3, "b": 3}, NOW)
    assert decision.outcome is not None
    assert (decision.outcome.rollout, decision.outcome.instances, decision.outcome.loop) == ("completed", 3, 0.6)
    assert [each.outcome is None for each in taken.decisions] == [False, True]
    ((taken, decision),) = outcomes.settle({}, figures(1180.0, 0.5), {"a": 3, "b": 2}, NOW)
    assert (decision.stream, decision.outcome and decision.outcome.rollout) == ("b", "incomplete")
    assert all(each.outcome is not None for each in taken.decisions)
    assert outcomes.rollouts() == {}


def test_a_step_of_the_clock_makes_nothing_overdue_but_time_does() -> None:
    outcomes = Outcomes()
    outcomes.follow(changed())
    for step in (timedelta(days=-400), timedelta(days=400)):
        assert outcomes.settle({"rollout-a": None}, figures(1060.0), {"a": 3}, NOW + step) == []
    ((_, decision),) = outcomes.settle({"rollout-a": None}, figures(4700.0), {"a": 3}, NOW)
    assert decision.outcome is not None
    assert decision.outcome.rollout == "running"


def test_of_a_former_life_of_the_machine_the_outcome_is_what_is_so_now() -> None:
    outcomes = Outcomes()
    outcomes.resume([changed()])
    ((_, decision),) = outcomes.settle({"rollout-a": "not known any more"}, figures(60.0), {"a": 3}, NOW)
    assert decision.outcome is not None
    assert decision.outcome.rollout == "not known any more"


def test_what_holds_or_was_refused_has_no_outcome() -> None:
    outcomes = Outcomes()
    hold = Decision("a", "hold", "steady", "", 2, 2)
    refused = Decision("b", "scale_up", "grown", "", 2, 3, refused="no")
    outcomes.follow(Round(1, NOW, figures(), (hold, refused), 0.8, 0.2))
    assert outcomes.rollouts() == {}
