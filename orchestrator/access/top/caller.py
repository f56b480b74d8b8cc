"""Questions to the daemon, one after another, off the loop."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar, overload

from orchestrator.access.client import Client, DaemonUnreachable

T = TypeVar("T")


class Caller:
    """A connection that the loop may ask without waiting at the socket itself.

    Args:
        path: The control socket.
        timeout_s: How long an answer may take.
        name: Of its thread.
    """

    def __init__(self, path: Path, timeout_s: float, name: str) -> None:
        self._client = Client(path, timeout_s)
        self._closed = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    @overload
    async def call(self, method: str, params: object = None) -> Any: ...

    @overload
    async def call(self, method: str, params: object = None, *, result: type[T]) -> T: ...

    async def call(self, method: str, params: object = None, *, result: Any = Any) -> Any:
        """Call a method.

        Raises:
            The same as `Client.call`.
        """
        if self._closed:
            raise DaemonUnreachable("this end has hung up")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._call, method, params, result)

    def _call(self, method: str, params: object, result: Any) -> Any:
        if self._closed:  # while this waited for its turn
            raise DaemonUnreachable("this end has hung up")
        return self._client.call(method, params, result=result)

    def close(self) -> None:
        """Hang up; whoever waits is told that the daemon did."""
        if self._closed:
            return
        self._closed = True
        self._client.interrupt()
        self._thread.submit(self._client.close)
        self._thread.shutdown(wait=False)
