"""The rollouts of a daemon: remembered, kept on disk, and, where they go all at once, carried out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import structlog

from actors import ActorError
from orchestrator.events import EventBus, Level
from orchestrator.fleet.operations import Operations
from orchestrator.fleet.rolling.journal import Journal, RolloutFile, id_of
from orchestrator.fleet.rollout import Rollout, RolloutPage, RolloutState, Strategy

PARALLEL_STARTS = 32
"""Instances that are started at once. More would only wait for each other on one loop."""

KEPT = 200
"""Rollouts that are remembered; those that run are, in any case."""

_LEVELS: dict[RolloutState, Level] = {"completed": "info", "aborted": "info"}
"""How loudly an end is told; of the others, as a warning."""

_log = structlog.get_logger("fleet")


class Rollouts:
    """The rollouts since the daemon's start, and the last ones before. It outlives the deployment manager's lives.

    Args:
        directory: Where they are kept; None keeps none.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._journal = Journal(directory) if directory is not None else None
        self._rollouts: dict[str, Rollout] = {}
        self._kept: dict[str, RolloutFile] = {}
        self._last = 0
        self._loaded = False

    # -- on disk ------------------------------------------------------------------------------------------------

    async def load(self) -> None:
        """Read what former daemons left; in a later life of the manager, nothing."""
        if self._loaded or self._journal is None:
            return
        try:
            files = await asyncio.to_thread(self._journal.load)
            self._last = max(self._last, await asyncio.to_thread(self._journal.last_number))
        except OSError as error:
            _log.error("rollout.unread", reason=str(error))
            return
        self._loaded = True
        for file in files:
            self._rollouts[file.rollout.id] = file.rollout
            if file.rollout.ended_at is None:
                self._kept[file.rollout.id] = file

    async def reserve(self, count: int) -> None:
        """Have the numbers of the next rollouts, which are not kept themselves, never be used again."""
        if self._journal is None:
            return
        try:
            await asyncio.to_thread(self._journal.note_last_number, self._last + count)
        except OSError as error:
            # Better a number that is used twice than a fleet that does not start.
            _log.warning("rollout.number_unkept", reason=str(error))

    async def keep(self, file: RolloutFile) -> None:
        """Store where a rollout is, and then go by it. Raises OSError: what was kept before stands then."""
        if self._journal is not None:
            await asyncio.to_thread(self._journal.keep, file)
        rollout = file.rollout
        self._rollouts[rollout.id] = rollout
        if rollout.ended_at is None:
            self._kept[rollout.id] = file
        else:
            self._kept.pop(rollout.id, None)

    async def discard(self, file: RolloutFile) -> None:
        """Have a rollout not have begun, on disk neither."""
        self._kept.pop(file.rollout.id, None)
        if self._journal is not None:
            try:
                await asyncio.to_thread(self._journal.forget, file.rollout.id)
            except OSError as error:
                # The next start takes it up, finds nothing of it in the fleet, and tries it once more.
                _log.warning("rollout.undiscarded", rollout=file.rollout.id, reason=str(error))

    def unfinished(self) -> list[RolloutFile]:
        """Return the rollouts that are kept and have not ended, oldest first."""
        return list(self._kept.values())

    def kept(self, rollout: str) -> RolloutFile | None:
        """Return what is kept of a rollout that has not ended."""
        return self._kept.get(rollout)

    async def begin_kept(self, stream: str, up: tuple[str, ...], down: tuple[str, ...]) -> RolloutFile:
        """Begin a rollout that starts some instances and takes others down, and keep it."""
        file = RolloutFile(self.begin(stream, len(up) + len(down)), "count", up=up, down=down)
        try:
            await self.keep(file)
        except OSError as error:
            # What is wanted of the instances is stored already; only the tale of how it came about is not.
            _log.warning("rollout.unkept", rollout=file.rollout.id, reason=str(error))
        return file

    # -- in memory ----------------------------------------------------------------------------------------------

    def begin(self, stream: str, total: int, strategy: Strategy = "full", stages: int = 1) -> Rollout:
        """Begin a rollout, and forget the oldest that have ended."""
        self._last += 1
        rollout = Rollout(id_of(self._last), stream, strategy, total, stages=stages)
        self._rollouts[rollout.id] = rollout
        ended = [known.id for known in self._rollouts.values() if known.ended_at is not None]
        for surplus in ended[: max(0, len(self._rollouts) - KEPT)]:
            del self._rollouts[surplus]
        return rollout

    def begin_start(self, stream: str, up: tuple[str, ...]) -> RolloutFile:
        """Begin a rollout that starts what is wanted already: the next start does so anyway, and it is not kept."""
        return RolloutFile(self.begin(stream, len(up)), "count", up=up)

    def forget(self, rollout: str) -> None:
        """Have a rollout not have begun, after all."""
        self._rollouts.pop(rollout, None)

    def get(self, rollout: str) -> Rollout | None:
        """Return a rollout, if it is remembered."""
        return self._rollouts.get(rollout)

    def page(self, limit: int, before: str | None) -> RolloutPage:
        """Return the rollouts that began before one, the newest first; the newest of all where none is named.

        Args:
            limit: The most there are on the page, 1 at least.
            before: The id of a rollout. One that is forgotten has nothing before it.
        """
        ids = list(self._rollouts)
        end = len(ids) if before is None else ids.index(before) if before in self._rollouts else 0
        begin = max(0, end - max(1, limit))
        items = tuple(self._rollouts[rollout] for rollout in reversed(ids[begin:end]))
        return RolloutPage(items, items[-1].id if begin > 0 else None)

    def show(self, rollout: Rollout) -> None:
        """Have a rollout shown so from now on."""
        self._rollouts[rollout.id] = rollout

    def advance(self, rollout: str) -> None:
        """Note that one more instance is as asked."""
        self._rollouts[rollout] = self._rollouts[rollout].advanced()

    def fail(self, rollout: str, instance: str, reason: str) -> None:
        """Note that an instance was not ready."""
        self._rollouts[rollout] = self._rollouts[rollout].with_failure(instance, reason)

    def end(self, rollout: str) -> Rollout:
        """End a rollout, and return it."""
        ended = self._rollouts[rollout] = self._rollouts[rollout].ended()
        return ended

    def interrupt(self) -> Iterator[Rollout]:
        """End the rollouts that nobody works on any more and nobody takes up again, and yield them."""
        for rollout in tuple(self._rollouts.values()):
            if rollout.ended_at is None and rollout.id not in self._kept:
                yield self.end(rollout.id)


