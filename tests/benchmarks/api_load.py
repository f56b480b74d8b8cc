"""Keep-alive connections that ask again and again, for machines without wrk.

`python -m tests.benchmarks.api_load <url> <key> <connections> <seconds>` prints requests a second, and the
median and the 99th percentile of how long an answer took, ms.
"""

from __future__ import annotations

import asyncio
import sys
from time import perf_counter
from typing import cast
from urllib.parse import urlsplit

import uvloop


class Connection(asyncio.Protocol):
    """Asks, waits for the whole answer, and asks again."""

    def __init__(self, request: bytes, took_s: list[float], failures: list[str]) -> None:
        self._request = request
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
        if not end or len(body) < int(head.partition(b"content-length: ")[2].split(b"\r\n", 1)[0]):
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self._failures.append(f"a call was answered {self._answer!r}")
            return
        self._took_s.append(perf_counter() - self._sent_s)
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell that nobody answers any more."""
        self._failures.append(f"a connection was lost: {exc}")

    def _ask(self) -> None:
        self._answer = b""
        self._sent_s = perf_counter()
        self._transport.write(self._request)


async def load(url: str, key: str, connections: int, seconds: float) -> tuple[float, float, float]:
    """Return requests a second, and the median and 99th percentile of their time, ms."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    host, port = parts.hostname, parts.port
    fields = f"Host: {parts.netloc}\r\nAuthorization: Bearer {key}\r\n"
    request = f"GET {parts.path}?{parts.query} HTTP/1.1\r\n{fields}\r\n".encode()
    took_s: list[float] = []
    failures: list[str] = []
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        await loop.create_connection(lambda: Connection(request, took_s, failures), host, port)
    took_s.clear()
    began = perf_counter()
    await asyncio.sleep(seconds)
    rate = len(took_s) / (perf_counter() - began)
    if failures:
        raise RuntimeError(failures[0])
    took_s.sort()
    return rate, took_s[len(took_s) // 2] * 1e3, took_s[len(took_s) * 99 // 100] * 1e3


if __name__ == "__main__":
    print(*uvloop.run(load(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))))
