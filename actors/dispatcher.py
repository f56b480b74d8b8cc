"""Runs the actors that have something to do, in turn, in slices that leave the loop room to breathe.

An idle actor is an object, not a task: it costs memory only, and a message to it costs no task switch.
"""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter
from typing import Protocol

from actors.mailbox import Envelope
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


class Dispatcher:
    """A queue of actors with work, first come, first served; each gets one batch and goes to the end.

    Attributes:
        asked: Asks of this slice. Most are answered before it ends; only the others get a place in the heap.
        scheduled: Whether a slice is going to run.
    """

    __slots__ = ("_loop", "_ready", "_timers", "asked", "scheduled")

    def __init__(self, loop: asyncio.AbstractEventLoop, timers: Timers) -> None:
        self._loop = loop
        self._timers = timers
        self._ready: deque[Runnable] = deque()
        self.asked: list[Envelope] = []
        self.scheduled = False

    def wake(self, cell: Runnable) -> None:
        """Give an actor its turn soon. The caller sees to it that it stands in the queue once."""
        self._ready.append(cell)
        if not self.scheduled:
            self.scheduled = True
            self._loop.call_soon(self._run)

    def schedule(self) -> None:
        """Have a slice run soon."""
        self.scheduled = True
        self._loop.call_soon(self._run)

    def _run(self) -> None:
        ready, asked = self._ready, self.asked
        began = perf_counter()
        until = began + SLICE_S
        turns = len(ready)
        try:
            while turns:
                turns -= 1
                cell = ready.popleft()
                cell.drain()
                now = perf_counter()
                cell.busy_s += now - began
                began = now
                if now > until:
                    break
            for envelope in asked:
                if not envelope.reply.done():
                    self._timers.add(self._timers.now() + envelope.timeout_s, envelope)
            asked.clear()
        finally:
            if ready:
                self._loop.call_soon(self._run)
            else:
                self.scheduled = False
