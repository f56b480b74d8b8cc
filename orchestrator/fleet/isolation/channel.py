"""The channel: frames over a stream socket, each behind its length, bounded in size both ways."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from typing import Final

_LENGTH: Final = struct.Struct("!I")
_READ_BYTES: Final = 64 * 1024

_UNSENT_BYTES: Final = 256 * 1024
"""What may wait to be sent before a sender who cares is made to wait."""


class ChannelBroken(Exception):
    """What came over a channel is no sequence of frames, or the other side does not read it."""


class Splitter:
    """Cuts what arrives into frames.

    Args:
        max_bytes: Longest frame.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes as they come, and return the frames that are complete.

        Raises:
            ChannelBroken: A frame says that it is empty, or longer than the longest.
        """
        buffer = self._buffer
        buffer += data
        frames: list[bytes] = []
        start = 0
        while len(buffer) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer, start)
            if not 0 < length <= self._max_bytes:
                raise ChannelBroken(f"a frame of {length} bytes is announced; from 1 to {self._max_bytes} are allowed")
            end = start + _LENGTH.size + length
            if len(buffer) < end:
                break
            frames.append(bytes(buffer[start + _LENGTH.size : end]))
            start = end
        del buffer[:start]
        return frames


class Channel:
    """One end; made by `open_channel`.

    Args:
        reader: What comes.
        writer: Where to write.
        max_bytes: Longest frame, both ways.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, max_bytes: int) -> None:
        self._reader = reader
        self._writer = writer
        self._splitter = Splitter(max_bytes)
        self._max_bytes = max_bytes

    def send(self, frame: bytes) -> None:
        """Send a frame without waiting; after the channel has closed, nowhere.

        Raises:
            ChannelBroken: It is too long.
        """
        if not self.fits(frame):
            raise ChannelBroken(f"a frame of {len(frame)} bytes is longer than {self._max_bytes}")
        if not self._writer.is_closing():
            self._writer.write(_LENGTH.pack(len(frame)) + frame)

    def fits(self, frame: bytes) -> bool:
        """Whether a frame is short enough to be sent."""
        return len(frame) <= self._max_bytes

    @property
    def congested(self) -> bool:
        """Whether the other side reads more slowly than this one writes."""
        return self._writer.transport.get_write_buffer_size() > _UNSENT_BYTES

    async def drain(self) -> None:
        """Wait until most of what was sent has left; at once where the channel has closed."""
        try:
            await self._writer.drain()
        except ConnectionError:
            return

    async def flush(self) -> None:
        """Wait until all that was sent has left; at once where the channel has closed."""
        self._writer.transport.set_write_buffer_limits(high=0)
        await self.drain()

    async def frames(self) -> AsyncIterator[list[bytes]]:
        """Yield what has come, frame by frame, in the batches that came; ends with the channel.

        Raises:
            ChannelBroken: It is no sequence of frames.
        """
        while True:
            try:
                data = await self._reader.read(_READ_BYTES)
            except ConnectionError:
                return
            if not data:
                return
            if frames := self._splitter.feed(data):
                yield frames

    def close(self) -> None:
        """Close it at once."""
        self._writer.transport.abort()


async def open_channel(end: socket.socket, max_bytes: int) -> Channel:
    """Return the channel over one end of a socket pair; it owns that end from now on."""
    end.setblocking(False)
    reader, writer = await asyncio.open_unix_connection(sock=end, limit=_READ_BYTES)
    writer.transport.set_write_buffer_limits(high=_UNSENT_BYTES)
    return Channel(reader, writer, max_bytes)
