"""The daemon's side of the warden: starts it, has it fork and end children, and hears what becomes of them."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import structlog

from actors import Refusal
from config.isolation import ProcessLimits
from orchestrator.fleet.isolation import landlock
from orchestrator.fleet.isolation.usage import Use
from orchestrator.fleet.isolation.warden_messages import (
    ENCODER,
    FROM_WARDEN,
    PACKET_BYTES,
    End,
    Fork,
    Forked,
    FromWarden,
    Gone,
    Up,
    Used,
)
from streams.commons import Common

KEY: Final = "isolation.warden"
"""What the warden is leased by from the commons."""

_UP_S: Final = 40.0
_FORK_S: Final = 10.0
_DOWN_S: Final = 5.0
_PROGRAM: Final = (
    "import sys; sys.path[:] = {path!r}; from orchestrator.fleet.isolation.warden import main; sys.exit(main({fd}))"
)
_log = structlog.get_logger("isolation")


class WardenGone(Exception):
    """The warden has ended, and all children with it."""


class NotForked(Refusal):
    """No process could be made for an instance."""

    rpc_code = -32002


class Kept:
    """A child, as the daemon holds it.

    Attributes:
        pid: Its process.
        channel: This end of its channel.
        output: Its standard output.
        error: Its standard error.
        use: What it uses, a few seconds ago.
        cpu_share: Cores that it kept busy lately.
        gone: Resolved when it and all its descendants have ended.
    """

    def __init__(self, ticket: int, channel: socket.socket, output: int, error: int) -> None:
        loop = asyncio.get_running_loop()
        self.ticket = ticket
        self.pid = 0
        self.channel = channel
        self.output = output
        self.error = error
        self.use = Use()
        self.cpu_share = 0.0
        self.forked: asyncio.Future[None] = loop.create_future()
        self.gone: asyncio.Future[Gone] = loop.create_future()


class Keeper(Common):
    """Keeps the warden; what is shared by all instances in processes."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._kept: dict[int, Kept] = {}
        self._tickets = 0
        self._unsent: deque[tuple[bytes, tuple[int, ...]]] = deque()
        self._up: asyncio.Future[None]
        self._ended: asyncio.Future[None]

    async def start(self) -> None:
        """Start the warden; returns when it has imported what children need."""
        loop = asyncio.get_running_loop()
        self._up, self._ended = loop.create_future(), loop.create_future()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket = ours
        ours.setblocking(False)
        with theirs:
            self._process = await asyncio.to_thread(_start_warden, theirs.fileno())
        loop.add_reader(ours, self._read)
        async with asyncio.timeout(_UP_S):
            await _first_of(self._up, self._ended)
        if not self._up.done():
            raise WardenGone("the warden ended while it started; its standard error says why")
        _log.info("isolation.warden_up", pid=self._process.pid)
        if landlock.version() == 0:
            _log.warning(
                "isolation.not_confined",
                detail="this kernel has no Landlock, or it is not allowed here: instances in processes have their "
                "limits, but can read and write what the daemon's user can",
            )

    @property
    def up(self) -> bool:
        """Whether children can be forked."""
        return self._socket is not None

    async def run(self) -> None:
        """Fail when the warden ends."""
        await asyncio.shield(self._ended)
        if self._process is None:
            return  # it was stopped
        raise WardenGone("the warden of the instances in processes has ended, and they with it")

    async def stop(self) -> None:
        """End the warden; it kills what is left of its children."""
        process, self._process = self._process, None
        self._hang_up("the warden was stopped")
        if process is not None:
            await asyncio.to_thread(_await_end, process)

    async def fork(self, instance: str, directory: Path, limits: ProcessLimits) -> Kept:
        """Start a child in a directory, under limits.

        Raises:
            NotForked: No process could be made.
        """
        if self._socket is None:
            raise NotForked("the warden is down, and will be up again")
        self._tickets += 1
        ours, theirs = socket.socketpair()
        with theirs:
            output, their_output = os.pipe()
            error, their_error = os.pipe()
            kept = Kept(self._tickets, ours, output, error)
            self._kept[kept.ticket] = kept
            try:
                fork = ENCODER.encode(Fork(kept.ticket, instance, str(directory), limits))
                await self._send(fork, (theirs.fileno(), their_output, their_error))
            except BaseException:
                self.abandon(kept)
                raise
            finally:
                os.close(their_output)
                os.close(their_error)
        try:
            async with asyncio.timeout(_FORK_S):
                await _first_of(kept.forked, kept.gone)
        except BaseException:
            self.abandon(kept)
            raise
        if not kept.forked.done():
            self.abandon(kept)
            raise NotForked(f"{instance} got no process: {kept.gone.result().reason}")
        return kept

    def end(self, kept: Kept, reason: str) -> None:
        """Have a child and all its descendants killed; `gone` tells when that is done."""
        if kept.gone.done() or self._socket is None:
            return
        packet = ENCODER.encode(End(kept.ticket, reason))
        try:
            self._socket.send(packet)
        except BlockingIOError:
            # The warden is behind: it sees that nobody holds the channel any more, too, but not for sure.
            asyncio.get_running_loop().call_later(0.05, self.end, kept, reason)
        except OSError:
            return  # it has gone, and its children with it

    def abandon(self, kept: Kept) -> None:
        """End a child that nobody holds, and close its files."""
        self.end(kept, "nobody waits for it any more")
        kept.channel.close()
        for descriptor in (kept.output, kept.error):
            with suppress(OSError):
                os.close(descriptor)

    async def _send(self, packet: bytes, files: tuple[int, ...]) -> None:
        while self._socket is not None:
            try:
                socket.send_fds(self._socket, [packet], files)
            except BlockingIOError:
                await asyncio.sleep(0.01)
            except OSError as error:
                raise NotForked(f"the warden cannot be reached: {error.strerror}") from error
            else:
                return
        raise NotForked("the warden is down, and will be up again")

    def _read(self) -> None:
        assert self._socket is not None
        for _ in range(64):
            try:
                packet = self._socket.recv(PACKET_BYTES)
            except BlockingIOError:
                return
            except OSError:
                packet = b""
            if not packet:
                self._hang_up("the warden has ended")
                return
            self._take(FROM_WARDEN.decode(packet))

    def _take(self, message: FromWarden) -> None:
        if isinstance(message, Up):
            self._up.set_result(None)
            return
        kept = self._kept.get(message.ticket)
        if kept is None:
            return
        match message:
            case Forked():
                kept.pid = message.pid
                kept.forked.set_result(None)
            case Used():
                kept.use, kept.cpu_share = message.use, message.cpu_share
            case Gone():
                del self._kept[message.ticket]
                kept.gone.set_result(message)

    def _hang_up(self, reason: str) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None
        kept, self._kept = self._kept, {}
        for each in kept.values():
            each.gone.set_result(Gone(each.ticket, -9, reason))
        if not self._ended.done():
            self._ended.set_result(None)


async def _first_of(*futures: asyncio.Future[Any]) -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


def _start_warden(descriptor: int) -> subprocess.Popen[bytes]:
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        # Threads share few heaps: each reserves much of the address space, which is limited.
        "MALLOC_ARENA_MAX": "2",
        **({"TZ": os.environ["TZ"]} if "TZ" in os.environ else {}),
    }
    return subprocess.Popen(  # noqa: S603 - this interpreter, and a program of our own
        [sys.executable, "-I", "-c", _PROGRAM.format(path=sys.path, fd=descriptor)],
        stdin=subprocess.DEVNULL,
        cwd="/",
        env=environment,
        pass_fds=(descriptor,),
        start_new_session=True,
    )


def _await_end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_DOWN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
