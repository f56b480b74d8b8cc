"""Recompute a ledger from its first transaction to its last, and say where it is not what was booked.

`python -m orchestrator.money.verify <file>` does so for a ledger or a copy, without a daemon: it prints the
report as JSON, and exits 1 where it found a problem, 65 where the file is no ledger. It may run while the daemon
books: it sees one moment.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from hashlib import sha256
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

from orchestrator.money import chain
from orchestrator.money.chain import PENDING, POSTED
from orchestrator.money.instants import hour_of
from orchestrator.money.lock import is_being_written
from orchestrator.money.page_sums import changed_pages
from orchestrator.money.preparation import decode_meters
from orchestrator.money.recount import Recount
from orchestrator.money.report import Problem, VerifyReport
from orchestrator.money.schema import LedgerFileError, open_reader, schema_problems
from orchestrator.money.steps import RESOLVING, step_problem, sums_of
from orchestrator.money.targets import read_targets
from orchestrator.money.totals import read_in_transit
from orchestrator.money.validation import COMES_TO_NOTHING, account_kind
from orchestrator.money.wal import LogIndex, log_problems, read_index
from streams.booking import BookingRejected, Correction, Posting, Resolution

MAX_PROBLEMS: Final = 100
"""Problems that a report tells in full; the others are counted."""

EX_PROBLEM: Final = 1
EX_DATAERR: Final = 65

_TRANSACTIONS: Final = """
    SELECT sequence, transactions.id, origin, book, stream, instance, key, kind, state, occurred_at, booked_at,
           memo, corrects, reason, evidence_kind, evidence_external_id, evidence_digest, meters, body_digest,
           hash
    FROM transactions LEFT JOIN origins ON origins.id = origin ORDER BY sequence
"""
_POSTINGS: Final = """
    SELECT sequence, n, account, name, asset, units
    FROM postings LEFT JOIN accounts ON accounts.id = account ORDER BY sequence, n
"""
_EVIDENCE: Final = "SELECT sequence, artefact FROM evidence ORDER BY sequence"
_STEPS: Final = """
    SELECT steps.sequence, id, outcome, steps.reason
    FROM steps LEFT JOIN transactions ON transactions.sequence = target ORDER BY steps.sequence
"""
_EXPIRIES: Final = "SELECT sequence, expires_at FROM expiries ORDER BY sequence"
_CORRECTED: Final = """
    SELECT sequence, book, state FROM transactions JOIN origins ON origins.id = origin WHERE transactions.id = ?
"""
_METERS: Final = "SELECT name, value FROM meters"
_RELEASED: Final = """
    SELECT origin, book, stream, account, name, asset, units
    FROM postings JOIN transactions USING (sequence) JOIN origins ON origins.id = origin
    LEFT JOIN accounts ON accounts.id = account
    WHERE sequence = ?
"""
_FOUND_STATES: Final = "SELECT sequence, origin, state, expires_at FROM states"
_EXPECTED_STATES: Final = """
    SELECT sequence, origin, coalesce(last.outcome, state), CASE WHEN last.outcome IS NULL THEN expires_at END
    FROM transactions
    LEFT JOIN (SELECT target, outcome, max(sequence) FROM steps GROUP BY target) AS last ON last.target = sequence
    LEFT JOIN expiries USING (sequence)
    WHERE state != 'posted' OR last.outcome IS NOT NULL
