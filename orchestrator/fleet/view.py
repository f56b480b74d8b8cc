"""What people and programs see of the fleet."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from actors import ActorVitals, Failure
from orchestrator.fleet.record import Record

InstanceState: TypeAlias = Literal["starting", "ready", "paused", "stopped", "restarting", "failed", "standby"]
"""`failed`: its restart budget is exhausted, and it cools down for `retry_delay` before it gets a fresh one; or it
could not be started at all, because its stream cannot run here."""


class InstanceRow(msgspec.Struct, frozen=True):
    """An instance in a list.

    Attributes:
        id: Its id.
        stream: Its stream.
        state: What it is doing.
        host: The address it listens on.
        port: The port it listens on.
        restarts: How often it was restarted since the daemon's start or its last deployment.
        last_failure: Why it failed last, one line.
    """

    id: str
    stream: str
    state: InstanceState
    host: str
    port: int
    restarts: int
    last_failure: str | None


class InstanceView(msgspec.Struct, frozen=True):
    """All of an instance.

    Attributes:
        id: Its id.
        stream: Its stream.
        state: What it is doing.
        host: The address it listens on.
        port: The port it listens on.
        directory: Where its files are.
        isolation: Where it runs.
        settings: Its settings, complete.
        restarts: How often it was restarted.
        restarts_left: What is left of its restart budget now.
        last_failure: Why it failed last.
        ready: Whether a customer who comes now is served.
        health: Its own word on that.
        up_s: Seconds since it was ready; 0 while it is not.
        funnel: Counts from seen to earned.
        details: What else its stream shows.
        actions: What it can be asked to do, see `fleet.act`.
    """

    id: str
    stream: str
    state: InstanceState
    host: str
    port: int
    directory: str
    isolation: str
    settings: dict[str, Any]
    restarts: int
    restarts_left: int | None
    last_failure: Failure | None
    ready: bool
    health: str
    up_s: float
    funnel: dict[str, int]
    details: dict[str, Any]
    actions: tuple[str, ...]


class InstancePage(msgspec.Struct, frozen=True):
    """Some instances, and where to go on."""

    items: tuple[InstanceRow, ...]
    next_cursor: str | None


class FleetSummary(msgspec.Struct, frozen=True):
    """The fleet in numbers.

    Attributes:
        active: Instances that are ready.
        total: Instances of the fleet.
        by_stream: Instances by stream.
        by_state: Instances by state.
    """

    active: int
    total: int
    by_stream: dict[str, int]
    by_state: dict[InstanceState, int]


def state_of(record: Record, vitals: ActorVitals | None, fault: str | None = None) -> InstanceState:
    """Return what an instance is doing.

    Args:
        record: What is wanted of it.
        vitals: Its actor's; None where the supervisor does not know it.
        fault: What kept it from being given to the supervisor.
    """
    if vitals is None:
        # Stopped by hand before the daemon's start, or refused, or its turn has not come yet.
        if record.desired == "stopped":
            return "stopped"
        return "starting" if fault is None else "failed"
    if vitals.condition in ("stopped", "stopping"):
        return "stopped"
    if vitals.condition == "running":
        return "paused" if record.desired == "paused" else "ready"
    if vitals.condition == "gave_up":
        return "failed"
    if vitals.condition == "starting":
        return "starting" if vitals.last_failure is None else "restarting"
    return "restarting" if vitals.last_failure is not None else "starting"
