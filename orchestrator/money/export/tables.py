"""The ledger as a table for a spreadsheet, and as objects for a program."""

from __future__ import annotations

import csv
import io
import sqlite3
from collections.abc import Iterator
from typing import Final

import msgspec

from orchestrator.money.export.selection import Selection
from orchestrator.money.queries import walk_entries
from orchestrator.money.report import Entry, EntryPosting

COLUMNS: Final = (
    *("sequence", "id", "book", "stream", "instance", "kind", "state", "counts_as", "occurred_at", "booked_at"),
    *("account", "amount", "asset"),
    *("evidence_kind", "evidence_id", "evidence_digest", "key", "memo"),
    *("corrects", "resolves", "outcome", "reason", "hash"),
)

_FORMULA: Final = ("=", "+", "-", "@", "\t")


def csv_lines(connection: sqlite3.Connection, selection: Selection) -> Iterator[bytes]:
    """Yield a line per posting, after a line of headings; a transaction without postings has one line, too.

    Where a text that came from outside begins as a formula does, an apostrophe stands before it: a spreadsheet would
    run it. `jsonl` has every text as it is.

    Raises:
        sqlite3.Error: The ledger cannot be read.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for entry in walk_entries(connection, selection.book, selection.since_us, selection.until_us):
        for posting in entry.postings or (EntryPosting("", "", ""),):
            table.writerow(_row(entry, posting))
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()
    yield text.getvalue().encode()


def json_lines(connection: sqlite3.Connection, selection: Selection) -> Iterator[bytes]:
    """Yield a JSON object per transaction, the same as `ledger entries --json`.

    Raises:
        sqlite3.Error: The ledger cannot be read.
    """
    encode = msgspec.json.Encoder().encode
    for entry in walk_entries(connection, selection.book, selection.since_us, selection.until_us):
        yield encode(entry) + b"\n"


def _row(entry: Entry, posting: EntryPosting) -> tuple[object, ...]:
    step = entry.resolves
    return (
        entry.sequence,
        entry.id,
        entry.book,
        entry.stream,
        entry.instance,
        entry.kind,
        entry.state,
        entry.counts_as,
        entry.occurred_at.isoformat(),
        entry.booked_at.isoformat(),
        posting.account,
        posting.amount,
        posting.asset,
        entry.evidence.kind,
        _inert(entry.evidence.external_id),
        entry.evidence.digest,
        _inert(entry.key),
        _inert(entry.memo),
        entry.corrects,
        step.transaction if step else None,
        step.outcome if step else None,
        _inert((step.reason if step else entry.reason) or ""),
        entry.hash,
    )


def _inert(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
