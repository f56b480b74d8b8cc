"""Whole copies of a database, made while others read and write it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_PAGES_AT_ONCE: Final = 4096

OnProgress = Callable[[int, int], None]
"""Told how many pages are left, and how many there are."""


def copy_database(source: sqlite3.Connection, target: Path, on_progress: OnProgress | None = None) -> None:
    """Copy one moment of a database into a new file, 0600, on disk when this returns.

    The copy is a single file, without a write-ahead log. Nobody is held up meanwhile; a writer's log grows.

    Args:
        source: The database; a transaction that is open on it decides the moment.
        target: The file, which must not exist. Where the copy breaks off, it is removed.
        on_progress: Called now and then.

    Raises:
        FileExistsError: There is such a file.
        OSError, sqlite3.Error: It cannot be read or written.
    """
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    own_snapshot = not source.in_transaction
    try:
        if own_snapshot:
            # Its first read decides the moment. Without one, the copy would begin anew whenever something is booked.
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        with closing(sqlite3.connect(target, isolation_level=None)) as copy:
            # A crash leaves a file that nobody takes for a copy; what is done is synced at the end.
            copy.execute("PRAGMA synchronous = OFF")
            source.backup(
                copy, pages=_PAGES_AT_ONCE, progress=lambda _, left, total: on_progress and on_progress(left, total)
            )
            copy.execute("PRAGMA journal_mode = DELETE")
        sync(target)
    except BaseException:
        with suppress(FileNotFoundError):
            target.unlink()
        raise
    finally:
        if own_snapshot and source.in_transaction:
            source.execute("ROLLBACK")


def publish(finished: Path, target: Path) -> None:
    """Give a finished file its name, unless something has that name already.

    Raises:
        FileExistsError: There is such a file.
        OSError: It cannot be renamed.
    """
    os.link(finished, target)
    finished.unlink()
    sync(target.parent)


def sync(path: Path) -> None:
    """Bring a file, or the names in a directory, to disk.

    Raises:
        OSError: It cannot be done.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def name_beside(path: Path, what: str) -> Path:
    """Return a name that is free beside a file, says what it is and when it was made: `ledger.v1-20260131T…`."""
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    name = f"{path.stem}.{what}-{moment}"
    number = 1
    while (free := path.with_name(f"{name}{path.suffix}")).exists():
        number += 1
        name = f"{path.stem}.{what}-{moment}-{number}"
    return free
