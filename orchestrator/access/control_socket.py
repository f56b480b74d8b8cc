"""The control socket's server: who is connected, who may be, and that none of them disturbs another."""

from __future__ import annotations

import asyncio
import os
import resource
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import msgspec
import structlog

from orchestrator.access import jsonrpc
from orchestrator.access.connection import Connection
from orchestrator.access.dispatch import Methods
from orchestrator.access.jsonrpc import RpcError
from orchestrator.access.peer import Admission, groups_of, peer_of
from orchestrator.access.socket_file import SocketFile

# How long connections are served in one round of the event loop before the others in the house get theirs.
_ROUND_S: Final = 0.002
_NOTE_INTERVAL_S: Final = 1.0

_log = structlog.get_logger(__name__)

Count: TypeAlias = Literal["accepted", "not_allowed", "turned_away", "evicted", "cut_off", "malformed", "oversized"]


class Limits(msgspec.Struct, frozen=True):
    """What a peer may cost.

    Attributes:
        line_bytes: The longest line, its end not counted.
        connections: How many peers at a time; half of the process's file descriptors at most.
        backlog: How many more the kernel keeps waiting. Whoever comes waits for all that came before, so a longer
            queue is a longer wait; beyond it, connecting blocks (or, in a non-blocking peer, fails for now).
        read_ahead_bytes: How much is read of a connection's requests while one of them is in progress.
        write_high_bytes: How much may wait to be read by the peer before its requests wait too.
        held_notification_bytes: How much of notifications may wait beyond that; more cuts the peer off.
        write_limit_s: How long the peer may take to read what waits.
        partial_line_s: How long it may take to finish a line, from its first byte.
        linger_s: How long a connection is read on after it was refused, so that it can read why.
        sweep_s: How often those who have a time to keep are looked at.
    """

    line_bytes: int = 1 << 20
    connections: int = 1_024
    backlog: int = 256
    read_ahead_bytes: int = 64 << 10
    write_high_bytes: int = 256 << 10
    held_notification_bytes: int = 1 << 20
    write_limit_s: float = 10.0
    partial_line_s: float = 30.0
    linger_s: float = 1.0
    sweep_s: float = 0.5


class Statistics(msgspec.Struct, frozen=True):
    """What the socket has seen since it started.

    Attributes:
        connections: Peers connected now.
        accepted: Peers that ever connected.
        not_allowed: Peers refused by their credentials.
        turned_away: Peers refused because there were too many, all of them busy.
        evicted: Idle peers that made room for others.
        cut_off: Peers that were too slow.
        malformed: Lines that were neither a request nor a batch.
        oversized: Lines past the size limit.
    """

    connections: int
    accepted: int
    not_allowed: int
    turned_away: int
    evicted: int
    cut_off: int
    malformed: int
    oversized: int