"""
_ACCOUNTS: Final = "SELECT id, name, kind FROM accounts"
_ORIGINS: Final = "SELECT id, book, stream, instance FROM origins"

_NOT_THE_LEDGERS_FAULT: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_INTERRUPT}


def verify(path: Path, *, of_a_copy: bool = False) -> VerifyReport:
    """Recompute chain, ids, digests, steps, states, balances and meters, and check every page of the file.

    Memory grows with the number of balances and meters, not with that of transactions.

    Args:
        path: The ledger.
        of_a_copy: Whether it has just been copied, so that there can be no sums of its pages.

    Raises:
        LedgerFileError: The file is no ledger, or too damaged to be opened as one.
        sqlite3.OperationalError: It cannot be opened now.
    """
    in_use = is_being_written(path)
    index = None if in_use else read_index(path)
    with ExitStack() as opened:
        # Closed after the connection: it would take SQLite's locks on the file with it.
        file = opened.enter_context(path.open("rb")) if path.is_file() else None
        connection = opened.enter_context(closing(open_reader(path)))
        # A damaged byte may leave text that is not UTF-8: that is to be found, not to be stumbled over.
        connection.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
        return _Verification(path, connection, None if of_a_copy else file, in_use=in_use, index=index).run()


class _Verification:
    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        file: BinaryIO | None,
        *,
        in_use: bool,
        index: LogIndex | None,
    ) -> None:
        self._path = path
        self._in_use = in_use
        self._index = index
        self._connection = connection
        self._file = file
        self._problems: list[Problem] = []
        self._problem_count = 0
        self._notes: list[str] = []
        self._transactions = 0
        self._postings = 0
        self._last = 0
        self._head = chain.GENESIS
        self._booked_at = 0
        self._recount = Recount()
        self._meters: Counter[str] = Counter()

    def run(self) -> VerifyReport:
        self._connection.execute("BEGIN")  # one snapshot for everything, whatever is booked meanwhile
        for check in (
            self._check_file,
            self._check_chain,
            self._check_states,
            self._check_sums,
            self._check_names,
            self._check_pages,
            self._look_for_transfers,
        ):
            try:
                check()
            except (sqlite3.DatabaseError, TypeError, ValueError, LookupError) as error:
                if getattr(error, "sqlite_errorcode", None) in _NOT_THE_LEDGERS_FAULT:
                    raise
                self._note(f"cannot be read any further: {error}", self._last + 1)
        return VerifyReport(
            not self._problem_count,
            self._transactions,
            self._postings,
            self._head.hex(),
            tuple(self._problems),
            self._problem_count,
            tuple(self._notes),
        )

    def _note(self, what: str, sequence: int | None = None, transaction: object = None) -> None:
        self._problem_count += 1
        if len(self._problems) < MAX_PROBLEMS:
            printable = what.encode("utf-8", "backslashreplace").decode()
            text = chain.id_text(transaction) if isinstance(transaction, bytes) else None
            self._problems.append(Problem(printable, sequence, text))

    def _check_file(self) -> None:
        for problem in schema_problems(self._connection):
            self._note(problem)
        for (line,) in self._connection.execute(f"PRAGMA integrity_check({MAX_PROBLEMS})"):
            if line != "ok":
                self._note(f"SQLite's integrity check: {line}")
        for table, row, parent, _ in self._connection.execute("PRAGMA foreign_key_check"):
            self._note(f"row {row} of {table} refers to nothing in {parent}")

    def _check_chain(self) -> None:
        """Walk transactions and what belongs to them side by side, in the order of the chain."""
        parts = {
            what: _BySequence(self._connection.execute(statement))
            for what, statement in (
                *(("postings", _POSTINGS), ("evidence", _EVIDENCE)),
                *(("a step", _STEPS), ("an expiry", _EXPIRIES)),
            )
        }
        for row in self._connection.execute(_TRANSACTIONS):
            sequence = row[0]
            self._note_strays(parts, sequence)
            if sequence != self._last + 1:
                self._note(f"the transaction before it is missing: the last was {self._last}", sequence, row[1])
            self._transactions += 1
            self._last = sequence
            try:
                for problem in self._transaction_problems(row, *(part.at(sequence) for part in parts.values())):
                    self._note(problem, sequence, row[1])
            except (TypeError, ValueError, AttributeError, LookupError, OverflowError, BookingRejected) as error:
                self._note(f"cannot be recomputed: {error}", sequence, row[1])
            self._head = row[-1] if isinstance(row[-1], bytes) else b""
        self._note_strays(parts, None)

    def _note_strays(self, parts: dict[str, _BySequence], sequence: int | None) -> None:
        for what, part in parts.items():
            for stray in part.before(sequence):
                self._note(f"{what} without a transaction", stray)

    def _transaction_problems(
        self,
        row: tuple[Any, ...],
        legs: list[tuple[Any, ...]],
        artefacts: list[tuple[Any, ...]],
        steps: list[tuple[Any, ...]],
        expiries: list[tuple[Any, ...]],
    ) -> Iterator[str]:
        (sequence, transaction, origin, book, stream, instance, key, kind, state, occurred_at, booked_at) = row[:11]
        (memo, corrects, reason, evidence_kind, external_id, evidence_digest, meters) = row[11:18]
        body_digest, this_hash = row[18:]
        previous, before = self._head, self._booked_at
        self._booked_at = max(before, booked_at)
        self._postings += len(legs)
        for _, account, name, asset, units in legs:
            self._recount.add(origin, (book, stream), account, name, asset, state, hour_of(occurred_at), units)
        increments = decode_meters(meters)
        for meter, amount in ((increment.meter, increment.amount) for increment in increments):
            self._meters[meter] += amount

        if transaction != chain.transaction_id(book, key):
            yield "its id is not that of its book and key"
        if state not in {PENDING, POSTED}:
            yield f"its state is {state!r}"
        if booked_at < before:
            yield "it was booked before the one before it"
        postings = [Posting(name, asset, units) for _, _, name, asset, units in legs]
        resolves, expires_at = None, expiries[0][0] if expiries else None
        if steps:
            ((target, outcome, why),) = steps
            resolves = Resolution(chain.id_text(target), outcome, why)
            if problem := self._step(sequence, target, resolves, (book, stream, instance), postings, booked_at):
                yield problem
        if state != PENDING and expires_at is not None:
            yield "it expires, but is not pending"
        if legs or resolves is None or resolves.outcome not in COMES_TO_NOTHING:
            yield from _leg_problems(legs)
        if [sha256(artefact).digest() for (artefact,) in artefacts] != [evidence_digest]:
            yield "its evidence is missing or is not what its digest says"
        correction = None
        if corrects is not None:
            correction = Correction(chain.id_text(corrects), reason)
            found = self._connection.execute(_CORRECTED, (corrects,)).fetchone()
            if found is None or found[0] >= sequence or found[1:] != (book, POSTED):
                yield f"it corrects {correction.transaction}, which does not stand before it in its book, posted"
        elif reason is not None:
            yield "it has a reason for a correction, but corrects nothing"
        if body_digest != chain.body_digest(
            book,
            key,
            kind,
            stream,
            instance,
            postings,
            (evidence_kind, external_id, evidence_digest.hex()),
            correction,
            state,
            expires_at,
            resolves,
        ):
            yield "its body is not what its digest says"
        if this_hash != chain.next_hash(
            previous, body_digest, sequence, occurred_at, booked_at, state, memo, increments
        ):
            yield "its hash does not follow from it and the hash before"

    def _step(
        self,
        sequence: int,
        target_id: bytes,
        step: Resolution,
        origin: tuple[str, str, str],
        postings: list[Posting],
        booked_at: int,
    ) -> str | None:
        """Release what a step resolves, and return what is wrong with it; None where nothing is."""
        target = read_targets(self._connection, [target_id], before=sequence).get(target_id)
        if target is not None and step.outcome in RESOLVING:
            for row in self._connection.execute(_RELEASED, (target.sequence,)):
                number, book, stream, account, name, asset, units = row
                self._recount.add(number, (book, stream), account, name, asset, PENDING, target.hour, -units)
        return step_problem(step, origin, sums_of(postings), target, booked_at)

    def _check_states(self) -> None:
        for found, expected, problem in (
            (_FOUND_STATES, _EXPECTED_STATES, "its state is kept as {}, which does not follow from what was booked"),
            (_EXPECTED_STATES, _FOUND_STATES, "its state is not kept as {}, which follows from what was booked"),
        ):
            for sequence, _, state, _ in self._connection.execute(f"{found} EXCEPT {expected}"):
                self._note(problem.format(state), sequence)

    def _check_sums(self) -> None:
        for problem in self._recount.problems(self._connection):
            self._note(problem)
        for meter, value in self._connection.execute(_METERS):
            if (expected := self._meters.pop(meter, None)) != value:
                self._note(f"meter {meter} is {value}, its transactions say {expected}")
        for meter, value in self._meters.items():
            self._note(f"meter {meter} is missing, its transactions say {value}")

    def _check_names(self) -> None:
        used = {number for (number,) in self._connection.execute("SELECT DISTINCT account FROM balances")}
        for number, name, kind in self._connection.execute(_ACCOUNTS):
            if number not in used:
                self._note(f"account {name} has no balance")
            try:
                if account_kind(name) != kind:
                    self._note(f"account {name} is called {kind}")
            except BookingRejected as error:
                self._note(str(error))
        used = {number for (number,) in self._connection.execute("SELECT DISTINCT origin FROM balances")}
        for number, *origin in self._connection.execute(_ORIGINS):
            if number not in used:
                self._note(f"origin {'/'.join(map(str, origin))} has no balance")

    def _check_pages(self) -> None:
        """Look at what none of the others sees: bytes that hold nothing, and those that are not in the file yet."""
        for problem in log_problems(self._path, in_use=self._in_use, index=self._index):
            self._note(problem)
        if self._file is None:
            return
        changed = changed_pages(self._path, self._file)
        if changed is None:
            self._notes.append("no sums of its pages are kept beside this file: what holds nothing was not looked at")
            return
        size = self._connection.execute("PRAGMA page_size").fetchone()[0]
        for page in changed:
            place = f"bytes {(page - 1) * size} to {page * size - 1}{self._owner_of(page)}"
            self._note(f"page {page} of the file ({place}) is not as it was written")

    def _owner_of(self, page: int) -> str:
        try:
            found = self._connection.execute("SELECT name FROM dbstat WHERE pageno = ?", (page,)).fetchone()
        except sqlite3.Error:  # not every SQLite has it, and it stumbles over damaged pages
            return ""
        return f", of {found[0]}" if found is not None else ""

    def _look_for_transfers(self) -> None:
        for book in ("paper", "live"):
            for due in read_in_transit(self._connection, book):
                self._notes.append(f"in transit between instances, {book}: {due.amount} {due.asset} on {due.account}")


class _BySequence:
    """Rows in order of the sequence in their first column, taken a transaction at a time."""

    def __init__(self, rows: Iterable[tuple[Any, ...]]) -> None:
        self._groups = groupby(rows, itemgetter(0))
        self._next: tuple[int, list[tuple[Any, ...]]] | None = None
        self._advance()

    def before(self, sequence: int | None) -> Iterator[int]:
        """Pass over what belongs to lower sequences (None: to any), and yield those."""
        while self._next is not None and (sequence is None or self._next[0] < sequence):
            yield self._next[0]
            self._advance()

    def at(self, sequence: int) -> list[tuple[Any, ...]]:
        """Take what belongs to a sequence, without that column."""
        if self._next is None or self._next[0] != sequence:
            return []
        rows = self._next[1]
        self._advance()
        return rows

    def _advance(self) -> None:
        group = next(self._groups, None)
        self._next = (group[0], [row[1:] for row in group[1]]) if group is not None else None


def _leg_problems(legs: list[tuple[Any, ...]]) -> Iterator[str]:
    if [leg[0] for leg in legs] != list(range(len(legs))) or len(legs) < 2:
        yield f"its postings are numbered {[leg[0] for leg in legs]}"
    sums: Counter[str] = Counter()
    for _, _, _, asset, units in legs:
        sums[asset] += units
    for asset, units in sums.items():
        if units:
            yield f"its postings in {asset} sum to {units} units"


def main(arguments: list[str]) -> int:
    """Verify the ledger that the command line names."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m orchestrator.money.verify <ledger.sqlite3>\n")
        return 64
    os.nice(10)
    try:
        report = verify(Path(arguments[0]))
    except LedgerFileError as error:
        sys.stderr.write(f"{error}\n")
        return EX_DATAERR
    sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
    return 0 if report.ok else EX_PROBLEM


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
