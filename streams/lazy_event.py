"""An event that costs next to nothing until somebody waits for it: `asyncio.Event` has a queue of 760 bytes at once."""

from __future__ import annotations

import asyncio


class LazyEvent:
    """Like `asyncio.Event`, for what is made ten thousand times, or once for each request, and seldom waited for."""

    __slots__ = ("_event", "_is_set")

    def __init__(self) -> None:
        self._event: asyncio.Event | None = None
        self._is_set = False

    def set(self) -> None:
        """Wake all who wait."""
        self._is_set = True
        if self._event is not None:
            self._event.set()

    def clear(self) -> None:
        """Have the next ones wait."""
        self._is_set = False
        if self._event is not None:
            self._event.clear()

    async def wait(self) -> None:
        """Return when it is set."""
        if not self._is_set:
            if self._event is None:
                self._event = asyncio.Event()
            await self._event.wait()
