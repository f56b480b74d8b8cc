"""`ledger export`, `backup`, `restore`, `reconcile` and `why`, with a daemon and without."""

from __future__ import annotations

import json
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from beancount.loader import load_file

from orchestrator.money.instants import to_us
from orchestrator.money.store import Store
from streams.booking import Correction, Evidence
from tests.orchestrator.access.cli.conftest import BOOKED_BEFORE, Automate, book_before, finish, start
from tests.orchestrator.money.bookings import BANK, NOON, api_call, book, commission, earned, paid, step
from tests.orchestrator.money.busy_hour import book_an_hour


@pytest.fixture
def resting(tmp_path: Path) -> Path:
    """A home in which no daemon runs, with an hour in which everything happened."""
    (tmp_path / "state").mkdir()
    store = Store(tmp_path / "state" / "ledger.sqlite3", lambda: to_us(NOON))
    store.open()
    book_an_hour(store, 40)
    store.close()
    return tmp_path


def ledger_of(home: Path) -> Path:
    return home / "state" / "ledger.sqlite3"


def test_bean_check_accepts_what_is_exported(automate: Automate, resting: Path) -> None:
    target = resting / "books.beancount"
    told = automate("ledger", "export", "--format", "beancount", "-o", str(target), home=resting)
    assert (told.status, told.out) == (0, "")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    command = Path(sys.executable).with_name("bean-check")
    assert subprocess.run([command, target], capture_output=True, check=False).returncode == 0


def test_an_export_while_the_daemon_runs_is_of_one_moment(automate: Automate, home: Path, tmp_path: Path) -> None:
    target = tmp_path / "books.beancount"
    assert automate("ledger", "export", "--format", "beancount", "-o", str(target), home=home).status == 0
    entries, errors, _ = load_file(str(target))
    assert errors == []
    assert len(entries) > BOOKED_BEFORE


def test_an_export_goes_to_a_pipe_and_is_narrowed(automate: Automate, resting: Path) -> None:
    told = automate("ledger", "export", "--format", "jsonl", "--book", "live", home=resting)
    assert told.status == 0
    assert {entry["book"] for entry in told.lines} == {"live"}
    none = automate("ledger", "export", "--format", "jsonl", "--from", "2026-02-01", home=resting)
    assert none.lines == []
    table = automate("ledger", "export", "--format", "csv", "--to", "2026-01-31", home=resting).out.splitlines()
    assert table[0].startswith("sequence,id,book,")
    assert len(table) > 40


def test_a_reader_who_has_had_enough_ends_an_export(home: Path) -> None:
    export = start(home, "ledger", "export", "--format", "jsonl")
    assert export.stdout is not None
    export.stdout.readline()
    export.stdout.close()
    export.stdout = None
    ended = finish(export)
    assert (ended.status, ended.err) == (0, "")


def test_days_in_the_wrong_order_are_a_usage_error(automate: Automate, resting: Path) -> None:
    told = automate("ledger", "export", "--format", "csv", "--from", "2026-02-01", "--to", "2026-01-01", home=resting)
    assert told.status == 64
    assert "ends on 2026-01-01, before it begins" in told.err


