"""What happens in the daemon, as it is told to subscribers and to the log under the same names."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from fnmatch import translate
from typing import Any, Literal, TypeAlias

import msgspec
import structlog

_log = structlog.get_logger("events")

Level: TypeAlias = Literal["debug", "info", "warning", "error"]


class Event(msgspec.Struct, frozen=True):
    """Something that happened.

    Attributes:
        name: Its dotted name, `instance.ready`.
        at: When, aware UTC.
        fields: Its ids and what else there is to say.
    """

    name: str
    at: datetime
    fields: dict[str, Any]


Subscriber: TypeAlias = Callable[[Event], object]


class EventBus:
    """Hands each event to the log and to those who subscribed to its topic, at once. For the loop's thread."""

    def __init__(self) -> None:
        self._subscribers: list[tuple[Callable[[str], object], Subscriber]] = []

    def publish(self, name: str, level: Level = "info", *, cause: BaseException | None = None, **fields: Any) -> None:
        """Log an event, with the exception that caused it if one did, and hand it to its subscribers."""
        if cause is None:
            getattr(_log, level)(name, **fields)
        else:
            getattr(_log, level)(name, exc_info=cause, **fields)
        self.hand_out(name, fields)

    def hand_out(self, name: str, fields: dict[str, Any]) -> None:
        """Hand an event that is logged otherwise to its subscribers."""
        event: Event | None = None
        for matches, subscriber in tuple(self._subscribers):
            if matches(name):
                event = event or Event(name, datetime.now(UTC), fields)
                try:
                    subscriber(event)
                except Exception:  # noqa: BLE001 - a subscriber's failure is its own
                    _log.exception("events.subscriber_failed", topic=name)

    def wanted(self, name: str) -> bool:
        """Whether anybody subscribed to a name, for events that are costly to make."""
        return any(matches(name) for matches, _ in self._subscribers)

    def subscribe(self, topics: tuple[str, ...], subscriber: Subscriber) -> Callable[[], None]:
        """Subscribe to names or patterns (`instance.*`, `*`); calling what is returned ends it."""
        # Compiled once: this is asked for every booking.
        entry = (re.compile("|".join(map(translate, topics))).match, subscriber)
        self._subscribers.append(entry)

        def unsubscribe() -> None:
            if entry in self._subscribers:
                self._subscribers.remove(entry)

        return unsubscribe
