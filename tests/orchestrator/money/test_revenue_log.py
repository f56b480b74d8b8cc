from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from orchestrator.money.revenue_log import FILE_NAME, RevenueLogs
from orchestrator.money.store import Store
from streams.booking import Posting
from tests.orchestrator.money.bookings import (
    AFFILIATE,
    api_call,
    book,
    commission,
    earned,
    ledger_with,
    paid,
    step,
    taken_back,
    usd,
    write,
)

ONE = "api_services-001"
TWO = "api_services-002"


@pytest.fixture
def instances(tmp_path: Path) -> Path:
    for name in (ONE, TWO):
        (tmp_path / "instances" / name).mkdir(parents=True)
    return tmp_path / "instances"


def lines(instances: Path, instance: str = ONE) -> list[list[str]]:
    text = (instances / instance / FILE_NAME).read_text()
    assert text.endswith("\n") or not text
    return [line.split("\t") for line in text.splitlines()]


def sequences(instances: Path, instance: str = ONE) -> list[int]:
    return [int(line[2]) for line in lines(instances, instance)]


def test_a_line_tells_a_booking(store: Store, reading: sqlite3.Connection, instances: Path) -> None:
    receipt = book(store, api_call(7))
    RevenueLogs(instances).bring_up_to_date(reading)
    when = receipt.booked_at.isoformat(timespec="microseconds").replace("+00:00", "Z")
    assert lines(instances) == [[when, receipt.id, "1", "paper", "api.call", "0.002", "USD", "req-7"]]


def test_costs_are_negative_and_transfers_have_no_amount(
    store: Store, reading: sqlite3.Connection, instances: Path
) -> None:
    cost = (Posting("cost:cpu", "USD", 5_000_000), Posting("liability:host", "USD", -5_000_000))
    moved = (Posting("asset:a", "BTC", 5), Posting("asset:b", "BTC", -5))
    mixed = (
        *(Posting("asset:a", "USD", 900_000), Posting("asset:a", "EUR", -5)),
        *(Posting("income:a", "USD", -1_000_000), Posting("cost:a", "USD", 100_000), Posting("cost:a", "EUR", 5)),
    )
    write(store, api_call(1, postings=cost), api_call(2, postings=moved), api_call(3, postings=mixed))
    RevenueLogs(instances).bring_up_to_date(reading)
    assert [line[2] for line in lines(instances)] == ["1", "2", "3"]
    assert [line[5:7] for line in lines(instances)] == [["-5.00", "USD"], ["", ""], ["0.90", "USD"]]


def test_each_instance_has_its_own_log_and_both_books_are_in_it(
    store: Store, reading: sqlite3.Connection, instances: Path
) -> None:
    write(store, *(api_call(n, instance=(ONE, TWO)[n % 2]) for n in range(4)), api_call(9, book="live"))
    assert RevenueLogs(instances).bring_up_to_date(reading) == 5
    assert sequences(instances, ONE) == [1, 3, 5]
    assert sequences(instances, TWO) == [2, 4]
    assert [line[3] for line in lines(instances)] == ["paper", "paper", "live"]


def test_a_log_is_private(store: Store, reading: sqlite3.Connection, instances: Path) -> None:
    book(store, api_call(1))
    RevenueLogs(instances).bring_up_to_date(reading)
    assert stat.S_IMODE((instances / ONE / FILE_NAME).stat().st_mode) == 0o600


def test_only_what_is_new_is_appended(store: Store, reading: sqlite3.Connection, instances: Path) -> None:
    logs = RevenueLogs(instances)
    write(store, *(api_call(n) for n in range(3)))
    assert logs.bring_up_to_date(reading) == 3
    assert logs.bring_up_to_date(reading) == 0
    write(store, *(api_call(n) for n in range(3, 2500)))
    assert logs.bring_up_to_date(reading, {ONE, "unknown"}) == 2497
    assert sequences(instances) == list(range(1, 2501))


def test_only_the_instances_asked_for_are_written(store: Store, reading: sqlite3.Connection, instances: Path) -> None:
    write(store, api_call(1), api_call(2, instance=TWO))
    assert RevenueLogs(instances).bring_up_to_date(reading, {TWO}) == 1
    assert not (instances / ONE / FILE_NAME).exists()


def test_after_a_crash_the_missing_lines_are_caught_up(
    store: Store, reading: sqlite3.Connection, instances: Path
) -> None:
    write(store, *(api_call(n) for n in range(5)))
    RevenueLogs(instances).bring_up_to_date(reading)
    whole = (instances / ONE / FILE_NAME).read_bytes()
    (instances / ONE / FILE_NAME).write_bytes(b"".join(whole.splitlines(keepends=True)[:2]))
    RevenueLogs(instances).bring_up_to_date(reading)
    assert (instances / ONE / FILE_NAME).read_bytes() == whole


def test_a_last_line_torn_anywhere_is_repaired(store: Store, reading: sqlite3.Connection, instances: Path) -> None:
    write(store, *(api_call(n) for n in range(2)))
    RevenueLogs(instances).bring_up_to_date(reading)
    log = instances / ONE / FILE_NAME
    whole = log.read_bytes()
    for size in range(len(whole)):
        log.write_bytes(whole[:size])
        RevenueLogs(instances).bring_up_to_date(reading)
        assert log.read_bytes() == whole, size


