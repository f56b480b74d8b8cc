"""What the kernel is measured beside. Each does the same work: a counter that is added to and read."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import pykka

from actors import Message, Request

BURST = 500
"""Messages told before the loop gets its turn."""


class Add(Message, frozen=True):
    n: int


class Get(Request[int], frozen=True):
    pass


class GetSlowly(Request[int], frozen=True):
    """Answered by an asynchronous handler."""


async def rate_of_asks(ask: Callable[[], Awaitable[int]], count: int, in_flight: int) -> float:
    """Ask, a number of askers at a time; return asks per second of processor time."""

    async def asker() -> None:
        for _ in range(count // in_flight):
            await ask()

    began = process_time()
    if in_flight == 1:
        await asker()
    else:
        await asyncio.gather(*(asker() for _ in range(in_flight)))
    return count / (process_time() - began)


async def rate_of_queue(count: int) -> float:
    """Messages a second through an `asyncio.Queue`."""
    queue: asyncio.Queue[Add] = asyncio.Queue(2 * BURST)

    async def consume() -> int:
        total = 0
        while total < count:
            message = await queue.get()
            total += message.n
        return total

    consumer = asyncio.create_task(consume())
    message = Add(1)
    began = process_time()
    for _ in range(count // BURST):
        for _ in range(BURST):
            queue.put_nowait(message)
        await asyncio.sleep(0)
    assert await consumer == count
    return count / (process_time() - began)


class BareServer:
    """The least that answers: a deque of messages and futures, and a task parked on a future."""

    def __init__(self) -> None:
        self._requests: deque[tuple[Any, asyncio.Future[int]]] = deque()
        self._parked: asyncio.Future[None] | None = None
        self.total = 0

    async def serve(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while self._requests:
                message, reply = self._requests.popleft()
                reply.set_result(self.get(message))
            self._parked = loop.create_future()
            await self._parked

    async def serve_slowly(self) -> None:
        """The same with an asynchronous handler that gives the loop a turn."""
        loop = asyncio.get_running_loop()
        while True:
            while self._requests:
                message, reply = self._requests.popleft()
                reply.set_result(await self.get_slowly(message))
            self._parked = loop.create_future()
            await self._parked

    def get(self, message: Any) -> int:
        return self.total

    async def get_slowly(self, message: Any) -> int:
        await asyncio.sleep(0)
        return self.total

    async def ask(self, message: Any) -> int:
        reply: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._requests.append((message, reply))
        if self._parked is not None and not self._parked.done():
            self._parked.set_result(None)
        return await reply


class PykkaCounter(pykka.ThreadingActor):
    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def on_receive(self, message: Any) -> Any:
        if type(message) is Add:
            self.total += message.n
            return None
        return self.total


def rate_of_pykka_tells(count: int) -> float:
    """Messages a second of processor time, which favours it: its threads also wait for each other."""
    ref = PykkaCounter.start()
    message = Add(1)
    began = process_time()
    for _ in range(count):
        ref.tell(message)
    assert ref.ask(Get()) == count
    rate = count / (process_time() - began)
    ref.stop()
    return rate


def rate_of_pykka_asks(count: int, in_flight: int) -> float:
    """Asks a second of processor time."""
    ref = PykkaCounter.start()
    request = Get()
    began = process_time()
    for _ in range(count // in_flight):
        for future in [ref.ask(request, block=False) for _ in range(in_flight)]:
            future.get()
    rate = count / (process_time() - began)
    ref.stop()
    return rate


async def seconds_of_tasks(count: int) -> float:
    """Start as many tasks with a queue each, send each a message, and stop them."""
    stop = Add(0)

    async def serve(queue: asyncio.Queue[Add]) -> int:
        total = 0
        while (message := await queue.get()) is not stop:
            total += message.n
        return total

    began = perf_counter()
    queues = [asyncio.Queue[Add](1024) for _ in range(count)]
    tasks = [asyncio.create_task(serve(queue)) for queue in queues]
    message = Add(1)
    for queue in queues:
        queue.put_nowait(message)
    for queue in queues:
        queue.put_nowait(stop)
    assert sum(await asyncio.gather(*tasks)) == count
    return perf_counter() - began


async def xoscar_rates(rounds: int, count: int) -> dict[str, list[float]]:
    """Rates of tells and asks in xoscar, in one process; nothing where it is not installed."""
    try:
        import xoscar
    except ImportError:
        return {}

    class XoscarCounter(xoscar.Actor):  # type: ignore[misc]
        def __init__(self) -> None:
            self.total = 0

        def add(self, n: int) -> None:
            self.total += n

        def get(self) -> int:
            return self.total

    pool = await xoscar.create_actor_pool("127.0.0.1:0", n_process=0)
    try:
        ref = await xoscar.create_actor(XoscarCounter, address=pool.external_address, uid="counter")
        rates: dict[str, list[float]] = {"tell": [], "ask": [], "asks": []}
        for _ in range(rounds):
            began = process_time()
            for _ in range(count):
                await ref.add.tell(1)
            rates["tell"].append(count / (process_time() - began))
            rates["ask"].append(await rate_of_asks(ref.get, count, 1))
            rates["asks"].append(await rate_of_asks(ref.get, count, 100))
        return rates
    finally:
        await pool.stop()


async def erlang_figures(rounds: int) -> dict[str, float]:
    """The figures of `kernel.erl`; nothing where Erlang is not installed."""
    escript = shutil.which("escript")
    if escript is None:
        return {}
    process = await asyncio.create_subprocess_exec(
        escript,
        str(Path(__file__).with_name("kernel.erl")),
        str(rounds),
        stdout=asyncio.subprocess.PIPE,
        stderr=sys.stderr,
    )
    output, _ = await process.communicate()
    lines = (line.split() for line in output.decode().splitlines())
    return {name: float(value) for name, value in lines} if process.returncode == 0 else {}
