"""Server-sent events: how they look on the wire, and the shared queue that many listeners read from."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Final

HEARTBEAT: Final = b": still here\n\n"
GREETING: Final = b"retry: 3000\n\n"
"""Sent first: a browser that lost its connection comes back after three seconds."""
FAREWELL: Final = b": cut off, this connection read too slowly\n\n"

MAX_FRAMES: Final = 4096
MAX_BYTES: Final = 1 << 20
"""How far a listener may fall behind."""

MAX_CHUNK_BYTES: Final = 64 << 10
"""The most that is written at once."""


def frame_of(document: bytes) -> bytes:
    """Return the event that carries a JSON document. Compact JSON has no line breaks."""
    return b"data: %s\n\n" % document


class TooSlow(Exception):
    """A listener has fallen so far behind that what it should read next is gone."""


class FrameQueue:
    """What was told of late. Each reader has a place of its own; the frames are there once for all of them.

    A frame is known by its number, counted from 0.

    Args:
        max_frames: How many are kept for those who are behind.
        max_bytes: How many bytes of them.
    """

    def __init__(self, max_frames: int = MAX_FRAMES, max_bytes: int = MAX_BYTES) -> None:
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self._frames: deque[bytes] = deque()
        self._size_bytes = 0
        self._first = 0

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def end(self) -> int:
        """The number of the frame that comes next."""
        return self._first + len(self._frames)

    def append(self, frame: bytes) -> None:
        """Add a frame; the oldest ones go where there is no room."""
        self._frames.append(frame)
        self._size_bytes += len(frame)
        while len(self._frames) > self._max_frames or (self._size_bytes > self._max_bytes and len(self._frames) > 1):
            self._drop()

    def read(self, place: int) -> tuple[bytes, int]:
        """Return what stands from a place on, as much as is written at once, and the place behind it.

        Raises:
            TooSlow: It is gone.
        """
        if place < self._first:
            raise TooSlow
        chunk: list[bytes] = []
        size_bytes = 0
        for frame in islice(self._frames, place - self._first, None):
            if chunk and size_bytes + len(frame) > MAX_CHUNK_BYTES:
                break
            chunk.append(frame)
            size_bytes += len(frame)
        return b"".join(chunk), place + len(chunk)

    def forget(self, before: int) -> None:
        """Drop the frames before a place: nobody will read them."""
        while self._frames and self._first < before:
            self._drop()

    def _drop(self) -> None:
        self._size_bytes -= len(self._frames.popleft())
        self._first += 1
