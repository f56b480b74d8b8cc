"""The examination: every check, one after the other, none of which keeps the others from being made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from orchestrator.access.doctor.books import ledger
from orchestrator.access.doctor.configuration import configuration, extras, live, secrets
from orchestrator.access.doctor.finding import Case, Finding, problem
from orchestrator.access.doctor.fleet import fleet
from orchestrator.access.doctor.home import control_socket, permissions
from orchestrator.access.doctor.machine import clock, disk, memory, open_files, python
from orchestrator.access.doctor.ports import ports
from orchestrator.access.doctor.service import systemd

Check: TypeAlias = Callable[[Case], Iterator[Finding]]

CHECKS: Final[tuple[Check, ...]] = (
    python,
    permissions,
    control_socket,
    configuration,
    live,
    secrets,
    extras,
    ports,
    disk,
    memory,
    open_files,
    clock,
    ledger,
    systemd,
    fleet,
)
"""In this order: what the configuration says is known to those after it."""


def examine(case: Case) -> Iterator[Finding]:
    """Yield what each check finds."""
    for check in CHECKS:
        try:
            yield from check(case)
        except Exception as error:  # noqa: BLE001 - what is broken is what this is for
            name = check.__name__.replace("_", " ")
            remedy = "run this as the daemon's user; if it stays so, it is a fault of this program's"
            yield problem(name, f"it could not be looked at: {type(error).__name__}: {error}", remedy)
