"""Threads for products that take long, shared by all instances of the process.

Python runs one thread at a time; each that computes delays the event loop by up to a switch interval. So there are
few of them, however many instances there are, and what finds none free waits its turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar, Final, TypeVar

from streams.api_services.product import AnyProduct

R = TypeVar("R")

_THREADS: Final = 2


class HeavyWork:
    """One instance's access to the threads. They exist from the first use to the last `close`."""

    _pool: ClassVar[ThreadPoolExecutor | None] = None
    _users: ClassVar[set[HeavyWork]] = set()
    _prepared: ClassVar[set[str]] = set()

    async def run(self, work: Callable[[], R]) -> R:
        """Run a function in one of the threads. Cancelled, what has begun goes on, but nobody waits for it."""
        return await asyncio.get_running_loop().run_in_executor(self._open(), work)

    async def prepare(self, product: AnyProduct) -> None:
        """Load what a product needs, once in the process: what it imports would block the event loop."""
        if product.name not in HeavyWork._prepared:
            await self.run(product.prepare)
            HeavyWork._prepared.add(product.name)

    def is_prepared(self, product: AnyProduct) -> bool:
        """Return whether a product can run on the event loop."""
        return product.name in HeavyWork._prepared

    def close(self) -> None:
        """Give the access back. The last one ends the threads, once they have finished what they do."""
        HeavyWork._users.discard(self)
        if not HeavyWork._users and HeavyWork._pool is not None:
            HeavyWork._pool.shutdown(wait=False, cancel_futures=True)
            HeavyWork._pool = None

    def _open(self) -> ThreadPoolExecutor:
        HeavyWork._users.add(self)
        if HeavyWork._pool is None:
            HeavyWork._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="product")
        return HeavyWork._pool
