"""Makes clicks durable before they are answered, many with one sync.

All clicks of one turn of the event loop are written and synced together, in a thread; those that come meanwhile
are the next group. A click that comes alone is written at once; when one group follows another, they begin two
milliseconds apart, so that a busy loop pays for few syncs and a click waits little longer than for its own.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final

from actors import Refusal
from streams.affiliate_marketing.caps import CapCounter
from streams.affiliate_marketing.click import Click, frame_of
from streams.affiliate_marketing.click_segments import DAY_US, Found, Segments

SEGMENT_BYTES: Final = 8 * 1024 * 1024
"""When a new file is begun: some 100,000 clicks, which are read again at a start."""

MAX_WAITING_BYTES: Final = 4 * 1024 * 1024
"""What may wait for a disk that has become slow."""

_SYNCS_APART_S: Final = 0.002


class ClicksUnwritable(Refusal):
    """Clicks cannot be stored now; none of those that failed has happened."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"clicks cannot be stored now: {reason}")


class _Group:
    """Clicks that become durable together."""

    __slots__ = ("clicks", "frames", "size_bytes", "start", "waiting")

    def __init__(self, start: int) -> None:
        self.start = start
        self.frames: list[bytes] = []
        self.clicks: list[Click] = []
        self.size_bytes = 0
        self.waiting: list[asyncio.Future[None]] = []

    def is_durable(self, error: ClicksUnwritable | None) -> None:
        """Tell those who wait."""
        for future in self.waiting:
            if future.done():
                continue  # nobody waits any more
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)


class ClickJournal:
    """The clicks of one instance.

    Args:
        directory: Where its files are; made where it is missing.
        keep_us: How long clicks are kept, microseconds.
        segment_bytes: When a new file is begun.
    """

    def __init__(self, directory: Path, keep_us: int, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._segments = Segments(directory)
        self._keep_us = keep_us
        self._segment_bytes = segment_bytes
        self._counts = CapCounter({})  # of what is durable, for the next segment's beginning
        self._writer: ThreadPoolExecutor | None = None
        self._descriptor: int | None = None
        self._base = 0
        self._durable_end = 0
        self._end = 0
        self._open_group: _Group | None = None
        self._written_group: _Group | None = None
        self._began_s = 0.0
        self._idle = asyncio.Event()
        self._idle.set()
        self.syncs = 0

    async def open(self, since_us: int) -> Found:
        """Read what is there.

        Args:
            since_us: From when clicks are returned one by one.

        Raises:
            ClicksDamaged: The files cannot be trusted.
            OSError: They cannot be read.
        """
        found = await asyncio.to_thread(self._segments.find, since_us)
        self._counts.restore(found.counts)
        self._base, self._durable_end, self._end = found.base, found.end, found.end
        self._loop = asyncio.get_running_loop()
        # A thread of its own: behind others' work in the shared pool, clicks would wait.
        self._writer = ThreadPoolExecutor(1, "clicks")
        return found

    def append(self, click: Click) -> tuple[int, asyncio.Future[None]]:
        """Take a click; return its place, and what to wait for before it is told to anyone.

        The future raises `ClicksUnwritable` where the click could not be stored, and will not be.

        Raises:
            ClicksUnwritable: Too many are waiting, or the journal is closed.
        """
        if self._writer is None:
            raise ClicksUnwritable("the journal is closed")
        group = self._open_group
        if group is None:
            group = self._open_group = _Group(self._end)
            if self._written_group is None:
                self._idle.clear()
                self._write_soon()
        elif group.size_bytes > MAX_WAITING_BYTES:
            raise ClicksUnwritable("the disk is too slow")
        frame = frame_of(click)
        place = self._end
        self._end += len(frame)
        group.frames.append(frame)
        group.clicks.append(click)
        group.size_bytes += len(frame)
        durable = self._loop.create_future()
        group.waiting.append(durable)
        return place, durable

    async def wait_for(self, place: int) -> None:
        """Wait until the click at a place is durable.

        Raises:
            ClicksUnwritable: It is not, and will not be.
        """
        for group in (self._written_group, self._open_group):
            if group is not None and group.start <= place < group.start + group.size_bytes:
                durable = self._loop.create_future()
                group.waiting.append(durable)
                await durable
                return
        if place >= self._durable_end:
            raise ClicksUnwritable("the click before could not be stored")

    async def read(self, place: int) -> Click | None:
        """Return the click at a place; None where there is none (any more).

        Raises:
            OSError: The file cannot be read.
        """
        return await asyncio.to_thread(self._segments.read, place) if place < self._durable_end else None

    async def close(self) -> None:
        """Write what is waiting, and close."""
        writer = self._writer
        if writer is None:
            return
        await self._idle.wait()
        self._writer = None
        await asyncio.to_thread(writer.shutdown)
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _write_soon(self) -> None:
        """Write the open group: not now, so that the other clicks of this turn come along."""
        wait_s = self._began_s + _SYNCS_APART_S - self._loop.time()
        if wait_s > 0:
            self._loop.call_later(wait_s, self._write_group)
        else:
            self._loop.call_soon(self._write_group)

    def _write_group(self) -> None:
        group, self._open_group = self._open_group, None
        assert group is not None
        assert self._writer is not None
        self._began_s = self._loop.time()
        self._written_group = group
        self._loop.run_in_executor(self._writer, self._write, group).add_done_callback(self._written)

    def _written(self, future: asyncio.Future[None]) -> None:
        group, self._written_group = self._written_group, None
        assert group is not None
        failure = future.exception()
        if failure is None:
            self.syncs += 1
            self._durable_end = group.start + group.size_bytes
            for click in group.clicks:
                self._counts.count(click.offer, click.at_us // DAY_US)
            group.is_durable(None)
        else:
            error = ClicksUnwritable(str(failure) or type(failure).__name__)
            self._end = self._durable_end
            group.is_durable(error)
            if (following := self._open_group) is not None:
                # Their places began where those that failed would have ended.
                self._open_group = None
                following.is_durable(error)
        if self._open_group is None:
            self._idle.set()
        else:
            self._write_soon()

    def _write(self, group: _Group) -> None:
        """Write and sync a group; in the thread."""
        if self._descriptor is not None and group.start - self._base >= self._segment_bytes:
            os.close(self._descriptor)
            self._descriptor = None
            self._begin_segment(group.start)
            with suppress(OSError):  # what could not be removed now can be at the next segment
                self._segments.forget(group.clicks[0].at_us - self._keep_us)
        elif self._descriptor is None:
            self._open_segment(group.start)
        assert self._descriptor is not None
        _store(self._descriptor, b"".join(group.frames), group.start - self._base)

    def _open_segment(self, start: int) -> None:
        if start - self._base >= self._segment_bytes or start == 0:
            self._begin_segment(start)
        else:
            self._descriptor = self._segments.resume(self._base)

    def _begin_segment(self, base: int) -> None:
        self._descriptor = self._segments.begin(base, self._counts.counts())
        self._base = base


def _store(descriptor: int, content: bytes, offset: int, write: Callable[[int, bytes, int], int] = os.pwrite) -> None:
    try:
        written = write(descriptor, content, offset)
        if written != len(content):
            raise OSError(0, f"only {written} of {len(content)} bytes were taken (is the disk full?)")
        os.fdatasync(descriptor)
    except OSError:
        # What was half written would otherwise stand behind the end, and look like clicks to the next start.
        with suppress(OSError):
            os.ftruncate(descriptor, offset)
        raise
