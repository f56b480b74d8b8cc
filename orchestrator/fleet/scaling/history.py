"""The rounds of the auto-scaler, kept across restarts: bounded, in a small database of their own.

They are no book of record: a file that is broken is put aside and a new one begun, and while the disk is full the
newest rounds wait in memory, a bounded number of them.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import time_ns
from typing import Final, ParamSpec, TypeVar

import msgspec

from orchestrator.fleet.scaling.decision import Round

Args = ParamSpec("Args")
R = TypeVar("R")

KEPT: Final = 10_000
"""Rounds; a week of them at one a minute."""

WAITING_MOST: Final = 1_000
"""Rounds that wait to be written."""

_TRIM_EVERY: Final = 200
_BUSY_MS: Final = 2_000
_SCHEMA: Final = """
    CREATE TABLE IF NOT EXISTS rounds (id INTEGER PRIMARY KEY, acted INTEGER NOT NULL, record BLOB NOT NULL) STRICT;
    CREATE INDEX IF NOT EXISTS rounds_that_acted ON rounds (id) WHERE acted;
"""

# Made at import: two threads that meet a type of msgspec's for the first time at once crash the process.
_DECODER: Final = msgspec.json.Decoder(Round)
_ENCODER: Final = msgspec.json.Encoder()


class Rounds:
    """The rounds on disk, and those that wait for it.

    Args:
        file: The database; made when it is first opened.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._waiting: dict[int, Round] = {}
        self._turn = asyncio.Lock()
        self._thread: ThreadPoolExecutor | None = None
        self._database: sqlite3.Connection | None = None
        self._written = 0

    async def open(self) -> int:
        """Open the file, and return the last round's number, 0 where there is none.

        Raises:
            OSError, sqlite3.Error: It can be neither opened nor replaced.
        """
        async with self._turn:
            if self._thread is None:
                # One of its own: the shared ones may all be busy with a slow disk.
                self._thread = ThreadPoolExecutor(1, thread_name_prefix="scaling-history")
            return await self._in_thread(self._open)

    async def save(self, *rounds: Round) -> None:
        """Write rounds durably, new ones and such as are known by their numbers already.

        Raises:
            OSError, sqlite3.Error: They cannot be written now; they go with the next that can.
        """
        async with self._turn:
            self._waiting.update((each.id, each) for each in rounds)
            for oldest in list(self._waiting)[:-WAITING_MOST]:
                del self._waiting[oldest]
            batch = dict(self._waiting)
            await self._in_thread(self._write, batch)
            self._waiting.clear()

    async def page(self, limit: int, before: int | None = None, *, acted: bool = False) -> tuple[Round, ...]:
        """Return rounds, the newest first.

        Args:
            limit: How many at most.
            before: Only those before this one.
            acted: Only those that changed a count.

        Raises:
            OSError, sqlite3.Error: They cannot be read.
        """
        async with self._turn:
            return await self._in_thread(self._page, limit, before, acted)

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

    def _open(self) -> int:
        try:
            return self._last()
        except (sqlite3.DatabaseError, msgspec.DecodeError) as error:
            if isinstance(error, sqlite3.OperationalError):
                raise  # locked, or no room: the file itself is not at fault
            self._put_aside()
            return self._last()

    def _last(self) -> int:
        newest = self._page(1, None, False)
        return newest[0].id if newest else 0

    def _connection(self) -> sqlite3.Connection:
        if self._database is None:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file.touch(mode=0o600)
            database = sqlite3.connect(self._file, isolation_level=None, check_same_thread=False)
            try:
                database.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
                database.execute("PRAGMA journal_mode = WAL")
                database.execute("PRAGMA synchronous = FULL")
                database.executescript(_SCHEMA)
            except BaseException:
                database.close()
                raise
            self._database = database
        return self._database

    def _put_aside(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None
        self._file.replace(self._file.with_name(f"{self._file.name}.broken-{time_ns()}"))
        for rest in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                self._file.with_name(self._file.name + rest).unlink()

    def _write(self, batch: dict[int, Round]) -> None:
        database = self._connection()
        database.execute("BEGIN IMMEDIATE")
        try:
            for each in batch.values():
                acted = any(decision.action != "hold" for decision in each.decisions)
                record = _ENCODER.encode(each)
                database.execute("INSERT OR REPLACE INTO rounds VALUES (?, ?, ?)", (each.id, acted, record))
            self._written += len(batch)
            if self._written >= _TRIM_EVERY:
                self._written = 0
                database.execute("DELETE FROM rounds WHERE id <= (SELECT max(id) FROM rounds) - ?", (KEPT,))
            database.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # SQLite itself rolls back after some errors
                database.execute("ROLLBACK")
            raise

    def _page(self, limit: int, before: int | None, acted: bool) -> tuple[Round, ...]:
        query = "SELECT record FROM rounds WHERE id < ? AND acted >= ? ORDER BY id DESC LIMIT ?"
        end = 2**62 if before is None else before
        found = self._connection().execute(query, (end, int(acted), limit))
        return tuple(_DECODER.decode(record) for (record,) in found)
