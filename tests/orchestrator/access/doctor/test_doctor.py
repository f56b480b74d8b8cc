"""Each check finds what was broken for it, and says what to do."""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import sqlite3
import time
from collections import namedtuple
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from config.paths import resolve_home
from orchestrator.access.doctor import books, configuration, examination, fleet, home, machine, ports, service
from orchestrator.access.doctor.examination import CHECKS, examine
from orchestrator.access.doctor.finding import Case, Finding
from orchestrator.money.store import Store
from tests.orchestrator.money.bookings import api_call, write

NOTHING_LEFT = namedtuple("NOTHING_LEFT", "total used free")


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """A home as a daemon leaves it, with a valid configuration and one stream."""
    paths = resolve_home(str(tmp_path / "home"), {})
    paths.create()
    _configure(paths.config / "fleet_config.json", port_base=_free_port())
    return Case(paths)


def _configure(file: Path, **fleet: Any) -> None:
    fleet.setdefault("streams", {"api_services": {"count": 2}})
    file.write_text(json.dumps(fleet))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return min(port, 60_000)


def _only(check: Callable[[Case], Iterator[Finding]], case: Case) -> Finding:
    (finding,) = check(case)
    return finding


def _configured(case: Case) -> Case:
    assert _only(configuration.configuration, case).level == "ok"
    return case


def test_a_home_that_is_as_it_should_be_has_no_problem(case: Case) -> None:
    findings = list(examine(case))
    assert [finding for finding in findings if finding.level == "problem"] == []
    assert {"python", "home", "daemon", "configuration", "streams", "ports", "disk", "ledger"} <= {
        finding.check for finding in findings
    }
    assert all(finding.remedy for finding in findings if finding.level != "ok")


def test_a_home_that_does_not_exist_yet_has_no_problem_and_is_not_made(tmp_path: Path) -> None:
    case = Case(resolve_home(str(tmp_path / "new"), {}))
    assert [finding.what for finding in examine(case) if finding.level == "problem" and finding.check == "home"] == []
    assert not (tmp_path / "new").exists()


def test_what_is_open_to_others_is_found_with_the_command_that_closes_it(case: Case) -> None:
    case.paths.secrets.chmod(0o755)
    case.paths.env_file.write_text("A=1\n")
    case.paths.env_file.chmod(0o644)
    remedies = {finding.remedy for finding in home.permissions(case)}
    assert remedies == {f"chmod 700 {case.paths.secrets}", f"chmod 600 {case.paths.env_file}"}


def test_the_socket_of_a_daemon_that_was_killed_is_told_from_one_that_listens(case: Case) -> None:
    path = case.paths.control_socket
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        assert list(home.control_socket(case)) == []
    assert "left by a daemon that is dead" in _only(home.control_socket, case).what
    path.unlink()
    assert _only(home.control_socket, case).what == "it does not run"
    path.write_text("")
    assert _only(home.control_socket, case).level == "problem"


def test_a_wrong_configuration_is_told_fault_by_fault_and_the_rest_is_still_looked_at(case: Case) -> None:
    _configure(case.paths.config / "fleet_config.json", port_bass=1, mode="both")
    findings = list(examine(case))
    wrong = [finding.what for finding in findings if finding.check == "configuration"]
    assert any("$.port_bass" in what and "port_base" in what for what in wrong)
    assert any("$.mode" in what for what in wrong)
    assert "disk" in {finding.check for finding in findings}


def test_chaos_with_real_money_is_a_problem(case: Case) -> None:
    _configure(case.paths.config / "fleet_config.json", mode="live", chaos=True)
    assert "real money" in _only(configuration.live, _configured(case)).what


