"""Tampering with what became of bookings is found."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.money.store import Store
from orchestrator.money.verify import verify
from streams.booking import Receipt
from tests.orchestrator.money.bookings import NOON, book, commission, earned, paid, step, taken_back, write
from tests.orchestrator.money.test_verify import tamper

EXPIRES_AT = NOON + timedelta(days=3650)


@pytest.fixture
def ledger(path: Path) -> Path:
    """1 is pending and voided by 2; 3 is pending, posted in part by 4, settled by 5, reversed by 6; 7 is pending."""
    store = Store(path)
    store.open()
    book(store, step(book(store, commission(1, expires_at=EXPIRES_AT)), "voided"))
    posted = book(store, step(book(store, commission(2, expires_at=EXPIRES_AT)), "posted", *earned(800)))
    outcomes = write(store, step(posted, "settled", *paid(800)), step(posted, "reversed", *taken_back(100)))
    assert all(isinstance(outcome, Receipt) for outcome in outcomes)
    book(store, commission(3, expires_at=EXPIRES_AT))
    store.close()
    assert verify(path).ok
    return path


@pytest.mark.parametrize(
    ("statement", "sequence", "what"),
    [
        ("UPDATE steps SET outcome = 'expired' WHERE sequence = 2", 2, "cannot be expired: it is pending until"),
        ("UPDATE steps SET outcome = 'expired' WHERE sequence = 2", 2, "body is not what its digest says"),
        ("UPDATE steps SET outcome = 'posted' WHERE sequence = 2", 2, "nothing of it would be posted"),
        ("UPDATE steps SET reason = 'because' WHERE sequence = 2", 2, "body is not what its digest says"),
        ("UPDATE steps SET target = 7 WHERE sequence = 2", 2, "book paper has no transaction"),
        ("UPDATE steps SET target = 3 WHERE sequence = 2", 4, "cannot be posted: it is voided already"),
        ("UPDATE steps SET target = 99 WHERE sequence = 2", 2, "cannot be recomputed"),
        ("UPDATE steps SET target = 3 WHERE sequence = 5", 5, "it was pending and is posted by tx_.*: name that one"),
        ("UPDATE steps SET outcome = 'settled' WHERE sequence = 2", 2, "cannot be settled: it is pending"),
        ("DELETE FROM steps WHERE sequence = 2", 2, r"numbered \[\]"),
        ("DELETE FROM steps WHERE sequence = 5", 5, "body is not what its digest says"),
        ("INSERT INTO steps VALUES (9, 7, 'voided', '')", 9, "a step without a transaction"),
        ("INSERT INTO steps VALUES (7, 1, 'expired', '')", 7, "body is not what its digest says"),
        ("UPDATE expiries SET expires_at = expires_at + 1 WHERE sequence = 7", 7, "body is not what its digest says"),
        ("DELETE FROM expiries WHERE sequence = 7", 7, "body is not what its digest says"),
        ("INSERT INTO expiries VALUES (4, 5)", 4, "it expires, but is not pending"),
        ("INSERT INTO expiries VALUES (9, 5)", 9, "an expiry without a transaction"),
        ("UPDATE expiries SET expires_at = 5 WHERE sequence = 3", 4, "cannot be posted: it was pending until 1970"),
        ("UPDATE transactions SET state = 'posted' WHERE sequence = 7", 7, "it expires, but is not pending"),
        ("UPDATE transactions SET state = 'pending' WHERE sequence = 4", 5, "cannot be settled: it is pending"),
        ("UPDATE transactions SET state = 'voided' WHERE sequence = 1", 1, "its state is 'voided'"),
        ("UPDATE states SET state = 'posted' WHERE sequence = 1", 1, "kept as posted, which does not follow"),
        ("UPDATE states SET state = 'posted' WHERE sequence = 1", 1, "not kept as voided, which follows"),
        ("UPDATE states SET expires_at = 5 WHERE sequence = 7", 7, "kept as pending, which does not follow"),
        ("UPDATE states SET origin = 2 WHERE sequence = 7", 7, "kept as pending, which does not follow"),
        ("DELETE FROM states WHERE sequence = 4", 4, "not kept as reversed, which follows"),
        ("INSERT INTO states VALUES (5, 1, 'settled', NULL)", 5, "kept as settled, which does not follow"),
        ("UPDATE balances SET units = 7 WHERE state = 'pending'", None, "balance of origin 1, .* pending"),
        ("DELETE FROM balances WHERE state = 'pending'", None, "pending, 2026-01-31 is missing"),
        ("DROP INDEX states_by_expiry", None, "index states_by_expiry is missing"),
    ],
)
def test_tampering_is_found_with_its_place(ledger: Path, statement: str, sequence: int | None, what: str) -> None:
    report = tamper(ledger, statement)
    assert not report.ok
    at_its_place = "; ".join(problem.what for problem in report.problems if problem.sequence == sequence)
    assert re.search(what, at_its_place), report


def test_a_step_that_was_taken_twice_is_found_even_with_a_row_that_allows_it(ledger: Path) -> None:
    report = tamper(
        ledger,
        "CREATE TABLE loose (sequence INTEGER PRIMARY KEY, target INTEGER, outcome TEXT, reason TEXT)",
        "INSERT INTO loose SELECT sequence, target, outcome, reason FROM steps",
        "DROP TABLE steps",
        "ALTER TABLE loose RENAME TO steps",
        "UPDATE steps SET outcome = 'settled' WHERE sequence = 6",
    )
    found = {problem.sequence: problem.what for problem in report.problems if "already" in problem.what}
    assert re.search("cannot be settled: it is settled already, by tx_", found[6]), report
