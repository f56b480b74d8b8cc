"""Where everything of one daemon is kept."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import msgspec

from config.errors import HomeError

SOCKET_PATH_MAX_BYTES = 107
"""What fits into a Unix socket's address beside the zero byte at its end."""

_PRIVATE = 0o700
_REACHABLE = 0o710
_SHARED = 0o750

_Environ: TypeAlias = Mapping[str, str]


class Paths(msgspec.Struct, frozen=True):
    """All places; made by `resolve_home`.

    Attributes:
        home: The directory that holds everything that systemd has not placed elsewhere.
        config: The six configuration files.
        backups: Their former versions.
        env_file: Secrets, `KEY=VALUE`.
        run: What lives as long as the daemon.
        control_socket: The control socket.
        log: The daemon's logs.
        log_file: The log, JSON lines.
        state: What must survive.
        ledger: The ledger's database.
        checkpoints: What instances are restored from.
        secrets: Tokens that the daemon generates.
        instances: A directory for each instance.
        reports: Reports for people.
    """

    home: Path
    config: Path
    backups: Path
    env_file: Path
    run: Path
    control_socket: Path
    log: Path
    log_file: Path
    state: Path
    ledger: Path
    checkpoints: Path
    secrets: Path
    instances: Path
    reports: Path

    def create(self) -> None:
        """Make all directories, for the owner alone; existing ones that are more open are tightened.

        `run` may be entered and listed by its group, `home` only be passed through, so that a configured
        group can reach the socket (`admit_group`). Raises `HomeError`.
        """
        _refuse_shared_directory(self.home)
        _make(self.home, created=_PRIVATE, allowed=_REACHABLE)
        _make(self.run, created=_SHARED, allowed=_SHARED)
        for directory in (
            self.config,
            self.backups,
            self.log,
            self.state,
            self.checkpoints,
            self.secrets,
            self.instances,
            self.reports,
        ):
            _make(directory, created=_PRIVATE, allowed=_PRIVATE)

    def admit_group(self, group_id: int) -> None:
        """Let a group reach the control socket's directory, and nothing else; raises `HomeError`."""
        try:
            os.chown(self.run, -1, group_id)
            self.run.chmod(_SHARED)
            if self.home in self.run.parents:
                os.chown(self.home, -1, group_id)
                self.home.chmod(_REACHABLE)
        except OSError as error:
            raise HomeError(
                f"group {group_id} cannot be let into {self.run}: {error.strerror}. Make the daemon's user a "
                f"member of the group, or set control_group to null in fleet_config.json"
            ) from error


def resolve_home(explicit: str | None, environ: _Environ, checkout: Path | None = None) -> Paths:
    """Decide where everything is kept; touches nothing.

    The first of these that is there: the `--home` option, `AUTOMATE_HOME`, what systemd placed
    (`STATE_DIRECTORY`, `CONFIGURATION_DIRECTORY`, `LOGS_DIRECTORY`, `RUNTIME_DIRECTORY`, each for its
    part), `var` of the checkout, the user's XDG directories.

    Args:
        explicit: What `--home` says.
        environ: The environment.
        checkout: The checkout that the script was started from; None for the installed command.

    Raises:
        HomeError: A place cannot be used, or the control socket's path would be too long.
    """
    chosen = explicit or environ.get("AUTOMATE_HOME")
    if chosen:
        paths = _under(_absolute(chosen))
    elif checkout is not None:
        paths = _placed_by_systemd(_under(_absolute(str(checkout)) / "var"), environ)
    else:
        paths = _placed_by_systemd(_in_xdg(environ), environ)
    _check_socket_path(paths.control_socket)
    return paths


def system_service_paths() -> Paths:
    """Return where the system-wide unit keeps everything, for a command that wants to reach it."""
    placed = {
        "STATE_DIRECTORY": "/var/lib/automate",
        "CONFIGURATION_DIRECTORY": "/etc/automate",
        "LOGS_DIRECTORY": "/var/log/automate",
        "RUNTIME_DIRECTORY": "/run/automate",
    }
    return resolve_home(None, {**placed, "HOME": "/"})