def test_a_port_that_another_program_has_is_told_with_its_name(case: Case) -> None:
    with socket.socket() as thief:
        thief.bind(("127.0.0.1", 0))
        thief.listen()
        taken = thief.getsockname()[1]
        _configure(
            case.paths.config / "fleet_config.json", gateway_port=taken, port_base=20_000 if taken > 30_000 else 40_000
        )
        finding = _only(ports.ports, _configured(case))
        assert finding.level == "problem"
        assert finding.what.startswith(f"{taken}, the gateway's, is taken by ")
        assert f"(pid {os.getpid()})" in finding.what
        # The daemon's own ports are no theft.
        case.status = {"pid": os.getpid()}
        assert _only(ports.ports, case).level == "ok"


def test_a_disk_that_is_nearly_full_is_a_problem(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: NOTHING_LEFT(2**40, 2**40, 2**20))
    finding = next(machine.disk(case))
    assert finding.level == "problem"
    assert "nothing can be booked" in finding.remedy


def test_a_limit_on_open_files_that_the_fleet_exceeds_is_a_problem(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 256))
    finding = _only(machine.open_files, _configured(case))
    assert (finding.level, "LimitNOFILE=272" in finding.remedy) == ("problem", True)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, resource.RLIM_INFINITY))
    assert _only(machine.open_files, case).level == "ok"


def test_a_clock_that_went_back_is_found_by_what_was_written_before(case: Case) -> None:
    case.paths.log_file.write_text("")
    assert _only(machine.clock, case).level in ("ok", "note")
    later_s = time.time() + 3600
    os.utime(case.paths.log_file, (later_s, later_s))
    finding = _only(machine.clock, case)
    assert finding.level == "problem"
    assert "the clock went back" in finding.what


