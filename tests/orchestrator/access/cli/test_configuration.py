from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from tests.orchestrator.access.cli.conftest import Automate, configure


def contents(home: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in home.rglob("*") if file.is_file()}


def test_without_a_daemon_the_files_are_shown_and_nothing_is_made(automate: Automate, tmp_path: Path) -> None:
    configure(tmp_path, chaos=True)
    before = contents(tmp_path)
    everything = automate("config", "show", home=tmp_path).document
    assert everything["fleet"]["chaos"] is True
    assert everything["recovery"]["max_retries"] == 3
    assert automate("config", "show", "fleet", home=tmp_path).document == everything["fleet"]
    assert contents(tmp_path) == before


def test_with_a_daemon_what_is_in_force_is_shown(automate: Automate, home: Path) -> None:
    assert automate("config", "show", "fleet", home=home).document["chaos"] is True
    assert automate("config", "show", home=home).document.keys() >= {"fleet", "recovery", "unified_dashboard"}


@pytest.mark.parametrize("command", [["show", "flet"], ["schema", "flet"], ["set", "flet", "{}"]])
def test_a_section_that_is_not_there_is_a_usage_error(command: list[str], automate: Automate, tmp_path: Path) -> None:
    told = automate("config", *command, home=tmp_path)
    assert told.status == 64
    assert 'nearest: "fleet"' in told.err


def test_valid_files_are_said_to_be(automate: Automate, tmp_path: Path) -> None:
    assert automate("config", "validate", home=tmp_path).status == 0
    assert automate("config", "validate", "--json", home=tmp_path).document == {"valid": True, "problems": []}


def test_every_problem_is_told_on_a_line_of_its_own_and_the_status_is_78(automate: Automate, tmp_path: Path) -> None:
    file = configure(tmp_path, chaos="yes", prot_base=1)
    before = contents(tmp_path)
    told = automate("config", "validate", home=tmp_path)
    assert (told.status, told.out) == (78, "")
    first, second = told.err.splitlines()
    assert first.startswith(f"{file}: $.chaos: expected true or false")
    assert "$.prot_base" in second
    assert second.endswith('nearest known: "port_base"')
    problems = automate("config", "validate", "--json", home=tmp_path).document["problems"]
    assert [problem["fault"]["path"] for problem in problems] == ["$.chaos", "$.prot_base"]
    assert automate("config", "show", home=tmp_path).status == 78
    assert automate("config", "set", "recovery", '{"max_retries": 5}', home=tmp_path).status == 78
    assert {name: data for name, data in contents(tmp_path).items() if "config" in name} == before


def test_the_schema_is_json_schema(automate: Automate) -> None:
    everything = automate("config", "schema").document
    assert everything["$schema"].startswith("https://json-schema.org/")
    assert len(everything["properties"]) == 6
    assert automate("config", "schema", "recovery").document["title"] == "recovery_config.json"


def test_a_change_without_a_daemon_is_stored_with_a_backup(automate: Automate, tmp_path: Path) -> None:
    file = configure(tmp_path)
    told = automate("config", "set", "fleet", '{"chaos": true}', "--json", home=tmp_path)
    assert told.document["chaos"] is True
    assert json.loads(file.read_text())["chaos"] is True
    assert [copy.name.partition(".")[0] for copy in (file.parent / "backups").iterdir()] == ["fleet_config"]


def test_a_change_with_a_daemon_is_in_force_at_once(
    automate: Automate, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('{"auto_test": false}'))
    told = automate("config", "set", "cicd_automation", "-", home=home)
    assert told.status == 0
    assert "in force" in told.err
    assert automate("config", "show", "cicd_automation", home=home).document["auto_test"] is False
    assert json.loads((home / "config" / "cicd_automation_config.json").read_text())["auto_test"] is False


def test_a_wrong_change_is_refused_with_78_and_changes_nothing(automate: Automate, home: Path, tmp_path: Path) -> None:
    for place in (home, tmp_path):
        before = automate("config", "show", "recovery", home=place).document
        told = automate("config", "set", "recovery", '{"max_retries": "often"}', home=place)
        assert told.status == 78
        assert "recovery_config.json: $.max_retries: expected an integer" in told.err
        assert automate("config", "show", "recovery", home=place).document == before
    assert automate("config", "set", "recovery", "{", home=home).status == 64


def test_places_are_told_together_or_one_by_one(automate: Automate, tmp_path: Path) -> None:
    places = automate("config", "path", "--json", home=tmp_path).document
    assert places["log_file"] == f"{tmp_path}/log/automate.jsonl"
    assert automate("config", "path", "ledger", home=tmp_path).out == f"{tmp_path}/state/ledger.sqlite3\n"
    assert f"control_socket  {tmp_path}/run/control.sock" in automate("config", "path", home=tmp_path).out
    assert automate("config", "path", "attic", home=tmp_path).status == 64


def test_a_home_that_is_too_long_for_a_socket_ends_with_78(automate: Automate, tmp_path: Path) -> None:
    told = automate("config", "path", home=tmp_path / ("x" * 120))
    assert told.status == 78
    assert "shorter" in told.err
