"""Failover: keeps the pool of standbys full, and has one of them carry on what an instance could not.

The work keeps its identity: id, port, directory, settings, keys, accounts and checkpoint are the instance's, whoever
carries it, and so is the reference that others have of it. What changes is the body: the one that failed four times
goes to the pool, cools down there, and is a standby again once it starts in good health.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import msgspec

from actors import (
    Actor,
    ActorError,
    ActorRef,
    ActorStopped,
    ChildGaveUp,
    ChildSpec,
    EndCooldown,
    FindChild,
    Message,
    NameTaken,
    NotCoolingDown,
    RemoveChild,
    Request,
    SignOfLife,
    StartChild,
    Timer,
    on,
)
from config.recovery import Recovery
from orchestrator.events import EventBus
from orchestrator.fleet.failover.pool import Pool, Seat
from orchestrator.fleet.failover.standby import CannotBeCarried, Prepare, Prepared, Standby
from orchestrator.fleet.failover.trips import Trips
from orchestrator.fleet.failover.view import StandbyList, list_of
from orchestrator.fleet.record import Record
from orchestrator.fleet.roster import Roster

LEAST_COOLDOWN_S: Final = 1.0
"""What did not start is tried again no sooner, however short `retry_delay` is."""

_LIFE_S: Final = 0.25
"""A standby that does not answer within this is passed over for the next."""

_LEAST_WAIT_S: Final = 0.01
_PREPARE_S: Final = 5.0
_START_S: Final = 60.0
_STOP_S: Final = 10.0


class FillPool(Message, frozen=True):
    """Start the standbys whose time has come."""


class ListStandbys(Request[StandbyList], frozen=True):
    """How the pool is."""


class Means(msgspec.Struct, frozen=True):
    """What failover works with; the same for every life of its actor.

    Attributes:
        rules: `recovery_config.json`, as it was at the daemon's start.
        roster: What is wanted of the instances.
        pool: The standbys.
        trips: Whose work may have one.
        instances: Reads the supervisor of the instances, which is started later.
        standbys: The supervisor of the standbys.
        make: Makes a standby.
        events: Where to tell.
    """

    rules: Recovery
    roster: Roster
    pool: Pool
    trips: Trips
    instances: Callable[[], ActorRef[Any]]
    standbys: ActorRef[Any]
    make: Callable[[], Standby]
    events: EventBus


class Failover(Actor[ChildGaveUp | FillPool | ListStandbys]):
    """Takes over.

    Args:
        means: What it works with.
    """

    mailbox_capacity = 20_000

    def __init__(self, means: Means) -> None:
        self._means = means
        self._pool = means.pool
        self._timer: Timer | None = None

    async def on_start(self) -> None:
        """Go on where a former life of it ended."""
        self._pool.take_up()
        if self._pool.opened:
            self.context.ref.tell(FillPool())

    # -- taking over ----------------------------------------------------------------------------------------

    @on(ChildGaveUp)
    def take_over(self, message: ChildGaveUp) -> None:
        """Have a standby carry on what an instance could not."""
        # Beside other messages: several may fail at once.
        self.context.start_task(self._take_over, message, name=message.name)

    async def _take_over(self, message: ChildGaveUp) -> None:
        instance, failure = message.name, message.history[-1]
        began_s, rules = self.context.now(), self._means.rules
        record = self._means.roster.records.get(instance)
        if record is None or record.desired not in ("running", "paused"):
            return  # it was stopped or scaled away meanwhile
        if self._means.trips.is_again(instance, began_s):
            reason = "it failed again within the window after a fresh budget: its settings or its files are at fault"
            self._leave(record, reason)
            return
        if not message.was_running:
            self._leave(record, "it does not even start, and would not on a standby")
            return
        try:
            found = await self._find_standby(record)
        except CannotBeCarried as refusal:
            self._leave(record, str(refusal))
            return
        if found is None:
            self._leave(record, "no standby is free" if len(self._pool) else "there are no standbys")
            return
        seat, prepared = found
        self._means.trips.note(instance, self.context.now(), self.context.now())
        try:
            await self._means.instances().ask(EndCooldown(instance), _START_S)
        except ActorError as error:
            if isinstance(error, (NotCoolingDown, ActorStopped)) or isinstance(error.__cause__, ActorStopped):
                self._pool.give_back(seat)  # a command by hand was first, and stands
                return
            self._tell("instance.failover_failed", record, standby=seat.id, reason=str(error))
        else:
            self._tell(
                "instance.failover",
                record,
                standby=seat.id,
                port=record.port,
                checkpoint_age_s=prepared.checkpoint_age_s,
                took_s=round(self.context.now() - began_s, 4),
                reason=failure,
                standbys_left=self._pool.ready(),
            )
        # The standby's body is the instance's now, and that which failed takes its seat.
        with suppress(ActorError):
            await self._means.standbys.ask(RemoveChild(seat.id), _STOP_S)
        self._cool(seat, rules.retry_delay, failure, carried=instance)

    async def _find_standby(self, record: Record) -> tuple[Seat, Prepared] | None:
        """Take a standby that lives and is prepared for an instance.

        Raises:
            CannotBeCarried: None could carry it, because of what it is itself.
        """
        tried: frozenset[str] = frozenset()
        while (seat := self._pool.take(tried)) is not None:
            tried |= {seat.id}
            assert seat.ref is not None
            kept = False
            try:
                await seat.ref.ask(SignOfLife(), _LIFE_S)
                prepared: Prepared = await seat.ref.ask(Prepare(record), _PREPARE_S)
                kept = True
            except CannotBeCarried:
                raise
            except ActorError:
                continue  # frozen or failed: its supervisor sees to it
            finally:
                if not kept:
                    self._pool.give_back(seat)
            return seat, prepared
        return None

    def _leave(self, record: Record, reason: str) -> None:
        """Leave an instance to its cool-down, at whose end the supervisor gives it a fresh budget."""
        delay_s, now_s = self._means.rules.retry_delay, self.context.now()
        self._means.trips.note(record.id, now_s + delay_s, now_s)
        self._tell("instance.failover_refused", record, reason=reason, cools_down_s=delay_s)

    def _tell(self, event: str, record: Record, **fields: Any) -> None:
        self._means.events.publish(event, "warning", instance=record.id, stream=record.stream, **fields)

    # -- the pool -------------------------------------------------------------------------------------------

    @on(FillPool)
    def fill(self, _: FillPool) -> None:
        """Start the standbys whose time has come, beside other messages."""
        if seats := self._pool.start(self.context.now()):
            self.context.start_task(self._start_all, seats, name="fill")
        self._wait_for_next()

    def _wait_for_next(self) -> None:
        """Have the pool filled again when the next cool-down ends."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        at_s = self._pool.next_start_s()
        if at_s is not None:
            # A timer may fire a little early, and must not for ever.
            self._timer = self.context.schedule(max(_LEAST_WAIT_S, at_s - self.context.now()), FillPool())

    async def _start_all(self, seats: list[Seat]) -> None:
        for seat in seats:
            # One after the other: a pool is no hurry, and the loop has others to serve.
            await self._start(seat)
        if self._pool.is_full():
            self._means.events.publish("standbys.ready", count=len(self._pool))

    async def _start(self, seat: Seat) -> None:
        standbys, spec = self._means.standbys, ChildSpec(seat.id, self._means.make)
        try:
            try:
                ref = await standbys.ask(StartChild(spec), _START_S)
            except NameTaken:
                known = await standbys.ask(FindChild(seat.id), _STOP_S)  # from before this life
                if known is None:
                    raise
                ref = known
        except ActorError as error:
            reason = str(error)
            self._means.events.publish("standbys.unhealthy", "warning", standby=seat.id, reason=reason)
            self._cool(seat, max(self._means.rules.retry_delay, LEAST_COOLDOWN_S), reason)
        else:
            self._pool.seat(seat, ref)

    def _cool(self, seat: Seat, delay_s: float, reason: str, carried: str = "") -> None:
        self._pool.cool(seat, self.context.now() + delay_s, reason, carried)
        self._wait_for_next()

    @on(ListStandbys)
    def list_standbys(self, _: ListStandbys) -> StandbyList:
        """Say how the pool is."""
        return list_of(self._pool, self.context.now())
