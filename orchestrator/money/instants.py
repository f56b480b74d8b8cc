"""Instants as the ledger stores them: whole microseconds since 1970, UTC."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_DAY_US: Final = 86_400_000_000
_HOUR_US: Final = 3_600_000_000
_EPOCH_ORDINAL: Final = _EPOCH.toordinal()


def now_us() -> int:
    """Return the wall clock in microseconds since 1970, UTC."""
    return time.time_ns() // 1000


def to_us(instant: datetime) -> int:
    """Return an aware instant in microseconds since 1970, UTC, exactly."""
    return (instant - _EPOCH) // _MICROSECOND


def from_us(microseconds: int) -> datetime:
    """Return the aware UTC instant of microseconds since 1970, exactly.

    Raises:
        OverflowError: It lies outside the years 1 to 9999.
    """
    return _EPOCH + timedelta(microseconds=microseconds)


def day_of(microseconds: int) -> str:
    """Return the UTC day of an instant, `2026-01-31`."""
    return _day_text(microseconds // _DAY_US)


def hour_of(microseconds: int) -> str:
    """Return the UTC hour of an instant, `2026-01-31T14`."""
    return _hour_text(microseconds // _HOUR_US)


@lru_cache(maxsize=1024)
def _day_text(days: int) -> str:
    return date.fromordinal(_EPOCH_ORDINAL + days).isoformat()


@lru_cache(maxsize=1024)
def _hour_text(hours: int) -> str:
    return f"{_day_text(hours // 24)}T{hours % 24:02d}"
