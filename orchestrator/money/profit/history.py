"""Decisions and periods, kept across restarts: bounded, in a small database of their own.

It is no book of record, the ledger is: a file that is broken is put aside and a new one begun, and while the disk is
full what is new waits in memory, a bounded number of it. What was learnt from one book is never read for the other.
"""

from __future__ import annotations

import asyncio
import sqlite3
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from orchestrator.money.profit.decision import Decision
from orchestrator.money.profit.period import Period
from orchestrator.side_database import SideDatabase
from streams.booking import BookName

KEPT_DECISIONS: Final = 5_000
"""Of each book; two weeks of them at one in five minutes."""

KEPT_PERIODS: Final = 120
"""Of each book; what is older would count for next to nothing."""

WAITING_MOST: Final = 500
"""Decisions, and periods, that wait to be written."""

_SCHEMA: Final = """
    CREATE TABLE IF NOT EXISTS decisions (
        id INTEGER PRIMARY KEY, book TEXT NOT NULL, record BLOB NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS decisions_by_book ON decisions (book, id);
    CREATE TABLE IF NOT EXISTS periods (
        book TEXT NOT NULL, id INTEGER NOT NULL, record BLOB NOT NULL, PRIMARY KEY (book, id)
    ) STRICT, WITHOUT ROWID;
"""

# Made at import: two threads that meet a type of msgspec's for the first time at once crash the process.
_DECISION: Final = msgspec.json.Decoder(Decision)
_PERIOD: Final = msgspec.msgpack.Decoder(Period)
_TO_JSON: Final = msgspec.json.Encoder()
_TO_MSGPACK: Final = msgspec.msgpack.Encoder()


class Kept(msgspec.Struct, frozen=True):
    """What a former life has left.

    Attributes:
        last_decision: The number of the last decision of any book, 0 where there is none.
        periods: Those of the book, the oldest first.
        open: Decisions of the book whose outcome is not complete, the oldest first.
    """

    last_decision: int
    periods: tuple[Period, ...]
    open: tuple[Decision, ...]


class History:
    """Decisions and periods on disk, and those that wait for it.

    Args:
        file: The database; made when it is first opened.
    """

    def __init__(self, file: Path) -> None:
        self._database = SideDatabase(file, _SCHEMA)
        self._decisions: dict[int, Decision] = {}
        self._periods: dict[tuple[str, int], Period] = {}
        self._turn = asyncio.Lock()

    async def open(self, book: BookName) -> Kept:
        """Open the file, and return what is left of a book.

        Raises:
            OSError, sqlite3.Error: It can be neither opened nor replaced.
        """
        return await self._database.open(self._kept, book)

    async def save(self, decisions: Iterable[Decision] = (), period: Period | None = None) -> None:
        """Write decisions durably, new ones and such as are known by their numbers already, and a period.

        Raises:
            OSError, sqlite3.Error: They cannot be written now; they go with the next that can.
        """
        async with self._turn:
            self._decisions.update((each.id, each) for each in decisions)
            if period is not None:
                self._periods[period.book, period.id] = period
            for number in list(self._decisions)[:-WAITING_MOST]:
                del self._decisions[number]
            for key in list(self._periods)[:-KEPT_PERIODS]:
                del self._periods[key]
            await self._database.run(self._write, dict(self._decisions), dict(self._periods))
            self._decisions.clear()
            self._periods.clear()

    async def page(self, book: BookName, limit: int, before: int | None = None) -> tuple[Decision, ...]:
        """Return decisions of a book, the newest first.

        Args:
            book: The book.
            limit: How many at most.
            before: Only those before this one.

        Raises:
            OSError, sqlite3.Error: They cannot be read.
        """
        return await self._database.run(self._page, book, limit, before)

    async def close(self) -> None:
        """Close the file; does nothing when it is not open."""
        await self._database.close()

    # -- in its thread --------------------------------------------------------------------------------------

    def _kept(self, book: BookName) -> Kept:
        database = self._database.connection()
        (last,) = database.execute("SELECT coalesce(max(id), 0) FROM decisions").fetchone()
        records = database.execute("SELECT record FROM periods WHERE book = ? ORDER BY id", (book,))
        periods = tuple(_PERIOD.decode(_decompressed(record)) for (record,) in records)
        recent = self._page(book, 2 * KEPT_PERIODS, None)
        unsettled = [each for each in recent if each.applied and not (each.outcome and each.outcome.complete)]
        return Kept(last, periods, tuple(reversed(unsettled)))

    def _write(self, decisions: dict[int, Decision], periods: dict[tuple[str, int], Period]) -> None:
        with self._database.transaction() as database:
            for number, decision in decisions.items():
                row = (number, decision.book, _TO_JSON.encode(decision))
                database.execute("INSERT OR REPLACE INTO decisions VALUES (?, ?, ?)", row)
                _trim(database, "decisions", decision.book, KEPT_DECISIONS)
            for (book, number), period in periods.items():
                record = zlib.compress(_TO_MSGPACK.encode(period), 1)
                database.execute("INSERT OR REPLACE INTO periods VALUES (?, ?, ?)", (book, number, record))
                _trim(database, "periods", book, KEPT_PERIODS)

    def _page(self, book: BookName, limit: int, before: int | None) -> tuple[Decision, ...]:
        query = "SELECT record FROM decisions WHERE book = ? AND id < ? ORDER BY id DESC LIMIT ?"
        end = 2**62 if before is None else before
        found = self._database.connection().execute(query, (book, end, limit))
        return tuple(_DECISION.decode(record) for (record,) in found)


def _decompressed(record: bytes) -> bytes:
    try:
        return zlib.decompress(record)
    except zlib.error as error:
        raise ValueError(f"a period's record is damaged: {error}") from error


def _trim(database: sqlite3.Connection, table: str, book: str, kept: int) -> None:
    database.execute(
        f"DELETE FROM {table} WHERE book = ?1 AND id <= (SELECT max(id) FROM {table} WHERE book = ?1) - ?2",  # noqa: S608
        (book, kept),
    )
