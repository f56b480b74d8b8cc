"""The control socket beside asyncio echo servers, and under a crowd of bad peers."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import msgspec

from orchestrator.access.control_socket import ControlSocket
from orchestrator.access.dispatch import Methods, NoParams, Session
from orchestrator.access.openrpc import register_discover
from tests.benchmarks.figure import Figure

PING: Final = '{"jsonrpc":"2.0","id":1,"method":"system.ping"}'
ROUNDS: Final = 3
CROWD: Final = 10_000
CROWD_HELD: Final = 1_500
CROWD_PROCESSES: Final = 2


class Pong(msgspec.Struct, frozen=True):
    pong: bool
    version: str


def _methods() -> Methods:
    methods = Methods()

    @methods.register("system.ping")
    def ping(params: NoParams, session: Session) -> Pong:
        """Answer."""
        return Pong(True, "0.1.0")

    @methods.register("later.ping")
    async def later(params: NoParams, session: Session) -> Pong:
        """Answer, from a coroutine."""
        return Pong(True, "0.1.0")

    register_discover(methods, title="benchmark", version="0.1.0")
    return methods


class _Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)  # type: ignore[attr-defined]


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def _servers(directory: Path) -> AsyncIterator[dict[str, tuple[Path, str]]]:
    """Start all servers; gives the socket and the line to send to each."""
    loop = asyncio.get_running_loop()
    control = ControlSocket(directory / "control.sock", _methods())
    await control.start()
    protocol = await loop.create_unix_server(_Echo, str(directory / "protocol.sock"))
    streams = await asyncio.start_unix_server(_echo, directory / "streams.sock")
    try:
        yield {
            "control socket": (directory / "control.sock", PING),
            "control socket, async method": (directory / "control.sock", PING.replace("system.", "later.")),
            "asyncio protocol echo": (directory / "protocol.sock", PING),
            "asyncio streams echo": (directory / "streams.sock", PING),
        }
    finally:
        protocol.close()
        streams.close()
        await control.close()


async def _program(name: str, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"tests.benchmarks.{name}", *arguments, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    return output.decode()


async def _rates(servers: dict[str, tuple[Path, str]], count: int, window: int) -> dict[str, float]:
    best = dict.fromkeys(servers, 0.0)
    for _ in range(ROUNDS):  # in turns, so that what else the machine does falls on all of them
        for name, (path, line) in servers.items():
            rate = float(await _program("control_load", str(path), line, str(count), str(window)))
            best[name] = max(best[name], rate)
    return best


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(PING.encode() + b"\n")
    await reader.readline()


async def _waits_ms(path: Path, until: asyncio.Event) -> tuple[list[float], list[float]]:
    """Ping over a connection kept and over new ones until told to stop; returns how long each took."""
    kept_ms: list[float] = []
    new_ms: list[float] = []
    reader, writer = await asyncio.open_unix_connection(path)
    while not until.is_set():
        started_s = time.perf_counter()
        await _ask(reader, writer)
        asked_s = time.perf_counter()
        kept_ms.append((asked_s - started_s) * 1e3)
        with contextlib.suppress(BlockingIOError):  # the queue is full: a blocking client would wait
            new_reader, new_writer = await asyncio.open_unix_connection(path)
            await _ask(new_reader, new_writer)
            new_ms.append((time.perf_counter() - asked_s) * 1e3)
            new_writer.close()
        await asyncio.sleep(0.002)
    writer.close()
    return sorted(kept_ms), sorted(new_ms)


async def _crowded(path: Path) -> tuple[list[float], list[float]]:
    done = asyncio.Event()
    waiting = asyncio.create_task(_waits_ms(path, done))
    share = str(CROWD // CROWD_PROCESSES), str(CROWD_HELD // CROWD_PROCESSES)
    made = await asyncio.gather(*(_program("control_crowd", str(path), *share) for _ in range(CROWD_PROCESSES)))
    done.set()
    if sum(map(int, made)) != CROWD:
        raise RuntimeError(f"the crowd made {made} connections, not {CROWD}")
    return await waiting


async def measure() -> list[Figure]:
    """Measure on the running event loop; a minute at most."""
    with tempfile.TemporaryDirectory() as directory:
        async with _servers(Path(directory)) as servers:
            one = await _rates(servers, count=20_000, window=1)
            many = await _rates(servers, count=128_000, window=64)
            kept_ms, new_ms = await _crowded(servers["control socket"][0])
    return [
        Figure("ping, one at a time", one.pop("control socket"), "round trips/s", one, "near the protocol echo"),
        Figure("ping, 64 in flight", many.pop("control socket"), "round trips/s", many, "≥ the streams echo"),
        _crowd_figure("a connection kept", kept_ms),
        _crowd_figure("a new connection", new_ms),
    ]


def _crowd_figure(what: str, waits_ms: list[float]) -> Figure:
    beside = {"median": waits_ms[len(waits_ms) // 2], "99 of 100 within": waits_ms[len(waits_ms) * 99 // 100]}
    return Figure(f"longest ping among {CROWD:,} bad peers, {what}", waits_ms[-1], "ms", beside, "≤ 50 ms")
