"""Runs the actors that have something to do, in turn, in slices that leave the loop room to breathe.

An idle actor is an object, not a task: it costs memory only, and a message to it costs no task switch.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from functools import partial
from time import perf_counter
from typing import Any, Protocol

from actors.errors import ActorStopped, AskTimeout
from actors.mailbox import Asked
from actors.timers import Timers

SLICE_S = 0.002
"""How long actors run before sockets and timers get their turn."""


class Runnable(Protocol):
    """An actor's cell, seen from here.

    Attributes:
        busy_s: What it used so far; kept here, since one reading of the clock serves two neighbours.
    """

    busy_s: float

    def drain(self) -> None:
        """Handle at most one batch of messages."""


class AskDeadline:
    """The deadline of an ask that was not answered at once."""

    __slots__ = ("_message", "_path", "_reply", "_timeout_s")

    def __init__(self, message: Any, reply: asyncio.Future[Any], path: str, timeout_s: float) -> None:
        self._message = message
        self._reply = reply
        self._path = path
        self._timeout_s = timeout_s

    def done(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self._reply.done()

    def expire(self) -> None:
        """Tell the asker that its time is up."""
        if not self._reply.done():
            self._reply.set_exception(AskTimeout(self._path, self._message, self._timeout_s))

    def abandon(self) -> None:
        """Tell the asker that nobody will answer."""
        if not self._reply.done():
            self._reply.set_exception(ActorStopped(self._path))


class Dispatcher:
    """A queue of actors with work, first come, first served; each gets one batch and goes to the end.

    Attributes:
        ready: The queue. Whoever appends to it calls `schedule` unless `scheduled`.
        asked: Asks of this slice. Most are answered before it ends; only the others get a place in the heap.
        scheduled: Whether a slice is going to run.
        new_future: Makes a future of the loop, in half the time of uvloop's own `create_future`.
    """

    __slots__ = ("_call_soon", "_context", "_run", "_timers", "asked", "new_future", "ready", "scheduled")

    def __init__(self, loop: asyncio.AbstractEventLoop, timers: Timers) -> None:
        self._call_soon: Callable[..., object] = loop.call_soon
        self._run = self._run_slice
        # Handlers run in the system's context, not in that of whoever happened to wake the dispatcher.
        self._context = copy_context()
        self._timers = timers
        self.ready: deque[Runnable] = deque()
        self.asked: list[Asked] = []
        self.scheduled = False
        self.new_future: partial[asyncio.Future[Any]] = partial(asyncio.Future, loop=loop)

    def wake(self, cell: Runnable) -> None:
        """Give an actor its turn soon. The caller sees to it that it stands in the queue once."""
        self.ready.append(cell)
        if not self.scheduled:
            self.schedule()

    def schedule(self) -> None:
        """Have a slice run soon."""
        self.scheduled = True
        self._call_soon(self._run, context=self._context.copy())

    def close(self) -> None:
        """Let nobody have a turn any more."""
        self._call_soon = _forget
        self.ready.clear()
        for _, reply, path, _ in self.asked:
            if not reply.done():
                reply.set_exception(ActorStopped(path))
        self.asked.clear()

    def _run_slice(self) -> None:
        ready, asked = self.ready, self.asked
        began = perf_counter()
        until = began + SLICE_S
        try:
            while ready:
                cell = ready.popleft()
                cell.drain()
                now = perf_counter()
                cell.busy_s += now - began
                began = now
                if now > until:
                    break
            for message, reply, path, timeout_s in asked:
                if not reply.done():
                    self._timers.add(self._timers.now() + timeout_s, AskDeadline(message, reply, path, timeout_s))
            asked.clear()
        finally:
            if ready:
                self.schedule()
            else:
                self.scheduled = False


def _forget(callback: Callable[[], None], *, context: Context) -> None:
    """Schedule nothing: the place of `call_soon` in a dispatcher that was closed."""
