"""The file that an instance's keys live in: one event a line, only ever appended to.

These functions block and belong in a thread. Everything that was reported as written is on the disk; what a
crash cut short is a last line without its newline, which nobody was shown, and is taken off.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from actors import Refusal
from streams.booking import BookName
from streams.event_lines import TooLarge, append_lines, read_lines

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
        lines = read_lines(path, MAX_JOURNAL_BYTES)
    except TooLarge as error:
        raise KeyJournalDamaged(path, 0, str(error)) from error
    events: list[KeyEvent] = []
    for number, line in enumerate(lines, start=1):
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
        append_lines(path, _ENCODER.encode(event) + b"\n", MAX_JOURNAL_BYTES)
    except OSError as error:
        raise KeyJournalUnwritable(path, error.strerror or str(error)) from error
