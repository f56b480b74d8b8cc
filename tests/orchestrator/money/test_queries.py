from __future__ import annotations

import sqlite3
from hashlib import sha256
from itertools import chain

import pytest

from orchestrator.money.queries import BadCursor, find_booking, read_entries, read_entry, read_meters
from orchestrator.money.report import EntryEvidence, EntryPosting
from orchestrator.money.store import Store
from streams.booking import Correction, MeterIncrement, Posting
from tests.orchestrator.money.bookings import NOON, api_call, book, commission, earned, paid, step, write


@pytest.fixture
def mixed(store: Store) -> None:
    """Thirty transactions of three instances and two books, taking turns."""
    for n in range(30):
        book(store, api_call(n, instance=f"i-{n % 3}", book="live" if n % 5 == 0 else "paper"))


def all_pages(connection: sqlite3.Connection, **filters: object) -> list[int]:
    found: list[int] = []
    cursor = None
    while True:
        page = read_entries(connection, cursor=cursor, limit=4, **filters)  # type: ignore[arg-type]
        assert len(page.items) <= 4
        found += [entry.sequence for entry in page.items]
        if page.next_cursor is None:
            return found
        cursor = page.next_cursor


@pytest.mark.usefixtures("mixed")
def test_pages_put_together_are_all_entries_once(reading: sqlite3.Connection) -> None:
    assert all_pages(reading) == list(range(1, 31))
    assert all_pages(reading, newest_first=True) == list(range(30, 0, -1))


@pytest.mark.usefixtures("mixed")
def test_entries_are_filtered(reading: sqlite3.Connection) -> None:
    assert all_pages(reading, instance="i-1") == list(range(2, 31, 3))
    assert all_pages(reading, book="live") == list(range(1, 31, 5))
    assert all_pages(reading, book="live", instance="i-0", newest_first=True) == [16, 1]
    assert all_pages(reading, stream="api_services", book="paper") == [n for n in range(1, 31) if n % 5 != 1]
    assert all_pages(reading, stream="other") == []


@pytest.mark.usefixtures("mixed")
def test_an_entry_booked_between_two_pages_comes_at_the_end(store: Store, reading: sqlite3.Connection) -> None:
    page = read_entries(reading, limit=29)
    book(store, api_call(99))
    rest = read_entries(reading, cursor=page.next_cursor)
    assert [entry.sequence for entry in rest.items] == [30, 31]


@pytest.mark.usefixtures("mixed")
def test_the_limit_is_kept_within_bounds(reading: sqlite3.Connection) -> None:
    assert len(read_entries(reading, limit=0).items) == 1
    assert len(read_entries(reading, limit=10**9).items) == 30


def test_a_cursor_from_elsewhere_is_refused(reading: sqlite3.Connection) -> None:
    for cursor in ("", "1", "a", "a'; DROP TABLE", "a" + "f" * 16):
        with pytest.raises(BadCursor):
            read_entries(reading, cursor=cursor)


def test_an_entry_tells_the_whole_transaction(store: Store, reading: sqlite3.Connection) -> None:
    first = book(store, api_call(1))
    receipt = book(store, api_call(2, memo="note", corrects=Correction(first.id, "twice")))
    entry = read_entry(reading, receipt.id)
    assert entry is not None
    assert (entry.id, entry.sequence, entry.book) == (receipt.id, 2, "paper")
    assert (entry.stream, entry.instance) == ("api_services", "api_services-001")
    assert (entry.key, entry.kind, entry.state) == ("call:api_services-001:2", "api.call", "posted")
    assert entry.occurred_at == NOON.replace(second=2)
    assert entry.booked_at == receipt.booked_at
    assert (entry.amount, entry.asset) == ("0.002", "USD")
    assert entry.postings == (
        EntryPosting("asset:clearing:sandbox", "USD", "0.002"),
        EntryPosting("income:api_services:api_services-001", "USD", "-0.002"),
    )
    artefact = api_call(2).evidence.artefact
    assert entry.evidence == EntryEvidence("api.response", "req-2", sha256(artefact).hexdigest())
    assert (entry.memo, entry.corrects, entry.reason) == ("note", first.id, "twice")
    assert len(entry.hash) == 64


def test_an_unknown_entry_is_none(store: Store, reading: sqlite3.Connection) -> None:
    book(store, api_call(1))
    assert read_entry(reading, "tx_" + "0" * 32) is None
    assert read_entry(reading, "nonsense") is None


