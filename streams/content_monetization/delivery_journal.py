"""The file that deliveries live in: one event a line, appended to in groups.

These functions block and belong in a thread. What was reported as written is on the disk. A crash can cut the last
line short; nothing was booked on it, and it is taken off.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from config.saving import write_atomically
from streams.content_monetization.delivery_events import Event
from streams.event_lines import TooLarge, append_lines, read_lines

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
        lines = read_lines(path, MAX_JOURNAL_BYTES)
    except TooLarge as error:
        raise JournalDamaged(path, 0, str(error)) from error
    events: list[Event] = []
    for number, line in enumerate(lines, start=1):
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
    return append_lines(path, _lines(events))


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
