"""`system.vitals`: how the machine, the event loop and each service are."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from orchestrator.access.dispatch import Methods, NoParams, Session
from orchestrator.access.gateway.metrics.snapshot import Machine, loop_lag_s, machine_of
from orchestrator.services import Service


class ServiceVitals(msgspec.Struct, frozen=True):
    """A service at one moment.

    Attributes:
        name: Its name below the root.
        up: Whether it runs.
        restarts: How often it was restarted; None for a supervisor, which is told of by its children.
        mailbox_messages: Messages that wait for it; None for a supervisor.
        handled_messages: Messages that it handled; None for a supervisor.
        last_failure: Why it failed last, one line.
    """

    name: str
    up: bool
    restarts: int | None
    mailbox_messages: int | None
    handled_messages: int | None
    last_failure: str | None


class Vitals(msgspec.Struct, frozen=True):
    """What the daemon stands on, at one moment.

    Attributes:
        loop_lag_s: How long the event loop took to come round.
        tasks: How many tasks live on it.
        machine: Memory, load, and the file system that holds the home; None where it cannot be asked.
        services: The actors right below the root.
    """

    loop_lag_s: float
    tasks: int
    machine: Machine | None
    services: tuple[ServiceVitals, ...]


def register_vitals(methods: Methods, look: Callable[[], Awaitable[list[Service]]], home: Path) -> None:
    """Register the method.

    Args:
        methods: The registry.
        look: Describes the services.
        home: The daemon's home.
    """

    @methods.register("system.vitals")
    async def vitals(params: NoParams, session: Session) -> Vitals:
        """Describe the machine, the event loop and each service; without a look at every instance."""
        lag_s = await loop_lag_s()
        services, machine = await asyncio.gather(look(), asyncio.to_thread(machine_of, home))
        return Vitals(lag_s, len(asyncio.all_tasks()), machine, tuple(map(_vitals_of, services)))


def _vitals_of(service: Service) -> ServiceVitals:
    known = service.vitals
    if known is None:
        return ServiceVitals(service.name, service.up, None, None, None, None)
    failure = None if known.last_failure is None else str(known.last_failure)
    return ServiceVitals(service.name, service.up, known.restarts, known.mailbox_depth, known.handled, failure)
