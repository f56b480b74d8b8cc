"""The file that deliveries live in: one event a line, appended to in groups.

These functions block and belong in a thread. What was reported as written is on the disk. A crash can cut the last
line short; nothing was booked on it, and it is taken off.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from config.saving import sync_directory, write_atomically
from streams.content_monetization.delivery_events import Event

MAX_JOURNAL_BYTES: Final = 64 * 1024 * 1024

_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(Event)


class JournalDamaged(Exception):
    """A journal that cannot be read. Going on without some of it would bill something twice, or not at all."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(
            f"{path}, line {line}: {reason}. Put a backup in its place; or move it away, and what it had counted "
            "and not booked is lost"
        )
        self.path = path
        self.line = line


def read_events(path: Path) -> list[Event]:
    """Return the events of a journal, oldest first; none where there is no file. Takes off a torn last line.

    Raises:
        JournalDamaged: A line other than a torn last one is not an event, or the file is far too large.
        OSError: The file cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return []
    with os.fdopen(descriptor, "r+b") as file:
        content = file.read(MAX_JOURNAL_BYTES + 1)
        if len(content) > MAX_JOURNAL_BYTES:
            raise JournalDamaged(path, 0, f"more than {MAX_JOURNAL_BYTES} bytes")
        whole = content.rfind(b"\n") + 1
        if whole != len(content):
            file.truncate(whole)
            os.fsync(file.fileno())
    events: list[Event] = []
    for number, line in enumerate(content[:whole].splitlines(), start=1):
        try:
            events.append(_DECODER.decode(line))
        except msgspec.MsgspecError as error:
            raise JournalDamaged(path, number, str(error)) from error
    return events


def append_events(path: Path, events: Sequence[Event]) -> int:
    """Write events behind the others, all of them or none, and return the file's size; they are on the disk then.

    Raises:
        OSError: They could not be stored, and nothing of them is left in the file.
    """
    data = _lines(events)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, mode=0o600)
    try:
        size = os.fstat(descriptor).st_size
        try:
            written = os.write(descriptor, data)
            if written != len(data):
                raise OSError(0, f"only {written} of {len(data)} bytes were taken (is the disk full?)")
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)
    if size == 0:
        sync_directory(path.parent)
    return size + len(data)


def rewrite_events(path: Path, events: Sequence[Event]) -> int:
    """Put other events in the journal's place, atomically, and return its size.

    Raises:
        OSError: They could not be stored; the former ones stand.
    """
    data = _lines(events)
    write_atomically(path, data)
    return len(data)


def _lines(events: Iterable[Event]) -> bytes:
    return b"".join(_ENCODER.encode(event) + b"\n" for event in events)
