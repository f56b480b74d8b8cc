"""One heap of deadlines for every timer and every ask of a system, behind a single loop timer."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from typing import Any, Protocol


class Expiring(Protocol):
    """Something with a deadline."""

    def done(self) -> bool:
        """Whether the deadline no longer matters."""

    def expire(self) -> None:
        """Called once at the deadline."""

    def abandon(self) -> None:
        """Called instead when the system ends before the deadline."""


class Timer:
    """A callback that runs once, unless it is cancelled first."""

    __slots__ = ("_args", "_callback", "_owner", "_timers")

    def __init__(
        self,
        timers: Timers,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        owner: set[Timer | RepeatingTimer] | None = None,
    ) -> None:
        self._timers = timers
        self._callback: Callable[..., object] | None = callback
        self._args = args
        self._owner = owner
        if owner is not None:
            owner.add(self)

    def cancel(self) -> None:
        """Make sure that the callback does not run. Harmless when it has."""
        if self._callback is not None:
            self._callback = None
            self._args = ()
            self._timers.scheduled -= 1
            if self._owner is not None:
                self._owner.discard(self)

    def done(self) -> bool:
        """Whether it has run or was cancelled."""
        return self._callback is None

    def expire(self) -> None:
        """Run the callback."""
        callback, args = self._callback, self._args
        if callback is not None:
            self.cancel()
            callback(*args)

    def abandon(self) -> None:
        """Forget the callback."""
        self.cancel()


class RepeatingTimer:
    """A callback at a fixed rate, until it is cancelled; ticks that were missed are skipped, not made up."""

    __slots__ = ("_callback", "_due", "_interval_s", "_owner", "_timer", "_timers")

    def __init__(
        self,
        timers: Timers,
        interval_s: float,
        callback: Callable[[], object],
        owner: set[Timer | RepeatingTimer] | None = None,
    ) -> None:
        if interval_s <= 0:
            raise ValueError(f"an interval must be positive, not {interval_s!r}")
        self._timers = timers
        self._interval_s = interval_s
        self._callback = callback
        self._due = timers.now() + interval_s
        self._timer = timers.call_later(interval_s, self._tick)
        self._owner = owner
        if owner is not None:
            owner.add(self)

    def cancel(self) -> None:
        """Make sure that the callback does not run again."""
        self._timer.cancel()
        if self._owner is not None:
            self._owner.discard(self)

    def _tick(self) -> None:
        now = self._timers.now()
        missed = max(0, int((now - self._due) // self._interval_s))
        self._due += (missed + 1) * self._interval_s
        self._timer = self._timers.call_later(max(0.0, self._due - now), self._tick)
        self._callback()


class Timers:
    """The heap. Entries that are done are dropped when they surface, or in bulk when they pile up.

    Attributes:
        scheduled: Timers (not asks) that have yet to run.
    """

    __slots__ = ("_armed_at", "_compact_at", "_handle", "_heap", "_loop", "_sequence", "scheduled")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._heap: list[tuple[float, int, Expiring]] = []
        self._sequence = 0
        self._handle: asyncio.TimerHandle | None = None
        self._armed_at = float("inf")
        self._compact_at = 4096
        self.scheduled = 0

    def now(self) -> float:
        """The loop's monotonic time, seconds."""
        return self._loop.time()

    def call_later(self, delay_s: float, callback: Callable[..., object], *args: Any) -> Timer:
        """Run a callback after a delay."""
        return self.start(Timer(self, callback, args), delay_s)

    def start(self, timer: Timer, delay_s: float) -> Timer:
        """Have a timer run after a delay."""
        self.scheduled += 1
        self.add(self._loop.time() + delay_s, timer)
        return timer

    def add(self, deadline: float, target: Expiring) -> None:
        """Expire a target at a time of the loop's clock, unless it is done by then."""
        self._sequence += 1
        heapq.heappush(self._heap, (deadline, self._sequence, target))
        if deadline < self._armed_at:
            self._arm(deadline)
        if len(self._heap) > self._compact_at:
            self._compact()

    def close(self) -> None:
        """Abandon everything that has not expired."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        for _, _, target in self._heap:
            target.abandon()
        self._heap.clear()
        self._armed_at = float("inf")

    def _arm(self, deadline: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._armed_at = deadline
        self._handle = self._loop.call_at(deadline, self._fire)

    def _fire(self) -> None:
        self._handle = None
        self._armed_at = float("inf")
        heap = self._heap
        # A loop may call a little early (uvloop's clock ticks in milliseconds).
        due = self._loop.time() + 0.0005
        try:
            while heap and (heap[0][0] <= due or heap[0][2].done()):
                _, _, target = heapq.heappop(heap)
                if not target.done():
                    target.expire()
        finally:
            if heap and heap[0][0] < self._armed_at:
                self._arm(heap[0][0])

    def _compact(self) -> None:
        # In place: `_fire` may be holding on to the list.
        self._heap[:] = [entry for entry in self._heap if not entry[2].done()]
        heapq.heapify(self._heap)
        self._compact_at = max(4096, 2 * len(self._heap))
