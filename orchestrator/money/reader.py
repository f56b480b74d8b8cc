"""Reads of the ledger, on a thread of their own so that they never hold up the loop or the writer."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from orchestrator.money.schema import open_reader
from streams.booking import LedgerUnavailable

P = ParamSpec("P")
R = TypeVar("R")


class Reader:
    """One read-only connection, used by one thread, a query at a time.

    Args:
        path: The ledger's file.
        name: The thread's name.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._name = name
        self._thread: ThreadPoolExecutor | None = None
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Open the ledger, which must exist.

        Raises:
            LedgerFileError, sqlite3.Error: It cannot be opened.
        """
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=self._name)
        loop = asyncio.get_running_loop()
        self._connection = await loop.run_in_executor(self._thread, open_reader, self._path)

    def run(
        self, query: Callable[Concatenate[sqlite3.Connection, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> asyncio.Future[R]:
        """Run a query after those asked for before; the future has its result.

        Raises:
            LedgerUnavailable: It is not open. The future fails so, too, where SQLite cannot read.
        """
        thread, connection = self._thread, self._connection
        if thread is None or connection is None:
            raise LedgerUnavailable("it is not open for reading")

        def read() -> R:
            try:
                return query(connection, *args, **kwargs)
            except sqlite3.Error as error:
                raise LedgerUnavailable(str(error)) from error

        return asyncio.get_running_loop().run_in_executor(thread, read)

    async def close(self) -> None:
        """Break off what is being read, forget what waits, and close. Does nothing when it is not open."""
        thread, self._thread = self._thread, None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.interrupt()
        if thread is not None:
            thread.shutdown(wait=False, cancel_futures=True)
            await asyncio.to_thread(thread.shutdown)
        if connection is not None:
            connection.close()
