from __future__ import annotations

import io
import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from config.fleet import Fleet, StreamPlan, multipliers_of
from config.sections import default_settings
from orchestrator.access.cli.custom import Choices, applied
from tests.orchestrator.access.cli.conftest import COMMAND, Automate, configure, environment

SETTINGS = default_settings(multipliers_of(["api_services", "affiliate_marketing"]))


def test_streams_that_are_not_chosen_get_no_instances_and_keep_their_settings() -> None:
    changed = applied(SETTINGS, Choices(streams={"api_services": 5}))
    assert changed.fleet.streams["api_services"] == StreamPlan(count=5, multiplier=3.0)
    assert changed.fleet.streams["affiliate_marketing"] == StreamPlan(count=0, multiplier=2.8)


def test_a_stream_that_the_file_did_not_name_comes_with_its_multiplier() -> None:
    changed = applied(SETTINGS, Choices(streams={"crypto_arbitrage": 1}))
    assert changed.fleet.streams["crypto_arbitrage"] == StreamPlan(count=1, multiplier=2.5)


def test_what_is_left_open_stays_as_it_is() -> None:
    assert applied(SETTINGS, Choices()) == SETTINGS
    changed = applied(SETTINGS, Choices(mode="live", port_base=9000, services=("deployment_manager",)))
    assert (changed.fleet.mode, changed.fleet.port_base) == ("live", 9000)
    assert changed.fleet.streams == SETTINGS.fleet.streams
    assert changed.unified_dashboard.services == ("deployment_manager",)


@pytest.mark.parametrize(
    "flags",
    [
        [],
        ["--stream", "api_services"],
        ["--stream", "api_services=-1"],
        ["--stream", "api_service=1"],
        ["--port-base", "0"],
        ["--mode", "dry"],
    ],
)
def test_without_a_terminal_flags_must_say_what_to_run(
    flags: list[str], automate: Automate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    told = automate("run", "--profile", "custom", *flags, home=tmp_path)
    assert told.status == 64, told.err
    assert list(tmp_path.iterdir()) == []


def test_flags_of_custom_are_refused_with_other_profiles(automate: Automate, tmp_path: Path) -> None:
    told = automate("run", "--stream", "api_services=1", "--yes", home=tmp_path)
    assert told.status == 64
    assert "--stream, --yes only with --profile custom" in told.err


def test_choices_that_are_not_valid_end_with_78_and_are_not_stored(automate: Automate, tmp_path: Path) -> None:
    file = configure(tmp_path)
    before = file.read_bytes()
    told = automate("run", "--profile", "custom", "--port-base", "65535", "--yes", home=tmp_path)
    assert told.status == 78
    assert "$.port_base" in told.err
    assert file.read_bytes() == before


def test_a_home_with_a_daemon_is_left_alone(automate: Automate, home: Path) -> None:
    before = (home / "config" / "fleet_config.json").read_bytes()
    told = automate("run", "--profile", "custom", "--stream", "api_services=9", home=home)
    assert told.status == 75
    assert "already runs" in told.err
    assert (home / "config" / "fleet_config.json").read_bytes() == before


def test_on_a_terminal_everything_is_asked_and_no_means_that_nothing_changes(tmp_path: Path) -> None:
    file = configure(tmp_path)
    before = file.read_bytes()
    ours, its = pty.openpty()
    try:
        process = subprocess.Popen(
            [*COMMAND, "run", "--profile", "custom"],
            env=environment(tmp_path),
            stdin=its,
            stdout=subprocess.DEVNULL,
            stderr=its,
        )
        shown = ""
        answers = {
            "Instances of affiliate_marketing [0]:": "",
            "Instances of api_services [1]:": "3",
            "Instances of content_monetization [0]:": "",
            "Instances of crypto_arbitrage [0]:": "2",
            "Instances of data_harvesting [0]:": "",
            "Mode": "",
            "Ports from": "9100",
            "Services": "",
            "start?": "n",
        }
        for question, answer in answers.items():
            while question not in shown:
                shown += os.read(ours, 4096).decode()
            shown = shown.partition(question)[2]
            os.write(ours, f"{answer}\n".encode())
        assert process.wait(20) == 1
    finally:
        os.close(ours)
        os.close(its)
    assert file.read_bytes() == before
    assert json.loads(before)["port_base"] != 9100


def test_the_default_fleet_is_what_the_tests_think_it_is() -> None:
    assert SETTINGS.fleet == Fleet(
        streams={"api_services": StreamPlan(multiplier=3.0), "affiliate_marketing": StreamPlan(multiplier=2.8)}
    )
