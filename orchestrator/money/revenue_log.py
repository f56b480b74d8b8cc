"""Each instance's `revenue_log.txt`: a line per booking, written after its commit.

Columns, separated by tabs, without a header:

    2026-01-31T12:00:00.123456Z  when it was booked, RFC 3339, UTC
    tx_0123…                     the transaction's id
    42                           its place in the ledger's chain
    paper                        the book
    api.call                     what happened
    0.002                        income less cost, signed; empty where neither is touched
    USD                          its asset
    req-17                       the proof's name in the world it comes from

and a ninth where the booking is more than plain money:

    pending 0.002 USD            expected, not earned: the amount's own column is empty, and so that column adds up
    settled tx_0123…             what became of an earlier booking by this one

The logs follow the ledger: lines are made from what it holds after the last one written. So a crash or a full
disk leaves no gap, and neither holds up a booking.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from collections.abc import Iterable
from functools import lru_cache
from io import BufferedRandom
from pathlib import Path
from typing import Final

from orchestrator.money import chain
from orchestrator.money.bulk import BulkSelect
from orchestrator.money.queries import sequences
from streams.money import format_amount

FILE_NAME: Final = "revenue_log.txt"
SUPERSEDED_SUFFIX: Final = ".superseded"

_BATCH: Final = 1000
_TAIL_BYTES: Final = 64 * 1024
_COLUMNS: Final = {8, 9}

# Made up by SQLite, which holds no interpreter lock meanwhile: the first five columns of a line.
_HEAD: Final = """
    strftime('%Y-%m-%dT%H:%M:%S', booked_at / 1000000, 'unixepoch') || printf('.%06dZ', booked_at % 1000000)
    || char(9) || 'tx_' || lower(hex(transactions.id)) || char(9) || sequence
    || char(9) || book || char(9) || transactions.kind
"""
_EARNINGS: Final = BulkSelect(
    f"""
    SELECT sequence, n, asset, units, {_HEAD}, evidence_external_id, state
    FROM transactions
    JOIN origins ON origins.id = origin
    JOIN postings USING (sequence)
    JOIN accounts ON accounts.id = account AND accounts.kind IN ('income', 'cost')
    """,  # noqa: S608  made of constants
    "sequence",
)
_TRANSFERS: Final = BulkSelect(
    f"SELECT sequence, {_HEAD}, evidence_external_id, state"  # noqa: S608  made of constants
    " FROM transactions JOIN origins ON origins.id = origin",
    "sequence",
)
_STEPS: Final = BulkSelect(
    "SELECT steps.sequence, outcome || ' tx_' || lower(hex(id))"
    " FROM steps JOIN transactions ON transactions.sequence = target",
    "steps.sequence",
)
_STANDS: Final = "SELECT 1 FROM transactions WHERE sequence = ? AND id = ?"


class RevenueLogs:
    """Brings the logs of instances up to the ledger. Belongs to one thread at a time.

    Args:
        directory: Holds a directory per instance, of its name. Where that is missing, the instance has gone,
            and no log is written.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._last: dict[str, int] = {}

    def bring_up_to_date(self, connection: sqlite3.Connection, instances: Iterable[str] | None = None) -> int:
        """Append the lines that are missing.

        Args:
            connection: The ledger.
            instances: Only theirs; None for all that the ledger knows.

        Returns:
            How many lines were written.

        Raises:
            OSError: A log cannot be written; the others were. What is missing is written next time.
            sqlite3.Error: The ledger cannot be read.
        """
        origins: dict[str, list[int]] = {}
        for number, instance in connection.execute("SELECT id, instance FROM origins"):
            origins.setdefault(instance, []).append(number)
        written = 0
        failure: OSError | None = None
        for instance in origins if instances is None else origins.keys() & set(instances):
            try:
                written += self._append_missing(connection, instance, origins[instance])
            except FileNotFoundError:
                self._last.pop(instance, None)
            except OSError as error:
                self._last.pop(instance, None)  # a line may have been written in part: look again
                failure = error
        if failure is not None:
            raise failure
        return written

    def _append_missing(self, connection: sqlite3.Connection, instance: str, origins: list[int]) -> int:
        path = self._directory / instance / FILE_NAME
        if instance not in self._last:
            self._last[instance] = _find_end(connection, path)
        written = 0
        while found := sequences(connection, origins, after=self._last[instance], limit=_BATCH):
            with _open(path) as log:
                log.writelines(_lines(connection, found))
            self._last[instance] = found[-1]
            written += len(found)
        return written


def _find_end(connection: sqlite3.Connection, path: Path) -> int:
    """Cut off what a crash left of a last line, and return the last transaction that the log tells."""
    with _open(path) as log:
        size = log.seek(0, os.SEEK_END)
        log.seek(max(size - _TAIL_BYTES, 0))
        lines = log.read().splitlines(keepends=True)
        while lines and (last := _parse(lines[-1])) is None:
            size -= len(lines.pop())
        if lines and last is not None and connection.execute(_STANDS, last).fetchone():
            log.truncate(size)
            return last[0]
        if not lines and size == 0:
            log.truncate(0)
            return 0
    # Not a log of this ledger (which may have been restored from a backup): it is kept, and begun anew.
    path.replace(path.with_name(path.name + SUPERSEDED_SUFFIX))
    return 0


def _parse(line: bytes) -> tuple[int, bytes] | None:
    columns = line.decode(errors="replace").removesuffix("\n").split("\t")
    if len(columns) not in _COLUMNS or not line.endswith(b"\n") or not columns[2].isdecimal():
        return None
    transaction = chain.parse_id(columns[1])
    return None if transaction is None else (int(columns[2]), transaction)


def _lines(connection: sqlite3.Connection, found: list[int]) -> list[bytes]:
    """Return the lines of the transactions found, which are in order."""
    earned: dict[int, tuple[str, int, str, str, str]] = {}
    for sequence, _, asset, units, head, external_id, state in sorted(_EARNINGS.run(connection, found)):
        first_asset, net, *_ = earned.get(sequence, (asset, 0))
        if asset == first_asset:
            earned[sequence] = (asset, net - units, head, external_id, state)
    steps = dict(_STEPS.run(connection, found))
    lines = {}
    for sequence, (asset, net, head, external_id, state) in earned.items():
        if state == chain.PENDING:
            lines[sequence] = f"{head}\t\t\t{external_id}\tpending {_amount(net, asset)} {asset}\n"
        else:
            lines[sequence] = f"{head}\t{_amount(net, asset)}\t{asset}\t{external_id}{_note(steps.get(sequence))}\n"
    transfers = [sequence for sequence in found if sequence not in earned]
    for sequence, head, external_id, state in _TRANSFERS.run(connection, transfers):
        note = chain.PENDING if state == chain.PENDING else steps.get(sequence)
        lines[sequence] = f"{head}\t\t\t{external_id}{_note(note)}\n"
    return [lines[sequence].encode() for sequence in found]


def _note(note: str | None) -> str:
    return "" if note is None else f"\t{note}"


_amount = lru_cache(maxsize=4096)(format_amount)  # most calls cost one of a few prices


def _open(path: Path) -> BufferedRandom:
    # An instance writes in its directory, too: no link or pipe of its making is followed.
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "is not a regular file", str(path))
    return os.fdopen(descriptor, "r+b")
