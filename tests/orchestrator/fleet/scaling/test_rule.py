"""What is done about a load, computed by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from config.auto_scaling import AutoScaling
from config.fleet import StreamPlan
from orchestrator.fleet.scaling.decision import Advice, Decision
from orchestrator.fleet.scaling.figures import NAMES, Figures, StreamNow
from orchestrator.fleet.scaling.room import Place, ThisMachine
from orchestrator.fleet.scaling.rule import decide
from orchestrator.fleet.scaling.window import LoadWindow
from tests.orchestrator.fleet.scaling.loads import figures, stream

AT_ONCE = AutoScaling(grow_window_s=0, shrink_window_s=0, grow_at_most=1.0, shrink_at_most=1.0)


def decided(
    now: Figures,
    *streams: StreamNow,
    settings: AutoScaling = AT_ONCE,
    places: Sequence[Place] | None = None,
) -> tuple[Decision, ...]:
    window = LoadWindow()
    load = now.load(settings.signals)
    window.add(now.t_s, load and load[0], settings.interval_s, 600)
    there = ThisMachine().places(now, settings) if places is None else places
    return decide(settings, now, window, streams or (stream(),), there)


@pytest.mark.parametrize(
    ("load", "to"),
    [
        (0.8, 20),  # not above 80 %
        (0.81, 23),  # ceil(20 x 0.81 x 1.1 / 0.8) = ceil(22.275)
        (0.9, 25),  # ceil(24.75)
        (1.0, 28),  # ceil(27.5)
        (0.2, 20),  # not below 20 %
        (0.19, 18),  # ceil(20 x 0.19 x 0.9 / 0.2) = ceil(17.1)
        (0.1, 9),  # 9 exactly: an error of rounding must not make it 10
        (0.01, 5),  # 1, but its minimum is 5
    ],
)
def test_the_count_is_that_of_the_formula(load: float, to: int) -> None:
    (decision,) = decided(figures(load=load, cpu=0.01, memory=0.01))
    assert decision.to == to
    assert decision.action == ("hold" if to == 20 else "scale_up" if to > 20 else "scale_down")


def test_the_largest_share_is_the_load() -> None:
    (decision,) = decided(figures(load=0.3, cpu=0.85))
    assert decision.action == "scale_up"
    assert "85 %" in decision.reason
    assert "processors" in decision.reason
    (decision,) = decided(figures(load=0.05, cpu=0.05, memory=0.3))
    assert (decision.action, decision.code) == ("hold", "steady")


def test_a_signal_that_does_not_count_neither_presses_nor_limits() -> None:
    only_loop = msgspec.structs.replace(AT_ONCE, signals=("loop",))
    (decision,) = decided(figures(load=0.05, cpu=1.0, memory=1.0), settings=only_loop)
    assert decision.action == "scale_down"
    (decision,) = decided(figures(load=0.85, cpu=None, memory=None), settings=only_loop)
    assert decision.action == "scale_up"


def test_a_step_is_limited_to_a_part_of_the_count_and_one_at_least() -> None:
    usual = msgspec.structs.replace(AutoScaling(), grow_window_s=0, shrink_window_s=0)
    up = decided(figures(load=1.0), settings=usual)[0]
    down = decided(figures(load=0.01, cpu=0.01, memory=0.01), settings=usual)[0]
    assert (up.to, down.to) == (25, 18)  # a quarter up, a tenth down
    few = decided(figures(load=1.0), stream(count=2, lowest=1), settings=usual)[0]
    assert few.to == 3


@pytest.mark.parametrize("name", ["cpu", "memory", "loop", "lag_s", "instances"])
@pytest.mark.parametrize("load", [0.01, 0.99])
def test_what_is_missing_changes_nothing_and_is_named(name: str, load: float) -> None:
    known = figures(load=load, cpu=load, memory=0.01)
    assert decided(known)[0].code != "missing"
    (decision,) = decided(msgspec.structs.replace(known, **{name: None}))
    assert (decision.action, decision.code) == ("hold", "missing")
    assert NAMES[name] in decision.reason


def test_a_lagging_loop_forbids_growth_and_allows_shrinking() -> None:
    (decision,) = decided(figures(load=0.95, lag_s=0.25))
    assert (decision.action, decision.code) == ("hold", "lag")
    assert "250 ms" in decision.reason
    assert decided(figures(load=0.05, cpu=0.05, memory=0.05, lag_s=0.25))[0].action == "scale_down"


def test_short_memory_forbids_growth() -> None:
    (decision,) = decided(figures(load=0.95, memory=0.85))
    assert (decision.action, decision.code) == ("hold", "memory")


def test_a_rollout_forbids_changes_of_its_own_stream_only() -> None:
    rolling, other = stream("a", rolling=True), stream("b")
    up = decided(figures(load=0.9), rolling, other)
    assert [(each.code, each.to) for each in up] == [("rollout", 20), ("grown", 25)]
    down = decided(figures(load=0.1, cpu=0.1, memory=0.1), rolling, other)
    assert [(each.code, each.to) for each in down] == [("rollout", 20), ("shrunk", 9)]


def test_nothing_is_decided_of_a_stream_at_rest() -> None:
    assert [each.stream for each in decided(figures(load=0.9), stream("a", count=0, lowest=0), stream("b"))] == ["b"]


def test_a_person_may_set_a_count_outside_of_the_bounds_and_it_stays() -> None:
    above, below = stream("a", count=50), stream("b", count=3)
    up = {each.stream: each for each in decided(figures(load=0.95), above, below)}
    assert (up["a"].to, up["a"].code) == (50, "at_maximum")
    down = {each.stream: each for each in decided(figures(load=0.01, cpu=0.01, memory=0.01), above, below)}
    assert (down["b"].to, down["b"].code) == (3, "at_minimum")
    assert down["a"].to < 50


@pytest.mark.parametrize(
    ("scale_min", "scale_max", "between"),
    [
        (None, None, (20, 20)),
        (5, None, (5, 20)),
        (None, 40, (20, 40)),
        (30, None, (30, 30)),
        (None, 10, (10, 10)),
        (0, 3, (0, 3)),
    ],
)
def test_the_count_by_hand_is_the_bound_that_is_not_given(
    scale_min: int | None, scale_max: int | None, between: tuple[int, int]
) -> None:
    plan = StreamPlan(count=20, scale_min=scale_min, scale_max=scale_max)
    now = StreamNow.of("api_services", plan, 1.0)
    assert (now.lowest, now.highest) == between


@pytest.mark.parametrize(("load", "word"), [(0.95, "maximum"), (0.05, "minimum")])
def test_without_bounds_of_its_own_a_stream_stays_as_configured(load: float, word: str) -> None:
    (decision,) = decided(
        figures(load=load, cpu=load, memory=0.05), stream(lowest=20, highest=20, scale_min=None, scale_max=None)
    )
    assert decision.action == "hold"
    assert f"at its {word} of 20, as configured" in decision.reason


# -- sharing ------------------------------------------------------------------------------------------------


def test_what_earns_more_grows_more() -> None:
    # Each wants ceil(10 x 0.9 x 1.1 / 0.8) - 10 = 3, so there are six to hand out. D'Hondt's quotients are
    # a: 6 3 2 1.5 1.2 1, b: 2 1, so that a has 6, 3, 2 and (a before b at 2) 1.5 before b's 1.
    streams = (stream("a", 10, weight=6.0), stream("b", 10, weight=2.0))
    a, b = decided(figures(load=0.9, instances=20), *streams)
    assert (a.to, b.to) == (15, 11)


def test_what_earns_least_shrinks_first() -> None:
    # Each should become ceil(10 x 0.15 x 0.9 / 0.2) = 7, so six have to go.
    streams = (stream("a", 10, 2, weight=6.0), stream("b", 10, 5, weight=2.0), stream("c", 10, 10, weight=0.0))
    a, b, c = decided(figures(load=0.15, cpu=0.1, memory=0.1), *streams)
    assert [(each.code, each.to) for each in (a, b, c)] == [("shrunk", 9), ("shrunk", 5), ("at_minimum", 10)]
    assert "earns least" in b.reason


def test_where_there_is_room_for_few_the_best_have_it() -> None:
    places = (Place("cores", "process", 2, "the processors are 79 % in use"),)
    a, b = decided(figures(load=0.9), stream("a", weight=1.0), stream("b", weight=9.0), places=places)
    assert (a.code, b.code, b.to, b.places) == ("others_first", "grown", 22, {"cores": 2})


def test_where_there_is_no_room_it_says_so_and_whose_it_should_be() -> None:
    poor, rich = stream("poor", weight=1.0, isolation="actor"), stream("rich", weight=9.0, isolation="actor")
    one, two = decided(figures(load=0.95), poor, rich)
    for decision in (one, two):
        assert (decision.action, decision.code) == ("hold", "no_room")
        assert decision.advice == Advice(give_to="rich", take_from="poor")
        assert "the event loop is 95 % busy" in decision.reason
        assert "rich earns most" in decision.reason


def test_instances_move_to_what_earns_most_only_where_that_is_allowed() -> None:
    allowed = msgspec.structs.replace(AT_ONCE, shift_counts=True)
    poor, rich = stream("poor", weight=1.0, isolation="actor"), stream("rich", weight=9.0, isolation="actor")
    one, two = decided(figures(load=0.95), poor, rich, settings=allowed)
    assert [(each.code, each.to) for each in (one, two)] == [("shifted", 19), ("shifted", 21)]
    at_its_floor = stream("poor", weight=1.0, isolation="actor", count=5)
    assert {each.code for each in decided(figures(load=0.95), at_its_floor, rich, settings=allowed)} == {"no_room"}
    alike = stream("poor", weight=8.5, isolation="actor")
    assert {each.code for each in decided(figures(load=0.95), alike, rich, settings=allowed)} == {"no_room"}


# -- room ---------------------------------------------------------------------------------------------------


def places(**more: Any) -> dict[str, int]:
    return {place.name: place.instances for place in ThisMachine().places(figures(**more), AutoScaling())}


def test_the_loop_is_one_core_and_the_others_are_for_processes() -> None:
    # 20 instances take 0.6 of the loop: 0.03 each, so up to 0.9 there is room for 10; of 4 cores 0.4, 0.02 each, so
    # (0.9 - 0.3) x 4 / 0.02 = 120; of memory 200 MB, 10 each, but 48 a process: 6553.6 / 48 = 136.
    assert places(load=0.6, cpu=0.3) == {"loop": 10, "cores": 120}
    assert places(load=0.95, cpu=0.3) == {"loop": 0, "cores": 120}
    assert places(load=0.6, cpu=0.95) == {"loop": 0, "cores": 0}
    assert places(load=0.6, cpu=0.3, memory=0.95) == {"loop": 0, "cores": 0}


def test_where_something_is_not_known_there_is_no_room() -> None:
    assert places(load=None) == places(lag_s=None) == {}


def test_an_idle_instance_is_not_free_of_charge() -> None:
    assert places(load=0.0, cpu=0.0, fleet_cores=0.0, fleet_memory_bytes=0, memory=0.0) == {"loop": 1800, "cores": 153}


def test_what_is_expected_is_reckoned_from_what_an_instance_takes() -> None:
    (decision,) = decided(figures(load=0.9, cpu=0.3))
    assert decision.expected is not None
    # five more at 0.02 of a core each, of four; five times 48 MiB of 8 GiB
    assert (decision.expected.instances, decision.expected.cpu, decision.expected.loop) == (25, 0.325, 0.9)
    assert decision.expected.memory == pytest.approx(0.1 + 5 * 48 / 8192, abs=1e-4)
