"""What a rollout changes: the records of a batch's instances, and then the instances themselves; and all of it back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol

import msgspec

from actors import ActorError
from config.fleet import Isolation
from orchestrator.events import EventBus
from orchestrator.fleet.messages import NotNow
from orchestrator.fleet.operations import Operations
from orchestrator.fleet.plan import Change, overlaid, validated
from orchestrator.fleet.record import Record
from orchestrator.fleet.rolling.journal import RolloutFile
from orchestrator.fleet.rollouts import Rollouts
from orchestrator.fleet.roster import Roster
from streams.stream import Stream


class Planner(Protocol):
    """What the deployment manager knows of streams and of the configuration."""

    async def kind(self, stream: str) -> type[Stream[Any]]:
        """Return a stream's class; raises what speaks against running it."""

    async def grown(self, stream: str, wanted: int, settings: Mapping[str, Any], isolation: Isolation | None) -> Change:
        """Return what brings a stream to a count; `changing` of the roster must be held."""

    async def keep_count(self, stream: str, count: int) -> None:
        """Store the wanted count of a stream. Raises `NotNow`."""

    async def keep_settings(self, stream: str, settings: Mapping[str, Any]) -> None:
        """Have a stream's later instances get these settings, too. Raises `NotNow`."""


class Changes:
    """Changes batches.

    Args:
        roster: What is wanted of instances.
        operations: What is done to them.
        rollouts: Where a batch's instances are kept before they are added.
        planner: What the deployment manager knows.
        events: Where to tell.
    """

    def __init__(
        self, roster: Roster, operations: Operations, rollouts: Rollouts, planner: Planner, events: EventBus
    ) -> None:
        self._roster = roster
        self._operations = operations
        self._rollouts = rollouts
        self._planner = planner
        self._events = events

    async def prepare(self, file: RolloutFile) -> RolloutFile:
        """Store what is wanted of the present batch's instances; doing it again changes nothing.

        Returns the file, with the batch's instances in it.

        Raises:
            ActorError: It cannot be; nothing is changed then.
        """
        if file.kind == "deploy":
            return await self._add(file)
        kind = await self._planner.kind(file.rollout.stream)
        former = {instance: file.former[instance] for instance in file.batch.instances}
        settings = await asyncio.to_thread(settings_after, file.rollout.stream, kind, former, file.settings)
        async with self._roster.changing:
            await self._roster.store(self._with_settings(settings))
        return file

    def work_of(self, file: RolloutFile) -> Callable[[str], Awaitable[object]]:
        """Return what is done to each instance of a batch that is prepared."""
        return self._operations.bring_up if file.kind == "deploy" else self._restart

    async def take_back(self, file: RolloutFile) -> None:
        """Store again what was wanted before the rollout; doing it again changes nothing.

        Raises:
            NotNow: It cannot be stored now.
        """
        async with self._roster.changing:
            if file.kind == "configure":
                former = {instance: file.former[instance] for instance in file.changed}
                await self._roster.store(self._with_settings(former))
                return
            leaving = [record for record in self._known(file.changed) if record.active]
            await self._roster.store(msgspec.structs.replace(record, desired="retired") for record in leaving)
            stream = file.rollout.stream
            await self._planner.keep_count(stream, len(self._roster.of_stream(stream)))

    def work_back(self, file: RolloutFile) -> Callable[[str], Awaitable[object]]:
        """Return what is done to each instance of a rollout that is taken back."""
        return self._operations.take_down if file.kind == "deploy" else self._restart

    async def settle(self, file: RolloutFile) -> None:
        """Have instances that come later be like those that were configured."""
        if file.kind != "configure":
            return
        try:
            await self._planner.keep_settings(file.rollout.stream, file.settings)
        except NotNow as error:
            self._events.publish(
                "rollout.settings_unkept",
                "warning",
                rollout=file.rollout.id,
                stream=file.rollout.stream,
                reason=f"instances that come later will not have these settings: {error}",
            )

    async def _add(self, file: RolloutFile) -> RolloutFile:
        stream, batch = file.rollout.stream, file.batch
        async with self._roster.changing:
            there = [record.id for record in self._known(batch.instances) if record.active]
            missing = batch.count - len(there)
            if missing <= 0:
                return file
            before = len(self._roster.of_stream(stream))
            change = await self._planner.grown(stream, before + missing, file.settings, file.isolation)
            file = file.with_batch((*there, *(record.id for record in change.start)))
            try:
                # Before the records: one that is there is found and taken back, whatever comes in between.
                await self._rollouts.keep(file)
            except OSError as error:
                raise NotNow(f"the rollout cannot be stored: {error.strerror or error}") from error
            await self._roster.store(change.start)
            try:
                await self._planner.keep_count(stream, before + missing)
            except ActorError:
                # Refused is refused: the next start should not do it after all.
                await self._roster.store(msgspec.structs.replace(each, desired="retired") for each in change.start)
                raise
        return file

    async def _restart(self, instance: str) -> None:
        record = self._roster.records.get(instance)
        if record is not None and record.desired in ("running", "paused"):
            await self._operations.act(instance, "restart")

    def _with_settings(self, settings: Mapping[str, dict[str, Any]]) -> list[Record]:
        return [
            msgspec.structs.replace(record, settings=settings[record.id])
            for record in self._known(settings)
            if record.settings != settings[record.id]
        ]

    def _known(self, instances: Iterable[str]) -> list[Record]:
        records = self._roster.records
        return [records[instance] for instance in instances if instance in records]


def settings_after(
    stream: str, kind: type[Stream[Any]], former: Mapping[str, dict[str, Any]], asked: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return the complete settings of instances with what is asked for on top. For a thread.

    Raises:
        NotAsAsked: They are not valid.
        NotNow: The stream's own code cannot read them.
    """
    return {instance: validated(stream, kind, overlaid(before, asked)) for instance, before in former.items()}
