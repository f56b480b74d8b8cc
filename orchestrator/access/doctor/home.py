"""The home: whose it is, who else may read it, and whether something stale is in the way."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from orchestrator.access.doctor.finding import Case, Finding, note, ok, problem
from orchestrator.access.socket_file import address_of

_CONNECT_S: Final = 2.0


def permissions(case: Case) -> Iterator[Finding]:
    """Look at the owners and modes of the home's directories and secrets."""
    paths = case.paths
    if not paths.home.exists():
        yield note("home", f"there is no {paths.home} yet", "start the daemon: `automate run` makes it")
        return
    wrong = False
    allowed = {paths.home: 0o710, paths.run: 0o750}
    private = (paths.config, paths.log, paths.state, paths.secrets, paths.instances, paths.env_file, paths.ledger)
    for path in (paths.home, paths.run, *private):
        for finding in _of(path, allowed.get(path, 0o600 if path in (paths.env_file, paths.ledger) else 0o700)):
            wrong = True
            yield finding
    if not wrong:
        yield ok("home", f"{paths.home} is this user's alone")


def _of(path: Path, allowed: int) -> Iterator[Finding]:
    try:
        status = path.stat()
    except FileNotFoundError:
        return
    except PermissionError:
        yield problem("home", f"{path} cannot be looked at by this user", "run this as the daemon's user")
        return
    if status.st_uid != os.geteuid() and os.geteuid() != 0:
        yield problem(
            "home", f"{path} belongs to user {status.st_uid}", "run this as that user, or choose another --home"
        )
    elif not os.access(path, os.R_OK | os.W_OK):
        yield problem("home", f"{path} cannot be written", f"make it writable: chmod u+rw {path}")
    if stat.S_IMODE(status.st_mode) & 0o077 & ~allowed:
        yield problem(
            "home", f"{path} is open to others ({stat.S_IMODE(status.st_mode):04o})", f"chmod {allowed:o} {path}"
        )


def control_socket(case: Case) -> Iterator[Finding]:
    """Look whether the daemon answers, and whether a dead one left its socket."""
    path = case.paths.control_socket
    if case.status is not None:
        yield ok("daemon", f"it is {case.status['state']}, pid {case.status['pid']}, version {case.status['version']}")
    elif case.unreachable is not None:
        yield problem("daemon", case.unreachable, f"look at the end of {case.paths.log_file}; `automate logs -n 50`")
    elif not path.exists():
        yield note("daemon", "it does not run", "start it: `automate run`, or `automate service install` for good")
    elif not stat.S_ISSOCK(path.lstat().st_mode):
        yield problem("daemon", f"{path} is no socket", f"move it elsewhere: mv {path} {path}.old")
    elif _is_stale(path):
        yield note(
            "daemon",
            f"{path} was left by a daemon that is dead: it was killed, or the machine went down",
            "start it: `automate run` replaces the socket; nothing that was answered is lost",
        )


def _is_stale(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, address_of(path) as address:
        probe.settimeout(_CONNECT_S)
        try:
            probe.connect(address)
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False
