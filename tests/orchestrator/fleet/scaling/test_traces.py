"""Recorded traces of load, and the decisions that were computed for them by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from config.auto_scaling import AutoScaling
from config.fleet import Isolation, StreamPlan
from orchestrator.fleet.scaling.decision import Round
from orchestrator.fleet.scaling.figures import Figures, StreamNow
from orchestrator.fleet.scaling.simulation import Simulated, SimulationSettings, read_settings, simulate
from orchestrator.fleet.scaling.trace import BadTrace, TracedStream, TraceLine, read_trace, trace_of

TRACES = Path(__file__).parent / "traces"


def settings(
    stream: str, lowest: int | None = 5, highest: int | None = 40, isolation: Isolation = "process", **scaling: Any
) -> SimulationSettings:
    plan = StreamPlan(isolation=isolation, scale_min=lowest, scale_max=highest)
    return SimulationSettings(AutoScaling(**scaling), {stream: plan})


def changes(told: list[Simulated]) -> list[tuple[float, int, int]]:
    return [
        (each.t_s, decision.count, decision.to)
        for each in told
        for decision in each.decisions
        if decision.action != "hold"
    ]


def codes(told: list[Simulated]) -> list[str]:
    return [decision.code for each in told for decision in each.decisions]


def test_a_rush_and_the_quiet_after_it() -> None:
    """Computed by hand.

    60 to 240 s: above 80 % for 180 s, at least 82 %: ceil(20 x 0.82 x 1.1 / 0.8) = ceil(22.55) = 23, three more, less
    than a quarter. The window begins anew at 300 s; at 480 s the load has fallen before it lasted 180 s again.
    540 to 840 s: below 20 % for 300 s, at most 19 %: ceil(23 x 0.19 x 0.9 / 0.2) = ceil(19.665) = 20, three fewer, but
    a tenth of 23 at most: two. 900 s: the window is new.
    """
    told = list(simulate(settings("fleet"), read_trace(TRACES / "rush.csv")))
    assert changes(told) == [(240.0, 20, 23), (840.0, 23, 21)]
    assert codes(told) == (
        ["steady", "rising", "rising", "rising", "grown", "rising", "rising", "rising", "steady"]
        + ["falling"] * 5
        + ["shrunk", "falling"]
    )


def test_the_same_rush_changes_nothing_in_a_fleet_as_configured() -> None:
    told = list(simulate(settings("fleet", None, None), read_trace(TRACES / "rush.csv")))
    assert changes(told) == []
    assert {"at_maximum", "at_minimum"} <= set(codes(told))


def test_the_same_rush_on_the_loop_itself_finds_room_only_while_it_is_not_full() -> None:
    """At 240 s the loop is 97 % busy, and full at 90 %: there is no room, and it says so until the load falls."""
    told = list(simulate(settings("fleet", isolation="actor"), read_trace(TRACES / "rush.csv")))
    assert changes(told) == [(840.0, 20, 18)]
    # At 300 s it is exactly full. The window goes on, for nothing was changed.
    assert codes(told)[4:8] == ["no_room"] * 4


def test_one_gap_in_the_figures_and_the_quiet_must_last_anew() -> None:
    """Memory is missing at 120 s, which counts as 100 %: only 480 s later it has been below 20 % for 300 s."""
    told = list(simulate(settings("api_services"), read_trace(TRACES / "gaps.jsonl")))
    assert codes(told)[2] == "missing"
    assert changes(told) == [(480.0, 20, 18)]


def quiet(minutes: int, **more: Any) -> list[TraceLine]:
    known = {"cpu": 0.05, "memory": 0.1, "loop": 0.05, "lag_s": 0.0, **more}
    return [TraceLine(60.0 * minute, **known, streams={"s": TracedStream(20)}) for minute in range(minutes)]


def test_a_person_s_count_wins_and_the_windows_begin_anew() -> None:
    lines = quiet(12)
    for at in range(4, 12):
        lines[at] = msgspec.structs.replace(lines[at], streams={"s": TracedStream(30)})
    told = list(simulate(settings("s"), lines))
    assert told[4].note == "the count of s was set by hand: loads must last anew"
    assert changes(told) == [(540.0, 30, 27)]
    # Without bounds of its own, what the person set is the floor from then on.
    assert changes(list(simulate(settings("s", None, None), lines))) == []


def test_after_a_pause_nothing_is_done_for_what_was_before_it() -> None:
    lines = [line for line in quiet(13) if not 240 <= line.t_s <= 420]
    told = list(simulate(settings("s"), lines))
    assert [each.note != "" for each in told].index(True) == 4
    assert changes(told) == []


def test_a_load_that_flaps_does_not_flap_the_fleet() -> None:
    lines = [
        msgspec.structs.replace(line, loop=0.95 if number % 4 < 2 else 0.05) for number, line in enumerate(quiet(600))
    ]
    assert changes(list(simulate(settings("s"), lines))) == []


def test_a_replay_of_what_the_scaler_recorded_decides_what_it_decided() -> None:
    plan = settings("fleet")
    lines = read_trace(TRACES / "rush.csv")
    told = list(simulate(plan, lines))
    rounds = [
        Round(
            id=number,
            at=datetime(2026, 1, 1, tzinfo=UTC),
            figures=msgspec.structs.replace(each.figures, t_s=5000 + each.t_s),
            decisions=each.decisions,
            high=0.8,
            low=0.2,
            streams=tuple(
                StreamNow(d.stream, d.count, 20, 5, 40, isolation="process", weight=1.0) for d in each.decisions
            ),
        )
        for number, each in enumerate(told, 1)
    ]
    again = list(simulate(plan, trace_of(rounds)))
    assert [each.decisions for each in again] == [each.decisions for each in told]


def test_a_trace_over_a_reboot_goes_on_after_a_pause() -> None:
    def taken(number: int, t_s: float) -> Round:
        return Round(number, datetime(2026, 1, 1, tzinfo=UTC), Figures(t_s), (), 0.8, 0.2)

    lines = list(trace_of([taken(1, 9000), taken(2, 9060), taken(3, 12), taken(4, 72)]))
    assert [line.t_s for line in lines] == [0, 60, 86460, 86520]


# -- the format ---------------------------------------------------------------------------------------------


def written(place: Path, text: str, name: str = "trace.csv") -> Path:
    file = place / name
    file.write_text(text)
    return file


def test_columns_name_streams_and_empty_cells_are_missing(tmp_path: Path) -> None:
    file = written(tmp_path, "t_s,loop,a.count,a.rolling,b.weight,b.isolation\n0,,3,true,2.5,process\n1.5,1,,,,\n")
    one, two = read_trace(file)
    assert one == TraceLine(
        0.0,
        streams={"a": TracedStream(3, rolling=True), "b": TracedStream(weight=2.5, isolation="process")},
    )
    assert two == TraceLine(1.5, loop=1.0)


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("t_s,loops\n0,1\n", "t.csv", "no column is called 'loops'; did you mean 'loop'?"),
        ("t_s,cpu\n0,85\n", "t.csv", "row 2: Expected `float` <= 1.0 - at `$.cpu`; shares are parts of one"),
        ("t_s,cpu\n0\n", "t.csv", "row 2: 2 cells expected, as in the heading; 1 found"),
        ("t_s,cpu\n0,NaN\n", "t.csv", "row 2: Expected `float | null`, got `str` - at `$.cpu`"),
        ("cpu\n0.5\n", "t.csv", "row 2: Object missing required field `t_s`"),
        ("", "t.csv", "there is no line in it"),
        ("t_s,cpu\n", "t.csv", "there is no line in it"),
        ('{"t_s": 0}\n{"t_s": 1, "cpus": 0.5}\n', "t.jsonl", "line 2: Object contains unknown field `cpus`"),
        ('{"t_s": 0', "t.jsonl", "line 1: Input data was truncated"),
        ('{"t_s": 0, "streams": {"a": {"count": -1}}}', "t.jsonl", "line 1: Expected `int` >= 0"),
    ],
)
def test_what_is_no_trace_is_named_by_line_and_place(tmp_path: Path, text: str, name: str, said: str) -> None:
    with pytest.raises(BadTrace) as refused:
        read_trace(written(tmp_path, text, name))
    assert said in str(refused.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "trace.csv").write_bytes(b"t_s\n\xff\xfe\n")
    with pytest.raises(BadTrace, match="no UTF-8"):
        read_trace(tmp_path / "trace.csv")


def test_settings_are_a_whole_fleet_config_or_parts_of_it() -> None:
    whole = read_settings(b'{"port_base": 7800, "scaling": {"high": 0.7}, "streams": {"a": {"count": 3}}}')
    assert (whole.scaling.high, whole.streams["a"].count) == (0.7, 3)
    with pytest.raises(ValueError, match=r"\$\.scaling\.low: expected at most"):
        read_settings(b'{"scaling": {"low": 0.79}}')
    with pytest.raises(ValueError, match="highh"):
        read_settings(b'{"scaling": {"highh": 1}}')