@pytest.mark.parametrize("rubbish", [b"\0" * 500, b"\xff\n", b"a note\n\n", b"x\ty\tz\n", b"\t" * 7 + b"\n"])
def test_rubbish_at_the_end_is_cut_off(
    store: Store, reading: sqlite3.Connection, instances: Path, rubbish: bytes
) -> None:
    write(store, *(api_call(n) for n in range(2)))
    RevenueLogs(instances).bring_up_to_date(reading)
    log = instances / ONE / FILE_NAME
    whole = log.read_bytes()
    log.write_bytes(whole + rubbish)
    book(store, api_call(2))
    RevenueLogs(instances).bring_up_to_date(reading)
    assert log.read_bytes().startswith(whole)
    assert sequences(instances) == [1, 2, 3]


def test_the_log_of_another_ledger_is_kept_aside(store: Store, reading: sqlite3.Connection, instances: Path) -> None:
    """As after a restore of an older backup, or a fresh start in an old home."""
    other = instances.parent / "other.sqlite3"
    ledger_with(other, *(api_call(n) for n in range(10, 15)))
    log = instances / ONE / FILE_NAME
    elsewhere = Store(other)
    elsewhere.open()
    RevenueLogs(instances).bring_up_to_date(elsewhere.connection)
    elsewhere.close()
    old = log.read_bytes()
    book(store, api_call(1))
    RevenueLogs(instances).bring_up_to_date(reading)
    assert sequences(instances) == [1]
    assert log.with_name(f"{FILE_NAME}.superseded").read_bytes() == old


def test_an_instance_that_has_gone_has_no_log_until_it_is_back(
    store: Store, reading: sqlite3.Connection, instances: Path
) -> None:
    logs = RevenueLogs(instances)
    book(store, api_call(1, instance="gone"))
    assert logs.bring_up_to_date(reading) == 0
    assert not (instances / "gone").exists()
    (instances / "gone").mkdir()
    assert logs.bring_up_to_date(reading) == 1
    assert sequences(instances, "gone") == [1]


def test_a_log_moved_away_is_begun_anew_with_the_next_line(
    store: Store, reading: sqlite3.Connection, instances: Path
) -> None:
    logs = RevenueLogs(instances)
    book(store, api_call(1))
    logs.bring_up_to_date(reading)
    (instances / ONE / FILE_NAME).rename(instances / ONE / "revenue_log.1.txt")
    book(store, api_call(2))
    logs.bring_up_to_date(reading)
    assert sequences(instances) == [2]
    book(store, api_call(3))
    RevenueLogs(instances).bring_up_to_date(reading)
    assert sequences(instances) == [2, 3]


def test_a_link_or_a_pipe_in_place_of_a_log_is_not_followed(
    store: Store, reading: sqlite3.Connection, instances: Path, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (instances / ONE / FILE_NAME).symlink_to(precious)
    os.mkfifo(instances / TWO / FILE_NAME)
    write(store, api_call(1), api_call(2, instance=TWO))
    logs = RevenueLogs(instances)
    with pytest.raises(OSError, match="symbolic links"):
        logs.bring_up_to_date(reading, {ONE})
    with pytest.raises(OSError, match="not a regular file"):
        logs.bring_up_to_date(reading, {TWO})
    assert precious.read_text() == "precious"


def test_one_log_that_cannot_be_written_leaves_the_others_up_to_date(
    store: Store, reading: sqlite3.Connection, instances: Path
) -> None:
    logs = RevenueLogs(instances)
    (instances / ONE / FILE_NAME).mkdir()
    write(store, api_call(1), api_call(2, instance=TWO))
    with pytest.raises(OSError, match=FILE_NAME):
        logs.bring_up_to_date(reading)
    assert sequences(instances, TWO) == [2]
    (instances / ONE / FILE_NAME).rmdir()
    assert logs.bring_up_to_date(reading) == 1
    assert sequences(instances, ONE) == [1]


def test_what_is_pending_is_no_revenue_and_each_step_is_said(
    store: Store, reading: sqlite3.Connection, instances: Path
) -> None:
    (instances / AFFILIATE).mkdir()
    pending = book(store, commission(1, 1_000_000))
    posted = book(store, step(pending, "posted", *earned(900_000)))
    book(store, step(posted, "settled", *paid(900_000, fee=10_000)))
    book(store, step(posted, "reversed", *taken_back(300_000)))
    moved = book(store, commission(2, postings=(usd("asset:a", 5), usd("asset:b", -5))))
    book(store, step(moved, "voided"))
    book(store, commission(3, state="posted"))
    assert RevenueLogs(instances).bring_up_to_date(reading) == 7
    assert [line[5:7] + line[8:] for line in lines(instances, AFFILIATE)] == [
        ["", "", "pending 1.00 USD"],
        ["0.90", "USD", f"posted {pending.id}"],
        ["-0.01", "USD", f"settled {posted.id}"],
        ["-0.30", "USD", f"reversed {posted.id}"],
        ["", "", "pending"],
        ["", "", f"voided {moved.id}"],
        ["0.001", "USD"],
    ]


def test_a_log_that_ends_with_a_step_is_gone_on_with(
    store: Store, reading: sqlite3.Connection, instances: Path
) -> None:
    (instances / AFFILIATE).mkdir()
    book(store, step(book(store, commission(1)), "voided"))
    RevenueLogs(instances).bring_up_to_date(reading)
    before = (instances / AFFILIATE / FILE_NAME).read_bytes()
    book(store, commission(2))
    assert RevenueLogs(instances).bring_up_to_date(reading) == 1
    assert (instances / AFFILIATE / FILE_NAME).read_bytes().startswith(before)
    assert sequences(instances, AFFILIATE) == [1, 2, 3]
