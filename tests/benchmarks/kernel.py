"""The kernel beside asyncio's own means, other actor libraries, and Erlang.

The machine is shared, and its speed changes from one moment to the next. So short rounds of ours and of the peers
alternate, the clock is the processor time of this process, and what is reported of a peer is our median times the
median of the ratios within the rounds. Erlang runs in a process of its own, by the wall clock.
"""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections import defaultdict
from functools import partial
from statistics import median
from time import perf_counter, process_time

import psutil

from actors import Actor, ActorRef, ActorSystem, on
from tests.benchmarks.figure import Figure
from tests.benchmarks.kernel_peers import (
    BURST,
    Add,
    BareServer,
    Get,
    GetSlowly,
    erlang_figures,
    rate_of_asks,
    rate_of_pykka_asks,
    rate_of_pykka_tells,
    rate_of_queue,
    seconds_of_tasks,
    xoscar_rates,
)

ROUNDS = 41
FEW_ROUNDS = 9
"""For what takes long."""
TELLS = 25_000
ASKS = 5_000
ACTORS = 10_000
IN_FLIGHT = 100
TIMEOUT_S = 30.0

QUEUE = "asyncio.Queue"
BARE = "a bare deque and future"
PYKKA = "pykka"


class Counter(Actor[Add | Get | GetSlowly]):
    mailbox_capacity = 1_000_000  # what is measured is the way through it, not a producer that waits

    def __init__(self) -> None:
        self.total = 0

    @on(Add)
    def add(self, message: Add) -> None:
        self.total += message.n

    @on(Get)
    def get(self, message: Get) -> int:
        return self.total

    @on(GetSlowly)
    async def get_slowly(self, message: GetSlowly) -> int:
        await asyncio.sleep(0)
        return self.total


