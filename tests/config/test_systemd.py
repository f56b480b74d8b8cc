from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from config.systemd import render_unit

ANALYZE = shutil.which("systemd-analyze")
AUTOMATE = Path("/opt/automate/bin/automate")


def values(unit: str, key: str) -> list[str]:
    return [line.partition("=")[2] for line in unit.splitlines() if line.partition("=")[0] == key]


def test_the_system_wide_unit_is_supervised_and_hardened() -> None:
    unit = render_unit(AUTOMATE, user="automate", stop_deadline_s=20)
    for line in (
        "Type=notify",
        "WatchdogSec=30",
        "Restart=on-failure",
        "RestartPreventExitStatus=78",
        "ExecStart=/opt/automate/bin/automate run",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "StateDirectory=automate",
        "RuntimeDirectory=automate",
        "RuntimeDirectoryMode=0750",
        "LogsDirectory=automate",
        "ConfigurationDirectory=automate",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "ProtectHome=yes",
        "PrivateTmp=yes",
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
        "CapabilityBoundingSet=",
        "User=automate",
        "UMask=0077",
        "WantedBy=multi-user.target",
    ):
        assert line in unit.splitlines()


@pytest.mark.parametrize(("deadline_s", "stop_s"), [(20, "35"), (0.5, "16"), (600, "615")])
def test_systemd_waits_longer_than_the_daemon_itself(deadline_s: float, stop_s: str) -> None:
    unit = render_unit(AUTOMATE, user=None, stop_deadline_s=deadline_s)
    assert values(unit, "TimeoutStopSec") == [stop_s]


@pytest.mark.parametrize("user", ["automate", None])
def test_nothing_hides_the_users_behind_the_control_socket(user: str | None) -> None:
    unit = render_unit(AUTOMATE, user=user, stop_deadline_s=20)
    assert values(unit, "PrivateUsers") == []


def test_a_unit_of_ones_own_needs_no_rights_and_no_namespace() -> None:
    unit = render_unit(AUTOMATE, user=None, stop_deadline_s=20)
    for key in ("User", "CapabilityBoundingSet", "ProtectSystem", "PrivateTmp", "StateDirectory"):
        assert values(unit, key) == []
    assert values(unit, "WantedBy") == ["default.target"]
    assert values(unit, "NoNewPrivileges") == ["yes"]


def test_a_home_of_ones_own_replaces_systemds_directories() -> None:
    unit = render_unit(AUTOMATE, user="automate", stop_deadline_s=20, home=Path("/srv/my $5 100%"))
    assert values(unit, "ExecStart") == ['/opt/automate/bin/automate run --home "/srv/my $$5 100%%"']
    assert values(unit, "ReadWritePaths") == ['"/srv/my $5 100%%"']
    assert values(unit, "StateDirectory") == []


def test_a_checkout_under_home_stays_readable() -> None:
    unit = render_unit(Path("/home/ann/a/.venv/bin/automate"), user="ann", stop_deadline_s=20)
    assert values(unit, "ProtectHome") == ["read-only"]


@pytest.mark.parametrize(
    ("automate", "user", "reason"),
    [
        (Path("bin/automate"), None, "no absolute path"),
        (Path("/opt/a\nExecStartPre=/bin/sh"), None, "no absolute path"),
        (Path("/tmp/a/bin/automate"), "automate", "install elsewhere"),
        (AUTOMATE, "a\nUser=root", "no name of a system user"),
        (AUTOMATE, "", "no name of a system user"),
    ],
)
def test_what_a_unit_cannot_hold_is_refused(automate: Path, user: str | None, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        render_unit(automate, user=user, stop_deadline_s=20)


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("home", [None, Path("/srv/a home")])
@pytest.mark.parametrize("user", ["root", None])
def test_systemd_finds_nothing_wrong(tmp_path: Path, user: str | None, home: Path | None) -> None:
    unit = tmp_path / "automate.service"
    # A command that exists on every machine: that of this environment may not be installed yet.
    unit.write_text(render_unit(Path("/bin/true"), user=user, stop_deadline_s=20, home=home))
    assert ANALYZE is not None
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    verified = subprocess.run(
        [ANALYZE, "verify", "--man=no", "--user" if user is None else "--system", str(unit)],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "XDG_RUNTIME_DIR": str(runtime)},
    )
    assert verified.returncode == 0, verified.stderr
    assert "automate.service" not in verified.stderr, verified.stderr
