"""systemd: whether it keeps the daemon running, and what it thinks of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from orchestrator.access.doctor.finding import Case, Finding, note, ok, problem

UNIT: Final = "automate.service"
RUNNING: Final = Path("/run/systemd/system")
"""Where systemd is in charge, there is this directory."""

_SYSTEMCTL_S: Final = 5.0


def systemd(case: Case) -> Iterator[Finding]:
    """Ask systemd for the unit."""
    if shutil.which("systemctl") is None or not RUNNING.is_dir():
        yield note("systemd", "this machine does not run it", "have another supervisor run `automate run`")
        return
    for scope in ([], ["--user"]):
        state = _state(scope)
        if state.get("LoadState") == "loaded":
            yield _finding(scope, state)
            return
    yield note("systemd", f"there is no {UNIT}: nothing starts the daemon again", "automate service install")


def _finding(scope: list[str], state: dict[str, str]) -> Finding:
    command = " ".join(["systemctl", *scope])
    told = (
        f"{UNIT} is {state.get('ActiveState')} ({state.get('SubState')}), restarted {state.get('NRestarts', '0')} times"
    )
    if state.get("ActiveState") == "failed":
        journal = " ".join(["journalctl", *scope, "-u", UNIT, "-n", "50"])
        return problem("systemd", told, f"see why: `{journal}`; then `{command} reset-failed {UNIT}` and start it")
    if state.get("UnitFileState") == "disabled":
        return note("systemd", f"{told}, and not enabled", f"{command} enable {UNIT}")
    return ok("systemd", told)


def _state(scope: list[str]) -> dict[str, str]:
    properties = "--property=LoadState,ActiveState,SubState,NRestarts,UnitFileState"
    try:
        done = subprocess.run(  # noqa: S603 - words of this file
            ["systemctl", *scope, "show", UNIT, properties],  # noqa: S607 - looked for above
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SYSTEMCTL_S,
            check=False,
            env=dict(os.environ),
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
