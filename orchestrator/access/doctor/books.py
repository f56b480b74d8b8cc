"""The books: whether they can be read, and whether their last part, or all of it, is as it was booked."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Final

from orchestrator.access.doctor.finding import Case, Finding, note, ok, problem

QUICKLY: Final = 20_000
"""Transactions that are verified within a second or two; more are not unless it is asked for."""


def ledger(case: Case) -> Iterator[Finding]:
    """Verify the ledger where that is quick, or was asked for; else see that it opens and is a ledger."""
    from orchestrator.money.schema import LedgerFileError, open_reader
    from orchestrator.money.verify import verify

    path = case.paths.ledger
    restore = (
        "`automate ledger verify` tells all of it; stop the daemon, keep the file, and put a verified copy in its place"
    )
    if not path.exists():
        yield ok("ledger", "there are no books yet")
        return
    try:
        with closing(open_reader(path)) as connection:
            (count,) = connection.execute("SELECT coalesce(max(sequence), 0) FROM transactions").fetchone()
        if count > QUICKLY and not case.verifies:
            yield note(
                "ledger",
                f"{count:,} transactions; it opens, and was not verified now, for that takes a while",
                "`automate ledger verify`, or `automate doctor --verify`",
            )
            return
        report = verify(path)
    except (LedgerFileError, sqlite3.Error, OSError) as error:
        yield problem("ledger", str(error), restore)
        return
    if report.ok:
        yield ok("ledger", f"{report.transactions:,} transactions, verified: chain, balances and evidence are right")
    else:
        first = report.problems[0].what if report.problems else "see the report"
        yield problem("ledger", f"it is not as it was booked ({report.problem_count} problems): {first}", restore)
