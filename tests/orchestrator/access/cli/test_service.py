from __future__ import annotations

from pathlib import Path

import pytest

from tests.orchestrator.access.cli.conftest import Automate, configure


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A systemctl that writes down how it is called, and fails where told to."""
    tools, called = tmp_path / "bin", tmp_path / "called"
    tools.mkdir()
    command = tools / "systemctl"
    command.write_text(
        f'#!/bin/sh\necho "$*" >>{called}\n[ ! -e {tmp_path}/broken ] || {{ echo "no bus" >&2; exit 1; }}\n'
    )
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    called.touch()
    return called


def unit_file(tmp_path: Path) -> Path:
    return tmp_path / "xdg" / "systemd" / "user" / "automate.service"


def test_the_unit_runs_this_command_in_the_home_that_is_named(automate: Automate, tmp_path: Path) -> None:
    configure(tmp_path, stop_deadline_s=42)
    told = automate("service", "unit", "--home", str(tmp_path))
    assert told.status == 0
    (command,) = [line for line in told.out.splitlines() if line.startswith("ExecStart=")]
    assert command.endswith(f"/automate run --home {tmp_path}")
    assert "TimeoutStopSec=57" in told.out


def test_a_unit_of_the_system_has_a_user(automate: Automate) -> None:
    told = automate("service", "unit", "--system", "automate")
    if told.status:  # where this checkout is itself: the unit's own /tmp and hidden /home would not show it
        assert told.status == 64
        assert "install elsewhere" in told.err
    else:
        assert "User=automate" in told.out
        assert "--home" not in told.out
    assert automate("service", "unit", "--system", "no such; user").status == 64


def test_installing_writes_the_unit_has_systemd_read_it_and_says_what_comes_next(
    automate: Automate, systemctl: Path, tmp_path: Path
) -> None:
    told = automate("service", "install", home=tmp_path / "home")
    assert told.status == 0, told.err
    file = unit_file(tmp_path)
    assert told.out == f"installed {file}\n"
    assert "next: systemctl --user enable --now automate.service" in told.err
    assert file.read_text() == automate("service", "unit", home=tmp_path / "home").out
    assert file.stat().st_mode & 0o777 == 0o644
    assert systemctl.read_text() == "--user daemon-reload\n"


def test_uninstalling_stops_the_service_and_removes_the_unit(
    automate: Automate, systemctl: Path, tmp_path: Path
) -> None:
    automate("service", "install")
    systemctl.write_text("")
    assert automate("service", "uninstall").status == 0
    assert not unit_file(tmp_path).exists()
    assert systemctl.read_text() == "--user disable --now automate.service\n--user daemon-reload\n"
    assert automate("service", "uninstall").status == 69


def test_a_systemctl_that_fails_is_told_of(automate: Automate, systemctl: Path, tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    told = automate("service", "install")
    assert told.status == 69
    assert "`systemctl --user daemon-reload` failed: no bus" in told.err


def test_without_systemctl_nothing_is_written(
    automate: Automate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    told = automate("service", "install")
    assert told.status == 69
    assert "there is no systemctl" in told.err
    assert not (tmp_path / "xdg").exists()
