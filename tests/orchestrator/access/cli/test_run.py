from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.orchestrator.access.cli.conftest import Automate, configure, finish, start, wait_until_up


def test_a_daemon_runs_from_its_first_line_to_its_last(automate: Automate, tmp_path: Path) -> None:
    """Start, see, be refused a second one, choose, stop; then the books without it."""
    configure(tmp_path, sandbox_calls_per_minute=600)
    flags = ["--stream", "api_services=1", "--mode", "sandbox", "--service", "deployment_manager"]
    process = start(tmp_path, "run", "--profile", "custom", *flags)
    wait_until_up(tmp_path, process)
    assert json.loads((tmp_path / "config" / "unified_dashboard_config.json").read_text())["services"] == [
        "deployment_manager"
    ]

    second = automate("run", home=tmp_path)
    assert second.status == 75
    assert f"already runs in {tmp_path}" in second.err

    event = finish(start(tmp_path, "events", "ledger.booked", "-n", "1"))
    assert event.lines[0]["amounts"].keys() == {"USD"}

    watching = start(tmp_path, "events", "nothing.of.this.name")
    stopped = automate("stop", home=tmp_path)
    assert stopped.status == 0
    assert "the daemon stopped after" in stopped.err
    ended = finish(process)
    assert ended.status == 0
    assert "daemon.stopping" in ended.err
    assert "Traceback" not in ended.err
    assert finish(watching).status in (69, 1)  # 1: it asked while the daemon was already stopping

    entries = automate("ledger", "entries", "--json", "--all", home=tmp_path).lines
    assert event.lines[0]["transaction"] in {entry["id"] for entry in entries}
    assert automate("ledger", "verify", home=tmp_path).status == 0
    assert automate("stop", home=tmp_path).status == 69


def test_ctrl_c_stops_the_daemon_in_order_and_the_status_is_0(tmp_path: Path) -> None:
    configure(tmp_path)
    process = start(tmp_path, "run", "--log-level", "warning")
    wait_until_up(tmp_path, process)
    process.send_signal(signal.SIGINT)
    ended = finish(process)
    assert ended.status == 0
    assert ended.err == ""  # nothing to warn of


def test_a_daemon_that_is_asked_to_stop_without_waiting_stops(automate: Automate, tmp_path: Path) -> None:
    configure(tmp_path)
    process = start(tmp_path, "run", "--log-level", "critical")
    wait_until_up(tmp_path, process)
    assert automate("stop", "--no-wait", home=tmp_path).err == "the daemon was asked to stop\n"
    assert finish(process).status == 0


@pytest.mark.parametrize("profile", ["full", "test", "custom"])
def test_a_configuration_that_is_wrong_ends_with_78_and_changes_nothing(
    profile: str, automate: Automate, tmp_path: Path
) -> None:
    file = configure(tmp_path, port_base="eight thousand", mod="live")
    before = file.read_bytes()
    told = automate("run", "--profile", profile, *(["--yes"] if profile == "custom" else []), home=tmp_path)
    assert (told.status, told.out) == (78, "")
    assert f"{file}: $.port_base: expected an integer" in told.err
    assert 'nearest known: "mode"' in told.err
    assert "Traceback" not in told.err
    assert [found.name for found in (tmp_path / "config").iterdir() if found.is_file()] == [file.name]
    assert file.read_bytes() == before


def test_a_home_that_cannot_be_one_ends_with_78(automate: Automate, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told = automate("run", home=tmp_path / "file")
    assert told.status == 78
    assert "Traceback" not in told.err


def test_a_log_level_that_is_none_ends_with_78(
    automate: Automate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOMATE_LOG_LEVEL", "loud")
    told = automate("run", home=tmp_path)
    assert told.status == 78
    assert "AUTOMATE_LOG_LEVEL" in told.err


def test_the_test_profile_prints_a_table_and_ends_with_0(tmp_path: Path) -> None:
    file = configure(tmp_path, mode="live")
    ended = finish(start(tmp_path, "run", "--profile", "test", "--log-level", "error"))
    assert ended.status == 0, ended
    heading, *rows, verdict = ended.out.splitlines()
    assert heading.split()[:4] == ["instance", "stream", "port", "bookings"]
    assert [row.split()[0] for row in rows] == [f"api_services-{n:03}" for n in range(1, 6)]
    assert all(int(row.split()[3]) >= 1 and "USD" in row for row in rows)
    assert verdict.startswith("every instance has booked, and the ledger holds: ")
    assert ended.err == ""
    assert json.loads(file.read_text())["streams"]["api_services"]["count"] == 1
    assert json.loads(file.read_text())["mode"] == "live"