def test_meters_are_read_by_prefix(store: Store, reading: sqlite3.Connection) -> None:
    names = ["a", "a:1", "a:2", "a:ä", "a:%", "b", "A:1"]
    write(store, api_call(1, meters=tuple(MeterIncrement(name, n) for n, name in enumerate(names))))
    assert read_meters(reading, "a:") == {"a:1": 1, "a:2": 2, "a:ä": 3, "a:%": 4}
    assert set(read_meters(reading, "")) == set(names)
    assert read_meters(reading, "a:%") == {"a:%": 4}


def test_the_amount_is_income_less_cost_in_the_first_asset(store: Store, reading: sqlite3.Connection) -> None:
    legs = (
        *(Posting("asset:a", "USD", 900_000), Posting("asset:a", "EUR", -5)),
        *(Posting("income:a", "USD", -1_000_000), Posting("cost:a", "USD", 100_000), Posting("cost:a", "EUR", 5)),
    )
    entry = read_entry(reading, book(store, api_call(1, postings=legs)).id)
    assert entry is not None
    assert (entry.amount, entry.asset) == ("0.90", "USD")


def test_a_transfer_has_no_amount(store: Store, reading: sqlite3.Connection) -> None:
    moved = (Posting("asset:a", "USD", 5), Posting("asset:b", "USD", -5))
    entry = read_entry(reading, book(store, api_call(1, postings=moved)).id)
    assert entry is not None
    assert (entry.amount, entry.asset) == (None, None)


@pytest.fixture
def states(store: Store) -> None:
    """1 to 9 are pending, 10 to 12 void 1 to 3, 13 to 15 post 4 to 6, 16 settles 13; 17 to 20 are posted at once."""
    pending = [book(store, commission(n, expires_at=NOON.replace(year=2100))) for n in range(9)]
    for each in pending[:3]:
        book(store, step(each, "voided"))
    posted = [book(store, step(each, "posted", *earned(1000))) for each in pending[3:6]]
    book(store, step(posted[0], "settled", *paid(1000)))
    for n in range(4):
        book(store, api_call(n, book="live" if n == 3 else "paper"))


@pytest.mark.usefixtures("states")
def test_entries_are_filtered_by_what_has_become_of_them(reading: sqlite3.Connection) -> None:
    assert all_pages(reading, state="pending") == [7, 8, 9]
    assert all_pages(reading, state="voided", newest_first=True) == [3, 2, 1]
    assert all_pages(reading, state="settled") == [13]
    assert all_pages(reading, state="expired") == all_pages(reading, state="reversed") == []
    assert all_pages(reading, state="posted") == [4, 5, 6, 10, 11, 12, 14, 15, 16, 17, 18, 19, 20]
    assert all_pages(reading, state="posted", newest_first=True)[:2] == [20, 19]
    assert all_pages(reading, state="posted", stream="api_services", book="paper") == [17, 18, 19]
    assert all_pages(reading, state="posted", book="live") == [20]
    assert all_pages(reading, state="pending", stream="api_services") == []
    assert all_pages(reading, state="pending", stream="affiliate_marketing", newest_first=True) == [9, 8, 7]


@pytest.mark.usefixtures("states")
def test_every_entry_has_one_state(reading: sqlite3.Connection) -> None:
    by_state = {
        state: all_pages(reading, state=state)
        for state in ("pending", "posted", "voided", "expired", "settled", "reversed")
    }
    assert sorted(chain.from_iterable(by_state.values())) == all_pages(reading)
    for entry in read_entries(reading, limit=1000).items:
        assert entry.sequence in by_state[entry.state]


@pytest.mark.usefixtures("states")
def test_a_booking_is_found_with_what_has_become_of_it(reading: sqlite3.Connection) -> None:
    found = [find_booking(reading, "paper", commission(n).key) for n in (0, 3, 8)]
    assert [each and each.state for each in found] == ["voided", "posted", "pending"]


@pytest.mark.usefixtures("states")
def test_an_entry_tells_until_when_it_is_pending(reading: sqlite3.Connection) -> None:
    entries = read_entries(reading, limit=20).items
    assert {entry.expires_at for entry in entries[:9]} == {NOON.replace(year=2100)}
    assert {entry.expires_at for entry in entries[9:]} == {None}
