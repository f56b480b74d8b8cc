from __future__ import annotations

import errno
import os
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.money import schema
from orchestrator.money.chain import id_text
from orchestrator.money.movements import join
from orchestrator.money.page_sums import sums_of
from orchestrator.money.schema import LedgerFileError, open_reader, open_writer, schema_problems
from orchestrator.money.store import Store
from orchestrator.money.verify import verify
from streams.booking import Evidence, Posting, Receipt, Resolution
from streams.transfers import Party, transfer
from tests.orchestrator.money.bookings import NOON, api_call, book, commission, earned, ledger_with, step, write

BOOKED = ["accounts", "origins", "transactions", "postings", "evidence", "balances", "meters"]


def test_every_file_of_the_ledger_is_private(store: Store, path: Path) -> None:
    book(store, api_call())
    files = list(path.parent.iterdir())
    assert {file.name for file in files} >= {path.name, f"{path.name}-wal", f"{path.name}-shm"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_commit_is_synced_to_disk(store: Store) -> None:
    (journal_mode,) = store.connection.execute("PRAGMA journal_mode").fetchone()
    (synchronous,) = store.connection.execute("PRAGMA synchronous").fetchone()
    assert (journal_mode, synchronous) == ("wal", 2)


NEVER_CHANGED = ["transactions", "postings", "evidence", "accounts", "origins", "steps", "expiries"]


@pytest.mark.parametrize("table", NEVER_CHANGED)
@pytest.mark.parametrize("change", ["UPDATE {} SET rowid = 99", "DELETE FROM {}"])
def test_what_is_booked_cannot_be_changed(store: Store, table: str, change: str) -> None:
    book(store, step(book(store, commission(expires_at=NOON)), "voided"))
    statement = change.format(table).replace("rowid", "sequence" if table == "postings" else "rowid")
    with pytest.raises(sqlite3.IntegrityError, match=f"{table} are never changed"):
        store.connection.execute(statement)


def test_a_ledger_is_found_again_as_it_was(path: Path) -> None:
    ledger_with(path, api_call(1), api_call(2))
    ledger_with(path, api_call(3))
    with closing(open_reader(path)) as connection:
        assert connection.execute("SELECT max(sequence) FROM transactions").fetchone() == (3,)
        assert schema_problems(connection) == []


def test_a_database_of_something_else_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE songs (title)")
    before = path.read_bytes()
    with pytest.raises(LedgerFileError, match="something else; move it away"):
        open_writer(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_named(path: Path) -> None:
    path.write_bytes(b"not a database, but longer than nothing at all" * 50)
    with pytest.raises(LedgerFileError, match=f"{path}: is damaged or no database"):
        open_writer(path)


def test_a_ledger_of_a_newer_version_is_left_alone(path: Path) -> None:
    ledger_with(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    for opened in (open_writer, open_reader):
        with pytest.raises(LedgerFileError, match=r"newer automate \(tables 99"):
            opened(path)


def test_a_reader_makes_no_ledger(path: Path) -> None:
    with pytest.raises(LedgerFileError, match="there is no ledger here"):
        open_reader(path)
    assert not path.exists()


def test_a_reader_cannot_write(store: Store, path: Path) -> None:
    with closing(open_reader(path)) as connection, pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("INSERT INTO meters VALUES ('m', 1)")


@contextmanager
def without_privileges() -> Iterator[None]:
    """Root may write everywhere; be nobody for a moment."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_copy_in_a_directory_that_cannot_be_written_is_readable(path: Path) -> None:
    ledger_with(path, api_call())
    with tempfile.TemporaryDirectory() as name:
        shelf = Path(name)
        copy = shelf / "copy.sqlite3"
        copy.write_bytes(path.read_bytes())
        copy.chmod(0o444)
        shelf.chmod(0o555)
        try:
            with without_privileges(), closing(open_reader(copy)) as connection:
                assert connection.execute("SELECT count(*) FROM transactions").fetchone() == (1,)
        finally:
            shelf.chmod(0o700)


def test_a_removed_trigger_is_noticed(store: Store) -> None:
    store.connection.execute("DROP TRIGGER postings_no_delete")
    store.connection.execute("CREATE TABLE extra (n)")
    assert schema_problems(store.connection) == [
        "trigger postings_no_delete is missing or changed",
        "table extra is not of this version",
    ]


FIRST_VERSION = Path(__file__).with_name("ledger_v1.sql")


def test_a_ledger_of_the_first_version_is_brought_up_to_date_in_place(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(FIRST_VERSION.read_text())
        before = {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in BOOKED}
    with pytest.raises(LedgerFileError, match=r"has tables of version 1, not 3: start the daemon on it once"):
        open_reader(path)
    store = Store(path)
    store.open()
    assert schema_problems(store.connection) == []
    assert {table: store.connection.execute(f"SELECT * FROM {table}").fetchall() for table in BOOKED} == before
    assert book(store, api_call(2, instance="api_services-002", meters=())).replayed  # its digest is what it was
    pending = book(store, commission())
    book(store, step(pending, "voided"))
    (first,) = store.connection.execute("SELECT id FROM transactions WHERE sequence = 3").fetchone()
    reversal = (Posting("asset:clearing:sandbox", "USD", -5), Posting("income:api_services:api_services-001", "USD", 5))
    reversed_by = api_call(9, book="live", postings=reversal, resolves=Resolution(id_text(first), "reversed"))
    assert isinstance(write(store, reversed_by)[0], Receipt)
    store.close()
    report = verify(path)
    assert (report.ok, report.transactions) == (True, 8), report.problems


def copies(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.stem}.v*"))


def test_a_copy_is_kept_before_a_ledger_of_an_earlier_version_is_touched(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(FIRST_VERSION.read_text())
        before = list(connection.iterdump())
    open_writer(path).close()
    (copy,) = copies(path)
    assert copy.name.startswith("ledger.v1-")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert list(connection.iterdump()) == before
    open_writer(path).close()
    assert copies(path) == [copy]


def test_a_ledger_is_not_touched_where_no_copy_can_be_made(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(FIRST_VERSION.read_text())

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(schema, "copy_database", full)
    with pytest.raises(OSError, match="No space left"):
        open_writer(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)


def test_a_damaged_ledger_of_an_earlier_version_is_not_brought_up_to_date(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(FIRST_VERSION.read_text())
        root = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'postings'").fetchone()[0]
    damaged = bytearray(path.read_bytes())
    damaged[(root - 1) * 4096 + 3] ^= 0x01  # how many cells the page has
    path.write_bytes(damaged)
    with pytest.raises(LedgerFileError, match="is damaged .* and was not brought up to date"):
        open_writer(path)
    assert copies(path) == []


def joined(connection: sqlite3.Connection, table: str) -> list[tuple[object, ...]]:
    return [(*row[:-2], join(*row[-2:])) for row in connection.execute(f"SELECT * FROM {table}")]


def test_sums_of_a_ledger_of_the_second_version_are_those_of_its_postings(path: Path) -> None:
    store = Store(path)
    store.open()
    for n, instance in enumerate(("api_services-001", "api_services-002", "api_services-001")):
        book(store, api_call(n + 3600 * 11 * n, instance=instance, units=2**62))
    first, second, _ = (book(store, commission(n, expires_at=NOON + timedelta(days=36_500))) for n in (1, 2, 3))
    book(store, step(first, "posted", *earned(400)))
    book(store, step(second, "voided"))
    for side in transfer(
        "t", kind="dataset.sold", book="paper", seller=Party("a", "a-1"), buyer=Party("b", "b-1"), asset="USD",
        units=5, occurred_at=NOON, evidence=Evidence("order", "o-1", b"{}"),
    ):  # fmt: skip
        book(store, side)
    kept = {table: joined(store.connection, table) for table in ("sums", "flows")}
    store.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "DROP TABLE sums; DROP TABLE flows; DROP INDEX transactions_by_correction; PRAGMA user_version = 2"
        )
    sums_of(path).unlink()
    open_writer(path).close()
    with closing(open_reader(path)) as connection:
        for table, rows in kept.items():
            assert joined(connection, table) == rows
    report = verify(path)
    assert report.ok, report.problems


def test_a_migration_that_breaks_off_leaves_the_old_version(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(FIRST_VERSION.read_text())
    whole = schema._MIGRATIONS
    monkeypatch.setattr(schema, "_MIGRATIONS", (whole[0], (*whole[1], "CREATE TABLE transactions (n)")))
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        open_writer(path)
    monkeypatch.setattr(schema, "_MIGRATIONS", whole)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert connection.execute("SELECT name FROM sqlite_schema WHERE name = 'steps'").fetchall() == []
    open_writer(path).close()
    assert verify(path).ok