class ControlSocket:
    """Serves a registry of methods on a Unix socket.

    Args:
        path: The socket's file; its directory is made if there is none, for the owner alone.
        methods: What can be called. Methods registered later can be called from then on.
        group: The group, by name or number, whose members may connect besides the owner and root.
        limits: What a peer may cost.
    """

    def __init__(
        self, path: Path, methods: Methods, *, group: str | int | None = None, limits: Limits | None = None
    ) -> None:
        self.methods = methods
        self.limits = limits or Limits()
        self._file = SocketFile(path, group)
        self._admission = Admission(os.geteuid())
        self._capacity = self.limits.connections
        self._loop: asyncio.AbstractEventLoop
        self._server: asyncio.Server | None = None
        self._unproven: dict[Connection, None] = {}  # oldest first
        self._proven: dict[Connection, None] = {}
        self._watched: set[Connection] = set()
        self._sweep_handle: asyncio.TimerHandle | None = None
        self._closing = False
        self._empty: asyncio.Event
        self._counts: Counter[str] = Counter()
        self._noted: dict[str, tuple[float, int]] = {}
        self._round_ends_s: float | None = None
        self.long_line: asyncio.Lock

    async def start(self) -> None:
        """Listen. Answers are given from when it returns.

        Raises:
            AnotherDaemonRunning: A live daemon holds the socket.
            UnusableSocketPath: The group is unknown, or something that is no socket stands at the path.
            OSError: The directory or the file cannot be made.
        """
        self._loop = asyncio.get_running_loop()
        self._empty = asyncio.Event()
        self._empty.set()
        self.long_line = asyncio.Lock()
        descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if descriptors != resource.RLIM_INFINITY:
            self._capacity = max(1, min(self.limits.connections, descriptors // 2))
        self._admission = Admission(os.geteuid(), await asyncio.to_thread(self._file.group_gid))
        bound = await asyncio.to_thread(self._file.claim)
        try:
            self._server = await self._loop.create_unix_server(
                lambda: Connection(self), sock=bound, backlog=self.limits.backlog
            )
        except BaseException:
            bound.close()
            self._file.release()
            raise
        _log.info("control.listening", path=str(self._file.path), connections=self._capacity)

    async def close(self, deadline_s: float = 5.0) -> None:
        """Stop accepting, finish the calls in progress, send their answers, and remove the file.

        What is not finished after `deadline_s` is cancelled. Safe to call again, and before `start`.
        """
        if self._server is None:
            return
        server, self._server = self._server, None
        self._closing = True
        server.close()
        connections = [*self._proven, *self._unproven]
        for connection in connections:
            connection.close()
        try:
            async with asyncio.timeout(deadline_s):
                await self._empty.wait()
        except TimeoutError:
            _log.warning("control.close_overdue", deadline_s=deadline_s, connections=self.connected)
        finally:
            workers = [worker for connection in connections if (worker := connection.worker) is not None]
            for worker in workers:
                worker.cancel()
            for connection in connections:
                connection.abort()
            if self._sweep_handle is not None:
                self._sweep_handle.cancel()
                self._sweep_handle = None
            await asyncio.gather(*workers, return_exceptions=True)
            await asyncio.to_thread(self._file.release)
        _log.info("control.closed", path=str(self._file.path))

    @property
    def connected(self) -> int:
        """How many peers are connected."""
        return len(self._proven) + len(self._unproven)

    def statistics(self) -> Statistics:
        """Return what the socket has seen."""
        names = Statistics.__struct_fields__[1:]
        return Statistics(self.connected, *(self._counts[name] for name in names))

    # For the connections

    def now(self) -> float:
        """The event loop's monotonic time, seconds."""
        return self._loop.time()

    def admit(self, connection: Connection) -> RpcError | None:
        """Take a new connection in; returns the error to refuse it with, if it has to go again."""
        self.count("accepted")
        room = self.connected < self._capacity or self._make_room()
        self._unproven[connection] = None
        self._empty.clear()
        beneath = connection.socket
        try:
            peer = peer_of(beneath)
            connection.origin = str(peer)
            allowed = self._admission.allows(peer, lambda: groups_of(beneath))
        except OSError as error:
            self.note("not_allowed", origin=connection.origin, reason=str(error))
            return RpcError(jsonrpc.NOT_ALLOWED)
        if not allowed:
            self.note("not_allowed", origin=connection.origin)
            hint = "the control socket is for its owner, root, and members of the configured group"
            return RpcError(jsonrpc.NOT_ALLOWED, data={"hint": hint, "uid": peer.uid})
        if self._closing:
            return RpcError(jsonrpc.REFUSED, "the daemon is stopping")
        if not room:
            self.note("turned_away", origin=connection.origin)
            return RpcError(jsonrpc.REFUSED, f"all {self._capacity} connections are busy; try again later")
        return None

    def prove(self, connection: Connection) -> None:
        """A connection has sent its first well-formed request: it is the last to be evicted from now on."""
        connection.proven = True
        if connection in self._unproven:
            del self._unproven[connection]
            self._proven[connection] = None

    def forget(self, connection: Connection) -> None:
        """A connection has ended, and what it had in progress too."""
        self._unproven.pop(connection, None)
        self._proven.pop(connection, None)
        self._watched.discard(connection)
        if not self.connected:
            self._empty.set()

    def watch(self, connection: Connection) -> None:
        """Look at a connection until it says that there is nothing to look at any more."""
        self._watched.add(connection)
        if self._sweep_handle is None:
            self._sweep_handle = self._loop.call_later(self.limits.sweep_s, self._sweep)

    def pause(self) -> Coroutine[Any, Any, None] | None:
        """Return what to await before going on, once this round of the event loop has served enough."""
        now_s = self._loop.time()
        if self._round_ends_s is None:
            self._round_ends_s = now_s + _ROUND_S
            self._loop.call_soon(self._next_round)
        return asyncio.sleep(0) if now_s >= self._round_ends_s else None

    def count(self, what: Count) -> None:
        """Count something that a peer did."""
        self._counts[what] += 1

    def note(self, what: Count, **fields: object) -> None:
        """Count something, and log it: once a second at most, with how many times more it happened."""
        self.count(what)
        now_s = self.now()
        last_s, unsaid = self._noted.get(what, (-_NOTE_INTERVAL_S, 0))
        if now_s - last_s < _NOTE_INTERVAL_S:
            self._noted[what] = (last_s, unsaid + 1)
            return
        self._noted[what] = (now_s, 0)
        _log.warning(f"control.{what}", unlogged=unsaid, **fields)

    # Inside

    def _next_round(self) -> None:
        self._round_ends_s = None

    def _make_room(self) -> bool:
        # Whoever has asked something sensible stays longest: a crowd that only connects pushes out itself.
        victim = next((each for each in self._unproven if each.idle), None)
        if victim is None:
            victim = min((each for each in self._proven if each.idle), key=_quiet_since_s, default=None)
        if victim is None:
            return False
        self.note("evicted", origin=victim.origin, proven=victim.proven)
        victim.abort()
        self.forget(victim)
        return True

    def _sweep(self) -> None:
        self._sweep_handle = None
        now_s = self.now()
        for connection in list(self._watched):
            if not connection.overdue(now_s):
                self._watched.discard(connection)
        if self._watched:
            self._sweep_handle = self._loop.call_later(self.limits.sweep_s, self._sweep)


def _quiet_since_s(connection: Connection) -> float:
    return connection.quiet_since_s
