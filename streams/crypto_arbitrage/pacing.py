"""The pace of calls to a venue, without a loop that ticks.

ccxt's own throttler looks every millisecond whether a call may go, which costs a tenth of a core while one waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

_BURST: Final = 5.0
"""Calls that may go at once after a rest; on average the venue's pace holds."""


class Pacer:
    """Lets calls go at a pace: each waits for exactly as long as it has to.

    Args:
        interval_s: The time between two calls of weight one, on average.
        monotonic: Seconds.
    """

    def __init__(self, interval_s: float, monotonic: Callable[[], float]) -> None:
        self._interval_s = interval_s
        self._monotonic = monotonic
        self._next_s = 0.0

    async def __call__(self, weight: float | None = None) -> None:
        """Wait for one's turn; turns are given in the order in which they were asked for."""
        now_s = self._monotonic()
        at_s = max(self._next_s, now_s - _BURST * self._interval_s)
        self._next_s = at_s + self._interval_s * (1.0 if weight is None else weight)
        if at_s > now_s:
            await asyncio.sleep(at_s - now_s)
