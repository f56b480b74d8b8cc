from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from config.errors import HomeError
from config.paths import SOCKET_PATH_MAX_BYTES, Paths, resolve_home, system_service_paths

SYSTEMD = {
    "STATE_DIRECTORY": "/var/lib/automate",
    "CONFIGURATION_DIRECTORY": "/etc/automate",
    "LOGS_DIRECTORY": "/var/log/automate",
    "RUNTIME_DIRECTORY": "/run/automate",
}


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_layout_is_the_contract() -> None:
    paths = resolve_home("/srv/a", {})
    assert {name: str(getattr(paths, name)) for name in Paths.__struct_fields__} == {
        "home": "/srv/a",
        "config": "/srv/a/config",
        "backups": "/srv/a/config/backups",
        "env_file": "/srv/a/.env",
        "run": "/srv/a/run",
        "control_socket": "/srv/a/run/control.sock",
        "log": "/srv/a/log",
        "log_file": "/srv/a/log/automate.jsonl",
        "state": "/srv/a/state",
        "ledger": "/srv/a/state/ledger.sqlite3",
        "checkpoints": "/srv/a/state/checkpoints",
        "secrets": "/srv/a/state/secrets",
        "instances": "/srv/a/instances",
        "reports": "/srv/a/reports",
    }


def test_the_option_beats_the_variable_and_both_beat_systemd_checkout_and_xdg() -> None:
    environ = {**SYSTEMD, "AUTOMATE_HOME": "/b", "HOME": "/home/x", "XDG_STATE_HOME": "/xdg"}
    assert resolve_home("/a", environ, Path("/c")) == resolve_home("/a", {})
    assert resolve_home(None, environ, Path("/c")) == resolve_home("/b", {})


def test_an_empty_variable_is_as_if_it_were_not_set() -> None:
    assert resolve_home(None, {"AUTOMATE_HOME": "", "STATE_DIRECTORY": ""}, Path("/c")).home == Path("/c/var")


def test_systemd_places_each_part() -> None:
    paths = resolve_home(None, {**SYSTEMD, "HOME": "/"}, Path("/c"))
    assert str(paths.ledger) == "/var/lib/automate/state/ledger.sqlite3"
    assert str(paths.instances) == "/var/lib/automate/instances"
    assert str(paths.config) == "/etc/automate"
    assert str(paths.backups) == "/etc/automate/backups"
    assert str(paths.env_file) == "/etc/automate/.env"
    assert str(paths.log_file) == "/var/log/automate/automate.jsonl"
    assert str(paths.control_socket) == "/run/automate/control.sock"
    assert system_service_paths() == paths


def test_what_systemd_does_not_place_stays_where_it_would_be() -> None:
    paths = resolve_home(None, {"RUNTIME_DIRECTORY": "/run/user/7/automate:/run/user/7/other", "HOME": "/h"})
    assert str(paths.run) == "/run/user/7/automate"
    assert str(paths.home) == "/h/.local/state/automate"
    assert str(paths.config) == "/h/.config/automate"
    alone = resolve_home(None, {"STATE_DIRECTORY": "/var/lib/automate", "HOME": "/h"})
    assert alone == resolve_home("/var/lib/automate", {})


def test_the_script_keeps_everything_in_var_of_the_checkout() -> None:
    assert resolve_home(None, {"HOME": "/h"}, Path("/src/project")) == resolve_home("/src/project/var", {})


def test_the_command_keeps_everything_in_the_xdg_directories() -> None:
    paths = resolve_home(
        None,
        {
            "HOME": "/h",
            "XDG_STATE_HOME": "/s",
            "XDG_CONFIG_HOME": "/c",
            "XDG_RUNTIME_DIR": "/run/user/7",
        },
    )
    assert str(paths.home) == "/s/automate"
    assert str(paths.config) == "/c/automate"
    assert str(paths.env_file) == "/c/automate/.env"
    assert str(paths.control_socket) == "/run/user/7/automate/control.sock"


def test_a_relative_xdg_directory_is_ignored() -> None:
    paths = resolve_home(None, {"HOME": "/h", "XDG_STATE_HOME": "s", "XDG_RUNTIME_DIR": "r"})
    assert str(paths.control_socket) == "/h/.local/state/automate/run/control.sock"


