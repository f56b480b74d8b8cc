"""The ledger's only writer: groups of bookings into SQLite, a transaction per group."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from orchestrator.money import chain
from orchestrator.money.bulk import BulkSelect
from orchestrator.money.group import Earlier, Group, Head, Names, Outcome
from orchestrator.money.instants import now_us
from orchestrator.money.lock import lock_for_writing
from orchestrator.money.page_sums import PageSums
from orchestrator.money.preparation import Prepared
from orchestrator.money.schema import SCHEMA_VERSION, LedgerFileError, open_writer
from orchestrator.money.steps import Target
from orchestrator.money.targets import read_targets
from streams.booking import BookingRejected, LedgerUnavailable

_CHECKPOINT_BYTES: Final = 32 * 1024 * 1024

_FIND: Final = BulkSelect("SELECT id, sequence, booked_at, body_digest, origin, state FROM transactions", "id")
_READ_HEAD: Final = "SELECT sequence, hash, booked_at FROM transactions ORDER BY sequence DESC LIMIT 1"


class Store:
    """Writes bookings, and keeps the chain. Belongs to one thread at a time; knows nothing of loops.

    Args:
        path: The ledger's file; made where it is missing.
        clock: The wall clock, microseconds since 1970.
    """

    def __init__(self, path: Path, clock: Callable[[], int] = now_us) -> None:
        self._path = path
        self._clock = clock
        self._lock = -1
        self._connection: sqlite3.Connection | None = None
        self._names = Names()
        self._head: Head | None = None
        self._log_bytes = 0
        self._sums = PageSums(path)

    def open(self) -> None:
        """Open the ledger, alone.

        Raises:
            LedgerFileError: It cannot serve, or another process writes to it.
            OSError: Its directory cannot be written.
            sqlite3.Error: It cannot be opened.
        """
        self._lock = lock_for_writing(self._path)
        try:
            self._sums.prepare()
            self._connection = open_writer(self._path)
            # The first page goes through the log, whatever became of it while the log was switched on.
            self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            self._names = Names()
            self._names.read(self._connection)
            self._head = None
            self._log_bytes = self._path.with_name(f"{self._path.name}-wal").stat().st_size
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the ledger; what was written stays. Does nothing when it is not open."""
        connection, self._connection = self._connection, None
        if connection is not None:
            moved = False
            with suppress(sqlite3.Error):  # what is in the log is safe there, and moved at the next start
                moved = self._move_log(connection)
            if not moved:
                self._sums.forget()  # SQLite may move the rest by itself when it closes
            connection.close()
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection that writes."""
        if self._connection is None:
            raise LedgerFileError(self._path, "is not open")
        return self._connection

    def write_group(self, group: Sequence[Prepared]) -> list[Outcome | LedgerUnavailable]:
        """Book a group in one transaction; when it returns, that is on disk.

        A booking that cannot be made is answered with its rejection, and leaves the others as they are. They are
        booked in smaller transactions then; where one of those cannot be written, its bookings say so.

        Raises:
            sqlite3.Error: Nothing of the group was booked (disk full, for example).
        """
        try:
            return [*self._write_whole(group)]
        except (sqlite3.IntegrityError, sqlite3.DataError, OverflowError) as error:
            # One of them is at fault, and SQLite does not say which: halve until it stands alone.
            if len(group) == 1:
                return [BookingRejected(f"the ledger cannot hold it: {error}")]
            middle = len(group) // 2
            return self._write_part(group[:middle]) + self._write_part(group[middle:])

    def _write_part(self, part: Sequence[Prepared]) -> list[Outcome | LedgerUnavailable]:
        try:
            return self.write_group(part)
        except sqlite3.Error as error:
            # The other part may be on disk: that this one is not must not be said of both.
            return [LedgerUnavailable(str(error)) for _ in part]

    def checkpoint(self, *, idle: bool = False) -> None:
        """Move the write-ahead log into the database when it has grown, or when there is time.

        Raises:
            sqlite3.Error: It could not be moved now; nothing is lost.
        """
        if self._log_bytes >= (1 if idle else _CHECKPOINT_BYTES):
            # Counted down even when it fails: trying again after every group would help nobody.
            self._log_bytes = 0
            self._move_log(self.connection)

    def _move_log(self, connection: sqlite3.Connection) -> bool:
        """Move the write-ahead log into the database, and return whether all of it was."""
        _, frames, moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if frames == moved:
            self._sums.record(frames)
        return bool(frames == moved)

    def _write_whole(self, group: Sequence[Prepared]) -> list[Outcome]:
        connection = self.connection
        head, self._head = self._head, None  # read anew after whatever went wrong before
        rows = Group(head or _read_head(connection), self._names, self._clock())
        try:
            connection.execute("BEGIN IMMEDIATE")
            rows.add(group, self._find(group), self._find_targets(group))
            rows.insert(connection)
            _commit(connection, rows.head)
        except BaseException:
            rows.take_back()
            _roll_back(connection)
            raise
        self._head = rows.head
        self._log_bytes += rows.bytes
        return rows.outcomes

    def _find(self, group: Sequence[Prepared]) -> dict[bytes, Earlier]:
        ids = [prepared.id for prepared in group]
        ids += [prepared.corrects for prepared in group if prepared.corrects is not None]
        parties = self._names.parties
        return {
            transaction: (sequence, booked_at, body_digest, parties[origin][0], state)
            for transaction, sequence, booked_at, body_digest, origin, state in _FIND.run(self.connection, ids)
        }

    def _find_targets(self, group: Sequence[Prepared]) -> dict[bytes, Target | None]:
        ids = {prepared.resolves for prepared in group if prepared.resolves is not None}
        targets: dict[bytes, Target | None] = dict.fromkeys(ids)
        if ids:
            targets.update(read_targets(self.connection, [*ids]))
        return targets


def _read_head(connection: sqlite3.Connection) -> Head:
    row: Head | None = connection.execute(_READ_HEAD).fetchone()
    return row or (0, chain.GENESIS, 0)


def _commit(connection: sqlite3.Connection, head: Head) -> None:
    try:
        connection.execute("COMMIT")
    except sqlite3.Error:
        _roll_back(connection)
        # The error does not say whether it came before or after the point of no return; the ledger does.
        if _read_head(connection) != head:
            raise


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:  # SQLite rolls back by itself after some failures
        connection.execute("ROLLBACK")
