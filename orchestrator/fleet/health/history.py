"""What went wrong so far, kept across restarts: incidents and failures, bounded, in a small database of its own.

It is no book of record: where its file is broken, it is put aside and a new one is begun, and while the disk is full
the newest things wait in memory, a bounded number of them.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from orchestrator.fleet.health.incidents import Incident
from orchestrator.side_database import SideDatabase

FAILURES_KEPT: Final = 10_000
INCIDENTS_KEPT: Final = 2_000
"""Closed ones; all that are open are kept."""

WAITING_MOST: Final = 5_000
"""Records that wait to be written."""

_TRIM_EVERY: Final = 500

_SCHEMA: Final = """
    CREATE TABLE IF NOT EXISTS incidents (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, opened_at TEXT NOT NULL, closed_at TEXT, record BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS incidents_by_time ON incidents (opened_at);
    CREATE TABLE IF NOT EXISTS failures (
        n INTEGER PRIMARY KEY, name TEXT NOT NULL, record BLOB NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS failures_by_name ON failures (name, n);
"""


class PastFailure(msgspec.Struct, frozen=True, tag="failure"):
    """Something that failed.

    Attributes:
        at: When, aware UTC.
        name: The instance's id, or the service's name.
        what: `crashed`, `failed` (its restart budget was exhausted), or the symptom that a probe found.
        detail: Why, one line.
    """

    at: datetime
    name: str
    what: str
    detail: str


# Made at import: two threads that meet a type of msgspec's for the first time at once crash the process.
_INCIDENT: Final = msgspec.json.Decoder(Incident)
_FAILURE: Final = msgspec.json.Decoder(PastFailure)


Entry: TypeAlias = Incident | PastFailure


class History:
    """The records on disk, and those that wait for it.

    Args:
        file: The database; made when it is first opened.
    """

    def __init__(self, file: Path) -> None:
        self._database = SideDatabase(file, _SCHEMA)
        self._waiting: deque[Entry] = deque(maxlen=WAITING_MOST)
        self._turn = asyncio.Lock()
        self._written = 0
        self.arrived = asyncio.Event()

    async def open(self) -> tuple[Incident, ...]:
        """Open the file, and return the incidents that a former run left open.

        Raises:
            OSError, sqlite3.Error: It can be neither opened nor replaced.
        """
        return await self._database.open(self._open_incidents)

    def add(self, entry: Entry) -> None:
        """Have a record written soon. Where too many wait, the oldest of them are lost."""
        self._waiting.append(entry)
        self.arrived.set()

    async def flush(self) -> None:
        """Write what waits, durably; what is written has arrived on disk when this returns.

        Raises:
            OSError, sqlite3.Error: It cannot be written now; it still waits.
        """
        async with self._turn:
            self.arrived.clear()
            batch = tuple(self._waiting)
            if not batch:
                return
            try:
                await self._database.run(self._write, batch)
            except (OSError, sqlite3.Error):
                self.arrived.set()
                raise
            # What came meanwhile stands behind the batch; where that pushed some of it out, there is less to remove.
            written = {id(entry) for entry in batch}
            while self._waiting and id(self._waiting[0]) in written:
                self._waiting.popleft()

    async def failures(self, limit: int, name: str | None = None) -> tuple[PastFailure, ...]:
        """Return the last failures, of one subject or of all, the newest first.

        Raises:
            OSError, sqlite3.Error: They cannot be read.
        """
        return await self._database.run(self._failures, limit, name)

    async def past_incidents(self, limit: int, name: str | None = None) -> tuple[Incident, ...]:
        """Return the last incidents, of one subject or of all, the newest first. Raises as `failures` does."""
        return await self._database.run(self._incidents, limit, name)

    async def close(self) -> None:
        """Close the file; does nothing when it is not open."""
        await self._database.close()

    # -- in its thread --------------------------------------------------------------------------------------

    def _open_incidents(self) -> tuple[Incident, ...]:
        found = self._database.connection().execute(
            "SELECT record FROM incidents WHERE closed_at IS NULL ORDER BY opened_at LIMIT ?", (INCIDENTS_KEPT,)
        )
        return tuple(_INCIDENT.decode(record) for (record,) in found)

    def _write(self, batch: Sequence[Entry]) -> None:
        with self._database.transaction() as database:
            for entry in batch:
                _insert(database, entry)
            self._written += len(batch)
            if self._written >= _TRIM_EVERY or len(batch) >= _TRIM_EVERY:
                self._written = 0
                _trim(database)

    def _failures(self, limit: int, name: str | None) -> tuple[PastFailure, ...]:
        where, values = ("", ()) if name is None else ("WHERE name = ?", (name,))
        query = f"SELECT record FROM failures {where} ORDER BY n DESC LIMIT ?"  # noqa: S608 - words of this file
        found = self._database.connection().execute(query, (*values, limit))
        return tuple(_FAILURE.decode(record) for (record,) in found)

    def _incidents(self, limit: int, name: str | None) -> tuple[Incident, ...]:
        where, values = ("", ()) if name is None else ("WHERE name = ?", (name,))
        query = f"SELECT record FROM incidents {where} ORDER BY opened_at DESC LIMIT ?"  # noqa: S608 - the same
        found = self._database.connection().execute(query, (*values, limit))
        return tuple(_INCIDENT.decode(record) for (record,) in found)


def _insert(database: sqlite3.Connection, entry: Entry) -> None:
    record = msgspec.json.encode(entry)
    if isinstance(entry, PastFailure):
        database.execute("INSERT INTO failures (name, record) VALUES (?, ?)", (entry.name, record))
        return
    closed = None if entry.closed_at is None else entry.closed_at.isoformat()
    database.execute(
        "INSERT OR REPLACE INTO incidents VALUES (?, ?, ?, ?, ?)",
        (entry.id, entry.subject.name, entry.opened_at.isoformat(), closed, record),
    )


def _trim(database: sqlite3.Connection) -> None:
    """Forget the oldest, so that years of trouble do not fill the disk."""
    database.execute("DELETE FROM failures WHERE n <= (SELECT max(n) FROM failures) - ?", (FAILURES_KEPT,))
    database.execute(
        """
        DELETE FROM incidents WHERE closed_at IS NOT NULL AND id NOT IN (
            SELECT id FROM incidents WHERE closed_at IS NOT NULL ORDER BY opened_at DESC LIMIT ?
        )
        """,
        (INCIDENTS_KEPT,),
    )
