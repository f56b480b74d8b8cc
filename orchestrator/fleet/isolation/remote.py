"""What a stream is given in a process of its own: the same objects as on the daemon's loop, answered from there."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from actors import Actor, Refusal, on
from orchestrator.events import EventBus, Level
from orchestrator.fleet.instance import Instance, Surroundings
from orchestrator.fleet.isolation.conversation import Conversation
from orchestrator.fleet.isolation.frames import KeepCheckpoint, NeighboursOf, OwnKey
from orchestrator.fleet.neighbours import Directory, FleetNeighbours
from orchestrator.fleet.record import Record
from streams.booking import Book, Booked, FindBooking, ReadMeters, Receipt
from streams.neighbours import Neighbour
from streams.stream import Stream

ASK_S: Final = 30.0
"""How long the daemon may take; whoever asks has a limit of their own besides."""


class RemoteLedger(Actor[Book | FindBooking | ReadMeters]):
    """Stands where the ledger stands, and passes on what it is asked."""

    def __init__(self, daemon: Conversation) -> None:
        self._daemon = daemon

    @on(Book)
    def book(self, message: Book) -> asyncio.Future[Receipt]:
        """Have it booked."""
        return self._daemon.ask(message, ASK_S)

    @on(FindBooking)
    def find(self, message: FindBooking) -> asyncio.Future[Booked | None]:
        """Have it looked up."""
        return self._daemon.ask(message, ASK_S)

    @on(ReadMeters)
    def meters(self, message: ReadMeters) -> asyncio.Future[dict[str, int]]:
        """Have them read."""
        return self._daemon.ask(message, ASK_S)


class RemoteNeighbours(FleetNeighbours):
    """The other instances of the fleet, asked for by way of the daemon."""

    def __init__(self, daemon: Conversation, directory: Directory, me: str) -> None:
        super().__init__(directory, me)
        self._daemon = daemon

    async def of(self, stream: str) -> tuple[Neighbour, ...]:
        """Return a stream's instances that are ready, without the one that asks; see `Neighbours`."""
        found: tuple[Neighbour, ...] = await self._daemon.ask(NeighboursOf(stream), ASK_S)
        return found

    async def own_key(self, instance: str) -> str:
        """Return a key that is never billed; see `Neighbours`."""
        key: str = await self._daemon.ask(OwnKey(instance), ASK_S)
        return key


class RemoteDirectory(Directory):
    """Where the instance of this process finds the others."""

    def __init__(self, daemon: Conversation) -> None:
        super().__init__()
        self._daemon = daemon

    def neighbours_of(self, instance: str) -> FleetNeighbours:
        """Return the fleet as the instance sees it."""
        return RemoteNeighbours(self._daemon, self, instance)


class NoEvents(EventBus):
    """Tells nobody: what happens to an instance is told by the daemon, which has seen it."""

    def publish(self, name: str, level: Level = "info", *, cause: BaseException | None = None, **fields: Any) -> None:
        """Do nothing."""


class RemoteInstance(Instance):
    """The ordinary instance; its checkpoints are kept by the daemon.

    Args:
        record: What is kept of it.
        kind: Its stream's class.
        around: What it has around it in this process.
        checkpoint: What it left off with.
        daemon: Who keeps the next ones.
    """

    def __init__(
        self, record: Record, kind: type[Stream[Any]], around: Surroundings, checkpoint: bytes, daemon: Conversation
    ) -> None:
        super().__init__(record, kind, around)
        self._left_off = checkpoint
        self._daemon = daemon

    def _read_checkpoint(self) -> bytes:
        return self._left_off

    async def _store_checkpoint(self, checkpoint: bytes) -> None:
        try:
            await self._daemon.ask(KeepCheckpoint(checkpoint), ASK_S)
        except Refusal as error:
            raise OSError(str(error)) from error
