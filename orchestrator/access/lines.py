"""Lines out of a stream of bytes: LF ends them, a CR before it is tolerated, and none is too long."""

from __future__ import annotations


class LineTooLong(Exception):
    """The next line is past the limit. Where it ends is not known yet."""


class LineBuffer:
    """Holds what was read until it makes lines.

    Every byte is looked at once for its LF, however small the pieces in which a line arrives.

    Args:
        limit_bytes: The longest line, its end not counted.
    """

    __slots__ = ("_buffer", "_limit_bytes", "_scanned")

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._buffer = bytearray()
        self._scanned = 0  # there is no LF before this place

    def __len__(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Add what was read."""
        self._buffer += data

    def end(self) -> None:
        """Nothing more will be read: what is left is a line, though it lacks its LF."""
        if self._buffer and not self._buffer.endswith(b"\n"):
            self._buffer += b"\n"

    def clear(self) -> None:
        """Forget what was read."""
        self._buffer.clear()
        self._scanned = 0

    def take(self) -> bytearray | None:
        """Return the next line without its end; None when it is not complete.

        Raises:
            LineTooLong: It is, or is going to be, longer than the limit.
        """
        buffer = self._buffer
        end = buffer.find(b"\n", self._scanned)
        if end < 0:
            self._scanned = len(buffer)
            length = len(buffer) - buffer.endswith(b"\r")  # what may still be the line's end is not part of it
            if length > self._limit_bytes:
                raise LineTooLong
            return None
        length = end - 1 if end and buffer[end - 1] == 13 else end
        if length > self._limit_bytes:
            raise LineTooLong
        line = buffer[:length]
        del buffer[: end + 1]
        self._scanned = 0
        return line
