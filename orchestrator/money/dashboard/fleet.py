"""What the fleet has to say for a report: how many instances are active, and how far they get."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from typing import Any, Final

import msgspec

from actors import ActorError, ActorRef
from orchestrator.fleet.messages import GetInstance, ListInstances
from orchestrator.fleet.view import InstanceRow, InstanceState, InstanceView

MAX_ASKED: Final = 500
"""Instances that are asked for their funnel: in a larger fleet so many of them, evenly chosen."""

_AT_ONCE: Final = 16
_ASK_S: Final = 5.0
_PAGE: Final = 1000


class Member(msgspec.Struct, frozen=True):
    """An instance, as the report needs it."""

    stream: str
    state: InstanceState


class FleetNow(msgspec.Struct, frozen=True):
    """The fleet at one moment.

    Attributes:
        members: Its instances by id.
        funnels: Counts from seen to earned, summed over the instances of a stream, in the stream's own order.
        asked: How many instances the funnels are of.
    """

    members: dict[str, Member] = {}
    funnels: dict[str, dict[str, int]] = {}
    asked: int = 0

    @property
    def active(self) -> int:
        """How many instances are ready."""
        return sum(member.state == "ready" for member in self.members.values())


async def look_at(manager: ActorRef[Any]) -> FleetNow:
    """Ask the deployment manager for all instances, and some of them for their funnels.

    One that does not answer in time is left out of the funnels.

    Raises:
        ActorError: The manager does not answer.
    """
    rows: list[InstanceRow] = []
    cursor: str | None = None
    while True:
        page = await manager.ask(ListInstances(limit=_PAGE, cursor=cursor), _ASK_S)
        rows += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    members = {row.id: Member(row.stream, row.state) for row in rows if row.state != "standby"}
    chosen = _evenly([id_ for id_, member in members.items() if member.state == "ready"], MAX_ASKED)
    gate = asyncio.Semaphore(_AT_ONCE)

    async def view(id_: str) -> InstanceView | None:
        async with gate:
            try:
                found: InstanceView = await manager.ask(GetInstance(id_), _ASK_S)
            except ActorError:
                return None
            return found

    views = [found for found in await asyncio.gather(*map(view, chosen)) if found is not None]
    funnels: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for found in views:
        funnels[found.stream].update(found.funnel)
    return FleetNow(members, {stream: dict(funnel) for stream, funnel in sorted(funnels.items()) if funnel}, len(views))


def _evenly(ids: list[str], most: int) -> list[str]:
    if len(ids) <= most:
        return ids
    return [ids[place * len(ids) // most] for place in range(most)]
