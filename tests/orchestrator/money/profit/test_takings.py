"""What came is read from a real ledger: of its book, by asset, and for the period in which it was earned."""

from __future__ import annotations

import sqlite3
from datetime import timedelta

from orchestrator.money.profit.takings import Taking, last_sequence, read_takings
from orchestrator.money.store import Store
from streams.booking import Correction, Evidence, Posting
from streams.transfers import Party, transfer
from tests.orchestrator.money.bookings import AFFILIATE, NOON, api_call, book, commission, earned, paid, step

FIRST, SECOND = "api_services-001", "api_services-002"


def test_income_less_cost_comes_by_instance_and_nothing_comes_twice(store: Store, reading: sqlite3.Connection) -> None:
    book(store, api_call(1, units=2000))
    book(store, api_call(2, units=3000))
    fee = (Posting("asset:clearing:sandbox", "USD", -700), Posting(f"cost:fees:{FIRST}", "USD", 700))
    book(store, api_call(3, postings=fee, meters=()))
    book(store, api_call(4, units=10, instance=SECOND))
    found = read_takings(reading, "paper", 0, ())
    assert set(found.items) == {
        Taking("api_services", FIRST, "USD", 0, 4300),
        Taking("api_services", SECOND, "USD", 0, 10),
    }
    assert found.sequence == last_sequence(reading) == 4
    book(store, api_call(5, units=1))
    assert read_takings(reading, "paper", found.sequence, ()).items == (Taking("api_services", FIRST, "USD", 0, 1),)


def test_one_book_says_nothing_of_the_other(store: Store, reading: sqlite3.Connection) -> None:
    book(store, api_call(1, units=2000))
    book(store, api_call(2, units=5, book="live"))
    assert [each.units for each in read_takings(reading, "paper", 0, ()).items] == [2000]
    assert [each.units for each in read_takings(reading, "live", 0, ()).items] == [5]


def test_assets_are_never_added(store: Store, reading: sqlite3.Connection) -> None:
    other = (Posting("asset:clearing:sandbox", "EUR", 9), Posting(f"income:api_services:{FIRST}", "EUR", -9))
    book(store, api_call(1, units=2000))
    book(store, api_call(2, postings=other, meters=()))
    found = {each.asset: each.units for each in read_takings(reading, "paper", 0, ()).items}
    assert found == {"USD": 2000, "EUR": 9}


def test_what_is_pending_counts_when_it_is_posted_and_for_when_it_was_earned(
    store: Store, reading: sqlite3.Connection
) -> None:
    receipt = book(store, commission(units=1000))
    ends = [NOON + timedelta(hours=2), NOON + timedelta(hours=1)]
    found = read_takings(reading, "paper", 0, ends)
    assert found.items == ()
    posted = book(store, step(receipt, "posted", *earned(1000)))
    found = read_takings(reading, "paper", found.sequence, ends)
    assert found.items == (Taking("affiliate_marketing", AFFILIATE, "USD", 2, 1000),)
    book(store, step(posted, "settled", *paid(1000, fee=100)))
    found = read_takings(reading, "paper", found.sequence, ends)
    assert found.items == (Taking("affiliate_marketing", AFFILIATE, "USD", 2, -100),)


def test_a_correction_is_of_the_period_of_what_it_corrects(store: Store, reading: sqlite3.Connection) -> None:
    first = book(store, api_call(1, units=2000))
    back = (Posting("asset:clearing:sandbox", "USD", -500), Posting(f"income:api_services:{FIRST}", "USD", 500))
    late = NOON + timedelta(hours=5)
    book(
        store,
        api_call(
            2,
            postings=back,
            meters=(),
            occurred_at=late,
            corrects=Correction(first.id, "too much"),
        ),
    )
    ends = [NOON + timedelta(hours=1)]
    assert read_takings(reading, "paper", 0, ends).items == (Taking("api_services", FIRST, "USD", 1, 1500),)
    assert read_takings(reading, "paper", 1, ends).items == (Taking("api_services", FIRST, "USD", 1, -500),)


def test_what_instances_earn_of_each_other_is_no_income(store: Store, reading: sqlite3.Connection) -> None:
    sides = transfer(
        "sale",
        kind="dataset.sold",
        book="paper",
        seller=Party("data_harvesting", "data_harvesting-001"),
        buyer=Party("content_monetization", "content_monetization-001"),
        asset="USD",
        units=500,
        occurred_at=NOON,
        evidence=Evidence("dataset.delivery", "sale", b"{}"),
    )
    for side in sides:
        book(store, side)
    assert read_takings(reading, "paper", 0, ()).items == ()


def test_sums_past_64_bits_are_exact(store: Store, reading: sqlite3.Connection) -> None:
    units = 2**62
    for n in range(4):
        book(store, api_call(n, units=units, occurred_at=NOON + timedelta(days=n)))
    assert read_takings(reading, "paper", 0, ()).items == (Taking("api_services", FIRST, "USD", 0, 4 * units),)
