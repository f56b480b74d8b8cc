"""`automate scaling`: what a daemon decided, and what would have been decided without one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.orchestrator.access.cli.conftest import Automate, configure, start, wait_until_up

TRACES = Path(__file__).parents[2] / "fleet" / "scaling" / "traces"
RUSH = str(TRACES / "rush.csv")


@pytest.fixture(scope="module")
def quick_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home whose daemon looks at its load five times a second, and may change nothing."""
    home = tmp_path_factory.mktemp("quick")
    configure(
        home,
        gateway_enabled=False,
        scaling={"interval_s": 0.2, "signals": ["loop"], "shrink_window_s": 0.2, "low": 0.6},
        streams={"api_services": {"count": 1}, "affiliate_marketing": {"count": 1}},
    )
    with (home / "stderr").open("w") as log:
        process = start(home, "run", stdout=log, stderr=log)
        try:
            wait_until_up(home, process)
            yield home
        finally:
            process.terminate()
            assert process.wait(40) == 0


def test_the_status_tells_the_load_and_the_reason_for_each_stream(automate: Automate, quick_home: Path) -> None:
    while (document := automate("scaling", "status", "--json", home=quick_home).document)["latest"] is None:
        pass
    assert {each["stream"] for each in document["latest"]["decisions"]} == {"affiliate_marketing", "api_services"}
    assert {place["name"] for place in document["places"]} == {"loop", "cores"}
    assert automate("scaling", "--json", home=quick_home).document.keys() == document.keys()
    assert automate("scaling", "--json", "history", home=quick_home).status == 64
    told = automate("scaling", home=quick_home)
    assert told.status == 0
    assert "load: processors" in told.out
    assert "api_services" in told.out
    assert "hold" in told.out


def test_the_history_is_shown_without_repetitions_and_as_lines(automate: Automate, quick_home: Path) -> None:
    while len(lines := automate("scaling", "history", "-n", 5, "--json", home=quick_home).lines) < 5:
        pass
    assert [each["id"] for each in lines] == list(range(lines[0]["id"], lines[0]["id"] - 5, -1))
    short = automate("scaling", "history", "-n", 5, "--stream", "api_services", home=quick_home)
    long = automate("scaling", "history", "-n", 5, "--stream", "api_services", "--all", home=quick_home)
    assert len(long.out.splitlines()) == 6
    assert len(short.out.splitlines()) <= 6
    assert "affiliate_marketing" not in long.out
    assert "no count was changed" in automate("scaling", "history", "--changes", home=quick_home).err


def test_a_decision_is_explained_by_its_figures_and_bounds(automate: Automate, quick_home: Path) -> None:
    while automate("scaling", "explain", "1", home=quick_home).status:
        pass
    told = automate("scaling", "explain", "api_services", home=quick_home)
    assert told.status == 0
    assert "between 1 and 1" in told.out
    assert "because" in told.out
    assert "affiliate_marketing" not in told.out
    both = automate("scaling", "explain", "1", "--json", home=quick_home).document
    assert (both["id"], len(both["decisions"])) == (1, 2)
    assert automate("scaling", "explain", "no_such_stream", home=quick_home).status == 66
    assert automate("scaling", "explain", "999999", home=quick_home).status == 66


def test_what_was_measured_can_be_replayed(automate: Automate, quick_home: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    while True:
        assert automate("scaling", "trace", "-o", str(trace), home=quick_home).status == 0
        if len(trace.read_text().splitlines()) > 3:
            break
    replayed = automate("scaling", "simulate", str(trace), home=quick_home)
    assert replayed.status == 0
    assert "api_services: 1 → 1" in replayed.out


def test_bounds_are_set_shown_and_taken_away_again(automate: Automate, quick_home: Path) -> None:
    shown = automate("scaling", "bounds", "api_services", home=quick_home)
    assert shown.out == "api_services: 1 instances; at least as configured, at most as configured\n"
    # The load may fall and rise as it will: between 1 and 1 there is nothing to scale.
    document = automate("scaling", "bounds", "api_services", "--min", 1, "--max", 1, "--json", home=quick_home).document
    assert document == {"stream": "api_services", "count": 1, "scale_min": 1, "scale_max": 1, "scaled": None}
    wrong = automate("scaling", "bounds", "api_services", "--min", 2, home=quick_home)
    assert (wrong.status, "scale_max (1)" in wrong.err) == (64, True), wrong
    assert automate("scaling", "bounds", "api_services", "--none", "--max", 2, home=quick_home).status == 64
    assert automate("scaling", "bounds", "no_such_stream", home=quick_home).status == 66
    gone = automate("scaling", "bounds", "api_services", "--none", home=quick_home)
    assert gone.out == shown.out


def test_a_trace_is_replayed_without_a_daemon(automate: Automate, tmp_path: Path) -> None:
    home = tmp_path / "nowhere"
    settings = '{"streams": {"fleet": {"isolation": "process"}}}'
    told = automate("scaling", "simulate", RUSH, "--settings", settings, "--min", 5, "--max", 40, home=home)
    assert told.status == 0
    assert "20 → 23" in told.out
    assert told.out.endswith("fleet: 20 → 21\n16 looks, 2 changes\n")
    assert not home.exists()
    lines = automate("scaling", "simulate", RUSH, "--settings", settings, "--json", home=home).lines
    assert [line["t_s"] for line in lines] == [60.0 * number for number in range(16)]
    assert {line["decisions"][0]["action"] for line in lines} == {"hold"}


def test_settings_come_from_a_file_or_from_the_home(automate: Automate, tmp_path: Path) -> None:
    plan = {"isolation": "process", "scale_min": 5, "scale_max": 40}
    file = configure(tmp_path / "home", streams={"fleet": plan}, scaling={"high": 0.7})
    by_home = automate("scaling", "simulate", RUSH, home=tmp_path / "home")
    by_file = automate("scaling", "simulate", RUSH, "--settings", str(file), home=tmp_path / "nowhere")
    assert by_home.out == by_file.out
    assert "above 70 %" in by_home.out


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--settings", '{"scaling": {"low": 0.79}}'], 78, "--settings: $.scaling.low: expected at most"),
        (["--settings", "{"], 78, "--settings: "),
        (["--settings", "nowhere.json"], 66, "nowhere.json: there is no such file"),
        (["--min", "9", "--max", "3"], 78, "scale_min: expected at most scale_max (3), found 9"),
    ],
)
def test_settings_that_cannot_be_used_are_named(
    automate: Automate, tmp_path: Path, arguments: list[str], status: int, said: str
) -> None:
    ended = automate("scaling", "simulate", RUSH, *arguments, home=tmp_path)
    assert (ended.status, said in ended.err) == (status, True), ended.err


def test_a_file_that_is_no_trace_is_named_with_its_line(automate: Automate, tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    file.write_text(json.dumps({"t_s": 0, "cpu": 85}))
    ended = automate("scaling", "simulate", str(file), home=tmp_path)
    assert ended.status == 65
    assert "line 1" in ended.err
    assert "85 % is 0.85" in ended.err
    file.write_text(json.dumps({"t_s": 0, "cpu": 0.85}))
    assert "it names no stream" in automate("scaling", "simulate", str(file), home=tmp_path).err