def _under(home: Path) -> Paths:
    return _laid_out(home, config=home / "config", env=home, run=home / "run", log=home / "log")


def _laid_out(home: Path, *, config: Path, env: Path, run: Path, log: Path) -> Paths:
    state = home / "state"
    return Paths(
        home=home,
        config=config,
        backups=config / "backups",
        env_file=env / ".env",
        run=run,
        control_socket=run / "control.sock",
        log=log,
        log_file=log / "automate.jsonl",
        state=state,
        ledger=state / "ledger.sqlite3",
        checkpoints=state / "checkpoints",
        secrets=state / "secrets",
        instances=home / "instances",
        reports=home / "reports",
    )


def _placed_by_systemd(paths: Paths, environ: _Environ) -> Paths:
    def placed(variable: str, otherwise: Path) -> Path:
        # A unit may name several directories, separated by colons; the first is the daemon's own.
        first = environ.get(variable, "").split(":")[0]
        return _absolute(first) if first else otherwise

    base = placed("STATE_DIRECTORY", paths.home)
    own = _under(base) if base != paths.home else paths
    config = placed("CONFIGURATION_DIRECTORY", own.config)
    return _laid_out(
        base,
        config=config,
        env=config if config != own.config else own.env_file.parent,
        run=placed("RUNTIME_DIRECTORY", own.run),
        log=placed("LOGS_DIRECTORY", own.log),
    )


def _in_xdg(environ: _Environ) -> Paths:
    user = _absolute(environ.get("HOME") or "~")

    def base(variable: str, otherwise: Path) -> Path:
        # The specification: a relative path is invalid and to be ignored.
        value = environ.get(variable, "")
        return Path(value) if value.startswith("/") else otherwise

    home = base("XDG_STATE_HOME", user / ".local" / "state") / "automate"
    config = base("XDG_CONFIG_HOME", user / ".config") / "automate"
    runtime = base("XDG_RUNTIME_DIR", home)
    return _laid_out(
        home,
        config=config,
        env=config,
        run=home / "run" if runtime == home else runtime / "automate",
        log=home / "log",
    )


def _absolute(text: str) -> Path:
    if "\0" in text:
        raise HomeError(f"{text!r} is no path: it has a zero byte in it")
    try:
        return Path(os.path.normpath(Path.cwd() / Path(text).expanduser()))
    except RuntimeError as error:
        raise HomeError(f"{text}: {error}; give the path in full") from error


def _check_socket_path(socket: Path) -> None:
    length = len(os.fsencode(socket))
    if length > SOCKET_PATH_MAX_BYTES:
        raise HomeError(
            f"the control socket's path has {length} bytes, and the system takes {SOCKET_PATH_MAX_BYTES}: "
            f"{socket}. Choose a shorter directory with --home or AUTOMATE_HOME, at most "
            f"{SOCKET_PATH_MAX_BYTES - len('/run/control.sock')} bytes long"
        )


def _refuse_shared_directory(home: Path) -> None:
    """Tightening `/` or `/tmp` would lock everyone else out of it."""
    if home == home.parent:
        raise HomeError(f"{home} holds more than this daemon; choose a directory inside it, with --home")
    try:
        mode = home.stat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise HomeError(f"{home} cannot be used: {error.strerror}; choose another with --home") from error
    if mode & stat.S_ISVTX:
        raise HomeError(f"{home} is shared by all users; choose a directory inside it, with --home")


def _make(directory: Path, *, created: int, allowed: int) -> None:
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        try:
            directory.mkdir(mode=created)
        except FileExistsError:
            if not directory.is_dir():
                raise
            mode = stat.S_IMODE(directory.stat().st_mode)
            if mode & ~allowed:
                directory.chmod(mode & allowed)
        else:
            # The mode that mkdir was given has gone through the umask.
            directory.chmod(created)
    except OSError as error:
        raise HomeError(
            f"{directory} cannot be made a directory of mode {created:o}: {error.strerror}. "
            f"Make it writable for this user, or choose another place with --home"
        ) from error
