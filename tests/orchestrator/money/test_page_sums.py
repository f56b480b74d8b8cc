"""A byte changed anywhere in the database is found, whatever it holds; and none is said to be that was not."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from orchestrator.money import page_sums
from orchestrator.money.page_sums import changed_pages, sums_of, take_sums
from orchestrator.money.report import VerifyReport
from orchestrator.money.schema import LedgerFileError, open_reader
from orchestrator.money.store import Store
from orchestrator.money.verify import verify
from orchestrator.money.wal import log_of
from tests.orchestrator.money.bookings import api_call, book, ledger_with, write
from tests.orchestrator.money.busy_hour import ledger_of_an_hour

ROOT = Path(__file__).parents[3]
PAGE = 4096


def problems(path: Path) -> list[str]:
    return [problem.what for problem in verify(path).problems]


def changed(path: Path) -> list[int]:
    with path.open("rb") as file, closing(open_reader(path)) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM meters").fetchone()
        found = changed_pages(path, file)
        assert found is not None
        return list(found)


def in_order(path: Path) -> VerifyReport:
    report = verify(path)
    assert report.ok, report
    assert not any("no sums" in note for note in report.notes), report
    return report


def flip(path: Path, offset: int, bit: int = 0) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        (byte,) = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ 1 << bit]))


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hour") / "ledger.sqlite3"
    ledger_of_an_hour(path, 60)
    return path


@pytest.fixture
def copy(hour: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "ledger.sqlite3"
    shutil.copy(hour, copy)
    shutil.copy(sums_of(hour), sums_of(copy))
    return copy


def found(path: Path) -> bool:
    try:
        return not verify(path).ok
    except LedgerFileError:
        return True


def test_a_sound_ledger_has_the_sums_of_all_its_pages(hour: Path) -> None:
    in_order(hour)
    assert sums_of(hour).stat().st_size == 16 + 4 * (hour.stat().st_size // PAGE)
    assert stat.S_IMODE(sums_of(hour).stat().st_mode) == 0o600


def test_a_byte_flipped_anywhere_is_found(copy: Path) -> None:
    dice = random.Random(11)
    anywhere = dice.sample(range(copy.stat().st_size), 150)
    header = dice.sample(range(100), 40)
    for offset in (*header, *anywhere):
        bit = dice.randrange(8)
        flip(copy, offset, bit)
        assert found(copy), f"byte {offset}, bit {bit} was changed unseen"
        flip(copy, offset, bit)
    in_order(copy)


def test_a_byte_that_holds_nothing_is_found_with_its_place(copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'meters'").fetchone()
    offset = (root - 1) * PAGE + 64  # between the list of cells and the cells
    assert copy.read_bytes()[offset : offset + 8] == bytes(8)
    flip(copy, offset)
    (problem,) = problems(copy)
    assert re.fullmatch(
        rf"page {root} of the file \(bytes {(root - 1) * PAGE} to {root * PAGE - 1}(, of meters)?\) "
        r"is not as it was written",
        problem,
    )


def test_a_changed_sum_is_found_too(copy: Path) -> None:
    for offset in (0, 9, 16, 40, sums_of(copy).stat().st_size - 1):
        flip(sums_of(copy), offset)
        report = verify(copy)
        assert not report.ok or report.notes, offset
        flip(sums_of(copy), offset)


def test_pages_that_were_cut_off_or_added_are_found(copy: Path) -> None:
    size = copy.stat().st_size
    with copy.open("ab") as file:
        file.write(bytes(PAGE))
    assert changed(copy) == [size // PAGE + 1]
    os.truncate(copy, size - PAGE)
    assert found(copy)


def test_without_sums_it_is_noted_and_no_problem(copy: Path) -> None:
    sums_of(copy).unlink()
    report = verify(copy)
    assert report.ok
    assert "no sums of its pages are kept beside this file: what holds nothing was not looked at" in report.notes
    ledger_with(copy)  # they are taken when it is next opened
    in_order(copy)


def test_sums_follow_every_checkpoint(store: Store, path: Path) -> None:
    for n in range(12):
        write(store, *(api_call(100 * n + k, instance=f"i-{n}-{k}") for k in range(40)))
        if n % 3 == 0:
            store.checkpoint(idle=True)
        assert changed(path) == []
    store.close()
    assert not log_of(path).exists()
    in_order(path)


def test_a_reader_that_keeps_the_log_from_being_moved_costs_no_sum(store: Store, path: Path) -> None:
    write(store, *(api_call(n) for n in range(50)))
    store.checkpoint(idle=True)
    with closing(open_reader(path)) as reading:
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM transactions").fetchone()
        for n in range(1, 6):
            write(store, *(api_call(50 * n + k) for k in range(50)))
            store.checkpoint(idle=True)
            assert changed(path) == []
    write(store, api_call(9999))
    store.checkpoint(idle=True)
    assert changed(path) == []
    in_order(path)


def test_a_page_that_was_moved_is_looked_at_while_the_log_still_has_it(store: Store, path: Path) -> None:
    write(store, *(api_call(n) for n in range(50)))
    store.checkpoint(idle=True)
    assert log_of(path).stat().st_size > 0
    flip(path, 2 * PAGE + 1000)
    assert changed(path) == [3]
    flip(path, 2 * PAGE + 1000)
    in_order(path)


def test_a_stop_while_somebody_reads_leaves_no_wrong_sum(path: Path) -> None:
    ledger_with(path, *(api_call(n) for n in range(50)))
    store = Store(path)
    store.open()
    write(store, *(api_call(n) for n in range(50, 90)))
    with closing(open_reader(path)) as reading:
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM transactions").fetchone()
        write(store, *(api_call(n) for n in range(90, 130)))
        store.close()
        assert verify(path).ok
    assert verify(path).ok
    ledger_with(path, api_call(500))
    in_order(path)


def test_a_kill_at_any_moment_leaves_no_wrong_sum(path: Path) -> None:
    dice = random.Random(5)
    for turn in range(4):
        command = [sys.executable, "-c", BOOKS_AND_CHECKPOINTS, str(path), str(turn)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(dice.uniform(0.05, 0.4))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        report = verify(path)
        assert report.ok, report.problems
        assert changed(path) == []
    ledger_with(path, api_call(1))
    in_order(path)


BOOKS_AND_CHECKPOINTS = """
import sys
from pathlib import Path
from orchestrator.money.store import Store
from tests.orchestrator.money.bookings import api_call, write
store = Store(Path(sys.argv[1]))
store.open()
n = int(sys.argv[2]) * 1_000_000
while True:
    write(store, *(api_call(n + k) for k in range(60)))
    n += 60
    if n % 180 == 0:
        store.checkpoint(idle=True)
    print(n, flush=True)
