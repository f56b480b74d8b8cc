"""The files of a click journal: segments, and the counts at the beginning of each.

These functions block and belong in a thread. A click's place is its distance in bytes from the first click ever;
a segment is named by the place that it begins at, so places stay true when old segments go. A segment ends with zeros
while it is written to: room made ahead, so that storing a click changes nothing about its file but its bytes.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from pathlib import Path
from typing import Final

import msgspec

from config.saving import sync_directory, write_atomically
from streams.affiliate_marketing.caps import CapCounter, OfferCount
from streams.affiliate_marketing.click import HEAD_BYTES, Click, click_of, clicks_in, payload_bytes

DAY_US: Final = 86_400_000_000

_PLACE_CHARS: Final = 12
# Made at import, by one thread: msgspec crashes the process where two threads meet a type for the first time at once.
_COUNTS: Final = msgspec.json.Decoder(dict[str, OfferCount])


class ClicksDamaged(Exception):
    """A journal that cannot be counted: serving on would break caps and lose commissions unseen."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}. Put a backup in its place and start the instance again")
        self.path = path


class Found(msgspec.Struct, frozen=True):
    """What a journal's files tell at the start.

    Attributes:
        end: Where the next click begins.
        base: Where the last segment begins.
        counts: Clicks by offer, from the first one ever.
        recent: Clicks that are not older than was asked for, with their places, oldest first.
    """

    end: int
    base: int
    counts: dict[str, OfferCount]
    recent: list[tuple[int, Click]]


class Segments:
    """The files in one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._bases: list[int] = []

    def find(self, since_us: int) -> Found:
        """Read what is there; a torn end is taken off and kept aside.

        Raises:
            ClicksDamaged: There is damage before the end, or the counts are gone.
            OSError: The files cannot be read.
        """
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._bases = sorted(int(file.stem.rpartition("-")[2], 16) for file in self._directory.glob("clicks-*.log"))
        if not self._bases:
            return Found(0, 0, {}, [])
        first = len(self._bases) - 1
        while first and not self._begins_before(self._bases[first], since_us):
            first -= 1
        counter = CapCounter({})
        counter.restore(self._counts_at(self._bases[first]))
        recent: list[tuple[int, Click]] = []
        end = self._bases[first]
        for base in self._bases[first:]:
            if base != end:
                raise ClicksDamaged(self._path(base), f"the segment before it ends at {end}, not at {base}")
            content = self._path(base).read_bytes()
            for start, stop, click in clicks_in(content):
                counter.count(click.offer, click.at_us // DAY_US)
                if click.at_us >= since_us:
                    recent.append((base + start, click))
                end = base + stop
            # Zeros are room that was made ahead.
            if torn := content[end - base :].rstrip(b"\0"):
                self._take_off(base, end, torn)
        return Found(end, self._bases[-1], counter.counts(), recent)

    def begin(self, base: int, counts: dict[str, OfferCount]) -> int:
        """Begin a segment and return its descriptor.

        Raises:
            OSError: It could not be made.
        """
        write_atomically(self._counts_path(base), msgspec.json.encode(counts))
        descriptor = self.resume(base)
        sync_directory(self._directory)
        return descriptor

    def resume(self, base: int) -> int:
        """Open a segment for writing and return its descriptor.

        Raises:
            OSError: It could not be opened.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self._path(base), flags, mode=0o600)
        if base not in self._bases:
            self._bases.append(base)
        return descriptor

    def read(self, place: int) -> Click | None:
        """Return the click at a place; None where there is none (any more).

        Raises:
            OSError: The file cannot be read.
        """
        at = bisect_right(self._bases, place) - 1
        if at < 0:
            return None
        base = self._bases[at]
        try:
            descriptor = os.open(self._path(base), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        try:
            head = os.pread(descriptor, HEAD_BYTES, place - base)
            return click_of(head + os.pread(descriptor, payload_bytes(head), place - base + HEAD_BYTES))
        finally:
            os.close(descriptor)

    def forget(self, before_us: int) -> None:
        """Remove segments whose clicks are all older.

        Raises:
            OSError: A file cannot be removed.
        """
        while len(self._bases) > 1 and self._begins_before(self._bases[1], before_us):
            base = self._bases.pop(0)
            self._path(base).unlink(missing_ok=True)
            self._counts_path(base).unlink(missing_ok=True)

    def _take_off(self, base: int, end: int, torn: bytes) -> None:
        if base != self._bases[-1]:
            raise ClicksDamaged(self._path(base), f"it is damaged at byte {end - base}")
        # Kept aside: were it damage and not what a crash left, someone may want to look at it.
        write_atomically(self._directory / f"torn-{end:0{_PLACE_CHARS}x}.bin", torn)
        descriptor = self.resume(base)
        try:
            os.ftruncate(descriptor, end - base)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _begins_before(self, base: int, at_us: int) -> bool:
        click = self.read(base)
        return click is not None and click.at_us < at_us

    def _counts_at(self, base: int) -> dict[str, OfferCount]:
        path = self._counts_path(base)
        try:
            return _COUNTS.decode(path.read_bytes())
        except FileNotFoundError as error:
            if base == 0:
                return {}
            raise ClicksDamaged(path, "it is gone, and with it the counts of earlier clicks") from error
        except msgspec.MsgspecError as error:
            raise ClicksDamaged(path, str(error)) from error

    def _path(self, base: int) -> Path:
        return self._directory / f"clicks-{base:0{_PLACE_CHARS}x}.log"

    def _counts_path(self, base: int) -> Path:
        return self._directory / f"counts-{base:0{_PLACE_CHARS}x}.json"
