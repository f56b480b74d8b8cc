"""The other instances of the fleet, as one of them sees them."""

from __future__ import annotations

from typing import Protocol

import msgspec


class Neighbour(msgspec.Struct, frozen=True):
    """An instance that is ready.

    Attributes:
        id: Its id.
        stream: Its stream.
        url: Where it listens, without a slash at the end.
    """

    id: str
    stream: str
    url: str


class Neighbours(Protocol):
    """Finds other instances. What flows between instances of one fleet is never billable."""

    async def of(self, stream: str) -> tuple[Neighbour, ...]:
        """Return a stream's instances that are ready, in order of their ports, without the one that asks.

        Raises:
            ActorError: The fleet does not answer.
        """
        ...

    async def own_key(self, instance: str) -> str:
        """Return a key with which the one that asks may call another instance: metered, and never billed.

        The same key is returned as long as the asking instance lives; it is kept in memory only.

        Raises:
            Refusal: There is no such instance, it is not running, or it does not sell by key.
            ActorError: It does not answer.
        """
        ...