async def run_rollout(rollouts: Rollouts, operations: Operations, events: EventBus, file: RolloutFile) -> None:
    """Bring instances up and take others down; each that fails is noted, and disturbs no other."""
    rollout = file.rollout.id
    rollouts.show(file.rollout)  # taken up again, it begins anew
    await each_at_once(rollouts, rollout, file.up, operations.bring_up, and_also=(file.down, operations.take_down))
    ended = rollouts.end(rollout)
    if rollouts.kept(rollout) is not None:
        try:
            await rollouts.keep(msgspec.structs.replace(file, rollout=ended))
        except OSError as error:
            # It is done; at the worst it is found to be done once more, after the next start.
            _log.warning("rollout.unkept", rollout=rollout, reason=str(error))
    tell_end(events, ended)


async def each_at_once(
    rollouts: Rollouts,
    rollout: str,
    instances: tuple[str, ...],
    work: Callable[[str], Awaitable[object]],
    *,
    and_also: tuple[tuple[str, ...], Callable[[str], Awaitable[object]]] | None = None,
) -> None:
    """Do something with instances, some at a time; each is noted as done or as failed."""
    turn = asyncio.Semaphore(PARALLEL_STARTS)

    async def one(instance: str, work: Callable[[str], Awaitable[object]]) -> None:
        async with turn:
            try:
                await work(instance)
            except ActorError as error:
                rollouts.fail(rollout, instance, str(error))
            except Exception as error:  # noqa: BLE001 - an ask passes on whatever the other side failed with
                _log.exception("rollout.failure", rollout=rollout, instance=instance)
                rollouts.fail(rollout, instance, f"{type(error).__name__}: {error}")
            else:
                rollouts.advance(rollout)

    async with asyncio.TaskGroup() as group:
        for instance in instances:
            group.create_task(one(instance, work))
        if and_also is not None:
            for instance in and_also[0]:
                group.create_task(one(instance, and_also[1]))


def tell_end(events: EventBus, rollout: Rollout) -> None:
    """Tell how a rollout ended."""
    told: dict[str, Any] = {} if rollout.reason is None else {"reason": rollout.reason}
    events.publish(
        f"rollout.{rollout.state}",
        _LEVELS.get(rollout.state, "warning"),
        rollout=rollout.id,
        stream=rollout.stream,
        total=rollout.total,
        done=rollout.done,
        failed=rollout.failed,
        **told,
    )
