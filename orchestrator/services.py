"""The services: the actors right below the root, counted without a look at all that is below them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors import Actor, ActorError, ActorRef, ActorSystem, FindChild, Supervisor
from orchestrator.access.methods.system import ServiceCount

_ASK_S = 1.0


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

    async def count(self) -> ServiceCount:
        """Return how many run, of all that were started."""
        up = sum(ref.vitals().condition == "running" for ref in self._actors)
        for ref in self._supervisors:
            # A supervisor's vitals are those of all its children too, ten thousand maybe: asking it is cheaper.
            try:
                await ref.ask(FindChild("nobody"), _ASK_S)
            except ActorError:
                continue
            up += 1
        return ServiceCount(up, len(self._actors) + len(self._supervisors))
