"""Shares of a saturated loop: three real instances under the same load, by weights of 1, 2 and 4, and by equal ones."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final

import msgspec

from streams.turns import Lane, Turns
from tests.benchmarks.api import Round, load_of
from tests.benchmarks.figure import Figure
from tests.benchmarks.priority_server import Serving

WEIGHTS: Final = (1.0, 2.0, 4.0)
EQUAL: Final = (1.0, 1.0, 1.0)
ROUNDS: Final = 3
ROUND_S: Final = 4
CONNECTIONS: Final = 128
"""To each instance: twice as many as there are places, so that each wants more than it gets at any moment."""

WARM_UP_S: Final = 1
PAIRS: Final = 12
"""Seconds with turns and without, one after the other: the median of their ratios, as other work comes and goes."""

_TURNS: Final = 200_000


class Server:
    """The server's process, and the ends of its pipes.

    Args:
        process: The process.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._input, self._output = process.stdin, process.stdout
        self.serving: Serving

    async def open(self) -> None:
        """Wait until it serves."""
        self.serving = msgspec.json.decode(await self._output.readline(), type=Serving)

    async def weigh(self, weights: Sequence[float]) -> int:
        """Set the weights; return how often requests waited since the last time."""
        self._input.write(msgspec.json.encode(weights) + b"\n")
        return msgspec.json.decode(await self._output.readline(), type=int)

    async def load(self, seconds: int) -> list[Round]:
        """Load all three instances at once."""
        serving = self.serving
        loads = (
            load_of(port, key, seconds, CONNECTIONS) for port, key in zip(serving.ports, serving.keys, strict=True)
        )
        return await asyncio.gather(*loads)


async def measure() -> list[Figure]:
    """Measure in rounds that take turns; a good minute."""
    with tempfile.TemporaryDirectory(prefix="priority-", dir=Path.cwd()) as directory:
        async with _server(Path(directory)) as server:
            await server.load(WARM_UP_S)
            weighed: list[list[Round]] = []
            equal: list[list[Round]] = []
            for _ in range(ROUNDS):
                for weights, rounds in ((WEIGHTS, weighed), (EQUAL, equal)):
                    await server.weigh(weights)
                    rounds.append(await server.load(ROUND_S))
            by_turns: list[Round] = []
            without: list[Round] = []
            for _ in range(PAIRS):
                for port, rounds_of in ((server.serving.by_turns, by_turns), (server.serving.without, without)):
                    rounds_of.append(await load_of(port, "nobody", 1))
    total = sum(WEIGHTS)
    figures = []
    for place, weight in enumerate(WEIGHTS):
        share = _share(weighed, place)
        beside = {"its part of the weights": weight / total, "measured with equal weights": _share(equal, place)}
        aim = "≤ 1.1 × its part of the weights; ≥ 0.9 × its part of the weights"
        figures.append(Figure(f"part of all calls, weight {weight:g} of {total:g}", share, "", beside, aim))
    calls = {
        name: median(sum(each.per_s for each in made) for made in rounds)
        for name, rounds in (("weights", weighed), ("equal", equal))
    }
    figures.append(
        Figure(
            "calls of all three, metered and booked",
            calls["weights"],
            "/s",
            {"equal weights": calls["equal"]},
            "≥ 0.8 × equal weights",
        )
    )
    figures.append(
        Figure(
            "bare requests with 64 connections, by turns, as a part of those without",
            median(one.per_s / other.per_s for one, other in zip(by_turns, without, strict=True)),
            "",
            {"without turns": 1.0},
            "≥ 0.95 × without turns",
        )
    )
    taken, nothing = _turn_ns()
    figures.append(
        Figure(
            "a turn that nobody waits for, taken and given back",
            taken,
            "ns",
            {"two empty calls": nothing},
            "≤ 6 × two empty calls",
        )
    )
    return figures


def _share(rounds: list[list[Round]], place: int) -> float:
    return median(each[place].per_s / sum(other.per_s for other in each) for each in rounds)


def _turn_ns() -> tuple[float, float]:
    """Return what a turn costs while there is room, beside two calls that do nothing; the best of five."""
    turns = Turns(Lane(64))

    def nothing(_: object) -> bool:
        return True

    token = object()
    best, best_of_nothing = float("inf"), float("inf")
    for _ in range(5):
        began = perf_counter()
        for _ in range(_TURNS):
            turns.take(token)
            turns.give_back(token)
        best = min(best, perf_counter() - began)
        began = perf_counter()
        for _ in range(_TURNS):
            nothing(token)
            nothing(token)
        best_of_nothing = min(best_of_nothing, perf_counter() - began)
    return best / _TURNS * 1e9, best_of_nothing / _TURNS * 1e9


@asynccontextmanager
async def _server(directory: Path) -> AsyncIterator[Server]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.benchmarks.priority_server", str(directory)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    server = Server(process)
    try:
        await server.open()
        yield server
        assert process.stdin is not None
        process.stdin.close()
        if await process.wait():
            raise RuntimeError("the server did not end well; its words are above")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
