"""The rollouts of a daemon: remembered, and carried out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import structlog

from actors import ActorError
from orchestrator.events import EventBus
from orchestrator.fleet.operations import Operations
from orchestrator.fleet.rollout import Rollout, RolloutPage

PARALLEL_STARTS = 32
"""Instances that are started at once. More would only wait for each other on one loop."""

KEPT = 200
"""Rollouts that are remembered; those that run are, in any case."""

_log = structlog.get_logger("fleet")


class Rollouts:
    """The rollouts since the daemon's start. It outlives the deployment manager's lives."""

    def __init__(self) -> None:
        self._rollouts: dict[str, Rollout] = {}
        self._count = 0

    def begin(self, stream: str, total: int) -> Rollout:
        """Begin a rollout, and forget the oldest that have ended."""
        self._count += 1
        rollout = Rollout(f"rollout-{self._count:04d}", stream, "full", total)
        self._rollouts[rollout.id] = rollout
        ended = [known.id for known in self._rollouts.values() if known.ended_at is not None]
        for surplus in ended[: max(0, len(self._rollouts) - KEPT)]:
            del self._rollouts[surplus]
        return rollout

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
        """End the rollouts that nobody works on any more, and yield them."""
        for rollout in tuple(self._rollouts.values()):
            if rollout.ended_at is None:
                yield self.end(rollout.id)


async def run_rollout(
    rollouts: Rollouts,
    operations: Operations,
    events: EventBus,
    rollout: str,
    up: tuple[str, ...],
    down: tuple[str, ...],
) -> None:
    """Bring instances up and take others down; each that fails is noted, and disturbs no other."""
    turn = asyncio.Semaphore(PARALLEL_STARTS)

    async def one(instance: str, work: Callable[[str], Awaitable[None]]) -> None:
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
        for instance in up:
            group.create_task(one(instance, operations.bring_up))
        for instance in down:
            group.create_task(one(instance, operations.take_down))
    tell_end(events, rollouts.end(rollout))


def tell_end(events: EventBus, rollout: Rollout) -> None:
    """Tell how a rollout ended."""
    events.publish(
        f"rollout.{rollout.state}",
        "info" if rollout.state == "completed" else "warning",
        rollout=rollout.id,
        stream=rollout.stream,
        total=rollout.total,
        done=rollout.done,
        failed=rollout.failed,
    )
