"""The frontier's tables and statements. Times are microseconds since 1970, UTC."""

from __future__ import annotations

import os
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

VERSION: Final = 2
"""Of the tables. Those of another version are not read: what they knew is fetched anew."""

_APPLICATION: Final = 0x6861_7276  # "harv"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

_TABLES: Final = """
CREATE TABLE urls (
    url            TEXT PRIMARY KEY,
    original       TEXT NOT NULL,
    authority      TEXT NOT NULL,
    kind           TEXT NOT NULL,
    depth          INTEGER NOT NULL,
    state          TEXT NOT NULL DEFAULT 'due',
    next_at        INTEGER,
    reason         TEXT NOT NULL DEFAULT '',
    failures       INTEGER NOT NULL DEFAULT 0,
    found_at       INTEGER NOT NULL,
    visited_at     INTEGER,
    changed_at     INTEGER,
    validators_url TEXT NOT NULL DEFAULT '',
    etag           TEXT NOT NULL DEFAULT '',
    last_modified  TEXT NOT NULL DEFAULT '',
    terms          TEXT NOT NULL DEFAULT '',
    digest         TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX urls_due ON urls (authority, next_at) WHERE next_at IS NOT NULL;
CREATE TABLE robots (
    origin TEXT PRIMARY KEY, meaning TEXT NOT NULL, body BLOB NOT NULL,
    fetched_at INTEGER NOT NULL, good_until INTEGER NOT NULL, detail TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE pauses (authority TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
"""

ADD: Final = """
INSERT OR IGNORE INTO urls (url, original, authority, kind, depth, next_at, found_at) VALUES (?, ?, ?, ?, ?, ?, ?)
"""
# What is not to be visited any more first; never what nobody has visited yet, nor a seed.
FORGET: Final = """
DELETE FROM urls WHERE url IN (
    SELECT url FROM urls WHERE depth > 0 AND state <> 'due' ORDER BY state IN ('gone', 'refused') DESC, found_at LIMIT ?
)
"""
# Nothing is ever put off for so long: the clock was wrong when these were written.
OF_A_WRONG_CLOCK: Final = (
    "UPDATE urls SET next_at = :now WHERE next_at > :latest",
    "DELETE FROM pauses WHERE until > :latest",
)
DUE: Final = """
SELECT url, original, authority, kind, depth, validators_url, etag, last_modified, terms, digest, failures, visited_at
FROM urls WHERE authority = ? AND next_at <= ? ORDER BY next_at LIMIT ?
"""
NEXT: Final = "SELECT min(next_at) FROM urls WHERE authority = ? AND next_at IS NOT NULL"
SETTLE: Final = """
UPDATE urls SET state = :state, next_at = :next_at, reason = :reason, failures = failures + :failed WHERE url = :url
"""
SETTLE_VISIT: Final = """
UPDATE urls SET
    state = :state, next_at = :next_at, reason = :reason, failures = 0, visited_at = :visited_at,
    changed_at = CASE WHEN :changed THEN :visited_at ELSE changed_at END,
    validators_url = :validators_url, etag = :etag, last_modified = :last_modified, terms = :terms,
    digest = :digest
WHERE url = :url
"""
RECALL_ROBOTS: Final = "SELECT origin, meaning, body, fetched_at, good_until, detail FROM robots WHERE origin = ?"
KEEP_ROBOTS: Final = "INSERT OR REPLACE INTO robots VALUES (?, ?, ?, ?, ?, ?)"
FORGET_ROBOTS: Final = "DELETE FROM robots WHERE good_until <= ?"
KEEP_PAUSE: Final = "INSERT OR REPLACE INTO pauses VALUES (?, ?)"
FORGET_PAUSES: Final = "DELETE FROM pauses WHERE until <= ?"


class StoreBusy(Exception):
    """The file is open in another process."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is in use by another process; stop it first: two crawls of one frontier meet twice")


class StoreDamaged(Exception):
    """The file cannot be used."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}. Move it away and start again: what it knew is then fetched anew")


class StoreClosed(Exception):
    """The file is not open."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is not open")


def open_store(path: Path) -> sqlite3.Connection:
    """Open the file for one process alone, and make its tables where it is new. Blocks.

    Raises:
        StoreBusy: Another process has it open.
        StoreDamaged: It is not a frontier, or broken.
        OSError: It cannot be made.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    connection = sqlite3.connect(path, timeout=1.0, check_same_thread=False)
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("BEGIN IMMEDIATE")  # takes the lock, for good
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        is_new = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
        if is_new and not application:
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
        elif (application, version) != (_APPLICATION, VERSION):
            raise StoreDamaged(path, "is not a frontier of this version")
        connection.commit()
    except BaseException as error:
        connection.close()
        if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise StoreBusy(path) from None
        if isinstance(error, sqlite3.DatabaseError):
            raise StoreDamaged(path, str(error)) from error
        raise
    return connection


def microseconds(time: datetime) -> int:
    """Return an aware time as it is stored."""
    return (time - _EPOCH) // _MICROSECOND


def instant(stored: int) -> datetime:
    """Return a stored time, aware UTC."""
    return _EPOCH + timedelta(microseconds=stored)
