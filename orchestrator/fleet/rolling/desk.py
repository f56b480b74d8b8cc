"""Where rollouts in batches begin, are taken up again, and are decided on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from config.fleet import Isolation
from orchestrator.fleet.messages import NotAsAsked, NotFound, NotNow
from orchestrator.fleet.planner import refuse_too_many
from orchestrator.fleet.record import Record
from orchestrator.fleet.rolling.batches import batches_to_add, batches_to_change
from orchestrator.fleet.rolling.changes import Planner, settings_after
from orchestrator.fleet.rolling.conductor import Conductor, Decision, Stage
from orchestrator.fleet.rolling.journal import RolloutFile
from orchestrator.fleet.rollout import Rollout, Strategy


class RolloutDesk:
    """Begins rollouts, and hands each to a conductor.

    Args:
        stage: What they are carried out with.
        planner: What the deployment manager knows.
        start_task: Starts a conductor's work as a task of the manager.
    """

    def __init__(self, stage: Stage, planner: Planner, start_task: Callable[[Conductor, str], object]) -> None:
        self._stage = stage
        self._planner = planner
        self._start_task = start_task
        self._conductors: dict[str, Conductor] = {}

    async def begin_deploy(
        self, stream: str, count: int, strategy: Strategy, settings: dict[str, Any], isolation: Isolation | None
    ) -> str:
        """Add instances of a stream in batches; returns the rollout's id once the first is decided on.

        Raises:
            ActorError: It cannot be done; says why, and nothing is changed.
        """
        self._refuse_second(stream)
        refuse_too_many(len(self._stage.roster.of_stream(stream)) + count)
        batches = batches_to_add(strategy, count, self._stage.rules())
        rollout = self._stage.rollouts.begin(stream, count, strategy, len(batches))
        file = RolloutFile(rollout, "deploy", settings, batches, isolation=isolation)
        try:
            file = await self._stage.changes.prepare(file)
        except BaseException:
            await self._undo(file)
            raise
        return self._set_out(file)

    async def begin_configure(self, stream: str, strategy: Strategy, settings: dict[str, Any]) -> str:
        """Give a stream's instances other settings; returns the rollout's id once it is on disk.

        Raises:
            ActorError: It cannot be done; says why, and nothing is changed.
        """
        self._refuse_second(stream)
        kind = await self._planner.kind(stream)
        # Those that work come first: of the others, nothing could be learned.
        records = sorted(
            self._stage.roster.of_stream(stream), key=lambda record: (not self._works(record), record.number)
        )
        if not records:
            raise NotNow(f"there are no instances of {stream}; `automate fleet deploy` adds some")
        former = {record.id: record.settings for record in records}
        after = await asyncio.to_thread(settings_after, stream, kind, former, settings)
        former = {instance: before for instance, before in former.items() if after[instance] != before}
        if not former:
            raise NotAsAsked(f"all instances of {stream} have these settings already")
        self._refuse_second(stream)
        batches = batches_to_change(strategy, tuple(former), self._stage.rules())
        rollout = self._stage.rollouts.begin(stream, len(former), strategy, len(batches))
        file = RolloutFile(rollout, "configure", settings, batches, former)
        try:
            await self._stage.rollouts.keep(file)
        except OSError as error:
            self._stage.rollouts.forget(rollout.id)
            raise NotNow(f"the rollout cannot be stored: {error.strerror or error}") from error
        return self._set_out(file)

    def take_up(self) -> list[RolloutFile]:
        """Go on with what is kept of former lives, and return what goes all at once."""
        unfinished = self._stage.rollouts.unfinished()
        for file in unfinished:
            if file.kind != "count":
                self._conduct(file)
        return [file for file in unfinished if file.kind == "count"]

    async def decide(self, rollout: str, decision: Decision) -> Rollout:
        """Promote or abort a rollout.

        Raises:
            NotFound: There is none of this id.
            NotNow: There is nothing to decide.
        """
        conductor = self._conductors.get(rollout)
        if conductor is not None:
            return await conductor.decide(decision)
        known = self._stage.rollouts.get(rollout)
        if known is None:
            raise NotFound(f"no rollout {rollout!r} is known; `automate rollout list` shows all that are")
        if known.ended_at is not None:
            raise NotNow(f"{rollout} is {known.state} already")
        raise NotNow(f"{rollout} goes all at once; there is nothing to {decision}")

    def _works(self, record: Record) -> bool:
        ref = self._stage.operations.ref(record.id)
        return record.desired == "running" and ref is not None and ref.vitals().condition == "running"

    def _refuse_second(self, stream: str) -> None:
        for file in self._stage.rollouts.unfinished():
            if file.kind != "count" and file.rollout.stream == stream:
                known = file.rollout.id
                raise NotNow(
                    f"{known} of {stream} has not ended; wait for it, or use `automate rollout promote {known}` or "
                    f"`automate rollout abort {known}`"
                )

    def _set_out(self, file: RolloutFile) -> str:
        rollout = file.rollout
        self._stage.events.publish(
            "rollout.started",
            rollout=rollout.id,
            stream=rollout.stream,
            total=rollout.total,
            strategy=rollout.strategy,
            stages=rollout.stages,
        )
        self._conduct(file)
        return rollout.id

    def _conduct(self, file: RolloutFile) -> None:
        conductor = self._conductors[file.rollout.id] = Conductor(file, self._stage)
        self._start_task(conductor, file.rollout.id)

    async def _undo(self, file: RolloutFile) -> None:
        """Forget a rollout that could not begin."""
        kept = self._stage.rollouts.kept(file.rollout.id)
        self._stage.rollouts.forget(file.rollout.id)
        if kept is not None:
            await self._stage.rollouts.discard(kept)
