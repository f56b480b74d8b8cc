"""What becomes of bookings: each step once, in an order that makes sense, with postings that fit."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.money.chain import id_text, transaction_id
from orchestrator.money.instants import to_us
from orchestrator.money.queries import read_entry
from orchestrator.money.report import Entry
from orchestrator.money.schema import open_reader
from orchestrator.money.store import Store
from orchestrator.money.totals import read_totals
from orchestrator.money.verify import verify
from streams.booking import Book, BookingRejected, Correction, KeyConflict, Posting, Receipt
from tests.orchestrator.money.bookings import (
    BANK,
    DUE,
    EARNED,
    FEE,
    NOON,
    api_call,
    book,
    commission,
    earned,
    paid,
    step,
    taken_back,
    usd,
    write,
)


class Clock:
    """The wall clock; it shows what it was set to."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> int:
        return to_us(self.now)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(path: Path, clock: Clock) -> Iterator[Store]:
    """A store whose ledger must verify at the end of every test."""
    store = Store(path, clock)
    store.open()
    yield store
    store.close()
    report = verify(path)
    assert report.ok, report.problems


def rejection(store: Store, booking: Book) -> str:
    (outcome,) = write(store, booking)
    assert isinstance(outcome, BookingRejected), outcome
    assert not isinstance(outcome, KeyConflict), outcome
    return str(outcome)


def entry_of(connection: sqlite3.Connection, receipt: Receipt) -> Entry:
    entry = read_entry(connection, receipt.id)
    assert entry is not None
    return entry


