from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.money.instants import from_us, now_us, to_us
from orchestrator.money.queries import find_booking, read_meters
from orchestrator.money.schema import LedgerFileError
from orchestrator.money.store import Store
from orchestrator.money.totals import read_totals
from orchestrator.money.verify import verify
from streams.booking import (
    BookingRejected,
    Correction,
    Evidence,
    KeyConflict,
    LedgerUnavailable,
    MeterIncrement,
    Posting,
    Receipt,
)
from streams.money import MAX_UNITS
from tests.orchestrator.money.bookings import NOON, api_call, book, write


def test_a_booking_gets_the_next_place_in_the_chain(store: Store) -> None:
    first, second = write(store, api_call(1), api_call(2))
    assert isinstance(first, Receipt)
    assert isinstance(second, Receipt)
    assert (first.sequence, second.sequence, book(store, api_call(3)).sequence) == (1, 2, 3)
    assert first.id != second.id
    assert not first.replayed


def test_the_same_booking_again_gets_the_same_receipt_and_changes_nothing(
    store: Store, reading: sqlite3.Connection
) -> None:
    receipt = book(store, api_call(1))
    again = book(store, api_call(1))
    assert again == Receipt(receipt.id, receipt.sequence, receipt.booked_at, replayed=True)
    assert read_meters(reading, "") == {"calls:ak_1:2026-01": 1}
    assert [item.amount for item in read_totals(reading, "paper").items] == ["0.002"]
    assert book(store, api_call(2)).sequence == 2


def test_the_same_booking_twice_in_a_group_is_booked_once(store: Store, reading: sqlite3.Connection) -> None:
    first, second, third = write(store, api_call(1), api_call(1), api_call(2))
    assert isinstance(first, Receipt)
    assert second == Receipt(first.id, 1, first.booked_at, replayed=True)
    assert isinstance(third, Receipt)
    assert third.sequence == 2
    assert read_meters(reading, "calls:") == {"calls:ak_1:2026-01": 2}


def test_a_key_is_bound_to_its_body(store: Store) -> None:
    book(store, api_call(1, units=2000))
    other, good, same_group = write(store, api_call(1, units=2001), api_call(2, units=5), api_call(2, units=6))
    assert isinstance(other, KeyConflict)
    assert "call:api_services-001:1" in str(other)
    assert isinstance(good, Receipt)
    assert isinstance(same_group, KeyConflict)


def test_when_it_happened_memo_and_meters_are_not_part_of_the_body(store: Store) -> None:
    book(store, api_call(1))
    later = api_call(1, occurred_at=NOON + timedelta(days=1), memo="again", meters=(MeterIncrement("m", 1),))
    assert book(store, later).replayed


def test_books_are_apart(store: Store, reading: sqlite3.Connection) -> None:
    paper, live = book(store, api_call(1)), book(store, api_call(1, book="live", units=7000))
    assert paper.id != live.id
    assert [item.amount for item in read_totals(reading, "paper").items] == ["0.002"]
    assert [item.amount for item in read_totals(reading, "live").items] == ["0.007"]


def test_a_booking_that_cannot_be_held_harms_no_other_of_its_group(store: Store, path: Path) -> None:
    huge = (Posting("asset:a", "USD", MAX_UNITS), Posting("income:a", "USD", -MAX_UNITS))
    bookings = [api_call(n) for n in range(20)]
    bookings[7] = api_call(7, postings=huge)
    bookings[13] = api_call(13, postings=huge)
    outcomes = write(store, *bookings)
    rejected = [n for n, outcome in enumerate(outcomes) if isinstance(outcome, BookingRejected)]
    assert rejected == [13]  # the balance holds the one, not both
    sequences = [outcome.sequence for outcome in outcomes if isinstance(outcome, Receipt)]
    assert sequences == list(range(1, 20))
    report = verify(path)
    assert (report.ok, report.transactions) == (True, 19)


def test_a_meter_out_of_range_is_rejected(store: Store) -> None:
    book(store, api_call(1, meters=(MeterIncrement("m", MAX_UNITS),)))
    (outcome,) = write(store, api_call(2, meters=(MeterIncrement("m", 1),)))
    assert isinstance(outcome, BookingRejected)


def test_a_correction_names_what_it_corrects(store: Store, path: Path) -> None:
    wrong = book(store, api_call(1))
    back = (Posting("asset:clearing:sandbox", "USD", -2000), Posting("income:x:y", "USD", 2000))
    right = api_call(2, kind="correction", postings=back, corrects=Correction(wrong.id, "charged twice"))
    assert book(store, right).sequence == 2
    assert verify(path).ok


def test_a_correction_may_follow_in_the_same_group(store: Store, path: Path) -> None:
    wrong = book(store, api_call(0))
    outcomes = write(
        store, api_call(1, corrects=Correction(wrong.id, "a")), api_call(2, corrects=Correction(wrong.id, "b"))
    )
    assert all(isinstance(outcome, Receipt) for outcome in outcomes)
    assert verify(path).ok


def test_what_is_not_in_the_book_cannot_be_corrected(store: Store) -> None:
    live = book(store, api_call(1, book="live"))
    for unknown in (live.id, "tx_" + "0" * 32):
        (outcome,) = write(store, api_call(2, corrects=Correction(unknown, "r")))
        assert isinstance(outcome, BookingRejected)
        assert f"the book paper has no transaction {unknown}" in str(outcome)


def test_the_time_of_booking_never_goes_back(path: Path) -> None:
    clock = iter([to_us(NOON), to_us(NOON) - 3_600_000_000, to_us(NOON) + 1])
    store = Store(path, clock=lambda: next(clock))
    store.open()
    times = [to_us(book(store, api_call(n)).booked_at) - to_us(NOON) for n in range(3)]
    store.close()
    assert times == [0, 0, 1]


