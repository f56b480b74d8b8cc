"""Where messages end that nobody handled: counted, the newest kept, logged at a bounded rate."""

from __future__ import annotations

import logging
from collections import Counter, deque
from typing import Any, Literal, TypeAlias

from actors.events import DeadLetter, EventStream
from actors.timers import Timers

Reason: TypeAlias = Literal["stopped", "overflow", "failed", "refused", "expired", "late_reply"]
"""Why: the receiver had stopped; its mailbox was full; handling it failed; it was refused and nobody had asked;
its asker had given up before it was handled; the reply came after the asker had given up."""

_log = logging.getLogger("actors.dead_letters")

KEPT = 100
LOGGED_PER_INTERVAL = 10
INTERVAL_S = 10.0


class DeadLetters:
    """The dead letters of a system.

    Attributes:
        counts: How many so far, by reason.
        newest: The last hundred.
    """

    __slots__ = ("_events", "_interval_ends", "_logged", "_suppressed", "_timers", "counts", "newest")

    def __init__(self, events: EventStream, timers: Timers) -> None:
        self.counts: Counter[Reason] = Counter()
        self.newest: deque[DeadLetter] = deque(maxlen=KEPT)
        self._events = events
        self._timers = timers
        self._interval_ends = 0.0
        self._logged = 0
        self._suppressed = 0

    def add(self, path: str, message: Any, reason: Reason, error: BaseException | None = None) -> None:
        """Record a message that ended here."""
        letter = DeadLetter(path=path, message=message, reason=reason, error=error)
        self.counts[reason] += 1
        self.newest.append(letter)
        self._events.publish(letter)
        self._log(letter)

    def _log(self, letter: DeadLetter) -> None:
        now = self._timers.now()
        if now >= self._interval_ends:
            if self._suppressed:
                _log.warning("%d more dead letters were not logged", self._suppressed)
            self._interval_ends = now + INTERVAL_S
            self._logged = self._suppressed = 0
        if self._logged >= LOGGED_PER_INTERVAL:
            self._suppressed += 1
            return
        self._logged += 1
        _log.warning("dead letter for %s: %s (%s)", letter.path, type(letter.message).__name__, letter.reason)
