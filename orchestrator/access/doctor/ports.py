"""The ports of the gateway and the instances: who has those that the daemon wants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from orchestrator.access.doctor.finding import Case, Finding, ok, problem

if TYPE_CHECKING:
    from config.fleet import Fleet

_SHOWN: Final = 5


class Listener(msgspec.Struct, frozen=True):
    """A process that listens.

    Attributes:
        pid: Its number; None where it is another user's, and not shown to this one.
        name: What it is called.
    """

    pid: int | None
    name: str

    def __str__(self) -> str:
        return "a process of another user" if self.pid is None else f"{self.name} (pid {self.pid})"


def ports(case: Case) -> Iterator[Finding]:
    """Compare the ports that are wanted with those that others have."""
    if case.settings is None:
        return
    wanted = wanted_ports(case)
    own = _family(None if case.status is None else case.status["pid"])
    taken = {
        port: listener
        for port, listener in listeners().items()
        if port in wanted and (listener.pid is None or listener.pid not in own)
    }
    if case.status is not None:
        # Where the daemon's descriptors are not shown to this user, its own ports look like somebody else's.
        taken = {port: listener for port, listener in taken.items() if listener.pid is not None}
    if not taken:
        yield ok("ports", f"{len(wanted)} are wanted, from {min(wanted)} to {max(wanted)}; no other program has one")
        return
    for port, listener in sorted(taken.items())[:_SHOWN]:
        remedy = f"end {listener}, or change the port: `automate config set fleet` (port_base, gateway_port)"
        yield problem("ports", f"{port}, {wanted[port]}'s, is taken by {listener}", remedy)
    if len(taken) > _SHOWN:
        yield problem(
            "ports", f"{len(taken) - _SHOWN} more are taken", "choose another port_base before the first start"
        )


def wanted_ports(case: Case) -> Mapping[int, str]:
    """Return the ports that the daemon listens on, and whose each is."""
    from orchestrator.fleet.record import load_records

    assert case.settings is not None
    fleet: Fleet = case.settings.fleet
    wanted: dict[int, str] = {}
    records, _ = load_records(case.paths.instances)
    if records:
        wanted = {record.port: record.id for record in records if record.desired in ("running", "paused")}
    else:
        count = sum(plan.count for plan in fleet.streams.values())
        wanted = {fleet.port_base + n: f"instance {n}" for n in range(1, count + 1)}
    if fleet.gateway_enabled:
        wanted[fleet.gateway_port or fleet.port_base] = "the gateway"
    return wanted or {fleet.port_base: "nobody"}


def listeners() -> dict[int, Listener]:
    """Return who listens on each TCP port of this machine."""
    import psutil

    found: dict[int, Listener] = {}
    names: dict[int, str] = {}
    for connection in psutil.net_connections("tcp"):
        if connection.status != psutil.CONN_LISTEN or not connection.laddr:
            continue
        pid = connection.pid
        if pid is not None and pid not in names:
            try:
                names[pid] = psutil.Process(pid).name()
            except psutil.Error:
                names[pid] = "a process"
        found[connection.laddr.port] = Listener(pid, names.get(pid or 0, ""))
    return found


def _family(pid: int | None) -> set[int]:
    """Return a process and all below it: an instance may run in one of its own."""
    if pid is None:
        return set()
    import psutil

    try:
        return {pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))}
    except psutil.Error:
        return {pid}
