"""The last checkpoint of every instance: a file each, `state/checkpoints/<id>`, written many at a time."""

from __future__ import annotations

import asyncio
from pathlib import Path

from config.saving import remove_abandoned, write_all_atomically
from streams.to_its_end import to_its_end


class _Ticket:
    """What waits for the next group."""

    __slots__ = ("checkpoint", "failure", "over")

    def __init__(self, checkpoint: bytes) -> None:
        self.checkpoint = checkpoint
        self.over = False
        self.failure: OSError | None = None


class Checkpoints:
    """Reads and writes them; the only one that does.

    Those that are to be saved while a group is being written are the next group: ten thousand instances cost no more
    than two syncs every now and then.

    Args:
        directory: Where they are.

    Attributes:
        directory: The same.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._waiting: dict[str, _Ticket] = {}
        self._turn = asyncio.Lock()
        self._swept = False

    def read(self, instance: str) -> bytes:
        """Return an instance's last checkpoint; empty where there is none. Blocks.

        Raises:
            OSError: There is one, and it cannot be read.
        """
        try:
            return (self.directory / instance).read_bytes()
        except FileNotFoundError:
            return b""

    def saved_at(self, instance: str) -> float | None:
        """Return when an instance's checkpoint was written, by the wall clock; None where there is none. Blocks.

        Raises:
            OSError: It cannot be looked at.
        """
        try:
            return (self.directory / instance).stat().st_mtime
        except FileNotFoundError:
            return None

    async def save(self, instance: str, checkpoint: bytes) -> None:
        """Replace an instance's checkpoint, and return when that is durable.

        Raises:
            OSError: It cannot be; the former one stands.
        """
        ticket = self._waiting.get(instance)
        if ticket is None:
            ticket = self._waiting[instance] = _Ticket(checkpoint)
        else:
            ticket.checkpoint = checkpoint  # of two that wait, the later one counts
        async with self._turn:
            if not ticket.over:
                group, self._waiting = self._waiting, {}
                # To the end even when cancelled: others' are in it.
                await to_its_end(asyncio.to_thread(self._write, group))
        if ticket.failure is not None:
            raise ticket.failure

    def _write(self, group: dict[str, _Ticket]) -> None:
        failure: OSError | None = None
        try:
            if not self._swept:
                remove_abandoned(self.directory)
                self._swept = True
            files = {self.directory / instance: ticket.checkpoint for instance, ticket in group.items()}
            write_all_atomically(files, sweep=False)
        except OSError as error:
            failure = error
        for ticket in group.values():
            ticket.over, ticket.failure = True, failure
