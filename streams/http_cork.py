"""Fewer system calls: the head of an answer waits for its body.

uvicorn writes both one after the other, and uvloop makes a system call of each write. On loopback that is the
dearest part of a short answer.
"""

from __future__ import annotations

import asyncio


class CorkedTransport(asyncio.Transport):
    """Holds a write back until the next one, or the end of this turn of the loop. Order and content stay."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._held = b""
        self._popping: asyncio.Handle | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write, soon."""
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held + data)
        else:
            self._held = bytes(data)
            if self._popping is None:
                self._popping = self._loop.call_soon(self._pop)

    def close(self) -> None:
        """Write what is held, then close once everything is sent."""
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        """Close at once; what is not sent is lost."""
        self._held = b""
        self._transport.abort()

    def is_closing(self) -> bool:
        """Return whether the transport is closing or closed."""
        return self._transport.is_closing()

    def get_write_buffer_size(self) -> int:
        """Return how many bytes are not sent yet."""
        return len(self._held) + self._transport.get_write_buffer_size()

    def _pop(self) -> None:
        self._popping = None
        self._flush()

    def _flush(self) -> None:
        if self._held:
            held, self._held = self._held, b""
            if not self._transport.is_closing():
                self._transport.write(held)
