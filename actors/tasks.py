"""A task that belongs to an actor."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import anyio

from actors.errors import Interrupted

R = TypeVar("R")


def is_being_cancelled() -> bool:
    """Whether a `CancelledError` seen now was meant for this task, and not for something it awaited."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class OwnedTask:
    """A handle on a task of an actor; see `ActorContext.start_task`.

    Attributes:
        name: For the logs.
        cancelled: Whether it was cancelled by this handle.
    """

    __slots__ = ("_ended", "_scope", "cancelled", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.cancelled = False
        # Made in the task: a handle may be made in a plain callback, where anyio has no scope to give.
        self._scope: anyio.CancelScope | None = None
        self._ended: anyio.Event | None = None

    def cancel(self) -> None:
        """Cancel the task; it may take a while to end."""
        self.cancelled = True
        if self._scope is not None:
            self._scope.cancel()

    async def wait(self) -> None:
        """Return when the task has ended, however it did."""
        if self._ended is None:
            self._ended = anyio.Event()
        await self._ended.wait()

    async def cancel_and_wait(self) -> None:
        """Cancel the task and return when it has ended."""
        self.cancel()
        await self.wait()

    async def run(self, work: Awaitable[R]) -> R | None:
        """Called by the kernel: do the work; None when it was cancelled.

        Raises:
            Interrupted: A `CancelledError` came out of the work, but nobody had cancelled it.
        """
        with anyio.CancelScope() as scope:
            self._scope = scope
            if self.cancelled:
                scope.cancel()
            try:
                return await work
            except asyncio.CancelledError as error:
                if is_being_cancelled():
                    raise
                raise Interrupted(error) from error
        return None

    def ended(self) -> None:
        """Called by the kernel at the task's end."""
        if self._ended is None:
            self._ended = anyio.Event()
        self._ended.set()
