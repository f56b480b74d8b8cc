"""The loads since the last change of a count: what lasts is told from what flickers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

JITTER: Final = 0.05
"""Part of an interval by which a measurement may be early or late without being missed in a window."""

GAP: Final = 2.5
"""Intervals without a measurement after which those before are stale."""


class LoadWindow:
    """Loads with their times. The clock is the caller's, monotonic.

    A load that is not known is kept as None. It counts as 0 % where the fleet would grow for it, and as 100 % where
    it would shrink for it, as Kubernetes has it.
    """

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float | None]] = deque()
        self._interval_s = 0.0

    def clear(self) -> None:
        """Forget everything: what comes is to last anew."""
        self._samples.clear()

    def add(self, t_s: float, load: float | None, interval_s: float, keep_s: float) -> bool:
        """Note a load.

        Args:
            t_s: When.
            load: The load, None where it is not known.
            interval_s: How often there should be one.
            keep_s: The longest window that is asked for.

        Returns:
            Whether those before were stale and are forgotten: after a pause, or where the clock went back.
        """
        last_s = self._samples[-1][0] if self._samples else t_s
        stale = not last_s <= t_s <= last_s + GAP * interval_s
        if stale:
            self._samples.clear()
        self._interval_s = interval_s
        self._samples.append((t_s, load))
        while self._samples[0][0] < t_s - keep_s - interval_s:
            self._samples.popleft()
        return stale

    def least(self, window_s: float) -> float | None:
        """Return the least load of the last while, None where there is not so much of it yet."""
        loads = self._lately(window_s)
        return None if loads is None else min(0.0 if load is None else load for load in loads)

    def most(self, window_s: float) -> float | None:
        """Return the highest load of the last while, None where there is not so much of it yet."""
        loads = self._lately(window_s)
        return None if loads is None else max(1.0 if load is None else load for load in loads)

    def lasted_s(self, holds: Callable[[float], bool]) -> float:
        """Return for how long something has held of the load without a break, seconds."""
        if not self._samples:
            return 0.0
        end_s = since_s = self._samples[-1][0]
        for t_s, load in reversed(self._samples):
            if load is None or not holds(load):
                break
            since_s = t_s
        return end_s - since_s

    def _lately(self, window_s: float) -> list[float | None] | None:
        if not self._samples:
            return None
        begin_s = self._samples[-1][0] - window_s
        slack_s = JITTER * self._interval_s
        if self._samples[0][0] > begin_s + slack_s:
            return None
        return [load for t_s, load in self._samples if t_s >= begin_s - slack_s]
