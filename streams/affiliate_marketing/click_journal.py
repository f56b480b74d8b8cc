"""Makes clicks durable before they are answered, many with one sync.

All clicks of one turn of the event loop are written and synced together, in a thread; those that come meanwhile
are the next group. A click that comes alone is written at once; when one group follows another, they begin a
millisecond apart, so that a busy loop pays for few syncs and a click waits little longer than for its own.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Final, TypeAlias

from actors import Refusal
from streams.affiliate_marketing.caps import CapCounter, OfferCount
from streams.affiliate_marketing.click import Click, frame_of
from streams.affiliate_marketing.click_segments import Found, Segments

SEGMENT_BYTES: Final = 8 * 1024 * 1024
"""When a new file is begun: some 100,000 clicks, which are read again at a start."""

AHEAD_BYTES: Final = 256 * 1024
"""How much room is made at a time. A file that grows with each sync makes each wait for the file system's own journal,
and so for whatever else is synced on the disk."""

MAX_WAITING_BYTES: Final = 4 * 1024 * 1024
"""What may wait for a disk that has become slow."""

_SYNCS_APART_S: Final = 0.001


class ClicksUnwritable(Refusal):
    """Clicks cannot be stored now; none of those that failed has happened."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"clicks cannot be stored now: {reason}")


Tell: TypeAlias = Callable[["ClicksUnwritable | None"], None]
"""Told once whether a click is durable: None, or why it is not and will not be. Must not raise."""


class _Group:
    """Clicks that become durable together."""

    __slots__ = ("clicks", "counts_before", "frames", "size_bytes", "start", "waiting")

    def __init__(self, start: int) -> None:
        self.start = start
        self.frames: list[bytes] = []
        self.clicks: list[Click] = []
        self.size_bytes = 0
        self.counts_before: dict[str, OfferCount] | None = None
        self.waiting: list[Tell] = []

    def is_durable(self, error: ClicksUnwritable | None) -> None:
        """Tell those who wait."""
        for tell in self.waiting:
            tell(error)


class ClickJournal:
    """The clicks of one instance.

    Args:
        directory: Where its files are; made where it is missing.
        counter: Counts the clicks by offer: each before it is appended, and none that failed. A file begins with
            the counts of all clicks before it. `open` restores it.
        keep_us: How long clicks are kept, microseconds.
        segment_bytes: When a new file is begun.
    """

    def __init__(self, directory: Path, counter: CapCounter, keep_us: int, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._segments = Segments(directory)
        self._keep_us = keep_us
        self._segment_bytes = segment_bytes
        self._counter = counter
        self._groups: SimpleQueue[_Group | None] = SimpleQueue()
        self._writer: Thread | None = None
        self._closed = True
        self._descriptor: int | None = None
        self._base = 0
        self._room_end = 0
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
        self._counter.restore(found.counts)
        self._base, self._durable_end, self._end = found.base, found.end, found.end
        self._loop = asyncio.get_running_loop()
        # A thread of its own: behind others' work in the shared pool, clicks would wait.
        self._writer = Thread(target=self._write_all, name="clicks")
        self._writer.start()
        self._closed = False
        return found

    def append(self, click: Click, tell: Tell) -> int:
        """Take a click; return its place, which nobody may learn before the click is durable.

        Args:
            click: The click.
            tell: Told whether it is durable, in a later turn of the loop.

        Raises:
            ClicksUnwritable: Too many are waiting, or the journal is closed. Nobody is told.
        """
        if self._closed:
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
        group.waiting.append(tell)
        return place

    def when_durable(self, place: int, tell: Tell) -> None:
        """Have somebody else told about the click at a place, in a later turn of the loop."""
        for group in (self._written_group, self._open_group):
            if group is not None and group.start <= place < group.start + group.size_bytes:
                group.waiting.append(tell)
                return
        failed = place >= self._durable_end
        self._loop.call_soon(tell, ClicksUnwritable("the click before could not be stored") if failed else None)

    async def read(self, place: int) -> Click | None:
        """Return the click at a place; None where there is none (any more).

        Raises:
            OSError: The file cannot be read.
        """
        return await asyncio.to_thread(self._segments.read, place) if place < self._durable_end else None

    async def close(self) -> None:
        """Write what is waiting, and close. Safe to call again, and where it was never opened."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        self._closed = True
        await self._idle.wait()
        self._groups.put(None)
        await asyncio.to_thread(writer.join)
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
        self._began_s = self._loop.time()
        if self._begins_segment(group):
            group.counts_before = self._counter.counts_without([click.offer for click in group.clicks])
        self._written_group = group
        self._groups.put(group)

    def _written(self, failure: Exception | None) -> None:
        group, self._written_group = self._written_group, None
        assert group is not None
        if failure is None:
            self.syncs += 1
            self._durable_end = group.start + group.size_bytes
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

    # What follows runs in the writer's thread.

    def _write_all(self) -> None:
        while (group := self._groups.get()) is not None:
            failure: Exception | None = None
            try:
                self._write(group)
            except Exception as error:  # noqa: BLE001 - whatever it was, those who wait are told
                failure = error
            self._loop.call_soon_threadsafe(self._written, failure)

    def _begins_segment(self, group: _Group) -> bool:
        return group.start == 0 or group.start - self._base >= self._segment_bytes

    def _write(self, group: _Group) -> None:
        if group.counts_before is not None:
            self._end_segment(group.start)
            self._descriptor = self._segments.begin(group.start, group.counts_before)
            self._base = self._room_end = group.start
        elif self._descriptor is None:
            self._descriptor = self._segments.resume(self._base)
            self._room_end = self._base + os.fstat(self._descriptor).st_size
        assert self._descriptor is not None
        end = group.start + group.size_bytes
        if end > self._room_end:
            with suppress(OSError):  # there may be room for these clicks still
                room = max(self._room_end, group.start)
                _make_room(self._descriptor, room - self._base, end + AHEAD_BYTES - self._base)
                self._room_end = end + AHEAD_BYTES
        try:
            _store(self._descriptor, b"".join(group.frames), group.start - self._base)
        except OSError:
            # What was half written would otherwise stand behind the end, and look like clicks to the next start.
            with suppress(OSError):
                os.ftruncate(self._descriptor, group.start - self._base)
            self._room_end = group.start
            raise
        if group.counts_before is not None:
            with suppress(OSError):  # what could not be removed now can be when the next file is begun
                self._segments.forget(group.clicks[0].at_us - self._keep_us)

    def _end_segment(self, end: int) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            try:
                os.ftruncate(descriptor, end - self._base)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _make_room(descriptor: int, start: int, end: int) -> None:
    """Fill a file with zeros behind its clicks, durably."""
    os.pwrite(descriptor, bytes(end - start), start)
    os.fsync(descriptor)


def _store(descriptor: int, content: bytes, offset: int) -> None:
    # Written and synced by one system call.
    written = os.pwritev(descriptor, [content], offset, os.RWF_DSYNC)
    if written != len(content):
        raise OSError(0, f"only {written} of {len(content)} bytes were taken (is the disk full?)")
