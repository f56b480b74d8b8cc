"""What is done to single instances through their supervisor, one operation at a time for each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any

from actors import (
    Actor,
    ActorError,
    ActorRef,
    ChildSpec,
    FindChild,
    NoSuchChild,
    RemoveChild,
    RestartChild,
    StartChild,
    StopChild,
    WhichChildren,
)
from orchestrator.fleet.instance import Pause, Resume
from orchestrator.fleet.messages import Action, NotNow
from orchestrator.fleet.record import Record
from orchestrator.fleet.roster import Roster

ASK_S = 2.0
_STOP_S = 20.0
_START_S = 60.0


class Operations:
    """Carries out what is wanted of instances.

    Args:
        roster: What is wanted.
        supervisor: The supervisor of the instances.
        prepare: Called with a stream before one of its instances starts; raises what speaks against it.
        make: Makes the actor of an instance by its id, for every life of it.
    """

    def __init__(
        self,
        roster: Roster,
        supervisor: ActorRef[Any],
        prepare: Callable[[str], Awaitable[object]],
        make: Callable[[str], Actor[Any]],
    ) -> None:
        self._roster = roster
        self._supervisor = supervisor
        self._prepare = prepare
        self._make = make
        self._refs: dict[str, ActorRef[Any]] = {}
        self._faults: dict[str, str] = {}
        self._turns: dict[str, asyncio.Lock] = {}

    def ref(self, instance: str) -> ActorRef[Any] | None:
        """Return the reference of an instance that the supervisor knows."""
        return self._refs.get(instance)

    def fault(self, instance: str) -> str | None:
        """Return what kept an instance from being given to the supervisor."""
        return self._faults.get(instance)

    async def bring_up(self, instance: str) -> None:
        """Start an instance, if that is still wanted; returns when it is ready.

        Raises:
            ActorError: It is not ready. The supervisor tries again, if it came as far as that.
        """
        try:
            async with self._turn_of(instance):
                record = self._roster.records[instance]
                if record.desired not in ("running", "paused"):
                    return  # it was stopped or scaled away meanwhile
                starting = await self._start(record)
        except ActorError as error:
            if instance not in self._refs:
                self._faults[instance] = str(error)
            raise
        # Its turn has ended: whoever wants to stop it need not wait until it has started.
        await starting

    async def take_down(self, instance: str) -> None:
        """Stop an instance and forget its actor, if it is still no part of the fleet."""
        async with self._turn_of(instance):
            record = self._roster.records.get(instance)
            if record is not None and record.active:
                return
            self._refs.pop(instance, None)
            self._faults.pop(instance, None)
            with suppress(NoSuchChild):
                await self._supervisor.ask(RemoveChild(instance), _STOP_S)

    async def act(self, instance: str, action: Action) -> None:
        """Carry a person's command out; returns when it is done.

        Raises:
            NotFound: There is no such instance.
            NotNow: It cannot be done in its state, or not be stored.
            StartFailed: It did not become ready.
        """
        async with self._turn_of(instance):
            record = self._roster.active(instance)
            if action == "stop":
                await self._stop(record)
                return
            if action in ("pause", "resume"):
                await self._hold(record, action)
                return
            record = await self._roster.want(instance, "paused" if record.desired == "paused" else "running")
            starting = await (self._start(record) if action == "start" else self._restart(record))
        # As above: a later command for it takes over from this one.
        await starting

    async def adopt(self) -> list[tuple[str, ActorError]]:
        """Take up what the supervisor runs from a former life of the manager, and stop what is not wanted any more.

        Returns what did not work.
        """
        known = [vitals.path.rpartition("/")[2] for vitals in await self._supervisor.ask(WhichChildren(), _STOP_S)]
        failed: list[tuple[str, ActorError]] = []

        async def settle(instance: str) -> None:
            try:
                await self._settle(instance)
            except ActorError as error:
                failed.append((instance, error))

        async with asyncio.TaskGroup() as group:
            for instance in known:
                # What cannot be read says nothing on whether it should go.
                if instance not in self._roster.broken:
                    group.create_task(settle(instance))
        return failed

    async def _settle(self, instance: str) -> None:
        record = self._roster.records.get(instance)
        if record is None or not record.active:
            await self.take_down(instance)
            return
        ref = await self._find(instance)
        if ref is not None and record.desired == "stopped" and ref.vitals().condition != "stopped":
            await self._supervisor.ask(StopChild(instance), _STOP_S)

    async def _start(self, record: Record) -> asyncio.Future[Any]:
        """Have an instance started, and return a future of how that ends."""
        await self._prepare(record.stream)
        ref = await self._find(record.id)
        if ref is None:
            spec = ChildSpec(record.id, partial(self._make, record.id))
            starting = self._supervisor.ask(StartChild(spec, supervised_start=True), _START_S)
            # Known from now on, so that it can be seen, stopped and removed while it starts.
            await self._find(record.id)
            return starting
        condition = ref.vitals().condition
        if condition in ("stopped", "stopping", "gave_up"):
            return self._supervisor.ask(RestartChild(record.id), _START_S)
        if condition in ("starting", "running"):
            ref.tell(_hold_of(record))
        runs: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        runs.set_result(ref)
        return runs

    async def _restart(self, record: Record) -> asyncio.Future[Any]:
        if await self._find(record.id) is None:
            return await self._start(record)
        await self._prepare(record.stream)
        return self._supervisor.ask(RestartChild(record.id), _START_S)

    async def _stop(self, record: Record) -> None:
        await self._roster.want(record.id, "stopped")
        with suppress(NoSuchChild):
            await self._supervisor.ask(StopChild(record.id), _STOP_S)

    async def _hold(self, record: Record, action: Action) -> None:
        if record.desired == "stopped":
            raise NotNow(f"{record.id} is stopped; start it first")
        record = await self._roster.want(record.id, "paused" if action == "pause" else "running")
        ref = self._refs.get(record.id)
        condition = ref.vitals().condition if ref is not None else None
        # One that is down takes up what is wanted of it when it starts; one that starts has done so already.
        if ref is not None and condition == "running":
            await ref.ask(_hold_of(record), ASK_S)
        elif ref is not None and condition == "starting":
            ref.tell(_hold_of(record))

    async def _find(self, instance: str) -> ActorRef[Any] | None:
        ref: ActorRef[Any] | None = await self._supervisor.ask(FindChild(instance), ASK_S)
        if ref is not None:
            self._refs[instance] = ref
            self._faults.pop(instance, None)
        return ref

    def _turn_of(self, instance: str) -> asyncio.Lock:
        # One at a time per instance: what was asked last is what holds in the end.
        return self._turns.setdefault(instance, asyncio.Lock())


def _hold_of(record: Record) -> Pause | Resume:
    return Pause() if record.desired == "paused" else Resume()
