"""What nothing came of in time is released by the ledger itself."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from actors import ActorRef, ActorSystem
from orchestrator.money import expiry
from orchestrator.money.expiry import Expirer, next_expiry_us, overdue
from orchestrator.money.instants import to_us
from orchestrator.money.ledger import Ledger
from orchestrator.money.messages import ReadEntries, ReadEntry, ReadTotals, VerifyLedger
from orchestrator.money.queries import read_entries
from orchestrator.money.reader import Reader
from orchestrator.money.report import Entry
from orchestrator.money.store import Store
from orchestrator.money.writer import GroupWriter
from streams.booking import Book, BookingRejected, LedgerUnavailable, PresentState, Receipt
from tests.orchestrator.money.bookings import NOON, api_call, book, commission, earned, ledger_with, step, write

WAIT_S = 20.0
DAY = timedelta(days=1)


class Clock:
    """The wall clock; it shows what it was set to."""

    def __init__(self) -> None:
        self.now: datetime = NOON

    def __call__(self) -> int:
        return to_us(self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setattr(expiry, "_PAUSE_S", 0.0)
    monkeypatch.setattr(expiry, "LOOK_EVERY_S", 0.005)
    return Clock()


@pytest_asyncio.fixture
async def system() -> AsyncIterator[ActorSystem]:
    async with ActorSystem("test") as system:
        yield system


async def entry_of(ledger: ActorRef[Any], receipt: Receipt) -> Entry:
    entry = await ledger.ask(ReadEntry(receipt.id), WAIT_S)
    assert entry is not None
    return entry


async def until_state(ledger: ActorRef[Any], receipt: Receipt, state: str) -> Entry:
    async with asyncio.timeout(WAIT_S):
        while (entry := await entry_of(ledger, receipt)).state != state:
            await asyncio.sleep(0.002)
    return entry


def test_what_is_overdue_is_found_the_longest_first(store: Store) -> None:
    terms = (3, 1, None, 2, 9)
    pending = [book(store, commission(n, expires_at=days and NOON + days * DAY * 365)) for n, days in enumerate(terms)]
    assert next_expiry_us(store.connection) == to_us(NOON + DAY * 365)
    found = overdue(store.connection, to_us(NOON + 3 * DAY * 365))
    assert [expired.resolves and expired.resolves.transaction for expired in found] == [
        pending[n].id for n in (1, 3, 0)
    ]
    assert len(overdue(store.connection, to_us(NOON + 3 * DAY * 365), limit=2)) == 2


def test_what_is_resolved_is_not_overdue(store: Store) -> None:
    pending = book(store, commission(expires_at=NOON + 3650 * DAY))
    write(store, step(pending, "posted", *earned(10)))
    assert overdue(store.connection, to_us(NOON + 9999 * DAY)) == []
    assert next_expiry_us(store.connection) is None


def test_the_query_walks_no_more_than_what_is_due(store: Store) -> None:
    for statement, values in ((expiry._OVERDUE, (0, 1)), (expiry._NEXT, ())):
        plan = store.connection.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
        assert any("states_by_expiry" in row[3] for row in plan), plan
        assert not any(row[3].startswith("SCAN states") and "INDEX" not in row[3] for row in plan), plan


async def test_the_ledger_books_an_expiry_with_the_terms_as_evidence(
    system: ActorSystem, path: Path, tmp_path: Path, clock: Clock
) -> None:
    heard: list[tuple[Book, Receipt]] = []
    ledger = await system.spawn(lambda: Ledger(path, tmp_path, heard.extend, clock), name="ledger")
    pending = await ledger.ask(commission(expires_at=NOON + DAY), WAIT_S)
    never = await ledger.ask(commission(2), WAIT_S)
    clock.now = NOON + DAY
    entry = await until_state(ledger, pending, "expired")
    expired = await ledger.ask(ReadEntry(entry.steps[0].transaction), WAIT_S)
    assert expired is not None
    assert (expired.kind, expired.instance, expired.postings) == ("ledger.expired", entry.instance, ())
    assert (expired.evidence.kind, expired.evidence.external_id) == ("ledger.terms", pending.id)
    assert expired.occurred_at == NOON + DAY
    assert heard[-1][0].resolves is not None
    assert (await entry_of(ledger, never)).state == "pending"
    totals = await ledger.ask(ReadTotals("paper"), WAIT_S)
    assert [(item.state, item.amount) for item in totals.items] == [("pending", "0.001")]
    with pytest.raises(BookingRejected, match="it is expired already"):
        await ledger.ask(step(pending, "posted", *earned(10)), WAIT_S)
    assert (await ledger.ask(VerifyLedger(), WAIT_S)).ok


async def test_what_expired_while_nothing_ran_is_booked_at_the_start_once(
    path: Path, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "_BATCH", 7)  # three batches
    bookings = [commission(n, expires_at=NOON + timedelta(seconds=n)) for n in range(20)]
    await asyncio.to_thread(ledger_with, path, *bookings)
    clock.now = NOON + 9999 * DAY
    for _ in range(2):
        async with ActorSystem("test") as system:
            ledger = await system.spawn(lambda: Ledger(path, tmp_path, clock=clock), name="ledger")
            async with asyncio.timeout(WAIT_S):
                while (await ledger.ask(ReadEntries(state="pending"), WAIT_S)).items:
                    await asyncio.sleep(0.002)
            assert len((await ledger.ask(ReadEntries(state="expired"), WAIT_S)).items) == 20
            assert len((await ledger.ask(ReadEntries(), WAIT_S)).items) == 40


async def test_while_nothing_pending_expires_the_ledger_is_not_looked_through(
    system: ActorSystem, path: Path, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    def count(*arguments: Any) -> list[Book]:
        nonlocal looks
        looks += 1
        return overdue(*arguments)

    monkeypatch.setattr(expiry, "overdue", count)
    ledger = await system.spawn(lambda: Ledger(path, tmp_path, clock=clock), name="ledger")
    for n in range(20):
        await ledger.ask(api_call(n), WAIT_S)
        await ledger.ask(commission(n), WAIT_S)
    assert looks == 1
    await ledger.ask(commission(99, expires_at=NOON + DAY), WAIT_S)
    async with asyncio.timeout(WAIT_S):
        while looks < 3:  # from now on it looks every so often
            await asyncio.sleep(0.002)


class Bench:
    """A writer, a reader, and what books expiries between them.

    Attributes:
        writer: Books.
        reader: Reads.
        refusals: How often there is no room for an expiry.
        before: Called before each booking of an expiry.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self.writer = GroupWriter(Store(path, clock), lambda booked: self._expirer.note(made for made, _ in booked))
        self.reader = Reader(path, "test-reader")
        self.refusals = 0
        self.before: Callable[[], object] = lambda: None
        self._expirer = Expirer(self.reader, self._book, clock)
        self._running: asyncio.Future[None] | None = None

    def _book(self, booking: Book) -> asyncio.Future[Receipt]:
        self.before()
        if self.refusals:
            self.refusals -= 1
            raise LedgerUnavailable("the disk is full")
        return self.writer.submit(booking)

    async def __aenter__(self) -> Bench:
        await self.writer.start()
        await self.reader.open()
        return self

    def expire(self) -> None:
        """Start booking expiries."""
        self._running = asyncio.ensure_future(self._expirer.run())

    async def until_one_is(self, state: PresentState) -> Entry:
        """Return the first entry that has become this."""
        async with asyncio.timeout(WAIT_S):
            while not (found := (await self.reader.run(read_entries, state=state)).items):
                assert self._running is not None
                assert not self._running.done(), self._running
                await asyncio.sleep(0.002)
        return found[0]

    async def __aexit__(self, *_: object) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])
        await self.reader.close()
        await self.writer.close()


