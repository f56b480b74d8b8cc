from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.orchestrator.access.cli.conftest import Automate, finish, start

FIRST = "api_services-001"


@pytest.fixture
def resting(home: Path, tmp_path: Path) -> Path:
    """The same log where no daemon runs."""
    (tmp_path / "log").mkdir()
    shutil.copy(home / "log" / "automate.jsonl", tmp_path / "log")
    return tmp_path


@pytest.fixture(params=["running", "resting"])
def logged(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue("home" if request.param == "running" else "resting")
    return found


def test_the_log_comes_as_json_lines_in_a_pipe(automate: Automate, logged: Path) -> None:
    told = automate("logs", "-n", "5", home=logged)
    assert told.status == 0
    assert len(told.lines) == 5
    assert all(line.keys() >= {"timestamp", "level", "event", "logger"} for line in told.lines)
    assert told.err == ""


def test_lines_are_as_they_were_written(automate: Automate, logged: Path) -> None:
    shown = automate("logs", "-n", "10", home=logged).out
    assert len(shown.splitlines()) == 10
    assert shown in (logged / "log" / "automate.jsonl").read_text()


def test_the_log_can_be_narrowed(automate: Automate, logged: Path) -> None:
    of_one = automate("logs", "--instance", FIRST, "-n", "1000", home=logged).lines
    assert of_one
    assert {line["instance"] for line in of_one} == {FIRST}
    everything = automate("logs", "-n", "10000", home=logged).lines
    errors = automate("logs", "-n", "10000", "--level", "error", home=logged).lines
    assert errors == [line for line in everything if line["level"] in ("error", "critical")]
    assert automate("logs", "--level", "loud", home=logged).status == 64
    assert automate("logs", "-n", "10001", home=logged).status == 64


def test_no_log_at_all_is_nothing_to_show(automate: Automate, tmp_path: Path) -> None:
    told = automate("logs", home=tmp_path)
    assert (told.status, told.out) == (0, "")


def test_following_shows_what_is_logged_from_then_on(automate: Automate, home: Path) -> None:
    process = start(home, "logs", "-f", "-n", "1")
    assert process.stdout is not None
    process.stdout.readline()
    automate("reload", home=home)
    try:
        for line in process.stdout:
            if json.loads(line)["event"] == "config.reloaded":
                break
        else:
            raise AssertionError(finish(process))
    finally:
        process.terminate()
        finish(process)


def test_events_come_as_json_lines_and_end_with_the_count(automate: Automate, home: Path) -> None:
    process = start(home, "events", "instance.paused", "instance.resumed", "--count", "2")
    while process.poll() is None:
        automate("fleet", "pause", FIRST, home=home)
        automate("fleet", "resume", FIRST, home=home)
    ended = finish(process)
    assert ended.status == 0
    assert [event["event"] for event in ended.lines] in (
        ["instance.paused", "instance.resumed"],
        ["instance.resumed", "instance.paused"],
    )
    assert all(event["instance"] == FIRST and event["timestamp"].endswith("Z") for event in ended.lines)