async def _rate_of_tells(ref: ActorRef[Add | Get]) -> float:
    before = await ref.ask(Get(), TIMEOUT_S)
    message = Add(1)
    began = process_time()
    for _ in range(TELLS // BURST):
        for _ in range(BURST):
            ref.tell(message)
        await asyncio.sleep(0)
    assert await ref.ask(Get(), TIMEOUT_S) == before + TELLS
    return TELLS / (process_time() - began)


async def _rates() -> dict[str, list[float]]:
    rates: defaultdict[str, list[float]] = defaultdict(list)
    bare, slow = BareServer(), BareServer()
    servers = [asyncio.create_task(bare.serve()), asyncio.create_task(slow.serve_slowly())]
    get, get_slowly = Get(), GetSlowly()
    async with ActorSystem("benchmark") as system:
        ref: ActorRef[Add | Get | GetSlowly] = await system.spawn(Counter, name="counter")
        for turn in range(ROUNDS):
            rates["tell"].append(await _rate_of_tells(ref))
            rates["queue"].append(await rate_of_queue(TELLS))
            for in_flight in (1, IN_FLIGHT):
                rates[f"ask {in_flight}"].append(await rate_of_asks(lambda: ref.ask(get, TIMEOUT_S), ASKS, in_flight))
                rates[f"bare {in_flight}"].append(await rate_of_asks(lambda: bare.ask(get), ASKS, in_flight))
            if turn < FEW_ROUNDS:
                rates["slow ask"].append(await rate_of_asks(lambda: ref.ask(get_slowly, TIMEOUT_S), ASKS, IN_FLIGHT))
                rates["slow bare"].append(await rate_of_asks(lambda: slow.ask(get_slowly), ASKS, IN_FLIGHT))
                rates["pykka tell"].append(rate_of_pykka_tells(ASKS))
                rates["pykka ask 1"].append(rate_of_pykka_asks(ASKS // 10, 1))
                rates[f"pykka ask {IN_FLIGHT}"].append(rate_of_pykka_asks(ASKS // 10, IN_FLIGHT))
    for server in servers:
        server.cancel()
    return rates


def _beside(rates: dict[str, list[float]], ours: str, peer: str) -> float:
    """Return a peer's rate as it would have been at the moments at which ours was the median."""
    pairs = zip(rates[peer], rates[ours], strict=False)  # slow peers run in the first rounds only
    return median(rates[ours]) * median(theirs / own for theirs, own in pairs)


async def _spawn_and_stop() -> float:
    """Seconds in which all actors are spawned, handle a message each, and are stopped in order."""
    gc.collect()
    began = perf_counter()
    message = Add(1)
    async with ActorSystem("benchmark") as system:
        refs = [await system.spawn(Counter, name=f"counter-{number}") for number in range(ACTORS)]
        for ref in refs:
            ref.tell(message)
        assert await refs[-1].ask(Get(), TIMEOUT_S) == 1  # first come, first served: all others are done too
    return perf_counter() - began


async def _resident_bytes() -> float:
    """What an idle actor adds to the process, its reference and name included. To be measured first."""
    process = psutil.Process()
    async with ActorSystem("warm up") as system:
        await system.spawn(Counter, name="counter")
        gc.collect()
        before = process.memory_info().rss
        for number in range(ACTORS):
            await system.spawn(Counter, name=f"counter-{number}")
        gc.collect()
        return (process.memory_info().rss - before) / ACTORS


async def _allocated_bytes() -> tuple[float, float]:
    """What is allocated for an idle actor, and for an idle task with a queue."""
    tracemalloc.start()
    try:
        async with ActorSystem("memory") as system:
            gc.collect()
            before, _ = tracemalloc.get_traced_memory()
            for number in range(ACTORS):
                await system.spawn(Counter, name=f"counter-{number}")
            gc.collect()
            ours = (tracemalloc.get_traced_memory()[0] - before) / ACTORS
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        queues = [asyncio.Queue[Add](1024) for _ in range(ACTORS)]
        tasks = [asyncio.create_task(queue.get()) for queue in queues]
        await asyncio.sleep(0)
        gc.collect()
        theirs = (tracemalloc.get_traced_memory()[0] - before) / ACTORS
    finally:
        tracemalloc.stop()
    for task in tasks:
        task.cancel()
    return ours, theirs


async def measure() -> list[Figure]:
    """Measure all of it; about a minute."""
    resident = await _resident_bytes()
    rates = await _rates()
    xoscar = {name: median(values) for name, values in (await xoscar_rates(FEW_ROUNDS, ASKS // 10)).items()}
    spawns, tasks = [], []
    for _ in range(FEW_ROUNDS):
        spawns.append(await _spawn_and_stop())
        tasks.append(await seconds_of_tasks(ACTORS))
    allocated, allocated_by_task = await _allocated_bytes()
    erlang = await erlang_figures(FEW_ROUNDS)

    def others(name: str) -> dict[str, float]:
        found = {"xoscar": xoscar.get(name), "Erlang": erlang.get(name)}
        return {peer: value for peer, value in found.items() if value is not None}

    beside = partial(_beside, rates)
    many = f"ask {IN_FLIGHT}"
    return [
        Figure(
            "tell",
            median(rates["tell"]),
            "/s",
            {QUEUE: beside("tell", "queue"), PYKKA: beside("tell", "pykka tell"), **others("tell")},
            f"≥ 1.8 × {QUEUE}; ≥ 4 × {PYKKA}",
        ),
        Figure(
            "ask, one in flight",
            median(rates["ask 1"]),
            "/s",
            {BARE: beside("ask 1", "bare 1"), PYKKA: beside("ask 1", "pykka ask 1"), **others("ask")},
            f"≥ 0.9 × {BARE}; ≥ 4 × {PYKKA}",
        ),
        Figure(
            f"ask, {IN_FLIGHT} in flight",
            median(rates[many]),
            "/s",
            {BARE: beside(many, f"bare {IN_FLIGHT}"), PYKKA: beside(many, f"pykka {many}"), **others("asks")},
            f"≥ 0.9 × {BARE}; ≥ 4 × {PYKKA}",
        ),
        Figure(
            f"ask of an asynchronous handler, {IN_FLIGHT} in flight",
            median(rates["slow ask"]),
            "/s",
            {"the same, bare: no limit, no restart": beside("slow ask", "slow bare")},
            "for information",
        ),
        Figure(
            f"{ACTORS:,} actors spawned, each messaged once, and stopped",
            median(spawns),
            "s",
            {"a task with a queue each": median(tasks), **others("spawn")},
            "< 2 s",
        ),
        Figure(
            "an idle actor, allocated",
            allocated,
            "bytes",
            {"a task with a queue": allocated_by_task, **others("bytes")},
            "≤ 4096",
        ),
        Figure("an idle actor, resident", resident, "bytes", {}, "≤ 4096"),
    ]