async def test_a_ledger_that_cannot_book_is_asked_again(path: Path, clock: Clock) -> None:
    async with Bench(path, clock) as bench:
        pending = await bench.writer.submit(commission(expires_at=NOON))
        bench.refusals = 3
        bench.expire()
        assert (await bench.until_one_is("expired")).id == pending.id
        assert bench.refusals == 0


async def test_what_an_instance_resolved_meanwhile_stays_so(path: Path, clock: Clock) -> None:
    async with Bench(path, clock) as bench:
        pending = await bench.writer.submit(commission(expires_at=NOON))
        bench.before = lambda: bench.writer.submit(step(pending, "voided"))
        bench.expire()
        assert (await bench.until_one_is("voided")).id == pending.id
        later = await bench.writer.submit(commission(2, expires_at=NOON))
        bench.before = lambda: None
        assert (await bench.until_one_is("expired")).id == later.id


async def test_what_is_booked_while_it_looks_is_not_overlooked(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, go_on = threading.Event(), threading.Event()

    def look_slowly(connection: sqlite3.Connection) -> int | None:
        found = next_expiry_us(connection)
        looked.set()
        go_on.wait(WAIT_S)
        return found

    monkeypatch.setattr(expiry, "next_expiry_us", look_slowly)
    async with Bench(path, clock) as bench:
        bench.expire()
        await asyncio.to_thread(looked.wait, WAIT_S)
        pending = await bench.writer.submit(commission(expires_at=NOON))
        go_on.set()
        assert (await bench.until_one_is("expired")).id == pending.id
