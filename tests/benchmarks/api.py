"""A metered call, booked before it is answered, beside the same call without a meter, over real sockets."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Final

import msgspec

from tests.benchmarks.api_server import HOST, TARGET, Serving
from tests.benchmarks.figure import Figure

CONNECTIONS: Final = 64
ROUNDS: Final = 5
ROUND_S: Final = 3
WARM_UP_S: Final = 1
REST_S: Final = 1.0
"""Between rounds, so that the revenue log and the ledger's tidying fall into nobody's turn."""

SERVERS: Final = ("metered", "unmetered", "bare")

_UNIT_MS: Final = {"us": 1e-3, "ms": 1.0, "s": 1e3}


class Round(msgspec.Struct, frozen=True):
    """What one server did in one round."""

    per_s: float
    p50_ms: float
    p99_ms: float


async def measure() -> list[Figure]:
    """Measure in rounds that take turns, so that what else the machine does falls on all; a good minute."""
    with tempfile.TemporaryDirectory(prefix="api-", dir=Path.cwd()) as directory:
        async with _server(Path(directory)) as serving:
            ports = {name: getattr(serving, name) for name in SERVERS}
            rounds: dict[str, list[Round]] = {name: [] for name in SERVERS}
            for port in ports.values():
                await load_of(port, serving.key, WARM_UP_S)
            for _ in range(ROUNDS):
                for name, port in ports.items():
                    await asyncio.sleep(REST_S)
                    rounds[name].append(await load_of(port, serving.key, ROUND_S))
    return [
        _figure("calls with 64 connections, metered and booked", "/s", rounds, "per_s", "≥ 0.6 × unmetered"),
        _figure("half of them answered within", "ms", rounds, "p50_ms", "for information"),
        _figure("99 of 100 answered within", "ms", rounds, "p99_ms", "for information"),
    ]


def _figure(name: str, unit: str, rounds: dict[str, list[Round]], field: str, aim: str) -> Figure:
    medians = {server: median(getattr(each, field) for each in made) for server, made in rounds.items()}
    beside = {"unmetered": medians["unmetered"], "bare uvicorn, the same bytes": medians["bare"]}
    return Figure(name, medians["metered"], unit, beside, aim)


@asynccontextmanager
async def _server(directory: Path) -> AsyncIterator[Serving]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.benchmarks.api_server", str(directory)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield msgspec.json.decode(await process.stdout.readline(), type=Serving)
        process.stdin.close()
        if await process.wait():
            raise RuntimeError("the server did not end well; its words are above")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def load_of(port: int, key: str, seconds: int, connections: int = CONNECTIONS) -> Round:
    """Call the API of an instance as fast as it answers, and return what came of it."""
    url = f"http://{HOST}:{port}{TARGET}"
    if shutil.which("wrk") is None:
        words = await _output(
            *(sys.executable, "-m", "tests.benchmarks.api_load", url, key, str(connections), str(seconds))
        )
        return Round(*map(float, words.split()))
    authorization = ("-H", f"Authorization: Bearer {key}")
    report = await _output("wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *authorization, url)
    if "Non-2xx" in report or "Socket errors" in report:
        raise RuntimeError(f"not every call was answered:\n{report}")
    per_s = re.search(r"Requests/sec:\s+([\d.]+)", report)
    p50, p99 = (re.search(rf"{percent}%\s+([\d.]+)(us|ms|s)\s", report) for percent in (50, 99))
    if per_s is None or p50 is None or p99 is None:
        raise RuntimeError(f"wrk says what is not understood here:\n{report}")
    return Round(float(per_s[1]), _ms(p50), _ms(p99))


def _ms(match: re.Match[str]) -> float:
    return float(match[1]) * _UNIT_MS[match[2]]


async def _output(program: str, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(program, *arguments, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{program} failed with status {process.returncode}")
    return output.decode()
