from __future__ import annotations

import io
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.orchestrator.access.cli.conftest import BOOKED_BEFORE, Automate


def test_status_fits_on_one_screen_and_says_what_counts(automate: Automate, home: Path) -> None:
    told = automate("status", home=home)
    assert told.status == 0
    lines = told.out.splitlines()
    assert len(lines) <= 24
    fields = {line[:11].strip(): line[11:].strip() for line in lines}
    assert fields["automate"].startswith("running for ")
    assert fields["mode"] == "sandbox"
    assert re.fullmatch(r"2 api_services  paper 4\.6\d* USD", fields["by stream"])
    assert "not real money" in fields["paper book"]
    assert fields["live book"] == "nothing yet"
    assert fields["far sides"] == "none"
    assert fields["home"] == str(home)
    assert fields["log"] == f"{home}/log/automate.jsonl"


def test_status_as_json_is_the_answer_of_the_method(automate: Automate, home: Path) -> None:
    told = automate("status", "--json", home=home)
    assert len(told.out.splitlines()) == 1
    document = told.document
    assert document["state"] == "running"
    assert document["instances"]["total"] == 2
    assert document["books"]["paper"].keys() == {"USD"}
    assert Decimal(document["books"]["paper"]["USD"]) >= BOOKED_BEFORE * Decimal("0.002")


def test_ping_tells_the_version_and_how_long_it_took(automate: Automate, home: Path) -> None:
    assert automate("ping", home=home).out.startswith("the daemon ")
    assert automate("ping", "--json", home=home).document["pong"] is True


def test_the_tree_is_indented_and_names_every_actor(automate: Automate, home: Path) -> None:
    lines = automate("tree", home=home).out.splitlines()
    assert lines[0].startswith("/ running Supervisor")
    assert "├── ledger running Ledger" in lines[1]
    assert any(line.startswith("│   ├── api_services-001 running Instance") for line in lines)
    assert any(line.startswith("│   └── api_services-002 running Instance") for line in lines)
    assert lines[-1].startswith("└── ")
    document = automate("tree", "--json", home=home).document
    assert len(lines) == count(document)


def count(actor: Any) -> int:
    return 1 + sum(count(child) for child in actor["children"])


def test_call_prints_the_result_of_any_method(automate: Automate, home: Path) -> None:
    assert automate("call", "system.ping", home=home).document["pong"] is True
    assert automate("call", "fleet.get", '{"id": "api_services-002"}', home=home).document["id"] == "api_services-002"
    assert automate("call", "config.get", '["fleet"]', home=home).document["chaos"] is True


def test_call_reads_its_parameters_from_standard_input(
    automate: Automate, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps({"id": "api_services-001"})))
    assert automate("call", "fleet.get", "-", home=home).document["id"] == "api_services-001"


@pytest.mark.parametrize("params", ["{", "7", '"text"', "[" * 100_000])
def test_call_refuses_what_are_no_parameters(params: str, automate: Automate, home: Path) -> None:
    told = automate("call", "fleet.get", params, home=home)
    assert told.status == 64
    assert "Invalid value" in told.err


def test_the_daemons_refusals_are_told_in_words(automate: Automate, home: Path) -> None:
    unknown = automate("call", "fleet.lst", home=home)
    assert unknown.status == 64
    assert "did you mean 'fleet.list'?" in unknown.err
    wrong = automate("call", "fleet.list", '{"stat": "ready"}', home=home)
    assert wrong.status == 64
    assert "$.stat: expected one of stream, state, limit, cursor" in wrong.err
    assert automate("call", "fleet.get", '{"id": "nobody"}', home=home).status == 66


def test_a_call_that_takes_too_long_ends_with_75(automate: Automate, home: Path) -> None:
    told = automate("call", "ledger.verify", "--timeout", "0.001", home=home)
    assert told.status == 75
    assert "did not answer" in told.err


def test_reload_rereads_the_configuration(automate: Automate, home: Path) -> None:
    told = automate("reload", home=home)
    assert (told.status, told.out) == (0, "")
    assert "reread" in told.err


def test_a_configuration_that_is_wrong_is_not_reread(automate: Automate, home: Path) -> None:
    file = home / "config" / "recovery_config.json"
    former = file.read_bytes()
    file.write_text('{"max_retries": "often"}')
    try:
        told = automate("reload", home=home)
    finally:
        file.write_bytes(former)
    assert told.status == 78
    assert f"{file}: $.max_retries: expected an integer" in told.err
    assert automate("config", "show", "recovery", home=home).document["max_retries"] == 3
