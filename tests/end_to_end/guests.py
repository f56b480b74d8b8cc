"""Guests of many instances at once: each comes again and again, whatever happens to the instance."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self

_EVERY_S: Final = 0.03
_AGAIN_S: Final = 0.1


class Guests:
    """One guest for each port, in a thread of their own.

    Args:
        ports: Where they go.
        path: What they ask for.
    """

    def __init__(self, ports: Iterable[int], path: str) -> None:
        self._ports = tuple(ports)
        self._request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._all()), name="guests")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    async def _all(self) -> None:
        tasks = [asyncio.create_task(self._one(port)) for port in self._ports]
        while not self._over.is_set():
            await asyncio.sleep(_EVERY_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _one(self, port: int) -> None:
        while True:
            with contextlib.suppress(OSError, EOFError, ValueError):
                await self._visit(port)
            await asyncio.sleep(_AGAIN_S)

    async def _visit(self, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            while True:
                writer.write(self._request)
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length))
                await asyncio.sleep(_EVERY_S)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