def test_a_replayed_receipt_tells_when_it_was_first_booked(path: Path) -> None:
    clock = iter([1_800_000_000_000_000, 1_900_000_000_000_000])
    store = Store(path, clock=lambda: next(clock))
    store.open()
    book(store, api_call(1))
    assert book(store, api_call(1)).booked_at == from_us(1_800_000_000_000_000)
    store.close()


def test_a_second_writer_is_kept_out(store: Store, path: Path) -> None:
    with pytest.raises(LedgerFileError, match="another process books in it"):
        Store(path).open()
    assert book(store, api_call(1)).sequence == 1


def test_a_closed_store_lets_the_next_one_in_and_says_that_it_is_closed(path: Path) -> None:
    store = Store(path)
    store.open()
    store.close()
    store.close()
    with pytest.raises(LedgerFileError, match="is not open"):
        write(store, api_call(1))
    other = Store(path)
    other.open()
    assert book(other, api_call(1)).sequence == 1
    other.close()


def test_a_full_disk_fails_the_whole_group_and_heals(store: Store, path: Path) -> None:
    book(store, api_call(0))
    (pages,) = store.connection.execute("PRAGMA page_count").fetchone()
    store.connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()
    with pytest.raises(sqlite3.OperationalError, match="full"):
        write(store, *(api_call(n) for n in range(1, 400)))
    assert verify(path).transactions == 1
    store.connection.execute("PRAGMA max_page_count = 1000000").fetchone()
    outcomes = write(store, *(api_call(n) for n in range(1, 400)))
    assert [outcome.sequence for outcome in outcomes if isinstance(outcome, Receipt)] == list(range(2, 401))
    report = verify(path)
    assert (report.ok, report.transactions) == (True, 400)


def test_a_disk_that_fills_up_between_the_parts_of_a_group_refuses_only_what_is_not_booked(path: Path) -> None:
    huge = (Posting("asset:a", "USD", MAX_UNITS), Posting("income:a", "USD", -MAX_UNITS))
    large = Evidence("api.response", "req", bytes(200_000))
    bookings = [api_call(n, evidence=large) if n >= 10 else api_call(n) for n in range(20)]
    bookings[7] = api_call(7, postings=huge)
    bookings[13] = api_call(13, postings=huge)
    transactions_begun = 0

    def clock() -> int:
        nonlocal transactions_begun
        transactions_begun += 1
        if transactions_begun == 3:  # the whole group and its first half were tried
            (pages,) = store.connection.execute("PRAGMA page_count").fetchone()
            store.connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()
        return now_us()

    store = Store(path, clock)
    store.open()
    outcomes = write(store, *bookings)
    assert [type(outcome) for outcome in outcomes] == [Receipt] * 10 + [LedgerUnavailable] * 10
    assert verify(path).transactions == 10
    store.connection.execute("PRAGMA max_page_count = 1000000").fetchone()
    assert book(store, bookings[10]).sequence == 11
    store.close()
    assert verify(path).ok


def test_a_name_that_was_new_in_a_failed_group_is_still_new(store: Store, path: Path) -> None:
    (pages,) = store.connection.execute("PRAGMA page_count").fetchone()
    store.connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()
    with pytest.raises(sqlite3.OperationalError):
        write(store, *(api_call(n, instance="first") for n in range(400)))
    store.connection.execute("PRAGMA max_page_count = 1000000").fetchone()
    book(store, api_call(1, instance="second"))
    book(store, api_call(1, instance="first"))
    assert verify(path).ok


def test_a_commit_that_reports_an_error_though_it_was_made_is_found_to_be_made(store: Store, path: Path) -> None:
    class CommitsThenFails(sqlite3.Connection):
        def execute(self, sql: str, *parameters: object) -> sqlite3.Cursor:
            cursor = super().execute(sql, *parameters)  # type: ignore[arg-type]
            if sql == "COMMIT":
                raise sqlite3.OperationalError("disk I/O error")
            return cursor

    class FailsToCommit(sqlite3.Connection):
        def execute(self, sql: str, *parameters: object) -> sqlite3.Cursor:
            if sql == "COMMIT":
                raise sqlite3.OperationalError("disk I/O error")
            return super().execute(sql, *parameters)  # type: ignore[arg-type]

    ordinary = store.connection
    store._connection = sqlite3.connect(path, isolation_level=None, factory=CommitsThenFails)
    assert book(store, api_call(1)).sequence == 1
    store._connection.close()
    store._connection = sqlite3.connect(path, isolation_level=None, factory=FailsToCommit)
    with pytest.raises(sqlite3.OperationalError, match="I/O"):
        book(store, api_call(2))
    store._connection.close()
    store._connection = ordinary
    assert book(store, api_call(3)).sequence == 2
    report = verify(path)
    assert (report.ok, report.transactions) == (True, 2)


def test_the_log_is_moved_into_the_database_when_there_is_time(store: Store, path: Path) -> None:
    book(store, api_call(1))
    before = path.stat().st_size
    store.checkpoint()
    assert path.stat().st_size == before  # too little to bother
    store.checkpoint(idle=True)
    assert path.stat().st_size > before


def test_a_booking_is_found_by_its_key(store: Store, reading: sqlite3.Connection) -> None:
    receipt = book(store, api_call(1))
    booked = find_booking(reading, "paper", api_call(1).key)
    assert booked is not None
    assert booked.receipt == Receipt(receipt.id, 1, receipt.booked_at, replayed=True)
    assert booked.evidence == api_call(1).evidence
    assert find_booking(reading, "live", api_call(1).key) is None
    assert find_booking(reading, "paper", "other") is None
