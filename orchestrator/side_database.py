"""A small database beside the books, for what may be lost: opened, written and read in a thread of its own.

What is in it is no book of record. A file that is broken is put aside, and a new one begun.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from time import time_ns
from typing import Final, ParamSpec, TypeVar

import msgspec

Args = ParamSpec("Args")
R = TypeVar("R")

_BUSY_MS: Final = 2_000


class SideDatabase:
    """One file, used by one owner.

    Args:
        file: The database; made when it is first opened.
        schema: What makes its tables where they are missing.
    """

    def __init__(self, file: Path, schema: str) -> None:
        self._file = file
        self._schema = schema
        self._turn = asyncio.Lock()
        self._thread: ThreadPoolExecutor | None = None
        self._database: sqlite3.Connection | None = None

    async def open(self, read: Callable[Args, R], *args: Args.args, **kwargs: Args.kwargs) -> R:
        """Open the file, and return what `read`, run in the thread, finds in it.

        Raises:
            OSError, sqlite3.Error: It can be neither opened nor replaced.
        """
        async with self._turn:
            if self._thread is None:
                # One of its own: the shared ones may all be busy with a slow disk, just when that is to be told of.
                self._thread = ThreadPoolExecutor(1, thread_name_prefix=self._file.stem)
            return await self._in_thread(self._read_or_replace, partial(read, *args, **kwargs))

    async def run(self, work: Callable[Args, R], *args: Args.args, **kwargs: Args.kwargs) -> R:
        """Return what a function returns in the thread.

        Raises:
            OSError: It is not open.
        """
        async with self._turn:
            return await self._in_thread(partial(work, *args, **kwargs))

    async def close(self) -> None:
        """Close the file; does nothing when it is not open."""
        async with self._turn:
            if self._database is not None:
                await self._in_thread(self._database.close)
                self._database = None
            if self._thread is not None:
                self._thread.shutdown(wait=False)  # it has nothing left to do
                self._thread = None

    async def _in_thread(self, work: Callable[Args, R], *args: Args.args, **kwargs: Args.kwargs) -> R:
        if self._thread is None:
            raise OSError(f"{self._file} is not open")
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(work, *args, **kwargs))

    # -- in that thread -------------------------------------------------------------------------------------

    def connection(self) -> sqlite3.Connection:
        """Return the connection, made anew where there is none."""
        if self._database is None:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file.touch(mode=0o600)
            database = sqlite3.connect(self._file, isolation_level=None, check_same_thread=False)
            try:
                database.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
                database.execute("PRAGMA journal_mode = WAL")
                database.execute("PRAGMA synchronous = FULL")
                database.executescript(self._schema)
            except BaseException:
                database.close()
                raise
            self._database = database
        return self._database

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Make all changes within one, or none."""
        database = self.connection()
        database.execute("BEGIN IMMEDIATE")
        try:
            yield database
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:  # SQLite itself rolls back after some errors
                database.execute("ROLLBACK")
            raise

    def _read_or_replace(self, read: Callable[[], R]) -> R:
        try:
            return read()
        except (sqlite3.DatabaseError, msgspec.DecodeError, ValueError) as error:
            if isinstance(error, sqlite3.OperationalError):
                raise  # locked, or no room: the file itself is not at fault
            self._put_aside()
            return read()

    def _put_aside(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None
        self._file.replace(self._file.with_name(f"{self._file.name}.broken-{time_ns()}"))
        for rest in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                self._file.with_name(self._file.name + rest).unlink()
