"""What a thousand listeners that read slowly cost the fleet: paid API calls with them beside calls without."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any, Final

import psutil

from orchestrator.access.client import Client, DaemonUnreachable
from tests.benchmarks.api import Round, load_of
from tests.benchmarks.figure import Figure

LISTENERS: Final = 1000
ROUNDS: Final = 4
ROUND_S: Final = 4
REST_S: Final = 1.0
UP_WITHIN_S: Final = 30.0
HOST: Final = "127.0.0.1"
INSTANCE: Final = "api_services-001"


async def measure() -> list[Figure]:
    """Measure in rounds that take turns, so that what else the machine does falls on both; a good minute."""
    port = _free_pair()
    with tempfile.TemporaryDirectory(prefix="events-", dir=Path.cwd()) as directory:
        home = Path(directory)
        async with _daemon(home, port) as process:
            key = await asyncio.to_thread(_key, home)
            token = (home / "state" / "secrets" / "gateway_token").read_text().strip()
            alone: list[Round] = []
            crowded: list[Round] = []
            await load_of(port + 1, key, 1)
            idle = [await _idle_percent(process)]
            spent: dict[str, list[float]] = {"alone": [], "crowded": []}

            async def load(name: str) -> Round:
                before = process.cpu_times()
                made = await load_of(port + 1, key, ROUND_S)
                after = process.cpu_times()
                used_s = after.user + after.system - before.user - before.system
                spent[name].append(used_s * 1e6 / (made.per_s * ROUND_S))
                return made

            for _ in range(ROUNDS):
                await asyncio.sleep(REST_S)
                alone.append(await load("alone"))
                async with _crowd(port, token) as came_back:
                    if len(idle) == 1:
                        idle.append(await _idle_percent(process))
                    crowded.append(await load("crowded"))
            memory = process.memory_info().rss / 1e6
    return [
        _figure("paid calls while 1,000 listen slowly", "/s", alone, crowded, "per_s", "≥ 0.9 × no listeners"),
        _figure("half of them answered within", "ms", alone, crowded, "p50_ms", "for information"),
        _figure("99 of 100 answered within", "ms", alone, crowded, "p99_ms", "for information"),
        # The crowd's own work is done on the same processors; this is what it costs the daemon.
        Figure(
            "processor time of the daemon for a call",
            median(spent["crowded"]),
            "µs",
            {"no listeners": median(spent["alone"])},
            "≤ 1.11 × no listeners",
        ),
        Figure("of a core, 1,000 listening and no calls", idle[1], "%", {"no listeners": idle[0]}, "for information"),
        Figure("cut off, in all rounds", float(sum(came_back)), "", {}, "for information"),
        Figure("memory of the daemon in the end", memory, "MB", {}, "for information"),
    ]


def _figure(name: str, unit: str, alone: list[Round], crowded: list[Round], field: str, aim: str) -> Figure:
    value = median(getattr(each, field) for each in crowded)
    return Figure(name, value, unit, {"no listeners": median(getattr(each, field) for each in alone)}, aim)


def _free_pair() -> int:
    """Return a free port, the gateway's, with a free one above it, the instance's."""
    while True:
        with socket.socket() as lower, socket.socket() as upper:
            lower.bind((HOST, 0))
            port: int = lower.getsockname()[1]
            with suppress(OSError, OverflowError):
                upper.bind((HOST, port + 1))
                return port


async def _idle_percent(process: psutil.Process) -> float:
    process.cpu_percent()
    await asyncio.sleep(3.0)
    return float(process.cpu_percent())


@asynccontextmanager
async def _daemon(home: Path, port: int) -> AsyncIterator[psutil.Process]:
    fleet: dict[str, Any] = {
        "port_base": port,
        "sandbox_calls_per_minute": 0,
        "streams": {"api_services": {"count": 1}},
    }
    (home / "config").mkdir()
    (home / "config" / "fleet_config.json").write_text(json.dumps(fleet))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "import sys; from orchestrator.access.cli import main; sys.exit(main())"),
        *("run", "--home", str(home)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(UP_WITHIN_S):
            while not await asyncio.to_thread(_is_ready, home):
                await asyncio.sleep(0.1)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        await process.wait()


def _is_ready(home: Path) -> bool:
    with Client(home / "run" / "control.sock") as client:
        try:
            status = client.call("system.status")
        except DaemonUnreachable:
            return False
        return bool(status["instances"]["active"] and status["gateway"] and status["gateway"]["listening"])


def _key(home: Path) -> str:
    with Client(home / "run" / "control.sock") as client:
        key: str = client.call("keys.create", {"instance": INSTANCE, "rate": 1_000_000})["key"]
        return key


_came_back: list[int] = []


@asynccontextmanager
async def _crowd(port: int, token: str) -> AsyncIterator[list[int]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.benchmarks.events_crowd", HOST, str(port), token, str(LISTENERS)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if await process.stdout.readline() != b"connected\n":
            raise RuntimeError("the crowd could not connect; its words are above")
        yield _came_back
        process.stdin.close()
        _came_back.append(int(await process.stdout.readline()))
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
