"""What a child writes on its standard output and error: cut into lines, bounded, and put into its instance's log."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Final

from orchestrator.fleet.isolation.allowance import Allowance

MAX_LINE_BYTES: Final = 4096
"""A longer line is told in pieces."""

BYTES_PER_S: Final = 1024 * 1024
"""What is read of a child's output; beyond that the child waits."""

_READ_BYTES: Final = 16 * 1024


class Lines:
    """Cuts bytes into lines of text."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """Take bytes as they come, and return the lines that are complete."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        while len(self._rest) > MAX_LINE_BYTES:
            whole.append(self._rest[:MAX_LINE_BYTES])
            self._rest = self._rest[MAX_LINE_BYTES:]
        return [text for line in whole for text in _pieces(line)]

    def end(self) -> list[str]:
        """Return what has no end of line."""
        rest, self._rest = self._rest, b""
        return _pieces(rest)


def _pieces(line: bytes) -> list[str]:
    pieces = (line[start : start + MAX_LINE_BYTES] for start in range(0, len(line), MAX_LINE_BYTES))
    return [text for piece in pieces if (text := piece.decode(errors="replace").rstrip())]


async def read_output(descriptor: int, tell: Callable[[str], object]) -> None:
    """Read a pipe to its end, and tell each line. Owns the descriptor."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_READ_BYTES)
    file = os.fdopen(descriptor, "rb", buffering=0)
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), file)
    lines, allowance = Lines(), Allowance(BYTES_PER_S, loop.time())
    try:
        while data := await reader.read(_READ_BYTES):
            for line in lines.feed(data):
                tell(line)
            await asyncio.sleep(allowance.take(len(data), loop.time()))
        for line in lines.end():
            tell(line)
    finally:
        transport.close()
