"""Checksums of the database's pages, kept beside it in `ledger.sqlite3-pages`.

What is booked is covered by the hash chain, and SQLite checks the order in its pages. Neither sees a byte that holds
nothing at the moment: free space in a page, the rest of what once stood there, most of the file's header. A disk that
changes such a byte changes others next, and so `verify` is to find it, too.

SQLite writes to the database in one place only: where the write-ahead log is moved into it. When all of the log has
been moved, what the database holds of its pages is what the log holds, and their sums are taken from there; before
SQLite begins the log anew, they are on disk. A crash in between leaves the log. Of a page that the log holds otherwise
than its sum says, the database may hold anything: it is yet to be moved. So there is no moment at which a sum is wrong.

The file is `AuPages1`, the size of a page, four zero bytes, and for each page a CRC-32; numbers are little-endian.
"""

from __future__ import annotations

import errno
import os
import struct
import sys
from array import array
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final
from zlib import crc32

from orchestrator.money.copying import sync
from orchestrator.money.wal import log_of, pages_in_log, read_frames, read_header

SUFFIX: Final = "-pages"

_HEADER: Final = struct.Struct("<8sI4x")
_SUM: Final = struct.Struct("<I")
_MAGIC: Final = b"AuPages1"
_PAGE_SIZE_AT: Final = 16
_LOCK_BYTE: Final = 0x40000000
"""SQLite never uses the page with this byte: operating systems lock it."""


def sums_of(ledger: Path) -> Path:
    """Return where the sums of a database's pages are."""
    return ledger.with_name(ledger.name + SUFFIX)


class PageSums:
    """Keeps the sums of one database. Belongs to whoever writes to that.

    Args:
        ledger: The database.
    """

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger
        self._path = sums_of(ledger)
        self._salts: tuple[int, int] | None = None
        self._recorded = 0
        self._forgotten = False

    def prepare(self) -> None:
        """Take the sums of all pages where there are none yet.

        To be called while this process has no connection to the database: closing a descriptor of it would drop the
        locks that SQLite holds.

        Raises:
            OSError: They cannot be taken.
        """
        self._salts, self._recorded, self._forgotten = None, 0, False
        try:
            size = self._ledger.stat().st_size
        except FileNotFoundError:
            size = 0
        page_bytes, sums = _read(self._path) or (0, array("I"))
        if not size:
            self.forget()  # of another database that was here
        elif not page_bytes or (not log_of(self._ledger).exists() and size != page_bytes * len(sums)):
            take_sums(self._ledger)

    def record(self, frames: int) -> None:
        """Take the sums of what was moved into the database. Only to be called when all of the log was.

        Where they cannot be written, they are removed: none are better than wrong ones.

        Args:
            frames: How many frames the log has.
        """
        if self._forgotten:
            return  # sums of some pages alone would be wrong ones of all others
        try:
            self._record(frames)
        except OSError:
            self._forgotten = True
            self.forget()

    def forget(self) -> None:
        """Remove all sums; they are taken anew when the database is opened again."""
        with suppress(FileNotFoundError):
            self._path.unlink()

    def _record(self, frames: int) -> None:
        with log_of(self._ledger).open("rb") as log:
            header = read_header(log)
            if header is None:
                return
            if header.salts != self._salts:
                self._salts, self._recorded = header.salts, 0
            if frames <= self._recorded:
                return
            moved: dict[int, int] = {}
            for frame in read_frames(log, header, self._recorded):
                if frame.number > frames:
                    break
                moved[frame.page] = crc32(frame.content)
        descriptor = self._open(header.page_bytes)
        try:
            _write(descriptor, moved, header.page_bytes)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._recorded = frames

    def _open(self, page_bytes: int) -> int:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        if not os.fstat(descriptor).st_size:
            _pwrite(descriptor, _HEADER.pack(_MAGIC, page_bytes), 0)
        return descriptor


def take_sums(ledger: Path) -> None:
    """Take the sums of all pages of a database anew.

    Raises:
        OSError: It cannot be read, or they cannot be written.
    """
    with ledger.open("rb") as file:
        page_bytes = _page_bytes(file)
        sums = array("I", (crc32(page) for page in _pages(file, page_bytes)))
    unfinished = sums_of(ledger).with_name(f"{sums_of(ledger).name}.unfinished")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as target:
        target.write(_HEADER.pack(_MAGIC, page_bytes))
        target.write(_little_endian(sums).tobytes())
        target.flush()
        os.fsync(target.fileno())
    unfinished.replace(sums_of(ledger))
    sync(ledger.parent)


def changed_pages(ledger: Path, database: BinaryIO) -> Iterator[int] | None:
    """Return the pages of a database that are not as they were written; None where no sums of it are kept.

    To be asked while a connection to it holds a read transaction: what is written meanwhile stays in the log then.

    Args:
        ledger: The database.
        database: Its file, opened before the connection was, and closed after it.
    """
    kept = _read(sums_of(ledger))
    if kept is None:
        return None
    page_bytes, sums = kept
    return _changed(database, page_bytes, sums, pages_in_log(ledger))


def _changed(database: BinaryIO, page_bytes: int, sums: array[int], in_log: dict[int, int]) -> Iterator[int]:
    yet_to_move = {page for page, crc in in_log.items() if page > len(sums) or crc != sums[page - 1]}
    number = 0
    for number, page in enumerate(_pages(database, page_bytes), 1):
        if number in yet_to_move or number == _LOCK_BYTE // page_bytes + 1:
            continue
        if number > len(sums) or crc32(page) != sums[number - 1]:
            yield number
    yield from (missing for missing in range(number + 1, len(sums) + 1) if missing not in yet_to_move)


def _pages(file: BinaryIO, page_bytes: int) -> Iterator[bytes]:
    file.seek(0)
    while page := file.read(page_bytes):
        yield page


def _page_bytes(file: BinaryIO) -> int:
    file.seek(_PAGE_SIZE_AT)
    (size,) = struct.unpack(">H", file.read(2))
    return 65536 if size == 1 else int(size) or 4096


def _write(descriptor: int, sums: dict[int, int], page_bytes: int) -> None:
    """Write the sums of some pages, and those of pages that SQLite left out of the log because they hold nothing."""
    known = max(os.fstat(descriptor).st_size - _HEADER.size, 0) // _SUM.size
    empty = crc32(bytes(page_bytes))
    for page in range(known + 1, max(sums, default=0) + 1):
        sums.setdefault(page, empty)
    pages = sorted(sums)
    start = 0
    while start < len(pages):
        end = start + 1
        while end < len(pages) and pages[end] == pages[end - 1] + 1:
            end += 1
        run = _little_endian(array("I", [sums[page] for page in pages[start:end]]))
        _pwrite(descriptor, run.tobytes(), _HEADER.size + (pages[start] - 1) * _SUM.size)
        start = end


def _pwrite(descriptor: int, content: bytes, offset: int) -> None:
    """Write all of it; a disk that has room for a part takes that, and says nothing."""
    if os.pwrite(descriptor, content, offset) != len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _read(path: Path) -> tuple[int, array[int]] | None:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    if len(raw) < _HEADER.size:
        return None
    magic, page_bytes = _HEADER.unpack_from(raw)
    if magic != _MAGIC or not page_bytes:
        return None
    sums = array("I")
    sums.frombytes(raw[_HEADER.size : len(raw) - (len(raw) - _HEADER.size) % _SUM.size])
    return page_bytes, _little_endian(sums)


def _little_endian(sums: array[int]) -> array[int]:
    if sys.byteorder == "big":
        sums = sums[:]
        sums.byteswap()
    return sums
