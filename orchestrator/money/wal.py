"""SQLite's write-ahead log, read as a file: https://www.sqlite.org/fileformat2.html#walformat.

It begins with a header that names two salts. Frames follow, each a page; those of an earlier use of the file have other
salts, and count for nothing. Each frame's checksum follows from its content and from the checksum before it.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final
from zlib import crc32

import msgspec

SUFFIX: Final = "-wal"
INDEX_SUFFIX: Final = "-shm"

_HEADER: Final = struct.Struct(">8I")
_FRAME: Final = struct.Struct(">6I")
_INDEX: Final = struct.Struct("=3I2BH4I8s8s")  # in the byte order of the machine, but for the salts
_INDEX_VERSION: Final = 3_007_000
_MAGIC: Final = 0x377F0682
_CHECKED_BYTES: Final = 8  # of a frame's header, before its page
_MASK: Final = 0xFFFFFFFF

_Sums = tuple[int, int]


class LogHeader(msgspec.Struct, frozen=True):
    """The header of a log.

    Attributes:
        page_bytes: The size of a page.
        salts: What the frames that count have, too.
        big_endian: How checksums read words.
        sums: The header's checksum, which the first frame's follows from.
        holds: Whether it is that of the header.
    """

    page_bytes: int
    salts: tuple[int, int]
    big_endian: bool
    sums: _Sums
    holds: bool


class Frame(msgspec.Struct, frozen=True, gc=False):
    """A page in the log.

    Attributes:
        number: Its place, from 1.
        page: Which page of the database it is.
        commits: Whether a commit ends with it.
        sums: Its checksum.
        checked: What that is made of, in order.
    """

    number: int
    page: int
    commits: bool
    sums: _Sums
    checked: tuple[bytes, bytes]

    @property
    def content(self) -> bytes:
        """The page."""
        return self.checked[1]


class LogIndex(msgspec.Struct, frozen=True):
    """What a log's index says of it.

    Attributes:
        frames: How many of its frames are committed.
        salts: Which use of the file that was.
    """

    frames: int
    salts: tuple[int, int]


def log_of(ledger: Path) -> Path:
    """Return where a database's log is."""
    return ledger.with_name(ledger.name + SUFFIX)


def read_header(file: BinaryIO) -> LogHeader | None:
    """Read the header from the beginning of a log; None where it is empty."""
    file.seek(0)
    raw = file.read(_HEADER.size)
    if len(raw) < _HEADER.size:
        return None
    magic, _, page_bytes, _, *salts_and_sums = _HEADER.unpack(raw)
    big_endian = bool(magic & 1)
    salt, other_salt, *sums = salts_and_sums
    holds = magic & ~1 == _MAGIC and _checksum((0, 0), raw[:24], big_endian) == tuple(sums)
    return LogHeader(page_bytes, (salt, other_salt), big_endian, (sums[0], sums[1]), holds)


def read_frames(file: BinaryIO, header: LogHeader, after: int = 0) -> Iterator[Frame]:
    """Yield the frames that have the header's salts, up to the first that has others.

    Args:
        file: The log.
        header: Its header.
        after: How many to pass over.
    """
    size = _FRAME.size + header.page_bytes
    file.seek(_HEADER.size + after * size)
    number = after
    while len(raw := file.read(size)) == size:
        page, commit_size, salt, other_salt, *sums = _FRAME.unpack_from(raw)
        if (salt, other_salt) != header.salts:
            return
        number += 1
        yield Frame(number, page, bool(commit_size), (sums[0], sums[1]), (raw[:_CHECKED_BYTES], raw[_FRAME.size :]))


def pages_in_log(ledger: Path) -> dict[int, int]:
    """Return the pages that a database's log holds, with the CRC-32 of what it holds of each last."""
    try:
        with log_of(ledger).open("rb") as file:
            header = read_header(file)
            if header is None:
                return {}
            return {frame.page: crc32(frame.content) for frame in read_frames(file, header)}
    except FileNotFoundError:
        return {}


def read_index(ledger: Path) -> LogIndex | None:
    """Read what a log's index says; None where there is none, or it is not whole.

    Never to be called in a process that has the database open, nor before others that have: closing the index drops
    the locks that SQLite holds on it. After an open, it says what that made of the log.
    """
    try:
        with ledger.with_name(ledger.name + INDEX_SUFFIX).open("rb") as file:
            one, other = file.read(_INDEX.size), file.read(_INDEX.size)
    except OSError:
        return None
    if len(other) < _INDEX.size or one != other:
        return None
    version, _, _, initialised, _, _, frames, _, _, _, salts, _ = _INDEX.unpack(one)
    if version != _INDEX_VERSION or not initialised:
        return None
    salt, other_salt = struct.unpack(">2I", salts)
    return LogIndex(frames, (salt, other_salt))


def log_problems(ledger: Path, *, in_use: bool, index: LogIndex | None = None) -> Iterator[str]:
    """Yield where a database's log is not as it was written: SQLite would silently leave off from there.

    Args:
        ledger: The database.
        in_use: Whether somebody may be writing to it: what stands at the end may be half written then.
        index: What its index said before the database was opened, where nobody uses it.
    """
    try:
        file = log_of(ledger).open("rb")
    except FileNotFoundError:
        return
    with file:
        header = read_header(file)
        if header is None:
            return
        if not header.holds:
            yield "the header of its log (…-wal) is not as it was written: nothing in the log is read"
            return
        if index is not None and index.salts == header.salts:
            broken = _first_broken(file, header, index.frames)
        else:
            broken = _broken_before_commits(file, header, 2 if in_use or index is not None else 0)
        if broken is not None:
            number, page = broken
            yield f"frame {number} of its log (…-wal{page}) is not as it was written"


def _first_broken(file: BinaryIO, header: LogHeader, committed: int) -> tuple[int, str] | None:
    """Return which of the frames that are committed does not hold."""
    sums, seen = header.sums, 0
    for frame in read_frames(file, header):
        if frame.number > committed:
            return None
        sums = _follow(sums, frame, header)
        if sums != frame.sums:
            return frame.number, f", page {frame.page}"
        seen = frame.number
    return (seen + 1, "") if seen < committed else None


def _broken_before_commits(file: BinaryIO, header: LogHeader, commits: int) -> tuple[int, str] | None:
    """Return the first frame that does not hold, if so many commits come after it."""
    sums, broken, after = header.sums, None, 0
    for frame in read_frames(file, header):
        if broken is None:
            sums = _follow(sums, frame, header)
            if sums != frame.sums:
                broken = frame
        elif frame.commits:
            after += 1
        if broken is not None and after >= commits:
            return broken.number, f", page {broken.page}"
    return None


def _follow(sums: _Sums, frame: Frame, header: LogHeader) -> _Sums:
    for part in frame.checked:
        sums = _checksum(sums, part, header.big_endian)
    return sums


def _checksum(sums: _Sums, data: bytes, big_endian: bool) -> _Sums:
    words = memoryview(data).cast("I")
    if big_endian != (sys.byteorder == "big"):
        words = memoryview(
            struct.pack(f"={len(words)}I", *struct.unpack(f"{'>' if big_endian else '<'}{len(words)}I", data))
        ).cast("I")
    first, second = sums
    even, odd = words[::2].tolist(), words[1::2].tolist()
    for one, other in zip(even, odd, strict=True):
        first = (first + one + second) & _MASK
        second = (second + other + first) & _MASK
    return first, second
