"""What people and programs are told of the fleet's health."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

import msgspec

from orchestrator.fleet.health.history import PastFailure
from orchestrator.fleet.health.incidents import Incident, Outcome
from orchestrator.fleet.health.probe import Subject, Symptom
from orchestrator.fleet.health.served import Served
from orchestrator.fleet.health.watch import Look, Moment, Watch
from orchestrator.fleet.health.webhook import Delivery
from orchestrator.fleet.health.window import Figures
from orchestrator.fleet.view import InstanceRow

Verdict: TypeAlias = Literal["well", "ill", "unknown", "down_by_hand"]
"""`unknown`: it was not looked at yet. `down_by_hand`: a person stopped it, so it is not looked at."""


class IncidentView(msgspec.Struct, frozen=True):
    """An incident.

    Attributes:
        id: Names it for ever.
        kind: Whether it is an instance's or a service's.
        name: Whose.
        symptom: The worst that was seen.
        detail: What was last said of it.
        began_at: When it was first seen ill.
        opened_at: When people were first told.
        alerts: How often they were told.
        relapses: How often it was well in between, but not for long enough.
        closed_at: When it ended; None while it is open.
        outcome: How it ended.
    """

    id: str
    kind: str
    name: str
    symptom: Symptom
    detail: str
    began_at: datetime
    opened_at: datetime
    alerts: int
    relapses: int
    closed_at: datetime | None
    outcome: Outcome | None


class HealthRow(msgspec.Struct, frozen=True):
    """How an instance or a service is.

    Attributes:
        name: The instance's id, or the service's name.
        stream: The instance's stream; None of a service.
        state: What the instance is doing; of a service `up` or `down`.
        verdict: Whether the last look found it well.
        symptom: What was wrong with it then.
        detail: Its own word on that.
        last_probe_at: When it was last looked at.
        p50_ms: The median of its response times over the last quarter of an hour.
        p95_ms: What 95 of 100 stayed within.
        error_rate: The share of looks that found it not well, over the same time, from 0 to 1.
        windows: The same over 1, 5 and 15 minutes.
        served: What its customers met, an instance's; None while it has served nobody.
        incident: The id of its open incident.
    """

    name: str
    stream: str | None
    state: str
    verdict: Verdict
    symptom: Symptom | None
    detail: str
    last_probe_at: datetime | None
    p50_ms: float | None
    p95_ms: float | None
    error_rate: float | None
    windows: tuple[Figures, ...]
    served: Served | None
    incident: str | None


class HealthReport(msgspec.Struct, frozen=True):
    """The health of the fleet; the instances in pages, all else on each of them.

    Attributes:
        at: When.
        interval_s: How often each is looked at.
        well: Subjects that the last look found well, instances and services together.
        ill: Those that it did not.
        services: All of them.
        items: Instances, in order of their ports.
        next_cursor: Where to go on.
        incidents: Those that are open, the oldest first, a hundred at most.
        open_incidents: How many are open.
        failures: The last failures, the newest first, as many as were asked for.
        past_incidents: The last incidents, the newest first, as many as were asked for.
        webhook: How alerts are delivered.
    """

    at: datetime
    interval_s: float
    well: int
    ill: int
    services: tuple[HealthRow, ...]
    items: tuple[HealthRow, ...]
    next_cursor: str | None
    incidents: tuple[IncidentView, ...]
    open_incidents: int
    failures: tuple[PastFailure, ...]
    past_incidents: tuple[IncidentView, ...]
    webhook: Delivery


def instance_row(row: InstanceRow, watch: Watch, now: Moment) -> HealthRow:
    """Return how an instance is."""
    return _row(Subject("instance", row.id), row.stream, row.state, watch, now)


def service_row(name: str, watch: Watch, now: Moment) -> HealthRow:
    """Return how a service is."""
    subject = Subject("service", name)
    look = watch.last_look(subject)
    return _row(subject, None, "up" if look is None or look.probe.symptom is None else "down", watch, now)


def _row(subject: Subject, stream: str | None, state: str, watch: Watch, now: Moment) -> HealthRow:
    look = watch.last_look(subject)
    windows = watch.figures(subject, now)
    incident = watch.incidents.of(subject)
    return HealthRow(
        name=subject.name,
        stream=stream,
        state=state,
        verdict=_verdict(look, state),
        symptom=None if look is None else look.probe.symptom,
        detail="" if look is None else look.probe.detail,
        last_probe_at=None if look is None else look.at,
        p50_ms=windows[-1].p50_ms,
        p95_ms=windows[-1].p95_ms,
        error_rate=windows[-1].error_rate,
        windows=windows,
        served=watch.served(subject),
        incident=None if incident is None else incident.id,
    )


def verdict_of(row: InstanceRow, watch: Watch) -> Verdict:
    """Return how the last look found an instance; costs less than all of its row."""
    return _verdict(watch.last_look(Subject("instance", row.id)), row.state)


def _verdict(look: Look | None, state: str) -> Verdict:
    if look is not None:
        return "well" if look.probe.symptom is None else "ill"
    return "down_by_hand" if state == "stopped" else "unknown"


def incident_view(incident: Incident) -> IncidentView:
    """Return an incident as it is told."""
    told = msgspec.structs.asdict(incident)
    subject: Subject = told.pop("subject")
    return IncidentView(kind=subject.kind, name=subject.name, **told)
