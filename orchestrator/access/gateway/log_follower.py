"""Follows the log for one listener: a `dispatch.Session` whose notifications become server-sent events."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

import msgspec

from orchestrator.access.gateway.frames import MAX_BYTES, MAX_CHUNK_BYTES, TooSlow, frame_of


class LogFollower:
    """One who follows the log by a call of `logs.tail`.

    Args:
        origin: Who asks, for logs and audit.
    """

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._frames: deque[bytes] = deque()
        self._size_bytes = 0
        self._too_slow = False
        self._on_close: list[Callable[[], object]] = []
        self._woken = asyncio.Event()
        self.open = True

    @property
    def origin(self) -> str:
        """Who asks."""
        return self._origin

    def notify(self, method: str, params: object) -> bool:
        """Take a line."""
        return self.add(msgspec.json.encode(params))

    def notify_line(self, line: bytes) -> bool:
        """Lines of the log are not sent this way."""
        return False

    def on_close(self, callback: Callable[[], object]) -> None:
        """Have a callback called when the listener leaves."""
        self._on_close.append(callback)

    def add(self, document: bytes) -> bool:
        """Take a line of the log; False once the listener has left, or reads too slowly."""
        if not self.open or self._too_slow:
            return False
        frame = frame_of(document)
        self._size_bytes += len(frame)
        self._too_slow = self._size_bytes > MAX_BYTES and bool(self._frames)
        if not self._too_slow:
            self._frames.append(frame)
        self._woken.set()
        return not self._too_slow

    async def wait(self, limit_s: float) -> None:
        """Wait until there may be something to read, or it is over; or for so long."""
        try:
            async with asyncio.timeout(limit_s):
                await self._woken.wait()
        except TimeoutError:
            return

    def take(self) -> bytes:
        """Return what there is to read now, as much as is written at once; raises `TooSlow` behind the last of it."""
        self._woken.clear()
        chunk: list[bytes] = []
        size_bytes = 0
        while self._frames and (not chunk or size_bytes + len(self._frames[0]) <= MAX_CHUNK_BYTES):
            chunk.append(self._frames.popleft())
            size_bytes += len(chunk[-1])
        self._size_bytes -= size_bytes
        if not chunk and self._too_slow:
            raise TooSlow
        if self._frames or self._too_slow:
            self._woken.set()  # there is more
        return b"".join(chunk)

    def close(self) -> None:
        """It is over: whoever waits is woken."""
        self.open = False
        self._woken.set()

    def leave(self) -> None:
        """Follow no more. Safe to call again."""
        self.close()
        callbacks, self._on_close = self._on_close, []
        for callback in callbacks:
            callback()