def test_a_relative_home_is_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve_home("a/../b", {}).home == tmp_path / "b"


def test_the_home_of_a_user_that_does_not_exist_is_refused() -> None:
    with pytest.raises(HomeError, match="give the path in full"):
        resolve_home("~nobody-has-this-name/a", {})


def test_a_path_that_a_socket_cannot_have_is_refused_with_the_remedy() -> None:
    longest = "/" + "é" * ((SOCKET_PATH_MAX_BYTES - len("/run/control.sock") - 1) // 2)
    assert len(os.fsencode(resolve_home(longest, {}).control_socket)) in {106, 107}
    with pytest.raises(HomeError, match=r"takes 107: .*shorter directory with --home .* at most 90 bytes"):
        resolve_home(longest + "é", {})


def test_the_longest_path_that_is_let_through_can_be_bound(tmp_path: Path) -> None:
    import socket

    room = 90 - len(os.fsencode(tmp_path)) - 1
    if room < 1:
        pytest.skip("the temporary directory's own path is too long")
    paths = resolve_home(str(tmp_path / ("x" * room)), {})
    paths.create()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(paths.control_socket))
    assert len(os.fsencode(paths.control_socket)) == SOCKET_PATH_MAX_BYTES


def test_directories_are_made_for_the_owner_alone(tmp_path: Path) -> None:
    paths = resolve_home(str(tmp_path / "deep" / "home"), {})
    before = os.umask(0)
    try:
        paths.create()
    finally:
        os.umask(before)
    directories = [paths.home, *(path for path in paths.home.rglob("*") if path.is_dir())]
    assert {str(path.relative_to(paths.home)): mode_of(path) for path in directories} == {
        ".": 0o700,
        "config": 0o700,
        "config/backups": 0o700,
        "run": 0o750,
        "log": 0o700,
        "state": 0o700,
        "state/checkpoints": 0o700,
        "state/secrets": 0o700,
        "instances": 0o700,
        "reports": 0o700,
    }


def test_run_can_be_reached_by_its_group_under_any_umask(tmp_path: Path) -> None:
    paths = resolve_home(str(tmp_path / "home"), {})
    before = os.umask(0o077)
    try:
        paths.create()
    finally:
        os.umask(before)
    assert mode_of(paths.run) == 0o750


def test_directories_that_are_too_open_are_tightened(paths: Paths) -> None:
    for directory in (paths.home, paths.run, paths.config, paths.secrets):
        directory.chmod(0o777)
    paths.create()
    assert [mode_of(path) for path in (paths.home, paths.run, paths.config, paths.secrets)] == [
        0o710,
        0o750,
        0o700,
        0o700,
    ]


def test_directories_that_are_tighter_stay_so(paths: Paths) -> None:
    paths.run.chmod(0o700)
    paths.create()
    assert mode_of(paths.run) == 0o700


def test_a_group_that_is_admitted_reaches_run_and_sees_nothing_else(paths: Paths) -> None:
    group = os.getgid()
    paths.admit_group(group)
    assert (mode_of(paths.home), mode_of(paths.run)) == (0o710, 0o750)
    assert (paths.home.stat().st_gid, paths.run.stat().st_gid) == (group, group)
    paths.create()
    assert (mode_of(paths.home), mode_of(paths.run)) == (0o710, 0o750)
    assert mode_of(paths.state) == 0o700


def test_a_directory_that_everyone_shares_is_refused_and_left_alone(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    with pytest.raises(HomeError, match="shared by all users"):
        resolve_home(str(shared), {}).create()
    assert mode_of(shared) == 0o1777
    with pytest.raises(HomeError, match="more than this daemon"):
        resolve_home("/", {}).create()


def test_a_file_in_the_place_of_a_directory_is_told(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "state").write_bytes(b"")
    with pytest.raises(HomeError, match=r"home/state cannot be made a directory of mode 700: File exists"):
        resolve_home(str(tmp_path / "home"), {}).create()


def test_resolving_touches_nothing(tmp_path: Path) -> None:
    resolve_home(str(tmp_path / "home"), {})
    assert list(tmp_path.iterdir()) == []
