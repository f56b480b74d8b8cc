"""The last decisions of an instance, with their reasons: a bounded memory for people."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec

_KEPT: Final = 20


class Decision(msgspec.Struct, frozen=True):
    """What was decided on a way that passed the first look.

    Attributes:
        at: When, UTC.
        route: The way.
        verdict: The reason against it, or the outcome of the trip.
        expected: What the trip should make, decimal text; empty where none was planned.
    """

    at: datetime
    route: str
    verdict: str
    expected: str = ""


class Decisions:
    """Keeps the last ones. The same verdict on the same way again replaces the one before.

    Args:
        now: The time, aware UTC.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._last: deque[Decision] = deque(maxlen=_KEPT)

    def note(self, route: str, verdict: str, expected: str = "") -> None:
        """Remember a decision."""
        if self._last and (self._last[-1].route, self._last[-1].verdict) == (route, verdict):
            self._last.pop()
        self._last.append(Decision(self._now(), route, verdict, expected))

    def all(self) -> list[Decision]:
        """Return those that are remembered, newest first."""
        return list(reversed(self._last))
