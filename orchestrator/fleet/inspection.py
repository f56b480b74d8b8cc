"""Looks at instances, and says what is seen."""

from __future__ import annotations

from typing import Any

import msgspec

from actors import ActorError, ActorRef
from orchestrator.fleet.instance import Condition, Examine, Surroundings
from orchestrator.fleet.record import Record
from orchestrator.fleet.view import InstanceRow, InstanceState, InstanceView, state_of
from streams.stream import Health

ASK_S = 2.0

_DOWN = Condition(Health(ready=False, detail="it is not running"), False, {}, {}, (), 0.0)


def row_of(record: Record, ref: ActorRef[Any] | None, fault: str | None, host: str) -> InstanceRow:
    """Return an instance's line in a list.

    Args:
        record: What is wanted of it.
        ref: Its actor, where the supervisor knows it.
        fault: What kept it from being given to the supervisor.
        host: Where it listens.
    """
    vitals = ref.vitals() if ref is not None else None
    failure = vitals.last_failure if vitals is not None else None
    return InstanceRow(
        id=record.id,
        stream=record.stream,
        state=state_of(record, vitals, fault),
        host=host,
        port=record.port,
        restarts=vitals.restarts if vitals is not None else 0,
        last_failure=str(failure) if failure is not None else fault,
    )


def state_now(record: Record, ref: ActorRef[Any] | None, fault: str | None) -> InstanceState:
    """Return what an instance is doing."""
    if ref is not None and ref.running:
        return "paused" if record.desired == "paused" else "ready"  # as `state_of` has it, for ten thousand at a time
    return state_of(record, ref.vitals() if ref is not None else None, fault)


async def view_of(record: Record, ref: ActorRef[Any] | None, fault: str | None, around: Surroundings) -> InstanceView:
    """Ask an instance how it is, and return all of it. One that does not answer is said not to."""
    vitals = ref.vitals() if ref is not None else None
    condition = _DOWN
    if fault is not None:
        condition = msgspec.structs.replace(_DOWN, health=Health(ready=False, detail=fault))
    if ref is not None and vitals is not None and vitals.condition == "running":
        try:
            condition = await ref.ask(Examine(), ASK_S)
        except ActorError as error:
            condition = msgspec.structs.replace(_DOWN, health=Health(ready=False, detail=str(error)))
    return InstanceView(
        id=record.id,
        stream=record.stream,
        state=state_of(record, vitals, fault),
        host=around.host,
        port=record.port,
        directory=str(around.instances / record.id),
        isolation=record.isolation,
        settings=record.settings,
        restarts=vitals.restarts if vitals is not None else 0,
        restarts_left=vitals.restarts_left if vitals is not None else None,
        last_failure=vitals.last_failure if vitals is not None else None,
        ready=condition.health.ready and not condition.paused,
        health=condition.health.detail,
        up_s=round(condition.up_s, 3),
        funnel=condition.funnel,
        details=condition.details,
        actions=condition.actions,
    )
