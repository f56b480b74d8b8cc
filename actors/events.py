"""What happens to actors, as frozen structs, for whoever subscribes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeAlias, TypeVar

import msgspec

from actors.restart import WhenExhausted

_log = logging.getLogger("actors.events")


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Failure(msgspec.Struct, frozen=True):
    """Why an actor failed.

    Attributes:
        kind: The exception's type.
        text: Its message.
        at: When, aware UTC.
        message: The type of the message that was being handled, if one was.
    """

    kind: str
    text: str
    at: datetime = msgspec.field(default_factory=_utc_now)
    message: str | None = None

    def __str__(self) -> str:
        while_handling = f" while handling {self.message}" if self.message else ""
        return f"{self.at:%H:%M:%S} {self.kind}: {self.text}{while_handling}"


class ActorEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Base of every lifecycle event: the actor's path, and when (aware UTC)."""

    path: str
    at: datetime = msgspec.field(default_factory=_utc_now)


class ActorStarted(ActorEvent, frozen=True):
    """An actor is ready: its `on_start` has returned."""


class ActorRestarted(ActorEvent, frozen=True):
    """An actor is ready again after a failure.

    Attributes:
        restarts: How often it was restarted so far.
    """

    restarts: int


class ActorFailed(ActorEvent, frozen=True):
    """An actor failed; its supervisor decides what follows.

    Attributes:
        failure: Why.
        error: The exception itself, with its traceback.
    """

    failure: Failure
    error: BaseException


class ActorStopped(ActorEvent, frozen=True):
    """An actor is gone for good, or until somebody starts it again."""


class RestartScheduled(ActorEvent, frozen=True):
    """A failed actor will be restarted.

    Attributes:
        delay_s: After how long.
        restarts_left: What is left of its budget.
    """

    delay_s: float
    restarts_left: int


class BudgetExhausted(ActorEvent, frozen=True):
    """An actor failed too often.

    Attributes:
        history: Its failures inside the window, oldest first.
        outcome: What the supervisor does now.
    """

    history: tuple[str, ...]
    outcome: WhenExhausted


class LoopBlocked(ActorEvent, frozen=True):
    """A handler has not given the loop back; `path` is the system's.

    Attributes:
        blocked_s: For how long so far.
        stack: Where it is, innermost frame last.
    """

    blocked_s: float
    stack: tuple[str, ...]


class DeadLetter(ActorEvent, frozen=True):
    """A message that no actor handled to its end.

    Attributes:
        message: The message, or a late reply.
        reason: `stopped`, `overflow`, `failed`, `refused`, `expired` or `late_reply`.
        error: The failure that ended it, if one did.
    """

    message: Any
    reason: str
    error: BaseException | None = None


EventT = TypeVar("EventT", bound=ActorEvent)
Subscriber: TypeAlias = Callable[[ActorEvent], object]


class EventStream:
    """Hands each event to every subscriber, at once and in order of subscription.

    A subscriber is called on the loop and must be quick; one that raises is logged and does not disturb others.
    """

    __slots__ = ("_subscribers",)

    def __init__(self) -> None:
        self._subscribers: list[Subscriber] = []

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Add a subscriber; calling what is returned removes it."""
        self._subscribers.append(subscriber)

        def unsubscribe() -> None:
            if subscriber in self._subscribers:
                self._subscribers.remove(subscriber)

        return unsubscribe

    def publish(self, event: ActorEvent) -> None:
        """Hand an event to all."""
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(event)
            except Exception:
                _log.exception("a subscriber of the event stream failed on %s", type(event).__name__)
