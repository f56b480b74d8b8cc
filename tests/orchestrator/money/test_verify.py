from __future__ import annotations

import hashlib
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from orchestrator.money import chain
from orchestrator.money.page_sums import sums_of
from orchestrator.money.report import VerifyReport
from orchestrator.money.schema import open_reader
from orchestrator.money.store import Store
from orchestrator.money.verify import verify
from streams.booking import Correction
from tests.orchestrator.money.bookings import NOON, api_call, book, ledger_with, write


@pytest.fixture
def ledger(path: Path) -> Path:
    """Five transactions, the fourth of which corrects the first."""
    store = Store(path)
    store.open()
    first = book(store, api_call(1))
    for n in (2, 3):
        book(store, api_call(n))
    book(store, api_call(4, instance="api_services-002", corrects=Correction(first.id, "charged twice")))
    book(store, api_call(5, book="live", memo="Größe"))
    store.close()
    return path


def tamper(path: Path, *statements: str, parameters: tuple[Any, ...] = ()) -> VerifyReport:
    """Change the file behind the ledger's back, triggers, sums of pages and all, and verify it."""
    sums_of(path).unlink(missing_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            assert connection.execute(statement, parameters).rowcount != 0
        for _, sql in triggers:
            connection.execute(sql)
    return verify(path)


def test_a_ledger_that_is_as_it_was_booked_is_found_so(ledger: Path) -> None:
    report = verify(ledger)
    with closing(open_reader(ledger)) as connection:
        (head,) = connection.execute("SELECT hash FROM transactions WHERE sequence = 5").fetchone()
    assert report == VerifyReport(True, 5, 10, head.hex(), (), 0)


def test_an_empty_ledger_is_in_order(path: Path) -> None:
    ledger_with(path)
    assert verify(path) == VerifyReport(True, 0, 0, chain.GENESIS.hex(), (), 0)


COLUMNS = {
    "id": b"0123456789abcdef",
    "origin": 2,
    "key": "k",
    "kind": "api.gift",
    "state": "pending",
    "occurred_at": 1_700_000_000_000_000,
    "booked_at": 1_700_000_000_000_000,
    "memo": "changed",
    "corrects": b"0123456789abcdef",
    "reason": "because",
    "evidence_kind": "other",
    "evidence_external_id": "req-99",
    "evidence_digest": bytes(32),
    "meters": '[["calls:ak_1:2026-01",2]]',
    "body_digest": bytes(32),
    "hash": bytes(32),
}


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("sequence", [1, 3])
def test_a_changed_transaction_is_found_with_its_place(ledger: Path, column: str, sequence: int) -> None:
    report = tamper(
        ledger,
        f"UPDATE transactions SET {column} = ? WHERE sequence = {sequence}",
        parameters=(COLUMNS[column],),
    )
    assert not report.ok
    assert sequence in {problem.sequence for problem in report.problems}


def test_every_column_of_a_transaction_is_covered(ledger: Path) -> None:
    with closing(open_reader(ledger)) as connection:
        columns = {row[1] for row in connection.execute("PRAGMA table_info(transactions)")}
    assert columns - {"sequence"} == COLUMNS.keys()


@pytest.mark.parametrize(
    ("statement", "sequence", "what"),
    [
        ("UPDATE postings SET units = units + 1 WHERE sequence = 2 AND n = 0", 2, "in USD sum to 1 units"),
        ("UPDATE postings SET units = units * 2 WHERE sequence = 2", 2, "body is not what its digest says"),
        ("UPDATE postings SET asset = 'EUR' WHERE sequence = 2", 2, "body is not what its digest says"),
        ("UPDATE postings SET account = 3 - account WHERE sequence = 2", 2, "body is not what its digest"),
        ("UPDATE postings SET n = n + 1 WHERE sequence = 2 AND n = 1", 2, r"numbered \[0, 2\]"),
        ("DELETE FROM postings WHERE sequence = 2", 2, r"numbered \[\]"),
        ("INSERT INTO postings VALUES (9, 0, 1, 'USD', 0)", 9, "postings without a transaction"),
        ("UPDATE evidence SET artefact = CAST('x' || artefact AS BLOB) WHERE sequence = 2", 2, "evidence is"),
        ("UPDATE evidence SET artefact = x'00' WHERE sequence = 2", 2, "evidence is missing or is not"),
        ("DELETE FROM evidence WHERE sequence = 5", 5, "evidence is missing or is not"),
        ("INSERT INTO evidence VALUES (9, x'00')", 9, "evidence without a transaction"),
        ("DELETE FROM transactions WHERE sequence = 2", 3, "the last was 1"),
        ("DELETE FROM transactions WHERE sequence = 5", 5, "postings without a transaction"),
        ("UPDATE transactions SET sequence = 7 WHERE sequence = 5", 7, "the last was 4"),
        ("UPDATE transactions SET corrects = NULL WHERE sequence = 4", 4, "reason for a correction, but"),
        ("UPDATE transactions SET meters = 'nonsense' WHERE sequence = 2", 2, "cannot be recomputed"),
        ("UPDATE balances SET units = units + 1 WHERE origin = 1 AND account = 1", None, "balance of origin 1"),
        ("UPDATE balances SET day = '2026-02-01'", None, "is missing, its postings say"),
        ("DELETE FROM balances", None, "is missing, its postings say"),
        ("INSERT INTO balances VALUES (1, 1, 'EUR', 'posted', '2026-01-31', 5)", None, "postings say None"),
        ("UPDATE sums SET rest = rest + 1 WHERE origin = 1 AND account = 1", None, "sum of origin 1, account 1, USD"),
        ("UPDATE sums SET state = 'pending'", None, "sum of .* is missing, its postings say"),
        ("DELETE FROM sums", None, "is missing, its postings say"),
        ("UPDATE flows SET rest = rest + 1 WHERE grain = 'day'", None, "flow of the day 2026-01-31 in paper"),
        ("UPDATE flows SET starts = '2026-01-31T13' WHERE grain = 'hour'", None, "hour 2026-01-31T12 .* is missing"),
        ("UPDATE flows SET internal = 1", None, "flow of the hour .* is missing, its postings say"),
        ("DELETE FROM flows", None, "is missing, its postings say"),
        ("UPDATE meters SET value = 0", None, "meter calls:ak_1:2026-01 is 0, its transactions say 5"),
        ("UPDATE meters SET name = 'x'", None, "meter calls:ak_1:2026-01 is missing"),
        ("INSERT INTO meters VALUES ('m', 1)", None, "meter m is 1, its transactions say None"),
        ("DELETE FROM meters", None, "is missing, its transactions say 5"),
        ("UPDATE accounts SET name = 'asset:elsewhere' WHERE id = 1", 1, "body is not what its digest says"),
        ("UPDATE accounts SET kind = 'cost' WHERE id = 2", None, "account income:.* is called cost"),
        ("UPDATE accounts SET id = 9 WHERE id = 1", 1, "body|recomputed"),
        ("INSERT INTO accounts VALUES (9, 'asset:x', 'asset')", None, "account asset:x has no balance"),
        ("UPDATE origins SET instance = 'other' WHERE id = 1", 1, "body is not what its digest says"),
        ("UPDATE origins SET id = 9 WHERE id = 1", 1, "recomputed|id is not"),
        ("INSERT INTO origins VALUES (9, 'live', 's', 'i')", None, "origin live/s/i has no balance"),
        ("DROP INDEX transactions_by_origin", None, "index transactions_by_origin is missing"),
    ],
)
def test_tampering_is_found_with_its_place(ledger: Path, statement: str, sequence: int | None, what: str) -> None:
    report = tamper(ledger, statement)
    assert not report.ok
    assert report.problem_count >= len(report.problems) > 0
    at_its_place = "; ".join(problem.what for problem in report.problems if problem.sequence == sequence)
    assert re.search(what, at_its_place), report


def test_a_problem_names_the_transaction(ledger: Path) -> None:
    report = tamper(ledger, "UPDATE transactions SET memo = 'x' WHERE sequence = 2")
    assert [(problem.sequence, problem.id, problem.what) for problem in report.problems] == [
        (
            2,
            chain.id_text(chain.transaction_id("paper", api_call(2).key)),
            "its hash does not follow from it and the hash before",
        )
    ]


def test_a_transaction_rewritten_with_all_its_digests_still_breaks_the_chain(ledger: Path) -> None:
    """Someone who knows the algorithm, but rewrites only one transaction."""
    with closing(open_reader(ledger)) as connection:
        (previous,) = connection.execute("SELECT hash FROM transactions WHERE sequence = 1").fetchone()
        body, occurred_at, booked_at, meters = connection.execute(
            "SELECT body_digest, occurred_at, booked_at, meters FROM transactions WHERE sequence = 2"
        ).fetchone()
    record = json.dumps([2, occurred_at, booked_at, "posted", "forged", json.loads(meters)], separators=(",", ":"))
    forged = hashlib.sha256(previous + body + record.encode()).digest()
    report = tamper(
        ledger,
        "UPDATE transactions SET memo = 'forged', hash = ? WHERE sequence = 2",
        parameters=(forged,),
    )
    assert [problem.sequence for problem in report.problems] == [3]


def test_two_transactions_that_changed_places_are_found(ledger: Path) -> None:
    swaps = [
        f"UPDATE {table} SET sequence = {new} WHERE sequence = {old}"
        for table in ("transactions", "postings", "evidence")
        for old, new in ((2, 99), (3, 2), (99, 3))
    ]
    report = tamper(ledger, *swaps)
    assert {2, 3} <= {problem.sequence for problem in report.problems}


def test_problems_past_the_first_hundred_are_counted(path: Path) -> None:
    store = Store(path)
    store.open()
    write(store, *(api_call(n) for n in range(300)))
    store.close()
    report = tamper(path, "UPDATE transactions SET memo = 'x'")
    assert (len(report.problems), report.problem_count) == (100, 300)


def test_a_ledger_is_verified_while_it_is_written(store: Store, path: Path) -> None:
    write(store, *(api_call(n) for n in range(50)))
    store.connection.execute("BEGIN IMMEDIATE")
    assert verify(path).transactions == 50
    store.connection.execute("ROLLBACK")
    book(store, api_call(50))
    assert verify(path).transactions == 51


def test_a_copy_is_verified_from_the_command_line(ledger: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite3"
    shutil.copy(ledger, copy)

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "orchestrator.money.verify", str(copy)],
            cwd=Path(__file__).parents[3],
            capture_output=True,
            text=True,
            check=False,
        )

    good = run()
    assert (good.returncode, json.loads(good.stdout)["transactions"]) == (0, 5)
    tamper(copy, "UPDATE transactions SET memo = 'x' WHERE occurred_at > 0")
    bad = run()
    assert (bad.returncode, json.loads(bad.stdout)["problem_count"]) == (1, 5)
    copy.unlink()
    none = run()
    assert (none.returncode, none.stderr) == (65, f"{copy}: there is no ledger here\n")


def test_a_day_is_that_of_the_event_not_of_the_booking(ledger: Path) -> None:
    with closing(open_reader(ledger)) as connection:
        days = connection.execute("SELECT DISTINCT day FROM balances").fetchall()
    assert days == [(NOON.date().isoformat(),)]
