"""How instances find each other: by way of the deployment manager."""

from __future__ import annotations

import asyncio
from typing import Any

from actors import ActorRef
from orchestrator.fleet.messages import CreateInstanceKey, ListInstanceKeys, ListInstances, NotNow, RevokeInstanceKey
from streams.addresses import address_of
from streams.neighbours import Neighbour, Neighbours

_ASK_S = 10.0
_PAGE = 1000


class Directory:
    """Where instances ask; made before the deployment manager, who comes into it when it has started.

    Attributes:
        manager: The deployment manager.
    """

    def __init__(self) -> None:
        self.manager: ActorRef[Any] | None = None

    def neighbours_of(self, instance: str) -> FleetNeighbours:
        """Return the fleet as one instance sees it."""
        return FleetNeighbours(self, instance)

    def ask(self) -> ActorRef[Any]:
        """Return the deployment manager.

        Raises:
            NotNow: It has not started yet.
        """
        if self.manager is None:
            raise NotNow("the fleet is still starting")
        return self.manager


class FleetNeighbours(Neighbours):
    """The other instances, for one life of one instance."""

    def __init__(self, directory: Directory, me: str) -> None:
        self._directory = directory
        self._me = me
        self._label = f"fleet: {me}"
        self._keys: dict[str, str] = {}
        self._asking = asyncio.Lock()

    async def of(self, stream: str) -> tuple[Neighbour, ...]:
        """Return a stream's instances that are ready, without the one that asks; see `Neighbours`."""
        manager = self._directory.ask()
        found: list[Neighbour] = []
        cursor = None
        while True:
            page = await manager.ask(ListInstances(stream, "ready", _PAGE, cursor), _ASK_S)
            found += (
                Neighbour(row.id, row.stream, address_of(row.host, row.port))
                for row in page.items
                if row.id != self._me
            )
            cursor = page.next_cursor
            if cursor is None:
                return tuple(found)

    async def own_key(self, instance: str) -> str:
        """Return a key that is never billed; see `Neighbours`."""
        async with self._asking:
            if instance not in self._keys:
                self._keys[instance] = await self._make_key(instance)
            return self._keys[instance]

    async def _make_key(self, instance: str) -> str:
        manager = self._directory.ask()
        # A former life's key was in its memory only: nobody can use it any more.
        for key in await manager.ask(ListInstanceKeys(instance), _ASK_S):
            if key.own and key.label == self._label and key.revoked_at is None:
                await manager.ask(RevokeInstanceKey(instance, key.id), _ASK_S)
        made = await manager.ask(CreateInstanceKey(instance, label=self._label, own=True), _ASK_S)
        return str(made.key)
