"""The services: the actors right below the root, counted without a look at all that is below them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from actors import Actor, ActorError, ActorRef, ActorSystem, ActorVitals, FindChild, Supervisor
from orchestrator.access.methods.system import ServiceCount

_ASK_S = 1.0


class Service(msgspec.Struct, frozen=True):
    """A service at one moment.

    Attributes:
        name: Its name below the root.
        up: Whether it runs.
        vitals: Its own; None for a supervisor, whose vitals are those of all its children too.
    """

    name: str
    up: bool
    vitals: ActorVitals | None


class Services:
    """Starts services, and says how many of them run."""

    def __init__(self, system: ActorSystem) -> None:
        self._system = system
        self._actors: list[ActorRef[Any]] = []
        self._supervisors: list[ActorRef[Any]] = []

    async def start(self, make: Callable[[], Actor[Any]], name: str) -> ActorRef[Any]:
        """Start a service; raises `StartFailed`."""
        ref: ActorRef[Any] = await self._system.spawn(make, name)
        self._actors.append(ref)
        return ref

    async def start_supervisor(self, make: Callable[[], Supervisor], name: str) -> ActorRef[Any]:
        """The same for a supervisor of many."""
        ref: ActorRef[Any] = await self._system.spawn(make, name)
        self._supervisors.append(ref)
        return ref

    def refs(self) -> dict[str, ActorRef[Any]]:
        """Return the references of all that were started, by name."""
        return {_name_of(ref): ref for ref in (*self._actors, *self._supervisors)}

    async def count(self) -> ServiceCount:
        """Return how many run, of all that were started."""
        services = await self.look()
        return ServiceCount(sum(service.up for service in services), len(services))

    async def look(self) -> list[Service]:
        """Describe all that were started. What it costs does not depend on how many children they have."""
        found = []
        for ref in self._actors:
            vitals = ref.vitals()
            found.append(Service(_name_of(ref), vitals.condition == "running", vitals))
        for ref in self._supervisors:
            # A supervisor's vitals are those of all its children too, ten thousand maybe: asking it is cheaper.
            try:
                await ref.ask(FindChild("nobody"), _ASK_S)
            except ActorError:
                found.append(Service(_name_of(ref), False, None))
            else:
                found.append(Service(_name_of(ref), True, None))
        return found


def _name_of(ref: ActorRef[Any]) -> str:
    return ref.path.removeprefix("/")
