"""Looks at instances in turns, and says what they did since the last time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from actors import ActorRef, AskTimeout
from orchestrator.fleet.instance import Condition, Examine
from orchestrator.fleet.operations import ASK_S, Operations
from orchestrator.fleet.rolling.work import Work, since, together
from orchestrator.fleet.roster import Roster
from streams.booking_tally import BookingTally

MOST_LOOKED_AT = 64
"""Instances of one side at most: more would tell little more, and each is asked."""


class Look(msgspec.Struct, frozen=True):
    """An instance at one moment.

    Attributes:
        work: What it has done since its start; its bookings, since the daemon's.
        ready: Whether it serves.
        gave_up: Whether its restart budget is exhausted, or it cannot be started at all.
        restarts: How often it was restarted.
        detail: What it says where it is not ready.
    """

    work: Work
    ready: bool
    gave_up: bool
    restarts: int
    detail: str = ""


class Observer:
    """Follows some instances. Those that a person has stopped or paused, or that have left the fleet, are passed over.

    Args:
        roster: What is wanted of them.
        operations: Knows their actors.
        tally: Knows their bookings.
    """

    def __init__(self, roster: Roster, operations: Operations, tally: BookingTally) -> None:
        self._roster = roster
        self._operations = operations
        self._tally = tally
        self._last: dict[str, Look] = {}
        self._has_served: set[str] = set()

    async def look(self, instances: Iterable[str]) -> dict[str, Look]:
        """Return how instances are now."""
        wanted = [each for each in instances if self._runs(each)]
        looks = await asyncio.gather(*map(self._look_at, wanted))
        return dict(zip(wanted, looks, strict=True))

    async def totals(self, instances: Iterable[str]) -> Work:
        """Return all that instances have done since their start, and begin to count from here."""
        looks = await self.look(instances)
        self._remember(looks)
        return together(look.work for look in looks.values())

    async def period(self, instances: Iterable[str]) -> tuple[Work, dict[str, Look]]:
        """Return what instances did since they were looked at last, and how they are.

        One that has not served yet is not counted as not ready: it is starting.
        """
        looks = await self.look(instances)
        works: list[Work] = []
        for instance, look in looks.items():
            before = self._last.get(instance)
            if before is None:
                continue
            looked = int(look.ready or instance in self._has_served)
            anew = look.restarts != before.restarts
            counted = Work(booked=before.work.booked, rejected=before.work.rejected) if anew else before.work
            works.append(
                msgspec.structs.replace(
                    since(look.work, counted),
                    looks=looked,
                    unready=looked * (not look.ready),
                    restarted=looked * anew,
                )
            )
        self._remember(looks)
        return together(works), looks

    def _remember(self, looks: dict[str, Look]) -> None:
        for instance, look in looks.items():
            self._last[instance] = look
            if look.ready:
                self._has_served.add(instance)

    def _runs(self, instance: str) -> bool:
        record = self._roster.records.get(instance)
        return record is not None and record.desired == "running"

    async def _look_at(self, instance: str) -> Look:
        ref = self._operations.ref(instance)
        booked = Work(booked=self._tally.booked(instance), rejected=self._tally.rejected(instance))
        last = self._last.get(instance)
        # What one has done that does not answer is not known; it is counted when it does.
        unknown = (
            booked
            if last is None
            else msgspec.structs.replace(last.work, booked=booked.booked, rejected=booked.rejected)
        )
        if ref is None:
            fault = self._operations.fault(instance)
            return Look(booked, ready=False, gave_up=fault is not None, restarts=0, detail=fault or "it is not running")
        vitals = ref.vitals()
        if vitals.condition != "running":
            failure = "it is starting" if vitals.last_failure is None else str(vitals.last_failure)
            gave_up = vitals.condition == "gave_up"
            return Look(unknown, ready=False, gave_up=gave_up, restarts=vitals.restarts, detail=failure)
        condition = await _examined(ref)
        if isinstance(condition, str):
            return Look(unknown, ready=False, gave_up=False, restarts=vitals.restarts, detail=condition)
        traffic = condition.traffic
        work = msgspec.structs.replace(
            booked, requests=traffic.requests, errors=traffic.errors, durations=traffic.durations
        )
        health = condition.health
        return Look(work, ready=health.ready, gave_up=False, restarts=vitals.restarts, detail=health.detail)


async def _examined(ref: ActorRef[Any]) -> Condition | str:
    """Return what an instance says of itself, or why it says nothing."""
    try:
        condition: Condition = await ref.ask(Examine(), ASK_S)
    except AskTimeout:
        return "it does not answer"
    except Exception as error:  # noqa: BLE001 - it failed, or ended, while it was asked: that is what it has to say
        return f"it does not answer: {type(error).__name__}: {error}"
    return condition


def some_of(instances: Sequence[str]) -> tuple[str, ...]:
    """Return so many of them as are looked at, evenly over all."""
    if len(instances) <= MOST_LOOKED_AT:
        return tuple(instances)
    step = len(instances) / MOST_LOOKED_AT
    return tuple(instances[int(place * step)] for place in range(MOST_LOOKED_AT))
