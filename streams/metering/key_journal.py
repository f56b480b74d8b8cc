"""The file that an instance's keys live in: one event a line, only ever appended to.

These functions block and belong in a thread. Everything that was reported as written is on the disk; what a
crash cut short is a last line without its newline, which nobody was shown, and is taken off.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from actors import Refusal
from streams.booking import BookName

MAX_JOURNAL_BYTES: Final = 16 * 1024 * 1024
"""Largest journal that is read or grown: about 30,000 keys."""


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True, tag="created", tag_field="event"):
    """What is kept of a key. The key itself is not.

    Attributes:
        id: Its public name, `key_` and 16 hexadecimal digits.
        digest: SHA-256 of the key, hexadecimal.
        display: Its first characters, for people.
        book: The book that its calls are booked in.
        plan: The plan that it was made on.
        label: What its owner calls it.
        rate_per_s: Calls a second that it may make.
        burst: Calls that it may make at once after a rest.
        quota: Calls per calendar month, UTC; None for no limit.
        credit: Units that it may spend in all; None for no limit.
        own: Whether it is the daemon's own. Own traffic is never billed.
        created_at: When it was made, UTC.
    """

    id: str
    digest: str
    display: str
    book: BookName
    plan: str
    label: str
    rate_per_s: float
    burst: int
    quota: int | None
    credit: int | None
    own: bool
    created_at: datetime


class KeyRevoked(msgspec.Struct, frozen=True, kw_only=True, tag="revoked", tag_field="event"):
    """A key that is no longer in force."""

    id: str
    revoked_at: datetime


KeyEvent: TypeAlias = KeyRecord | KeyRevoked

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(KeyEvent)


class KeyJournalDamaged(Exception):
    """A journal that cannot be read. Serving on without some of the keys would lock customers out unseen."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(
            f"{path}, line {line}: {reason}. Put a backup of the file in its place, or take the line out "
            "(its key is then gone) and start the instance again"
        )
        self.path = path
        self.line = line


class KeyJournalUnwritable(Refusal):
    """The journal could not be written; nothing has changed."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} cannot be written: {reason}. Nothing was changed")
        self.path = path


def read_journal(path: Path) -> list[KeyEvent]:
    """Return the events of a journal, oldest first; none where there is no file. Takes off a torn last line.

    Raises:
        KeyJournalDamaged: A line other than a torn last one is not an event, or the file is far too large.
        OSError: The file cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return []
    with os.fdopen(descriptor, "r+b") as file:
        content = file.read(MAX_JOURNAL_BYTES + 1)
        if len(content) > MAX_JOURNAL_BYTES:
            raise KeyJournalDamaged(path, 0, f"more than {MAX_JOURNAL_BYTES} bytes")
        whole = content.rfind(b"\n") + 1
        if whole != len(content):
            file.truncate(whole)
            os.fsync(file.fileno())
    events: list[KeyEvent] = []
    for number, line in enumerate(content[:whole].splitlines(), start=1):
        try:
            events.append(_DECODER.decode(line))
        except msgspec.MsgspecError as error:
            raise KeyJournalDamaged(path, number, str(error)) from error
    return events


def append_event(path: Path, event: KeyEvent) -> None:
    """Write an event behind the others; it is on the disk when this returns.

    Raises:
        KeyJournalUnwritable: It could not be stored, and nothing of it is left in the file.
    """
    try:
        _append(path, _ENCODER.encode(event) + b"\n")
    except OSError as error:
        raise KeyJournalUnwritable(path, error.strerror or str(error)) from error


def _append(path: Path, line: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, mode=0o600)
    try:
        size = os.fstat(descriptor).st_size
        if size + len(line) > MAX_JOURNAL_BYTES:
            raise OSError(0, f"it would be larger than {MAX_JOURNAL_BYTES} bytes")
        try:
            written = os.write(descriptor, line)
            if written != len(line):
                raise OSError(0, f"only {written} of {len(line)} bytes were taken (is the disk full?)")
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
        if size == 0:
            _sync_directory(path.parent)
    finally:
        os.close(descriptor)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
