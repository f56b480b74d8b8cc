"""Visitors that follow a link again and again, every time as somebody new: another address or another browser.

`python -m tests.benchmarks.redirect_load <port> <connections> <seconds> <round>` prints redirects a second, and
the median and the 99th percentile of how long one took, ms.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from functools import cache
from time import perf_counter
from typing import Final, cast

import uvloop

from tests.benchmarks.redirect_server import CODE, HOST

BROWSERS: Final = 4000
"""Kinds of browsers on the road. Each address comes with each of them once, which is more than a round takes."""

_REQUEST: Final = (
    "GET /c/%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 "
    "(KHTML, like Gecko) Chrome/%d.0.%d.0 Safari/537.36\r\nAccept: text/html\r\n\r\n"
)


class Visitors(asyncio.Protocol):
    """A connection: asks, waits for the whole answer, and asks as the next visitor from its address."""

    def __init__(self, took_s: list[float], failures: list[str]) -> None:
        self._requests = itertools.cycle(_requests())
        self._took_s = took_s
        self._failures = failures
        self._answer = b""
        self._sent_s = 0.0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Take a part of the answer."""
        self._answer += data
        head, end, body = self._answer.partition(b"\r\n\r\n")
        if not end or len(body) < int(head.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0]):
            return
        if not self._answer.startswith(b"HTTP/1.1 302"):
            self._failures.append(f"a visit was answered {self._answer!r}")
            return
        self._took_s.append(perf_counter() - self._sent_s)
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell that nobody answers any more."""
        self._failures.append(f"a connection was lost: {exc}")

    def _ask(self) -> None:
        self._answer = b""
        request = next(self._requests)
        self._sent_s = perf_counter()
        self._transport.write(request)


@cache
def _requests() -> tuple[bytes, ...]:
    return tuple((_REQUEST % (CODE, HOST, 100 + kind % 40, kind // 40)).encode() for kind in range(BROWSERS))


async def load(port: int, connections: int, seconds: float, turn: int) -> tuple[float, float, float]:
    """Return redirects a second, and the median and 99th percentile of their time, ms."""
    took_s: list[float] = []
    failures: list[str] = []
    _requests()
    loop = asyncio.get_running_loop()
    for number in range(connections):
        address = (f"127.1.{turn}.{number + 1}", 0)
        await loop.create_connection(lambda: Visitors(took_s, failures), HOST, port, local_addr=address)
    took_s.clear()
    began = perf_counter()
    await asyncio.sleep(seconds)
    rate = len(took_s) / (perf_counter() - began)
    if failures:
        raise RuntimeError(failures[0])
    if not took_s:
        raise RuntimeError("nobody answered")
    took_s.sort()
    return rate, took_s[len(took_s) // 2] * 1e3, took_s[len(took_s) * 99 // 100] * 1e3


if __name__ == "__main__":
    print(*uvloop.run(load(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))))