def test_an_export_that_fails_leaves_what_was_there(automate: Automate, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    store = Store(ledger_of(tmp_path))
    store.open()
    book(store, api_call(occurred_at=NOON.replace(year=2150)))
    store.close()
    target = tmp_path / "books.beancount"
    target.write_text("what was there")
    told = automate("ledger", "export", "--format", "beancount", "-o", str(target), home=tmp_path)
    assert told.status == 1
    assert "something happened on 2150-01-31" in told.err
    assert target.read_text() == "what was there"
    assert {path.name for path in tmp_path.iterdir()} == {"state", "books.beancount"}


def test_where_there_are_no_books_and_no_daemon_it_is_said(automate: Automate, tmp_path: Path) -> None:
    for command in (["export", "--format", "csv"], ["backup", str(tmp_path / "b")], ["why", "x"]):
        assert automate("ledger", *command, home=tmp_path).status == 69


def test_a_backup_is_made_while_the_daemon_runs(automate: Automate, home: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.sqlite3"
    told = automate("ledger", "backup", str(target), "--json", home=home)
    assert told.status == 0
    assert told.document["transactions"] >= BOOKED_BEFORE
    assert f"written to {target}" in told.err
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    again = automate("ledger", "backup", str(target), home=home)
    assert again.status == 1
    assert "no backup is overwritten" in again.err


def test_a_restore_while_the_daemon_runs_is_refused(automate: Automate, home: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.sqlite3"
    automate("ledger", "backup", str(target), home=home)
    told = automate("ledger", "restore", str(target), "--yes", home=home)
    assert told.status == 75
    assert "stop it first" in told.err


def test_what_was_backed_up_is_restored(automate: Automate, resting: Path) -> None:
    copy = resting / "copy.sqlite3"
    before = automate("ledger", "export", "--format", "jsonl", home=resting).out
    assert automate("ledger", "backup", str(copy), home=resting).status == 0
    store = Store(ledger_of(resting))
    store.open()
    book(store, api_call(9999))
    store.close()
    assert automate("ledger", "restore", str(copy), home=resting).status == 64  # nobody is there to be asked
    told = automate("ledger", "restore", str(copy), "--yes", home=resting)
    assert told.status == 0
    assert "the former books are " in told.err
    assert told.out.startswith("the ledger is as it was booked")
    assert automate("ledger", "export", "--format", "jsonl", home=resting).out == before


def test_books_are_restored_into_a_new_home(automate: Automate, resting: Path, tmp_path: Path) -> None:
    copy = resting / "copy.sqlite3"
    automate("ledger", "backup", str(copy), home=resting)
    fresh = tmp_path / "fresh"
    assert automate("ledger", "restore", str(copy), "--yes", home=fresh).status == 0
    assert automate("ledger", "verify", home=fresh).status == 0


def test_a_damaged_ledger_is_copied_and_a_damaged_backup_refused(automate: Automate, resting: Path) -> None:
    whole = resting / "whole.sqlite3"
    automate("ledger", "backup", str(whole), home=resting)
    with closing(sqlite3.connect(ledger_of(resting), isolation_level=None)) as connection:
        connection.execute("UPDATE sums SET rest = rest + 1")
    told = automate("ledger", "backup", str(resting / "copy.sqlite3"), home=resting)
    assert told.status == 1
    assert "kept as " in told.err
    assert "NOT as it was booked" in told.out
    told = automate("ledger", "restore", str(resting / "copy.sqlite3.damaged"), "--yes", home=resting)
    assert told.status == 1
    assert "was not restored; nothing has changed" in told.err
    assert automate("ledger", "restore", str(whole), "--yes", home=resting).status == 0
    assert automate("ledger", "verify", home=resting).status == 0


def test_what_is_no_backup_ends_with_65(automate: Automate, resting: Path) -> None:
    (resting / "other").write_bytes(b"x" * 5000)
    told = automate("ledger", "restore", str(resting / "other"), "--yes", home=resting)
    assert told.status == 65
    assert "no database" in told.err


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    """A home with two payouts on the bank's account."""
    (tmp_path / "state").mkdir()
    store = Store(ledger_of(tmp_path))
    store.open()
    for n in (1, 2):
        posted = book(store, step(book(store, commission(n, 10_000_000)), "posted", *earned(10_000_000)))
        payout = Evidence("network.payout", f"payout-{n}", b'{"n": %d}' % n)
        book(store, step(posted, "settled", *paid(10_000_000, fee=250_000), evidence=payout))
    store.close()
    return tmp_path


def test_a_statement_that_agrees_is_reconciled(automate: Automate, bank: Path) -> None:
    statement = bank / "statement.csv"
    statement.write_text("date,reference,amount,currency\n2026-02-01,payout-1,9.75,USD\n2026-02-03,X-77,9.75,USD\n")
    told = automate("ledger", "reconcile", BANK, str(statement), home=bank)
    assert told.status == 0
    assert told.out == "USD: the statement has 19.50, the ledger 19.50, the difference is 0.00\n"
    assert "1 matched, 1 matched by amount and day" in told.err
    assert len(automate("ledger", "reconcile", BANK, str(statement), "--all", home=bank).out.splitlines()) == 4


def test_differences_are_listed_and_nothing_is_booked(automate: Automate, bank: Path) -> None:
    statement = bank / "statement.csv"
    statement.write_text("Wann;Ref;Betrag\n2026-02-01;payout-1;-9.70\n2026-02-01;payout-9;-1.00\n")
    before = automate("ledger", "export", "--format", "jsonl", home=bank).out
    columns = ("--day-column", "Wann", "--amount-column", "Betrag", "--asset", "usd", "--negate")
    told = automate("ledger", "reconcile", BANK, str(statement), *columns, "--json", home=bank)
    assert told.status == 1
    found = {item["id"]: (item["finding"], item["difference"]) for item in told.document["items"]}
    assert found == {
        "payout-1": ("differs", "-0.05"),
        "payout-9": ("not_in_ledger", "1.00"),
        "payout-2": ("not_in_statement", "-9.75"),
    }
    assert automate("ledger", "export", "--format", "jsonl", home=bank).out == before
    table = automate("ledger", "reconcile", BANK, str(statement), *columns, home=bank).out
    assert "not in the ledger" in table
    assert "the difference is -8.80" in table


def test_a_statement_that_cannot_be_read_is_named(automate: Automate, bank: Path) -> None:
    statement = bank / "statement.csv"
    statement.write_text("id,amount,currency\na,much,USD\n")
    told = automate("ledger", "reconcile", BANK, str(statement), home=bank)
    assert told.status == 65
    assert f"{statement}: line 2: 'much' is not a decimal amount" in told.err
    statement.write_text("id,amount,currency\na,1,USD\n")
    told = automate("ledger", "reconcile", "asset:bnk", str(statement), home=bank)
    assert told.status == 66
    assert "did you mean asset:bank?" in told.err


def test_the_story_of_a_cent_is_told_by_the_name_of_its_evidence(automate: Automate, bank: Path) -> None:
    told = automate("ledger", "why", "payout-1", home=bank)
    assert told.status == 0
    for expected in (
        "network.settled  -0.25 USD",
        "asset:bank",
        "the artefact is as it was booked",
        '"n": 1',
        "follows from it and the one before",
        "booked as pending",
        "posted tx_",
        "settled tx_",
    ):
        assert expected in told.out, told.out


def test_a_story_is_the_same_with_a_daemon_and_without(automate: Automate, home: Path, tmp_path: Path) -> None:
    resting = tmp_path / "resting"
    (resting / "state").mkdir(parents=True)
    book_before(ledger_of(resting), 3)
    (running,) = automate("ledger", "why", "req-2", "--json", home=home).lines
    (alone,) = automate("ledger", "why", "call:api_services-001:2", "--json", home=resting).lines
    assert running["entry"]["id"] == alone["entry"]["id"]
    assert running["proof"] == alone["proof"]
    assert json.loads(running["proof"]["shown"]) == {"valid": True, "call": 2}
    assert running["place"]["previous"]["id"] == alone["place"]["previous"]["id"]


def test_a_correction_is_part_of_the_story(automate: Automate, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    store = Store(ledger_of(tmp_path))
    store.open()
    wrong = book(store, api_call(1))
    book(store, api_call(2, corrects=Correction(wrong.id, "charged twice")))
    store.close()
    told = automate("ledger", "why", wrong.id, home=tmp_path)
    assert f"corrects {wrong.id}: charged twice" in told.out


def test_a_name_that_nothing_has_ends_with_66(automate: Automate, resting: Path) -> None:
    told = automate("ledger", "why", "nothing", home=resting)
    assert told.status == 66
    assert "nothing in the ledger is called 'nothing'" in told.err


def test_a_proof_that_was_changed_is_told_and_ends_with_1(automate: Automate, bank: Path) -> None:
    with closing(sqlite3.connect(ledger_of(bank), isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER evidence_no_update")
        connection.execute("UPDATE evidence SET artefact = x'1b5b324a' WHERE sequence = 3")
    told = automate("ledger", "why", "payout-1", home=bank)
    assert told.status == 1
    assert "NOT as it was booked" in told.out
    assert "\x1b[2J" not in told.out
    shutil.rmtree(bank / "state")
