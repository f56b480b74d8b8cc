"""What holds of every decision, whatever is measured."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from config.auto_scaling import AutoScaling
from orchestrator.fleet.scaling.decision import Decision
from orchestrator.fleet.scaling.figures import Figures, StreamNow
from orchestrator.fleet.scaling.judge import Judge, Verdict
from orchestrator.fleet.scaling.room import ThisMachine
from orchestrator.fleet.scaling.rule import decide
from orchestrator.fleet.scaling.window import LoadWindow
from tests.orchestrator.fleet.scaling.loads import figures

shares = st.floats(0, 1)
unsure = st.none() | st.sampled_from([0.0, 0.05, 0.19, 0.5, 0.81, 0.95, 1.0]) | shares


@st.composite
def streams(draw: st.DrawFn) -> list[StreamNow]:
    found = []
    for name in draw(st.lists(st.sampled_from("abcd"), min_size=1, max_size=3, unique=True)):
        lowest, highest = sorted((draw(st.integers(0, 40)), draw(st.integers(0, 40))))
        found.append(
            StreamNow(
                stream=name,
                count=draw(st.integers(1, 60)),
                by_hand=20,
                lowest=lowest,
                highest=highest,
                weight=draw(st.floats(0, 100)),
                isolation=draw(st.sampled_from(["actor", "process"])),
                rolling=draw(st.booleans()) and draw(st.booleans()),
            )
        )
    return found


@st.composite
def looks(draw: st.DrawFn) -> list[Figures]:
    """Figures, a minute apart; sometimes they stay the same for a while, or everything would flicker."""
    found: list[Figures] = []
    while len(found) < 30:
        one = figures(
            load=draw(unsure), cpu=draw(unsure), memory=draw(unsure), lag_s=draw(st.none() | st.floats(0, 0.2))
        )
        found += [one] * draw(st.integers(1, 8))
    return [msgspec.structs.replace(each, t_s=60.0 * number) for number, each in enumerate(found)]


rules = st.builds(
    AutoScaling,
    grow_window_s=st.sampled_from([0.0, 60.0, 180.0]),
    shrink_window_s=st.sampled_from([0.0, 120.0, 300.0]),
    shift_counts=st.booleans(),
)


def replayed(
    rule: AutoScaling, seen: Sequence[Figures], fleet: list[StreamNow]
) -> list[tuple[Figures, list[StreamNow], Verdict]]:
    judge = Judge(ThisMachine())
    rounds = []
    for each in seen:
        verdict = judge.judge(rule, each, fleet)
        rounds.append((each, fleet, verdict))
        to = {decision.stream: decision.to for decision in verdict.decisions}
        fleet = [msgspec.structs.replace(now, count=to.get(now.stream, now.count)) for now in fleet]
    return rounds


@settings(max_examples=50, deadline=None)
@given(rules, looks(), streams())
def test_every_round_keeps_the_promises(rule: AutoScaling, seen: list[Figures], fleet: list[StreamNow]) -> None:
    last_change_s: float | None = None
    for now, before, verdict in replayed(rule, seen, fleet):
        known = {each.stream: each for each in before}
        for decision in verdict.decisions:
            stream = known[decision.stream]
            assert decision.reason
            assert (decision.action == "hold") == (decision.to == decision.count == stream.count)
            if decision.action == "scale_up":
                assert stream.count < decision.to <= stream.highest
                assert decision.to - stream.count <= max(1, stream.count * rule.grow_at_most)
            if decision.action == "scale_down":
                assert stream.lowest <= decision.to < stream.count
                assert stream.count - decision.to <= max(1, stream.count * rule.shrink_at_most)
            if decision.action != "hold":
                assert not stream.rolling
                assert not now.missing(rule.signals)
        grown = sum(decision.to - decision.count for decision in verdict.decisions)
        if now.lag_s is None or now.lag_s > rule.lag_s:
            assert grown <= 0
        if now.memory is None or now.memory > rule.high:
            assert grown == 0
        if any(decision.action != "hold" for decision in verdict.decisions):
            window_s = rule.shrink_window_s if grown < 0 else rule.grow_window_s
            assert last_change_s is None or now.t_s - last_change_s > window_s
            last_change_s = now.t_s


@settings(max_examples=50, deadline=None)
@given(shares, shares, streams())
def test_a_higher_load_never_means_fewer_instances(one: float, other: float, fleet: list[StreamNow]) -> None:
    rule = AutoScaling(grow_window_s=0, shrink_window_s=0, signals=("cpu",), full=1.0)

    def total(load: float) -> int:
        # Enough room in any case: what is asked is what is wanted.
        now = figures(cpu=load, cores=1e6)
        window = LoadWindow()
        window.add(0.0, load, 60, 600)
        return sum(each.to for each in decide(rule, now, window, fleet, ThisMachine().places(now, rule)))

    low, high = sorted((one, other))
    # At 100 % there is no room any more, whatever there is of it.
    assert high > 0.999 or total(low) <= total(high)


@settings(max_examples=20, deadline=None)
@given(streams(), st.lists(st.tuples(st.floats(0.81, 1), st.floats(0, 0.19)), min_size=20, max_size=20))
def test_a_load_that_flaps_within_the_windows_changes_nothing(
    fleet: list[StreamNow], swings: list[tuple[float, float]]
) -> None:
    loads = [load for high, low in swings for load in (high, high, high, low, low)]
    seen = [figures(60.0 * number, load, cpu=0.1, memory=0.1) for number, load in enumerate(loads)]
    for _, _, verdict in replayed(AutoScaling(), seen, fleet):
        assert {decision.action for decision in verdict.decisions} <= {"hold"}


@settings(max_examples=20, deadline=None)
@given(rules, looks(), streams())
def test_decisions_depend_on_nothing_but_what_is_measured(
    rule: AutoScaling, seen: list[Figures], fleet: list[StreamNow]
) -> None:
    def decisions(fleet: list[StreamNow]) -> list[tuple[Decision, ...]]:
        return [verdict.decisions for _, _, verdict in replayed(rule, seen, fleet)]

    assert decisions(fleet) == decisions(list(reversed(fleet)))