"""


def test_sums_are_kept_over_a_crash_in_the_middle_of_moving_the_log(path: Path) -> None:
    """What stands in the log needs no sum: half of its pages may be in the database already, or torn."""
    store = Store(path)
    store.open()
    write(store, *(api_call(n) for n in range(80)))
    store.checkpoint(idle=True)
    write(store, *(api_call(n, instance="other") for n in range(80)))
    files = {each: each.read_bytes() for each in (path, log_of(path), sums_of(path))}
    store.close()
    for each, content in files.items():
        each.write_bytes(content)
    in_log = sorted(page_sums.pages_in_log(path))
    assert len(in_log) > 5
    for page in in_log[::2]:
        with path.open("r+b") as file:
            file.seek((page - 1) * PAGE)
            file.write(os.urandom(2000))
    assert changed(path) == []
    assert verify(path).ok
    ledger_with(path, api_call(1000))
    in_order(path)


def test_a_rolled_back_group_leaves_no_wrong_sum(store: Store, path: Path) -> None:
    write(store, *(api_call(n) for n in range(20)))
    connection = store.connection
    connection.execute("PRAGMA cache_size = 5")  # so that what is not committed spills into the log
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
        " INSERT INTO meters SELECT printf('spilled-%06d-%s', i, hex(randomblob(40))), i FROM n"
    )
    connection.execute("ROLLBACK")
    book(store, api_call(77))
    store.checkpoint(idle=True)
    assert changed(path) == []
    store.close()
    in_order(path)


def test_where_sums_cannot_be_written_there_are_none(store: Store, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book(store, api_call(1))
    store.checkpoint(idle=True)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(page_sums, "_write", full)
        book(store, api_call(2))
        store.checkpoint(idle=True)
    assert not sums_of(path).exists()
    book(store, api_call(3))
    store.checkpoint(idle=True)
    store.close()
    ledger_with(path)
    in_order(path)


def test_a_disk_that_takes_only_a_part_of_the_sums_leaves_none(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book(store, api_call(1))
    store.checkpoint(idle=True)
    whole = os.pwrite

    def partly(descriptor: int, content: bytes, offset: int) -> int:
        return whole(descriptor, content[: len(content) // 2], offset)

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", partly)
        write(store, *(api_call(n) for n in range(2, 100)))
        store.checkpoint(idle=True)
    write(store, *(api_call(n) for n in range(100, 200)))
    store.checkpoint(idle=True)
    assert not sums_of(path).exists()  # nor are some begun anew, which would be wrong of all other pages
    assert verify(path).ok
    store.close()
    ledger_with(path)
    in_order(path)


def test_sums_of_another_ledger_that_was_here_are_not_taken_for_these(path: Path) -> None:
    ledger_with(path, *(api_call(n) for n in range(200)))
    path.unlink()
    ledger_with(path, api_call(1))
    in_order(path)


def test_the_page_that_is_never_used_needs_no_sum(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flip(copy, 6 * PAGE + 50)
    assert changed(copy) == [7]
    monkeypatch.setattr(page_sums, "_LOCK_BYTE", 6 * PAGE)
    assert changed(copy) == []


def test_taking_sums_anew_is_what_recording_gives(store: Store, path: Path) -> None:
    write(store, *(api_call(n) for n in range(300)))
    store.close()
    recorded = sums_of(path).read_bytes()
    take_sums(path)
    assert sums_of(path).read_bytes() == recorded
    with suppress(FileNotFoundError):
        sums_of(path).with_name("ledger.sqlite3-pages.unfinished").stat()
        raise AssertionError