def test_books_are_verified_where_that_is_quick(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _only(books.ledger, case).what == "there are no books yet"
    store = Store(case.paths.ledger)
    store.open()
    write(store, *(api_call(n) for n in range(1, 4)))
    store.close()
    assert _only(books.ledger, case).what.startswith("3 transactions, verified")
    monkeypatch.setattr(books, "QUICKLY", 2)
    finding = _only(books.ledger, case)
    assert (finding.level, "automate ledger verify" in finding.remedy) == ("note", True)
    case.verifies = True
    assert _only(books.ledger, case).level == "ok"


def test_books_that_were_tampered_with_are_a_problem(case: Case) -> None:
    store = Store(case.paths.ledger)
    store.open()
    write(store, *(api_call(n) for n in range(1, 4)))
    store.close()
    with sqlite3.connect(case.paths.ledger) as thief:
        thief.execute("DROP TRIGGER transactions_no_update")
        thief.execute("UPDATE transactions SET memo = 'mine' WHERE sequence = 2")
    thief.close()
    assert "not as it was booked" in _only(books.ledger, case).what
    case.paths.ledger.write_bytes(b"no ledger" * 1000)
    assert _only(books.ledger, case).level == "problem"


def test_a_stream_that_lacks_something_is_found(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    _configure(case.paths.config / "fleet_config.json", streams={"crypto_arbitrage": {"count": 1}})
    _configured(case)
    monkeypatch.setattr(configuration, "find_spec", lambda _: None)
    finding = _only(configuration.extras, case)
    assert "needs ccxt" in finding.what
    assert "pip install 'automate-everything[arbitrage]'" in finding.remedy
    broken = EntryPoint("crypto_arbitrage", "no.such.module:Stream", "automate.streams")
    monkeypatch.setattr(configuration, "entry_points", lambda **_: (broken,))
    assert "ModuleNotFoundError" in next(configuration.extras(case)).what
    monkeypatch.setattr(configuration, "entry_points", lambda **_: ())
    assert "no stream of that name is installed" in next(configuration.extras(case)).what


def test_alerts_with_an_address_need_a_secret_that_is_one_and_it_is_not_shown(case: Case) -> None:
    file = case.paths.config / "fleet_config.json"
    assert list(configuration.secrets(_configured(case))) == []
    _configure(file, health={"webhook_url": "https://alerts.example/", "webhook_secret": "MINE"})
    assert "MINE, which signs them, is not set" in _only(configuration.secrets, _configured(case)).what
    for text, level in (("MINE=oops!", "problem"), ("MINE=whsec_" + "YW5vdGhlciBzZWNyZXQgdGhhdCBpcyBsb25n", "ok")):
        case.paths.env_file.write_text(text + "\n")
        finding = _only(configuration.secrets, case)
        assert finding.level == level
        assert text.partition("=")[2] not in finding.what + finding.remedy
    case.paths.env_file.write_bytes(b"\xff")
    assert _only(configuration.secrets, case).level == "problem"


@pytest.mark.parametrize(
    ("state", "level", "remedy"),
    [
        ("LoadState=loaded\nActiveState=failed\nSubState=failed\nNRestarts=5", "problem", "reset-failed"),
        ("LoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=disabled", "note", "enable"),
        ("LoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled", "ok", ""),
        ("LoadState=not-found", "note", "automate service install"),
    ],
)
def test_what_systemd_says_of_the_unit_is_told(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str, level: str, remedy: str
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "systemctl").write_text(f"#!/bin/sh\ncat <<END\n{state}\nEND\n")
    (tools / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setattr(service, "RUNNING", tmp_path)
    finding = _only(service.systemd, case)
    assert finding.level == level
    assert remedy in finding.remedy


def test_open_incidents_and_alerts_that_do_not_arrive_are_problems(case: Case) -> None:
    case.status = {"services": {"up": 11, "total": 12}, "pid": 1}
    incident = {"kind": "instance", "name": "stall-001", "began_at": "2026-01-01T12:00:00Z", "detail": "halted"}
    case.report = {
        "well": 3,
        "open_incidents": 13,
        "incidents": [{**incident, "symptom": symptom} for symptom in ("not_ready", "failed", "unanswered")],
        "webhook": {"problem": "it was answered with 500"},
    }
    told = [(finding.check, finding.what) for finding in fleet.fleet(case)]
    assert told == [
        ("services", "11 of 12 are up"),
        ("health", "stall-001 is not_ready since 2026-01-01 12:00:00 UTC: halted"),
        ("health", "stall-001 is failed since 2026-01-01 12:00:00 UTC: halted"),
        ("health", "stall-001 is unanswered since 2026-01-01 12:00:00 UTC: halted"),
        ("health", "3 more incidents are open"),
        ("health", "alerts do not arrive: it was answered with 500"),
    ]


@pytest.mark.parametrize(
    ("recovery", "ready", "level"),
    [
        ({}, 5, "ok"),
        ({}, 4, "note"),
        ({}, 0, "problem"),
        ({"backup_instances": 2}, 2, "ok"),
        ({"failover_enabled": False}, 0, None),
        ({"backup_instances": 0}, 0, None),
    ],
)
def test_a_pool_that_is_not_full_is_told_of(
    case: Case, recovery: dict[str, Any], ready: int, level: str | None
) -> None:
    (case.paths.config / "recovery_config.json").write_text(json.dumps(recovery))
    list(configuration.configuration(case))
    case.status = {
        "services": {"up": 12, "total": 12},
        "pid": 1,
        "instances": {"by_state": {"ready": 3} | ({"standby": ready} if ready else {})},
    }
    told = [finding for finding in fleet.fleet(case) if finding.check == "standbys"]
    assert [finding.level for finding in told] == ([level] if level else [])
    assert all("automate fleet standbys" in finding.remedy for finding in told if finding.level != "ok")


def test_a_check_that_fails_itself_is_told_of_and_keeps_no_other_from_being_made(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_check(case: Case) -> Iterator[Finding]:
        raise PermissionError(13, "not for you")
        yield

    monkeypatch.setattr(examination, "CHECKS", (broken_check, *CHECKS))
    first, *rest = examine(case)
    assert (first.check, first.level) == ("broken check", "problem")
    assert "not for you" in first.what
    assert len(rest) >= 10