def income(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the paper book's income by state."""
    return {item.state: item.amount for item in read_totals(connection, "paper").items if item.kind == "income"}


def balance(store: Store, account: str, state: str = "posted") -> int:
    (units,) = store.connection.execute(
        "SELECT sum(units) FROM balances JOIN accounts ON accounts.id = account WHERE name = ? AND state = ?",
        (account, state),
    ).fetchone()
    return int(units or 0)


def test_what_is_pending_is_expected_but_not_earned(store: Store, reading: sqlite3.Connection) -> None:
    pending = book(store, commission(units=1_250_000))
    assert income(reading) == {"pending": "1.25"}
    entry = entry_of(reading, pending)
    assert (entry.state, entry.counts_as, entry.amount, entry.steps) == ("pending", "pending", "1.25", ())


def test_posting_all_of_it_earns_it_and_leaves_nothing_pending(store: Store, reading: sqlite3.Connection) -> None:
    pending = book(store, commission(units=1_250_000))
    posted = book(store, step(pending, "posted", *earned(1_250_000)))
    assert income(reading) == {"posted": "1.25"}
    assert balance(store, DUE, "pending") == balance(store, EARNED, "pending") == 0
    before, after = entry_of(reading, pending), entry_of(reading, posted)
    assert (before.state, before.counts_as) == ("posted", None)
    assert [(taken.outcome, taken.transaction, taken.reason) for taken in before.steps] == [
        ("posted", posted.id, "the network says posted")
    ]
    assert (after.state, after.counts_as) == ("posted", "posted")
    assert after.resolves is not None
    assert (after.resolves.transaction, after.resolves.outcome) == (pending.id, "posted")


def test_posting_a_part_releases_the_rest(store: Store, reading: sqlite3.Connection) -> None:
    pending = book(store, commission(units=1_250_000))
    book(store, step(pending, "posted", *earned(1_000_000)))
    assert income(reading) == {"posted": "1.00"}
    assert balance(store, DUE) == 1_000_000


@pytest.mark.parametrize("outcome", ["voided", "expired"])
def test_what_comes_to_nothing_is_released(
    store: Store, reading: sqlite3.Connection, clock: Clock, outcome: str
) -> None:
    pending = book(store, commission(expires_at=NOON + timedelta(days=30)))
    clock.now += timedelta(days=31)
    resolved = book(store, step(pending, outcome))
    assert income(reading) == {}
    assert (entry_of(reading, pending).state, entry_of(reading, pending).counts_as) == (outcome, None)
    assert (entry_of(reading, resolved).state, entry_of(reading, resolved).amount) == ("posted", None)


def test_it_is_released_on_the_day_it_was_expected(store: Store, reading: sqlite3.Connection) -> None:
    pending = book(store, commission(units=1000))
    book(store, step(pending, "posted", *earned(400)))  # a day later
    assert [(item.day, item.state, item.amount) for item in read_totals(reading, "paper", "day").items] == [
        ("2026-02-01", "posted", "0.0004")
    ]


@pytest.mark.parametrize("first", ["posted", "voided", "expired"])
@pytest.mark.parametrize("second", ["posted", "voided", "expired"])
def test_a_pending_one_is_resolved_once(store: Store, clock: Clock, first: str, second: str) -> None:
    pending = book(store, commission(expires_at=NOON))
    legs = {"posted": earned(1000)}
    if first == "posted":
        clock.now -= timedelta(seconds=1)
        pending = book(store, commission(2, expires_at=NOON + timedelta(seconds=1)))
    resolved = book(store, step(pending, first, *legs.get(first, ())))
    clock.now += timedelta(days=1)
    said = rejection(store, step(pending, second, *legs.get(second, ()), key="another"))
    assert said == f"{pending.id} cannot be {second}: it is {first} already, by {resolved.id}"


def test_what_has_expired_cannot_be_posted_but_voided(store: Store, clock: Clock) -> None:
    pending = book(store, commission(expires_at=NOON + timedelta(days=1)))
    clock.now = NOON + timedelta(days=1)
    said = rejection(store, step(pending, "posted", *earned(1000)))
    assert said == (
        f"{pending.id} cannot be posted: it was pending until 2026-02-01T12:00:00+00:00, and that has passed"
    )
    book(store, step(pending, "voided"))


def test_it_can_be_posted_until_the_last_microsecond(store: Store, clock: Clock) -> None:
    pending = book(store, commission(expires_at=NOON + timedelta(days=1)))
    clock.now = NOON + timedelta(days=1, microseconds=-1)
    assert "it is pending until 2026-02-01T12:00:00+00:00" in rejection(store, step(pending, "expired"))
    book(store, step(pending, "posted", *earned(1000)))


def test_what_never_expires_is_not_expired(store: Store) -> None:
    pending = book(store, commission())
    assert "it is pending and never expires" in rejection(store, step(pending, "expired"))


def test_a_clock_that_was_set_back_does_not_bring_back_what_expired(store: Store, clock: Clock) -> None:
    pending = book(store, commission(expires_at=NOON + timedelta(days=1)))
    clock.now = NOON + timedelta(days=2)
    book(store, api_call(1))
    clock.now = NOON
    assert "that has passed" in rejection(store, step(pending, "posted", *earned(1000)))


@pytest.mark.parametrize(
    ("legs", "said"),
    [
        (earned(1001), "0.001001 USD on asset:.* is to be posted where 0.001 USD on asset:.* is pending"),
        (earned(-1), "-0.000001 USD on asset:.* is to be posted where 0.001 USD"),
        (earned(0), "nothing of it would be posted; void it"),
        ((usd(BANK, 5), usd(EARNED, -5)), "0.000005 USD on asset:bank is to be posted where 0.00 USD on asset:bank"),
        ((Posting(DUE, "EUR", 5), Posting(EARNED, "EUR", -5)), "EUR on .* where 0.00 EUR"),
        ((*earned(600), *earned(600)), "0.0012 USD"),
    ],
)
def test_only_what_was_pending_is_posted(store: Store, legs: tuple[Posting, ...], said: str) -> None:
    pending = book(store, commission(units=1000))
    assert re.search(said, rejection(store, step(pending, "posted", *legs)))


def test_what_is_settled_stays_earned_and_is_no_longer_due(store: Store, reading: sqlite3.Connection) -> None:
    pending = book(store, commission(units=1000))
    posted = book(store, step(pending, "posted", *earned(900)))
    settled = book(store, step(posted, "settled", *paid(900, fee=50)))
    assert income(reading) == {"posted": "0.0009"}
    assert (balance(store, DUE), balance(store, BANK), balance(store, FEE)) == (0, 850, 50)
    assert [entry_of(reading, each).state for each in (pending, posted, settled)] == ["posted", "settled", "posted"]
    assert entry_of(reading, posted).counts_as == "posted"
    assert entry_of(reading, settled).amount == "-0.00005"


def test_what_was_posted_at_once_is_settled_and_reversed_too(store: Store, reading: sqlite3.Connection) -> None:
    posted = book(store, commission(state="posted"))
    book(store, step(posted, "settled", *paid(1000)))
    book(store, step(posted, "reversed", *taken_back(300)))
    assert income(reading) == {"posted": "0.0007"}
    assert balance(store, DUE) == -300  # the network will take it from what it pays next
    entry = entry_of(reading, posted)
    assert (entry.state, entry.amount) == ("reversed", "0.001")
    assert [taken.outcome for taken in entry.steps] == ["settled", "reversed"]


def test_a_reversal_is_a_negative_line_and_what_was_paid_stays_as_it_was(
    store: Store, reading: sqlite3.Connection
) -> None:
    posted = book(store, commission(state="posted"))
    before = entry_of(reading, posted)
    reversal = book(store, step(posted, "reversed", *taken_back(1000)))
    after = entry_of(reading, posted)
    assert entry_of(reading, reversal).amount == "-0.001"
    assert (after.postings, after.hash, after.amount) == (before.postings, before.hash, before.amount)
    assert income(reading) == {"posted": "0.00"}


def test_after_the_payout_it_may_be_taken_from_where_that_went(store: Store) -> None:
    posted = book(store, commission(state="posted"))
    assert "is no inverse" in rejection(store, step(posted, "reversed", *taken_back(10, BANK)))
    book(store, step(posted, "settled", *paid(1000, fee=100)))
    assert "is no inverse" in rejection(store, step(posted, "reversed", *taken_back(901, BANK)))
    book(store, step(posted, "reversed", *taken_back(900, BANK)))
    assert balance(store, BANK) == 0


def test_what_is_left_of_a_reversed_one_may_still_be_settled(store: Store, reading: sqlite3.Connection) -> None:
    posted = book(store, commission(state="posted"))
    book(store, step(posted, "reversed", *taken_back(300)))
    assert "-0.000701 USD on asset:receivable" in rejection(store, step(posted, "settled", *paid(701)))
    book(store, step(posted, "settled", *paid(700)))
    assert balance(store, DUE) == 0
    assert entry_of(reading, posted).state == "settled"


@pytest.mark.parametrize(
    ("outcome", "legs", "said"),
    [
        ("settled", paid(1001), "-0.001001 USD on asset:.* is to be moved where 0.001 USD on asset:.* is due"),
        ("settled", (usd(DUE, 1), usd(BANK, -1)), "0.000001 USD on asset:.* is to be moved where"),
        ("settled", (usd(DUE, -9), usd(EARNED, 9)), "a settlement .* does not touch income:"),
        ("settled", (*paid(9), usd(FEE, -1), usd(BANK, 1)), "-0.000001 USD on cost:.* lowers a cost"),
        ("settled", (usd("asset:receivable:x", -9), usd(BANK, 9)), "it put nothing on asset:receivable:x"),
        ("settled", (usd("asset:x", -9), usd(BANK, 9)), "nothing that it left due would be moved"),
        ("reversed", taken_back(1001), "-0.001001 USD on asset:.* is no inverse of the 0.001 USD"),
        ("reversed", earned(5), "0.000005 USD on asset:.* is no inverse"),
        ("reversed", taken_back(5, BANK), "-0.000005 USD on asset:bank is no inverse of the 0.00 USD"),
        ("reversed", taken_back(0), "nothing of it would be taken back"),
        ("posted", earned(5), "it was posted at once, and there is nothing to resolve"),
        ("voided", (), "it was posted at once, and there is nothing to resolve"),
    ],
)
def test_a_step_that_does_not_fit_is_rejected(store: Store, outcome: str, legs: tuple[Posting, ...], said: str) -> None:
    posted = book(store, commission(state="posted", units=1000))
    assert re.search(f"cannot be {outcome}: {said}", rejection(store, step(posted, outcome, *legs)))


@pytest.mark.parametrize("outcome", ["settled", "reversed"])
def test_what_is_not_posted_is_neither_settled_nor_reversed(store: Store, outcome: str) -> None:
    legs = {"settled": paid(10), "reversed": taken_back(10)}[outcome]
    pending = book(store, commission())
    assert rejection(store, step(pending, outcome, *legs)).endswith("it is pending")
    void = book(store, step(pending, "voided"))
    assert rejection(store, step(pending, outcome, *legs)).endswith("it is voided")
    assert rejection(store, step(void, outcome, *legs)).endswith(f"by it, {pending.id} was voided")
    other = book(store, commission(2))
    posted = book(store, step(other, "posted", *earned(1000)))
    said = rejection(store, step(other, outcome, *legs))
    assert said.endswith(f"it was pending and is posted by {posted.id}: name that one")


@pytest.mark.parametrize(("outcome", "legs"), [("settled", paid(10)), ("reversed", taken_back(10))])
def test_settled_and_reversed_once_each(store: Store, outcome: str, legs: tuple[Posting, ...]) -> None:
    posted = book(store, commission(state="posted"))
    taken = book(store, step(posted, outcome, *legs))
    said = rejection(store, step(posted, outcome, *legs, key="again"))
    assert said == f"{posted.id} cannot be {outcome}: it is {outcome} already, by {taken.id}"
    assert f"by it, {posted.id} was {outcome}" in rejection(store, step(taken, "reversed", *earned(10)))


def test_a_step_is_in_the_book_of_its_target_and_by_its_instance(store: Store) -> None:
    nowhere = f"tx_{'0' * 32}"
    assert rejection(store, step(nowhere, "voided")) == f"the book paper has no transaction {nowhere}"
    pending = book(store, commission())
    assert rejection(store, step(pending, "voided", book="live")) == f"the book live has no transaction {pending.id}"
    said = rejection(store, step(pending, "voided", instance="affiliate_marketing-002"))
    assert "it is of affiliate_marketing-001 (affiliate_marketing), not of affiliate_marketing-002" in said


def test_the_same_step_again_is_the_same_receipt(store: Store, clock: Clock) -> None:
    pending = book(store, commission(expires_at=NOON + timedelta(days=1)))
    again = book(store, commission(expires_at=NOON + timedelta(days=1)))
    assert (again.id, again.replayed) == (pending.id, True)
    posting = step(pending, "posted", *earned(1000))
    posted = book(store, posting)
    clock.now += timedelta(days=9)
    again = book(store, posting)
    assert (again.id, again.sequence, again.replayed) == (posted.id, posted.sequence, True)


@pytest.mark.parametrize(
    "other",
    [
        {"state": "posted", "expires_at": None},
        {"expires_at": None},
        {"expires_at": NOON + timedelta(days=2)},
    ],
)
def test_a_key_is_bound_to_state_and_expiry(store: Store, other: dict[str, Any]) -> None:
    book(store, commission(expires_at=NOON + timedelta(days=1)))
    (outcome,) = write(store, commission(**{"expires_at": NOON + timedelta(days=1), **other}))
    assert isinstance(outcome, KeyConflict)


def test_a_key_is_bound_to_the_step(store: Store) -> None:
    pending, other = book(store, commission(1)), book(store, commission(2))
    book(store, step(pending, "voided", key="k"))
    (outcome,) = write(store, step(other, "voided", key="k"))
    assert isinstance(outcome, KeyConflict)


def test_a_whole_life_in_one_group(store: Store, reading: sqlite3.Connection) -> None:
    first = commission(1, units=1000)
    pending = id_text(transaction_id("paper", first.key))
    posting = step(pending, "posted", *earned(800))
    posted = id_text(transaction_id("paper", posting.key))
    outcomes = write(
        store,
        step(pending, "voided", key="too early"),
        first,
        posting,
        step(pending, "voided"),
        step(posted, "settled", *paid(800)),
        posting,
        step(posted, "reversed", *taken_back(800)),
        step(posted, "settled", *paid(800), key="again"),
    )
    assert [type(outcome) is Receipt for outcome in outcomes] == [False, True, True, False, True, True, True, False]
    assert str(outcomes[0]) == f"the book paper has no transaction {pending}"
    assert "it is posted already" in str(outcomes[3])
    assert "it is settled already" in str(outcomes[7])
    assert income(reading) == {"posted": "0.00"}
    assert (balance(store, BANK), balance(store, DUE), balance(store, DUE, "pending")) == (800, -800, 0)


def test_a_group_that_could_not_be_written_leaves_no_step_behind(store: Store) -> None:
    pending = book(store, commission())
    huge = 2**63 - 1
    outcomes = write(
        store,
        api_call(1, units=huge),
        step(pending, "posted", *earned(600)),
        api_call(2, units=huge),  # past what a balance holds: the group is taken apart
        step(pending, "posted", *earned(400), key="again"),
    )
    assert [type(outcome) is Receipt for outcome in outcomes] == [True, True, False, False]
    assert balance(store, DUE) == 600


def test_a_pending_transaction_is_not_corrected(store: Store) -> None:
    pending = book(store, commission())
    said = rejection(store, api_call(1, corrects=Correction(pending.id, "wrong")))
    assert said == f"{pending.id} cannot be corrected: it was booked as pending, and is to be voided, or posted in part"


def test_states_are_kept_over_a_restart(store: Store, path: Path) -> None:
    pending = book(store, commission())
    store.close()
    store.open()
    posted = book(store, step(pending, "posted", *earned(1000)))
    store.close()
    store.open()
    book(store, step(posted, "settled", *paid(1000)))
    with closing(open_reader(path)) as connection:
        assert entry_of(connection, posted).state == "settled"
