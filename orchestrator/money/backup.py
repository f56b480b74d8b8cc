"""Copies of the ledger to keep elsewhere, and the way back from one."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

import msgspec

from orchestrator.money import page_sums
from orchestrator.money.copying import OnProgress, copy_database, name_beside, publish, sync
from orchestrator.money.lock import lock_for_writing
from orchestrator.money.page_sums import take_sums
from orchestrator.money.report import VerifyReport
from orchestrator.money.schema import open_reader, open_writer
from orchestrator.money.verify import verify

DAMAGED_SUFFIX: Final = ".damaged"

_COMPANIONS: Final = ("-wal", "-shm", page_sums.SUFFIX)
_MAGIC: Final = b"SQLite format 3\0"


class NotAsBooked(Exception):
    """A copy was verified, and is not what was booked.

    Attributes:
        report: What was found.
        path: Where the copy is; None where it was not kept.
    """

    def __init__(self, report: VerifyReport, path: Path | None) -> None:
        first = report.problems[0]
        where = "" if first.sequence is None else f"transaction {first.sequence}: "
        super().__init__(f"{report.problem_count} problems, the first: {where}{first.what}")
        self.report = report
        self.path = path


class Restored(msgspec.Struct, frozen=True):
    """A ledger that was put in place of another.

    Attributes:
        report: Its verification.
        former: Where the former one is now; None where there was none.
    """

    report: VerifyReport
    former: Path | None


def back_up(ledger: Path, target: Path, on_progress: OnProgress | None = None) -> VerifyReport:
    """Copy a ledger, in use or not, into a file that did not exist before, and verify the copy.

    The file gets its name once it is whole, verified and on disk. A copy of a ledger that is damaged itself is kept,
    too, as `….damaged`: it may be all that is left.

    Args:
        ledger: The ledger.
        target: The file.
        on_progress: Told how many pages are left, and how many there are.

    Returns:
        What the verification of the copy says.

    Raises:
        NotAsBooked: The ledger is damaged.
        FileExistsError: There is such a file.
        LedgerFileError: There is no ledger.
        OSError, sqlite3.Error: It cannot be read or written.
    """
    if target.exists():
        raise FileExistsError(f"{target} exists already, and no backup is overwritten: choose another name")
    unfinished = target.with_name(f".{target.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    with closing(open_reader(ledger, of_any_version=True)) as source:
        copy_database(source, unfinished, on_progress)
    try:
        report = verify(unfinished, of_a_copy=True)
        if not report.ok:
            damaged = target.with_name(target.name + DAMAGED_SUFFIX)
            publish(unfinished, damaged)
            raise NotAsBooked(report, damaged)
        publish(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)
    return report


def restore(backup: Path, ledger: Path, on_progress: OnProgress | None = None) -> Restored:
    """Put a copy of a backup in a ledger's place, once it is verified; what was there stays beside it.

    A backup with tables of an earlier version is brought up to date on the way; the backup itself is not touched.

    Args:
        backup: The backup.
        ledger: The ledger, which nobody may be writing to.
        on_progress: Told how many pages are left, and how many there are.

    Raises:
        NotAsBooked: The backup is damaged; nothing was changed.
        LedgerFileError: A daemon runs on the ledger, or the backup is none.
        OSError, sqlite3.Error: It cannot be read or written.
    """
    lock = lock_for_writing(ledger)
    try:
        arriving = ledger.with_name(f"{ledger.name}.arriving")
        _remove(arriving)
        try:
            with closing(open_reader(backup, of_any_version=True)) as source:
                copy_database(source, arriving, on_progress)
            with closing(open_writer(arriving, keep_earlier_version=False)) as connection:
                connection.execute("PRAGMA journal_mode = DELETE")  # one file, which can be renamed
            report = verify(arriving, of_a_copy=True)
            if not report.ok:
                raise NotAsBooked(report, None)
            sync(arriving)
            former = _put_aside(ledger) if ledger.exists() else None
            arriving.replace(ledger)
            take_sums(ledger)
            sync(ledger.parent)
        finally:
            _remove(arriving)
    finally:
        os.close(lock)
    return Restored(report, former)


def _put_aside(ledger: Path) -> Path:
    """Give a ledger a second name, with which its first one can be given to another file at once.

    Its write-ahead log must be gone before: SQLite would play it into whatever file has the name.
    """
    if _is_database(ledger):  # SQLite throws away the log of what is none
        with closing(sqlite3.connect(ledger, isolation_level=None)) as connection, suppress(sqlite3.Error):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    aside = name_beside(ledger, "before-restore")
    for suffix in _COMPANIONS:
        companion = ledger.with_name(ledger.name + suffix)
        with suppress(FileNotFoundError):
            companion.rename(aside.with_name(aside.name + suffix))
    os.link(ledger, aside)
    return aside


def _is_database(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def _remove(path: Path) -> None:
    for suffix in ("", "-journal", *_COMPANIONS):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
