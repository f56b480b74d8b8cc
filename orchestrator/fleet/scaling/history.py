"""The rounds of the auto-scaler, kept across restarts: bounded, in a small database of their own.

They are no book of record: a file that is broken is put aside and a new one begun, and while the disk is full the
newest rounds wait in memory, a bounded number of them.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import msgspec

from orchestrator.fleet.scaling.decision import Round
from orchestrator.side_database import SideDatabase

KEPT: Final = 10_000
"""Rounds; a week of them at one a minute."""

WAITING_MOST: Final = 1_000
"""Rounds that wait to be written."""

_TRIM_EVERY: Final = 200
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
        self._database = SideDatabase(file, _SCHEMA)
        self._waiting: dict[int, Round] = {}
        self._turn = asyncio.Lock()
        self._written = 0

    async def open(self) -> int:
        """Open the file, and return the last round's number, 0 where there is none.

        Raises:
            OSError, sqlite3.Error: It can be neither opened nor replaced.
        """
        return await self._database.open(self._last)

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
            await self._database.run(self._write, batch)
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
        return await self._database.run(self._page, limit, before, acted)

    async def close(self) -> None:
        """Close the file; does nothing when it is not open."""
        await self._database.close()

    # -- in its thread --------------------------------------------------------------------------------------

    def _last(self) -> int:
        newest = self._page(1, None, False)
        return newest[0].id if newest else 0

    def _write(self, batch: dict[int, Round]) -> None:
        with self._database.transaction() as database:
            for each in batch.values():
                acted = any(decision.action != "hold" for decision in each.decisions)
                record = _ENCODER.encode(each)
                database.execute("INSERT OR REPLACE INTO rounds VALUES (?, ?, ?)", (each.id, acted, record))
            self._written += len(batch)
            if self._written >= _TRIM_EVERY:
                self._written = 0
                database.execute("DELETE FROM rounds WHERE id <= (SELECT max(id) FROM rounds) - ?", (KEPT,))

    def _page(self, limit: int, before: int | None, acted: bool) -> tuple[Round, ...]:
        query = "SELECT record FROM rounds WHERE id < ? AND acted >= ? ORDER BY id DESC LIMIT ?"
        end = 2**62 if before is None else before
        found = self._database.connection().execute(query, (end, int(acted), limit))
        return tuple(_DECODER.decode(record) for (record,) in found)
