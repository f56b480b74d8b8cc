"""What visitors did lately, as far as it limits what counts: bounded, and in memory only."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Final

from streams.content_monetization.contract import SponsorContract

MAX_REMEMBERED: Final = 50_000
"""Visitors that are kept apart. Of more, nothing limited is counted: the error is to the sponsor's favour."""

_MINUTE_S: Final = 60.0


class VisitorMemory:
    """Counts by visitor and contract: impressions in a day, impressions in a minute, clicks in an hour.

    Args:
        views_minute: Impressions in a minute beyond which a visitor is no person.
    """

    def __init__(self, views_minute: int) -> None:
        self._views_minute = views_minute
        self._day = ""
        self._today: Counter[tuple[str, bytes]] = Counter()
        self._hour = ""
        self._clicked: set[tuple[str, bytes]] = set()
        self._minute = -1.0
        self._in_minute: Counter[bytes] = Counter()

    def may_view(self, contract: SponsorContract, visitor: bytes, now: datetime) -> bool:
        """Return whether a contract's limit per visitor and day leaves room."""
        if contract.visitor_daily is None:
            return True
        self._turn_day(now)
        seen = self._today.get((contract.id, visitor))
        if seen is None:
            return len(self._today) < MAX_REMEMBERED
        return seen < contract.visitor_daily

    def is_too_busy(self, visitor: bytes, now_s: float) -> bool:
        """Return whether a visitor sees more in a minute than a person can."""
        self._turn_minute(now_s)
        seen = self._in_minute.get(visitor)
        return len(self._in_minute) >= MAX_REMEMBERED if seen is None else seen >= self._views_minute

    def has_clicked(self, contract: str, visitor: bytes, now: datetime) -> bool:
        """Return whether a visitor has clicked on a contract within this hour."""
        self._turn_hour(now)
        return (contract, visitor) in self._clicked or len(self._clicked) >= MAX_REMEMBERED

    def viewed(self, contract: str, visitor: bytes, now: datetime, now_s: float) -> None:
        """Remember an impression."""
        self._turn_day(now)
        self._turn_minute(now_s)
        if len(self._today) < MAX_REMEMBERED:
            self._today[contract, visitor] += 1
        self._in_minute[visitor] += 1

    def clicked(self, contract: str, visitor: bytes, now: datetime) -> None:
        """Remember a click."""
        self._turn_hour(now)
        self._clicked.add((contract, visitor))

    def _turn_day(self, now: datetime) -> None:
        if (day := now.date().isoformat()) > self._day:
            self._day = day
            self._today.clear()

    def _turn_hour(self, now: datetime) -> None:
        if (hour := now.isoformat()[:13]) > self._hour:
            self._hour = hour
            self._clicked.clear()

    def _turn_minute(self, now_s: float) -> None:
        if (minute := now_s // _MINUTE_S) != self._minute:
            self._minute = minute
            self._in_minute.clear()
