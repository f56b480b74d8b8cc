"""Keeps a venue's file: one thread, and as many changes at a time as have come meanwhile."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import structlog

from streams.sandbox.venues.exchange import Changes, Exchange
from streams.sandbox.venues.listings import VenueTerms
from streams.sandbox.venues.store import Store

T = TypeVar("T")


class VenueDown(Exception):
    """The venue cannot write down what it does, so it does nothing. What was just asked may or may not be done."""


class Keeper:
    """Writes what has changed, in order, and reads what is asked for.

    After a write that failed, memory is ahead of the file, and the file is right: the exchange is given up and
    read again, and everyone who waited is told `VenueDown`.

    Args:
        store: The file.
        terms: The venue's.

    Attributes:
        exchange: The venue's orders and balances; None while it is down.
        nonces: The last nonce of each account. Stored with the next change.
    """

    def __init__(self, store: Store, terms: VenueTerms) -> None:
        self._store = store
        self._terms = terms
        self._thread: ThreadPoolExecutor | None = None
        self._waiting: list[Changes] = []
        self._waiting_done: asyncio.Future[bool] | None = None
        self._writing_done: asyncio.Future[bool] | None = None
        self._loading = False
        self.exchange: Exchange | None = None
        self.nonces: dict[str, int] = {}
        self._log = structlog.get_logger("sandbox.venue").bind(venue=terms.name)

    async def open(self) -> None:
        """Open the file and take up what is in it.

        Raises:
            OSError: The file cannot be made.
            sqlite3.Error: The file cannot be read.
        """
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"venue-{self._terms.name}")
        await self._call(self._store.open)
        self.exchange, self.nonces = await self._call(self._store.load, self._terms)

    async def close(self) -> None:
        """Write what is left to write, and close. Safe to call again."""
        thread = self._thread
        if thread is None:
            return
        self.exchange = None  # nothing more is handed over
        try:
            while (done := self._waiting_done or self._writing_done) is not None:
                await asyncio.shield(done)
        finally:
            self._thread = None
            # The thread does its work in order: this comes after whatever it is still at.
            thread.submit(self._store.close)
            await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, thread.shutdown))

    async def read(self, function: Callable[..., T], *args: object) -> T:
        """Call one of the store's methods in its thread.

        Raises:
            VenueDown: The file cannot be read, or is closed.
        """
        try:
            return await self._call(function, *args)
        except sqlite3.Error as error:
            self._log.error("venue.unreadable", reason=str(error))
            raise VenueDown from error

    def submit(self) -> None:
        """Hand over what has changed."""
        if self.exchange is None:
            return
        changes = self.exchange.changes()
        if not changes:
            return
        self._waiting.append(changes)
        if self._waiting_done is None:
            self._waiting_done = asyncio.get_running_loop().create_future()
        if self._writing_done is None:
            self._write()

    async def settled(self) -> None:
        """Wait until all that was handed over is on the disk.

        Raises:
            VenueDown: It is not, and is forgotten.
        """
        done = self._waiting_done or self._writing_done
        if done is not None and not await asyncio.shield(done):
            raise VenueDown

    @property
    def is_settled(self) -> bool:
        """Whether all that was handed over is on the disk."""
        return self._waiting_done is None and self._writing_done is None

    def recover(self) -> None:
        """Begin to read the file again, where the venue is down."""
        if self.exchange is None and self._thread is not None and not self._loading:
            self._loading = True
            self._watch(self._thread.submit(self._store.load, self._terms), self._loaded)

    async def _call(self, function: Callable[..., T], *args: object) -> T:
        if self._thread is None:
            raise VenueDown
        return await asyncio.wrap_future(self._thread.submit(function, *args))

    def _write(self) -> None:
        batch, self._waiting = self._waiting, []
        self._writing_done, self._waiting_done = self._waiting_done, None
        if self._thread is None:
            self._failed()
        else:
            self._watch(self._thread.submit(self._store.write, batch, dict(self.nonces)), self._written)

    def _written(self, result: Future[None]) -> None:
        error = result.exception()
        if error is not None:
            self._log.error("venue.write_failed", reason=str(error))
            self._failed()
            self.recover()
            return
        done, self._writing_done = self._writing_done, None
        _tell(done, well=True)
        if self._waiting:
            self._write()

    def _failed(self) -> None:
        self.exchange = None
        self._waiting.clear()
        writing, self._writing_done = self._writing_done, None
        waiting, self._waiting_done = self._waiting_done, None
        _tell(writing, well=False)
        _tell(waiting, well=False)

    def _loaded(self, result: Future[tuple[Exchange, dict[str, int]]]) -> None:
        self._loading = False
        error = result.exception()
        if error is not None:
            self._log.error("venue.unreadable", reason=str(error))
        elif self._thread is not None:
            self.exchange, nonces = result.result()
            # A nonce that was used stays used, also where its order was forgotten.
            self.nonces = {**nonces, **self.nonces}
            self._log.info("venue.recovered")

    def _watch(self, work: Future[T], then: Callable[[Future[T]], None]) -> None:
        loop = asyncio.get_running_loop()
        work.add_done_callback(lambda done: loop.call_soon_threadsafe(then, done))


def _tell(waiting: asyncio.Future[bool] | None, *, well: bool) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(well)
