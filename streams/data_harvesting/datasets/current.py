"""The current state of one dataset: an SQLite file with a row per record.

All of it blocks and belongs in a thread; one call at a time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from streams.data_harvesting.record import Record, Terms

_SCHEMA_VERSION: Final = 1
_SCHEMA: Final = """
    CREATE TABLE record (
        key TEXT PRIMARY KEY,
        digest TEXT NOT NULL,
        fields BLOB NOT NULL,
        source TEXT NOT NULL,
        fetched_at TEXT NOT NULL,
        licence TEXT NOT NULL,
        withheld TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX record_source ON record (source);
    CREATE TABLE revision (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        current INTEGER NOT NULL,
        published INTEGER NOT NULL
    ) STRICT;
    INSERT INTO revision VALUES (1, 0, 0);
"""
_ENCODER: Final = msgspec.json.Encoder()


class Absorbed(msgspec.Struct, frozen=True):
    """What a page or feed changed.

    Attributes:
        added: Records that are new.
        changed: Records whose fields, or whose terms, are others than before.
        unchanged: Records that are as they were.
        removed: Records that are not there any more.
    """

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


class CurrentDamaged(Exception):
    """The file is not what this program wrote."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path}: {reason}. Move it away and start the instance again: its pages are visited anew, and the "
            "versions that were made stay"
        )
        self.path = path


class Current:
    """What is known now. Opened by `open`, closed by `close`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def open(self) -> None:
        """Open the file, or make it.

        Raises:
            CurrentDamaged: It is another program's, or broken.
            OSError: It cannot be made.
        """
        self._path.touch(mode=0o600)
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            # A kill loses nothing with this; a power cut may lose what the next visit finds again.
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA cache_size = -256")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {_SCHEMA_VERSION}; COMMIT")
            elif version != _SCHEMA_VERSION:
                raise CurrentDamaged(self._path, f"it has version {version}, this program writes {_SCHEMA_VERSION}")
        except sqlite3.DatabaseError as error:
            connection.close()
            raise CurrentDamaged(self._path, str(error)) from error
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def close(self) -> None:
        """Close the file. Safe to call again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def absorb(self, records: Sequence[Record], dropped_from: str = "", still_there: Collection[str] = ()) -> Absorbed:
        """Take the records of one page or feed, in one transaction; doing it again changes nothing.

        Args:
            records: What stands there now.
            dropped_from: Its address, where records that it has no more go; empty where they stay.
            still_there: Keys that stay, though they are not among the records.

        Raises:
            sqlite3.Error: Nothing was taken (the disk is full, for example).
        """
        with self._transaction() as connection:
            added = changed = 0
            for record in records:
                before = self._known(connection, record.key)
                if before is not None and before == (record.digest, record.terms.licence, record.terms.withheld):
                    continue
                if before is None:
                    added += 1
                else:
                    changed += 1
                self._put(connection, record)
            removed = 0
            if dropped_from:
                removed = self._drop(connection, dropped_from, {*still_there, *(record.key for record in records)})
            absorbed = Absorbed(added, changed, len(records) - added - changed, removed)
            if absorbed:
                connection.execute("UPDATE revision SET current = current + 1")
        return absorbed

    def trim(self, max_records: int) -> int:
        """Drop the oldest records above a number; return how many."""
        with self._transaction() as connection:
            dropped = connection.execute(
                "DELETE FROM record WHERE key IN "
                "(SELECT key FROM record ORDER BY fetched_at DESC, key LIMIT -1 OFFSET ?)",
                (max_records,),
            ).rowcount
            if dropped:
                connection.execute("UPDATE revision SET current = current + 1")
        return dropped

    def records(self) -> Iterator[Record]:
        """Return all records, by key."""
        rows = self._open.execute(
            "SELECT key, fields, digest, source, fetched_at, licence, withheld FROM record ORDER BY key"
        )
        for key, fields, digest, source, fetched_at, licence, withheld in rows:
            yield Record(key, msgspec.json.decode(fields), digest, source, fetched_at, Terms(licence, withheld))

    def counts(self) -> dict[str, int]:
        """Return how many records there are by the reason why they are withheld; empty for what is sold."""
        return dict(self._open.execute("SELECT withheld, count(*) FROM record GROUP BY withheld"))

    def revision(self) -> tuple[int, int]:
        """Return the number of the last change, and of the last one that was published."""
        current, published = self._open.execute("SELECT current, published FROM revision").fetchone()
        return current, published

    def mark_published(self, revision: int) -> None:
        """Note that what was known at a revision has been published."""
        with self._transaction() as connection:
            connection.execute("UPDATE revision SET published = ?", (revision,))

    @property
    def _open(self) -> sqlite3.Connection:
        assert self._connection is not None
        return self._connection

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._open
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    @staticmethod
    def _known(connection: sqlite3.Connection, key: str) -> tuple[str, str, str] | None:
        found: tuple[str, str, str] | None = connection.execute(
            "SELECT digest, licence, withheld FROM record WHERE key = ?", (key,)
        ).fetchone()
        return found

    @staticmethod
    def _put(connection: sqlite3.Connection, record: Record) -> None:
        connection.execute(
            "INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                record.key,
                record.digest,
                _ENCODER.encode(record.values),
                record.source,
                record.fetched_at,
                record.terms.licence,
                record.terms.withheld,
            ),
        )

    @staticmethod
    def _drop(connection: sqlite3.Connection, source: str, kept: Iterable[str]) -> int:
        keys = {key for (key,) in connection.execute("SELECT key FROM record WHERE source = ?", (source,))}
        gone = keys.difference(kept)
        connection.executemany("DELETE FROM record WHERE key = ?", ((key,) for key in gone))
        return len(gone)
