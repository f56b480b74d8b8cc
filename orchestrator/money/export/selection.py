"""Which part of a ledger is exported."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import msgspec

from orchestrator.money.instants import to_us
from streams.booking import BookName


class Selection(msgspec.Struct, frozen=True):
    """What happened on some days, in one book or both.

    Attributes:
        book: Only this book; None for both.
        since: The first day, UTC; None for the very first.
        until: The last day, UTC, included; None for the very last.
    """

    book: BookName | None = None
    since: date | None = None
    until: date | None = None

    def __post_init__(self) -> None:
        """Raise `ValueError` where the days are in the wrong order."""
        if self.since is not None and self.until is not None and self.until < self.since:
            raise ValueError(f"it ends on {self.until}, before it begins on {self.since}")

    @property
    def since_us(self) -> int | None:
        """When it begins, microseconds since 1970."""
        return None if self.since is None else _midnight_us(self.since)

    @property
    def until_us(self) -> int | None:
        """When it has ended, microseconds since 1970."""
        return None if self.until is None else _midnight_us(self.until + timedelta(days=1))


def _midnight_us(day: date) -> int:
    return to_us(datetime.combine(day, time(), UTC))
