"""Turns what happens to the actors of instances into the fleet's own events."""

from __future__ import annotations

from typing import Any

from actors import (
    ActorEvent,
    ActorFailed,
    ActorHasStopped,
    ActorRestarted,
    BudgetExhausted,
    LoopBlocked,
    RestartScheduled,
)
from orchestrator.events import EventBus, Level

INSTANCES = "/instances/"


class Chronicle:
    """A subscriber of the kernel's events.

    Args:
        events: Where to tell.
    """

    def __init__(self, events: EventBus) -> None:
        self._events = events

    def __call__(self, event: ActorEvent) -> None:
        """Tell of an event."""
        if event.path.startswith(INSTANCES):
            self._tell_of_instance(event, event.path.removeprefix(INSTANCES))
        else:
            self._tell_of_service(event)

    def _tell_of_instance(self, event: ActorEvent, instance: str) -> None:
        ids: dict[str, Any] = {
            "instance": instance,
            "stream": instance.rpartition("-")[0],
            "actor": event.path,
        }
        match event:
            case ActorFailed():
                self._events.publish(
                    "instance.crashed",
                    "error",
                    **ids,
                    failure=str(event.failure),
                    error=event.failure.kind,
                    cause=event.error,
                )
            case RestartScheduled():
                self._events.publish(
                    "instance.restarting",
                    **ids,
                    delay_s=round(event.delay_s, 3),
                    restarts_left=event.restarts_left,
                )
            case ActorRestarted():
                self._events.publish("instance.restarted", **ids, restarts=event.restarts)
            case BudgetExhausted():
                self._events.publish(
                    "instance.failed", "error", **ids, history=list(event.history), outcome=event.outcome
                )
            case ActorHasStopped():
                self._events.publish("instance.stopped", **ids)

    def _tell_of_service(self, event: ActorEvent) -> None:
        match event:
            case ActorFailed():
                self._events.publish(
                    "service.crashed",
                    "error",
                    actor=event.path,
                    failure=str(event.failure),
                    cause=event.error,
                )
            case ActorRestarted():
                self._events.publish("service.restarted", actor=event.path, restarts=event.restarts)
            case BudgetExhausted():
                self._events.publish(
                    "service.failed", "error", actor=event.path, history=list(event.history), outcome=event.outcome
                )
            case ActorHasStopped():
                # Only the services themselves are news; what is below them goes with them.
                level: Level = "info" if event.path.count("/") == 1 else "debug"
                self._events.publish("service.stopped", level, actor=event.path)
            case LoopBlocked():
                self._events.publish("loop.blocked", "error", blocked_s=event.blocked_s, stack=event.stack[-5:])
