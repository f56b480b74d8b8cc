"""What people and programs see of the standbys: as instances that have no work, and as a pool."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from actors import ActorError, Failure
from orchestrator.fleet.failover.pool import Pool, Seat
from orchestrator.fleet.instance import Condition, Examine
from orchestrator.fleet.view import InstancePage, InstanceRow, InstanceState, InstanceView

ASK_S = 2.0

_DOWN = "it is not running"


class StandbyRow(msgspec.Struct, frozen=True):
    """A seat of the pool.

    Attributes:
        id: `standby-003`.
        state: `standby` where one waits for work, `failed` where a body cools down.
        restarts: How often the standby was restarted.
        cools_down_s: Seconds until a standby is started there; None where none is to be.
        carried: The instance whose failed body cools down there.
        reason: Why it cools down, or why it failed last.
    """

    id: str
    state: InstanceState
    restarts: int
    cools_down_s: float | None
    carried: str | None
    reason: str | None


class StandbyList(msgspec.Struct, frozen=True):
    """The pool.

    Attributes:
        wanted: How many standbys there should be.
        ready: How many wait for work.
        items: Each seat.
    """

    wanted: int
    ready: int
    items: tuple[StandbyRow, ...]


def list_of(pool: Pool, now_s: float) -> StandbyList:
    """Return how a pool is, at a moment on the loop's clock."""
    return StandbyList(len(pool), pool.ready(), tuple(_standby_row(seat, now_s) for seat in pool))


def page_of(pool: Pool, host: str, after: int, limit: int) -> InstancePage:
    """Return standbys that wait for work, as lines of the fleet's list.

    Args:
        pool: The standbys.
        host: The fleet's address.
        after: Pass over so many seats: the cursor.
        limit: How many lines there are at most.
    """
    rows: list[InstanceRow] = []
    for place, seat in enumerate(pool):
        if place >= after and seat.is_ready:
            if len(rows) == limit:
                return InstancePage(tuple(rows), str(place))
            rows.append(InstanceRow(seat.id, "", "standby", host, 0, _restarts_of(seat), _reason_of(seat)))
    return InstancePage(tuple(rows), None)


async def view_of(seat: Seat, host: str) -> InstanceView:
    """Ask a standby how it is, and return all of it, as an instance that has no work."""
    vitals = seat.ref.vitals() if seat.ref is not None else None
    cools_down_s = _cools_down_s(seat, asyncio.get_running_loop().time())
    condition, health = None, _DOWN
    if cools_down_s is not None:
        health = f"cools down for {cools_down_s:.1f} s more: {seat.reason}"
    elif seat.ref is not None and seat.ref.running:
        try:
            told: Condition = await seat.ref.ask(Examine(), ASK_S)
            condition, health = told, told.health.detail
        except ActorError as error:
            health = str(error)
    details: dict[str, Any] = condition.details if condition is not None else {}
    if cools_down_s is not None:
        details = {"cools_down_s": cools_down_s, "carried": seat.carried or None}
    return InstanceView(
        id=seat.id,
        stream="",
        state=state_of(seat),
        host=host,
        port=0,
        directory="",
        isolation="actor",
        settings={},
        restarts=vitals.restarts if vitals is not None else 0,
        restarts_left=vitals.restarts_left if vitals is not None else None,
        last_failure=_failure_of(seat),
        ready=condition is not None and condition.health.ready,
        health=health,
        up_s=round(condition.up_s, 3) if condition is not None else 0.0,
        funnel={},
        details=details,
        actions=(),
    )


def state_of(seat: Seat) -> InstanceState:
    """Return what is seen of a seat."""
    match seat.state:
        case "ready":
            return "standby" if seat.is_ready else "restarting"
        case "cooling":
            return "failed"
        case _:
            return "starting"


def _standby_row(seat: Seat, now_s: float) -> StandbyRow:
    return StandbyRow(
        id=seat.id,
        state=state_of(seat),
        restarts=_restarts_of(seat),
        cools_down_s=_cools_down_s(seat, now_s),
        carried=seat.carried or None,
        reason=_reason_of(seat),
    )


def _cools_down_s(seat: Seat, now_s: float) -> float | None:
    return round(max(0.0, seat.until_s - now_s), 3) if seat.state == "cooling" else None


def _restarts_of(seat: Seat) -> int:
    return seat.ref.vitals().restarts if seat.ref is not None else 0


def _failure_of(seat: Seat) -> Failure | None:
    if seat.ref is not None:
        return seat.ref.vitals().last_failure
    # Of the life that failed only the text is left.
    return Failure("Failed", seat.reason) if seat.reason else None


def _reason_of(seat: Seat) -> str | None:
    failure = _failure_of(seat)
    if seat.ref is None:
        return seat.reason or None
    return None if failure is None else str(failure)
