"""A standby: a warm spare that proves every now and then that it could carry an instance, and prepares it to do so."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from time import time
from typing import Any

import msgspec

from actors import Actor, Refusal, Request, on
from orchestrator.fleet.checkpoints import Checkpoints
from orchestrator.fleet.instance import Condition, Crash, CrashedOnRequest, Examine, Freeze, Surroundings, WrongSettings
from orchestrator.fleet.messages import NotNow
from orchestrator.fleet.paper_worlds import PaperWorlds
from orchestrator.fleet.record import SETTINGS_FILE, Record
from orchestrator.fleet.roster import Roster
from streams.catalog import BrokenStream, Catalog, UnknownStream
from streams.stream import Health, Stream


class Prepared(msgspec.Struct, frozen=True):
    """What a standby found of the work that it is to go on with.

    Attributes:
        checkpoint_age_s: How old the checkpoint is that it goes on from; None where there is none.
    """

    checkpoint_age_s: float | None


class Prepare(Request[Prepared], frozen=True):
    """Have all there that an instance needs, and look whether it can be carried at all."""

    record: Record


class CannotBeCarried(Refusal):
    """An instance would fail wherever it runs."""


class Provisions(msgspec.Struct, frozen=True):
    """What a standby works with.

    Attributes:
        around: What instances share.
        roster: Which instances there are.
        catalog: The streams.
        worlds: The other side of the streams in the sandbox; None where it is the real one.
    """

    around: Surroundings
    roster: Roster
    catalog: Catalog
    worlds: PaperWorlds | None = None

    async def kind(self, stream: str) -> type[Stream[Any]]:
        """Return a stream's class, with all there that its instances need.

        Raises:
            CannotBeCarried: There is no such stream, or it cannot run here.
        """
        try:
            kind = await asyncio.to_thread(self.catalog.__getitem__, stream)
            if self.worlds is not None:
                await self.worlds.ensure(stream, kind)
        except (UnknownStream, BrokenStream, NotNow) as error:
            raise CannotBeCarried(str(error)) from error
        return kind


class Standby(Actor[Prepare | Examine | Crash | Freeze]):
    """Waits for work.

    It starts only where an instance could: the fleet's directory takes a file, checkpoints can be listed, and the
    fleet's address has a port to spare.

    Args:
        provisions: What it works with.
    """

    handler_limit_s = 5.0
    start_timeout_s = 20.0
    stop_timeout_s = 5.0
    mailbox_capacity = 16

    def __init__(self, provisions: Provisions) -> None:
        self._provisions = provisions
        self._absent: dict[str, str] = {}
        self._prepared: tuple[str, ...] = ()
        self._ready_at = 0.0

    async def on_start(self) -> None:
        """Try out what an instance needs, and have the streams there that run."""
        around = self._provisions.around
        await asyncio.to_thread(_try_out, around)
        for stream in sorted(self._provisions.roster.streams()):
            try:
                await self._provisions.kind(stream)
            except CannotBeCarried as error:
                # The others can be carried; this one is looked at again when it is to be.
                self._absent[stream] = str(error)
            else:
                self._prepared += (stream,)
        self._ready_at = self.context.now()

    @on(Prepare)
    async def prepare(self, message: Prepare) -> Prepared:
        """Have all there that an instance needs."""
        record, around = message.record, self._provisions.around
        kind = await self._provisions.kind(record.stream)
        try:
            msgspec.convert(record.settings, kind.settings_type)
        except msgspec.ValidationError as error:
            raise CannotBeCarried(
                str(WrongSettings(around.instances / record.id / SETTINGS_FILE, str(error)))
            ) from error
        try:
            age_s = await asyncio.to_thread(_age_of, around.checkpoints, record.id)
        except OSError as error:
            raise CannotBeCarried(f"its checkpoint cannot be read: {error}") from error
        try:
            await asyncio.to_thread(_try_port, around.host, record.port)
        except OSError as error:
            raise CannotBeCarried(f"port {record.port} cannot be had: {error.strerror or error}") from error
        return Prepared(age_s)

    @on(Examine)
    def examine(self, _: Examine) -> Condition:
        """Say how it is."""
        return Condition(
            health=Health(ready=True, detail="waits for an instance that fails"),
            paused=False,
            funnel={},
            details={"prepared": self._prepared, "absent": self._absent},
            actions=(),
            up_s=self.context.now() - self._ready_at,
        )

    @on(Crash)
    def crash(self, _: Crash) -> None:
        """Fail."""
        raise CrashedOnRequest("chaos.crash was called")

    @on(Freeze)
    async def freeze(self, _: Freeze) -> None:
        """Never end; the kernel's handler limit finds it."""
        await asyncio.Event().wait()


def _try_out(around: Surroundings) -> None:
    """Do what an instance will have to; raises `OSError`. Blocks."""
    with tempfile.TemporaryFile(dir=around.instances) as file:
        file.write(b"standby")
        file.flush()
    os.scandir(around.checkpoints.directory).close()
    _try_port(around.host, 0)


def _try_port(host: str, port: int) -> None:
    """Take a port as an instance would, and leave it; raises `OSError`. Blocks."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # Connections of the one that failed may linger there; of another program that listens it is told all the same.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


def _age_of(checkpoints: Checkpoints, instance: str) -> float | None:
    """Return how old an instance's checkpoint is, in seconds; None where there is none. Blocks."""
    checkpoints.read(instance)  # whether it can be read is what counts
    saved_at = checkpoints.saved_at(instance)
    # The wall clock may have been set back since.
    return None if saved_at is None else round(max(0.0, time() - saved_at), 3)
