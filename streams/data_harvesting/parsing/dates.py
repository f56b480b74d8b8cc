"""Dates of strangers: aware UTC, or rejected with a reason. A wrong date is worse than none."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeAlias

DateProblem: TypeAlias = Literal["", "missing", "unreadable", "far_future", "far_past"]

EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
"""There was no web before; what says so was never set, or has two digits for its year."""

FUTURE_TOLERANCE: Final = timedelta(hours=26)
"""A local time that is taken for UTC is up to 14 hours off, and clocks are wrong."""


def checked(time: datetime | None, raw: str, now: datetime) -> tuple[datetime | None, DateProblem]:
    """Return a time that can be, or why there is none.

    Args:
        time: Aware; None where it could not be read.
        raw: What it was read from.
        now: The time, aware UTC.
    """
    if time is None:
        return None, "unreadable" if raw.strip() else "missing"
    if time > now + FUTURE_TOLERANCE:
        return None, "far_future"
    if time < EARLIEST:
        return None, "far_past"
    return time.astimezone(UTC), ""


def from_fields(fields: Sequence[int] | None) -> datetime | None:
    """Return the time of a UTC struct_time, as feedparser gives it; None where it names none."""
    if fields is None:
        return None
    try:
        return datetime.fromtimestamp(calendar.timegm(tuple(fields)), UTC)
    except (ValueError, OverflowError, OSError, TypeError):
        return None


def from_iso(text: str) -> datetime | None:
    """Return the time of an RFC 3339 or W3C date; a day is its beginning, and without a zone it is UTC."""
    text = text.strip()
    if not 4 <= len(text) <= 40:
        return None
    if len(text) in (4, 7):  # a year, or a month
        text += "-01-01" if len(text) == 4 else "-01"
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
