"""The paper worlds of the streams that run: imported, started before a stream's first instance, and found again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from actors import ActorError, ActorRef, ChildSpec, NameTaken, RemoveChild, StartChild, StartFailed
from config.saving import write_atomically
from orchestrator.fleet.messages import NotNow
from streams.sandbox.world import Ground, MakeServer, PaperWorld
from streams.stream import Stream

LOWEST_PORT: Final = 1024
"""Ports below are the system's own."""

_START_S = 40.0
_STOP_S = 10.0
_log = structlog.get_logger("sandbox")


class PortBook:
    """Which server of the paper world prefers which port: the highest free ones below the instances' own.

    A person may keep the address of a venue, so a port that was once a server's stays its own.

    Args:
        file: Where that is kept.
        port_base: Instances listen above this one.
    """

    def __init__(self, file: Path, port_base: int) -> None:
        self._file = file
        self._port_base = port_base

    def port_of(self, server: str) -> int:
        """Return a server's port; 0, for any, where there is none left. Blocks."""
        known = self._read()
        port = known.get(server)
        if port is None or port >= self._port_base:
            taken = set(known.values())
            port = next((p for p in range(self._port_base - 1, LOWEST_PORT - 1, -1) if p not in taken), 0)
            write_atomically(self._file, msgspec.json.encode({**known, server: port}))
        return port

    def _read(self) -> dict[str, int]:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=dict[str, int])
        except (FileNotFoundError, msgspec.DecodeError):
            return {}  # addresses change then, which their owners are told of anyway


class PaperWorlds:
    """Starts the paper world of each stream once, and gives its visitors.

    Args:
        supervisor: Keeps the servers running.
        directory: Where worlds keep what survives restarts, each in a directory of its own.
        port_base: Instances listen above this port; servers below it.
        ground: Makes a world's ground, given its directory.
    """

    def __init__(
        self, supervisor: ActorRef[Any], directory: Path, port_base: int, ground: Callable[[Path], Ground]
    ) -> None:
        self._supervisor = supervisor
        self._directory = directory
        self._ports = PortBook(directory / "ports.json", port_base)
        self._ground = ground
        self._worlds: dict[str, PaperWorld] = {}
        self._turn = asyncio.Lock()

    async def ensure(self, stream: str, kind: type[Stream[Any]]) -> None:
        """Start a stream's world, unless it runs.

        Raises:
            NotNow: It cannot be imported or started; says why.
        """
        if not kind.paper_world:
            return
        async with self._turn:
            if stream in self._worlds:
                return
            started: list[str] = []
            try:
                world = await asyncio.to_thread(self._make, stream, kind.paper_world)
                for name, make in world.servers().items():
                    await self._start_server(name, make)
                    started.append(name)
            except StartFailed as error:
                await self._end(started)
                raise NotNow(f"the sandbox of {stream} cannot start: {error}") from error
            except Exception as error:
                await self._end(started)
                # A plugin's own code, maybe: whatever it raises, only its own instances should miss it.
                raise NotNow(f"the sandbox of {stream} cannot start: {type(error).__name__}: {error}") from error
            self._worlds[stream] = world

    def of(self, stream: str) -> PaperWorld | None:
        """Return a stream's world, if it runs."""
        return self._worlds.get(stream)

    def _make(self, stream: str, place: str) -> PaperWorld:
        module, _, name = place.partition(":")
        found = getattr(import_module(module), name)
        if not (isinstance(found, type) and issubclass(found, PaperWorld)):
            raise TypeError(f"{place} is no PaperWorld")
        directory = self._directory / stream
        for each in (self._directory, directory):
            each.mkdir(mode=0o700, exist_ok=True)
        return found(self._ground(directory))

    async def _start_server(self, name: str, make: MakeServer) -> None:
        port = await asyncio.to_thread(self._ports.port_of, name)
        try:
            await self._supervisor.ask(StartChild(ChildSpec(name, lambda: make(port))), _START_S)
        except NameTaken:
            _log.debug("sandbox.server_known", server=name)  # of an attempt that got no further

    async def _end(self, servers: list[str]) -> None:
        """End what an attempt that failed has started: the next one is of another world, with servers of its own."""
        for name in servers:
            with suppress(ActorError):
                await self._supervisor.ask(RemoveChild(name), _STOP_S)
