"""Retry-After, in both of its forms."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

_SECONDS: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
_MAX_LENGTH: Final = 100


def http_date(text: str) -> datetime | None:
    """Return the time that an HTTP date names, aware UTC; None where it is none."""
    if not text or len(text) > _MAX_LENGTH:
        return None
    try:
        time = parsedate_to_datetime(text)
        return (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def retry_after_s(header: str, date_header: str, now: datetime) -> float | None:
    """Return how long to wait from now on, seconds, not negative; None where the header does not say.

    Args:
        header: The Retry-After header.
        date_header: The answer's Date header. A time in Retry-After is one of the server's clock, and this is what
            that clock showed; ours may differ.
        now: The time here, used where the server does not tell its own.
    """
    header = header.strip()
    if _SECONDS.fullmatch(header):
        return float(header)
    until = http_date(header)
    if until is None:
        return None
    return max(0.0, (until - (http_date(date_header) or now)).total_seconds())
