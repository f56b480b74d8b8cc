from __future__ import annotations

import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.money import backup as module
from orchestrator.money.backup import NotAsBooked, back_up, restore
from orchestrator.money.copying import copy_database
from orchestrator.money.queries import walk_entries
from orchestrator.money.schema import LedgerFileError, open_reader
from orchestrator.money.store import Store
from orchestrator.money.verify import verify
from tests.orchestrator.money.bookings import api_call, book, ledger_with, write
from tests.orchestrator.money.test_schema import FIRST_VERSION


def ids(path: Path) -> list[str]:
    with closing(open_reader(path)) as connection:
        return [entry.id for entry in walk_entries(connection)]


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def damage(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE sums SET rest = rest + 1")


def test_a_backup_is_one_private_file_that_verifies(path: Path, tmp_path: Path) -> None:
    ledger_with(path, *(api_call(n) for n in range(5)))
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    report = back_up(path, shelf / "monday.sqlite3")
    assert (report.ok, report.transactions) == (True, 5)
    assert names(shelf) == {"monday.sqlite3"}
    assert stat.S_IMODE((shelf / "monday.sqlite3").stat().st_mode) == 0o600
    assert verify(shelf / "monday.sqlite3", of_a_copy=True) == report
    assert names(shelf) == {"monday.sqlite3"}  # reading it leaves nothing beside it


def test_a_backup_is_of_one_moment_and_holds_up_no_booking(store: Store, path: Path, tmp_path: Path) -> None:
    write(store, *(api_call(n) for n in range(400)))
    booked = 400

    def meanwhile(left: int, total: int) -> None:
        nonlocal booked
        book(store, api_call(booked))
        booked += 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("orchestrator.money.copying._PAGES_AT_ONCE", 20)
        report = back_up(path, tmp_path / "copy", meanwhile)
    assert report.transactions == 400
    assert booked > 401


def test_bookings_go_on_in_another_thread_meanwhile(store: Store, path: Path, tmp_path: Path) -> None:
    write(store, *(api_call(n) for n in range(100)))
    stop = threading.Event()

    def keep_booking() -> None:
        n = 100
        while not stop.is_set():
            write(store, *(api_call(n + k) for k in range(10)))
            store.checkpoint(idle=True)
            n += 10

    thread = threading.Thread(target=keep_booking)
    thread.start()
    try:
        for n in range(5):
            assert back_up(path, tmp_path / f"copy-{n}").ok
    finally:
        stop.set()
        thread.join()


def test_no_backup_is_overwritten(path: Path, tmp_path: Path) -> None:
    ledger_with(path, api_call())
    target = tmp_path / "copy"
    target.write_text("dear to someone")
    with pytest.raises(FileExistsError, match="no backup is overwritten"):
        back_up(path, target)
    assert target.read_text() == "dear to someone"


def test_a_backup_of_a_damaged_ledger_is_kept_and_called_so(path: Path, tmp_path: Path) -> None:
    ledger_with(path, api_call())
    damage(path)
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    with pytest.raises(NotAsBooked, match="problems, the first: sum of origin 1") as told:
        back_up(path, shelf / "copy")
    assert told.value.path == shelf / "copy.damaged"
    assert names(shelf) == {"copy.damaged"}


def test_a_backup_that_breaks_off_leaves_nothing(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger_with(path, api_call())
    shelf = tmp_path / "shelf"
    shelf.mkdir()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("orchestrator.money.copying.sync", full)
    with pytest.raises(OSError, match="No space left"):
        back_up(path, shelf / "copy")
    assert names(shelf) == set()


def test_what_a_killed_backup_left_does_not_stop_the_next(path: Path, tmp_path: Path) -> None:
    ledger_with(path, api_call())
    (tmp_path / ".copy.unfinished").write_bytes(b"half")
    assert back_up(path, tmp_path / "copy").ok


def test_a_restored_ledger_is_what_was_backed_up_and_the_former_one_stays(path: Path, tmp_path: Path) -> None:
    ledger_with(path, api_call(1), api_call(2))
    backup = tmp_path / "copy"
    back_up(path, backup)
    saved = ids(path)
    ledger_with(path, api_call(3))
    restored = restore(backup, path)
    assert (restored.report.ok, restored.report.transactions) == (True, 2)
    assert ids(path) == saved
    assert restored.former is not None
    assert restored.former.name.startswith("ledger.before-restore-")
    assert len(ids(restored.former)) == 3
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for ledger in (path, restored.former):
        report = verify(ledger)
        assert (report.ok, report.notes) == (True, ())  # each has the sums of its own pages
    ledger_with(path, api_call(3), api_call(4))  # it goes on from there
    report = verify(path)
    assert (report.ok, report.notes) == (True, ())


def test_a_ledger_is_restored_where_there_is_none(path: Path, tmp_path: Path) -> None:
    ledger_with(path, api_call(1))
    back_up(path, tmp_path / "copy")
    path.unlink()
    assert restore(tmp_path / "copy", path).former is None
    assert len(ids(path)) == 1


def test_a_log_that_a_killed_daemon_left_is_not_played_into_the_restored_ledger(path: Path, tmp_path: Path) -> None:
    ledger_with(path, api_call(1))
    back_up(path, tmp_path / "copy")
    store = Store(path)
    store.open()
    write(store, *(api_call(n) for n in range(2, 9)))
    killed = {suffix: path.with_name(path.name + suffix).read_bytes() for suffix in ("", "-wal")}
    store.close()
    for suffix, content in killed.items():
        path.with_name(path.name + suffix).write_bytes(content)
    restored = restore(tmp_path / "copy", path)
    assert len(ids(path)) == 1
    assert restored.former is not None
    assert len(ids(restored.former)) == 8
    assert verify(path).ok


def test_a_ledger_damaged_beyond_opening_is_put_aside_with_its_log(path: Path, tmp_path: Path) -> None:
    ledger_with(path, api_call(1))
    back_up(path, tmp_path / "copy")
    path.write_bytes(b"no database at all" * 1000)
    wal = path.with_name(f"{path.name}-wal")
    wal.write_bytes(b"whatever was in the log")
    restored = restore(tmp_path / "copy", path)
    assert restored.former is not None
    assert restored.former.read_bytes().startswith(b"no database")
    assert restored.former.with_name(f"{restored.former.name}-wal").read_bytes() == b"whatever was in the log"
    assert verify(path).ok


def test_nothing_is_restored_while_a_daemon_books(store: Store, path: Path, tmp_path: Path) -> None:
    book(store, api_call(1))
    back_up(path, tmp_path / "copy")
    book(store, api_call(2))
    with pytest.raises(LedgerFileError, match="another process books in it"):
        restore(tmp_path / "copy", path)
    assert len(ids(path)) == 2


def test_a_damaged_backup_is_refused_and_nothing_changes(path: Path, tmp_path: Path) -> None:
    ledger_with(path, api_call(1))
    backup = tmp_path / "copy"
    back_up(path, backup)
    damage(backup)
    before = names(tmp_path)
    with pytest.raises(NotAsBooked):
        restore(backup, path)
    assert names(tmp_path) - {"ledger.sqlite3.lock"} == before - {"ledger.sqlite3.lock"}
    assert verify(path).ok


def test_what_is_no_backup_is_refused(path: Path, tmp_path: Path) -> None:
    ledger_with(path, api_call(1))
    (tmp_path / "other").write_bytes(b"x" * 5000)
    with pytest.raises(LedgerFileError, match="is damaged or no database"):
        restore(tmp_path / "other", path)
    with pytest.raises(LedgerFileError, match="there is no ledger here"):
        restore(tmp_path / "absent", path)
    assert len(ids(path)) == 1


def test_a_backup_of_an_earlier_version_is_brought_up_to_date_and_stays_as_it_is(path: Path, tmp_path: Path) -> None:
    backup = tmp_path / "old"
    with closing(sqlite3.connect(backup)) as connection:
        connection.executescript(FIRST_VERSION.read_text())
    before = backup.read_bytes()
    assert restore(backup, path).report.transactions == 5
    assert backup.read_bytes() == before
    assert names(tmp_path) == {"old", path.name, f"{path.name}.lock", f"{path.name}-pages"}


def test_a_crash_before_the_new_ledger_has_its_name_leaves_the_former_one(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger_with(path, api_call(1), api_call(2))
    back_up(path, tmp_path / "copy")
    ledger_with(path, api_call(3))
    monkeypatch.setattr(module, "sync", _crash_when_called_after(1))
    with pytest.raises(KeyboardInterrupt):
        restore(tmp_path / "copy", path)
    assert verify(path).ok


def _crash_when_called_after(times: int) -> object:
    calls = iter(range(times))

    def sync(_: Path) -> None:
        if next(calls, None) is None:
            raise KeyboardInterrupt

    return sync


def test_a_copy_of_what_is_being_read_is_of_the_readers_moment(store: Store, path: Path, tmp_path: Path) -> None:
    book(store, api_call(1))
    with closing(open_reader(path)) as reading:
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM transactions").fetchone()
        book(store, api_call(2))
        copy_database(reading, tmp_path / "copy")
    assert len(ids(tmp_path / "copy")) == 1
