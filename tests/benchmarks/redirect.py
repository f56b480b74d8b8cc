"""A tracked redirect, its click durable before it is answered, beside bare redirects, over real sockets."""

from __future__ import annotations

import asyncio
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Final

import msgspec

from tests.benchmarks.figure import Figure
from tests.benchmarks.redirect_load import BROWSERS
from tests.benchmarks.redirect_server import CODE, HOST

CONNECTIONS: Final = 32
ROUNDS: Final = 15
ROUND_S: Final = 1
WARM_UP_S: Final = 1
REST_S: Final = 0.2

BARE: Final = "bare uvicorn 302"
NGINX: Final = "nginx return 302"

_NGINX: Final = """
daemon off; pid {directory}/nginx.pid; error_log {directory}/error.log; worker_processes 1;
events {{ worker_connections 1024; }}
http {{ access_log off; server {{ listen {host}:{port}; keepalive_requests 100000000;
location /c/{code} {{ add_header Cache-Control no-store; return 302 https://shop.example/kettles?clid=static; }} }} }}
"""


class Round(msgspec.Struct, frozen=True):
    """What one server did in one round."""

    per_s: float
    p50_ms: float
    p99_ms: float


async def measure() -> list[Figure]:
    """Measure in rounds that take turns, so that what else the machine does falls on all; a good minute."""
    with tempfile.TemporaryDirectory(prefix="redirect-", dir=Path.cwd()) as directory:
        async with AsyncExitStack() as stack:
            ports = {
                "tracked": await stack.enter_async_context(_server("tracked", Path(directory))),
                BARE: await stack.enter_async_context(_server("bare", Path(directory))),
            }
            if shutil.which("nginx") is not None:
                ports[NGINX] = await stack.enter_async_context(_nginx(Path(directory)))
            rounds: dict[str, list[Round]] = {name: [] for name in ports}
            for port in ports.values():
                await _load(port, WARM_UP_S, 0)  # every kind of browser is met, among other things
            for turn in range(1, ROUNDS + 1):
                for name, port in ports.items():
                    await asyncio.sleep(REST_S)
                    rounds[name].append(await _load(port, ROUND_S, turn))
    if max(each.per_s for each in rounds["tracked"]) * ROUND_S > CONNECTIONS * BROWSERS:
        raise RuntimeError("there were not enough browsers: somebody came twice, and was not tracked")
    return [
        _figure("tracked redirects, click durable", "/s", rounds, "per_s", f"≥ 0.5 × {BARE}"),
        _figure("half of them answered within", "ms", rounds, "p50_ms", "for information"),
        _figure("99 of 100 answered within", "ms", rounds, "p99_ms", "< 10 ms"),
    ]


def _figure(name: str, unit: str, rounds: dict[str, list[Round]], field: str, aim: str) -> Figure:
    medians = {server: median(getattr(each, field) for each in made) for server, made in rounds.items()}
    return Figure(name, medians.pop("tracked"), unit, medians, aim)


@asynccontextmanager
async def _server(name: str, directory: Path) -> AsyncIterator[int]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.benchmarks.redirect_server", name, str(directory / name)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield int(await process.stdout.readline())
        process.stdin.close()
        if await process.wait():
            raise RuntimeError("the server did not end well; its words are above")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def _nginx(directory: Path) -> AsyncIterator[int]:
    with socket.create_server((HOST, 0)) as free:
        port: int = free.getsockname()[1]
    configuration = directory / "nginx.conf"
    configuration.write_text(_NGINX.format(directory=directory, host=HOST, port=port, code=CODE))
    process = await asyncio.create_subprocess_exec("nginx", "-c", str(configuration))
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex((HOST, port)) == 0:
                    break
            await asyncio.sleep(0.05)
        yield port
    finally:
        process.terminate()
        await process.wait()


async def _load(port: int, seconds: int, turn: int) -> Round:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.benchmarks.redirect_load"),
        *(str(port), str(CONNECTIONS), str(seconds), str(turn)),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the visitors failed with status {process.returncode}")
    return Round(*map(float, output.split()))
