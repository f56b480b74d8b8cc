"""The real ledger on a real file, behind an actor that can be told to fail as ledgers fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal, TypeAlias

from actors import Actor, ActorRef, ActorSystem, ChildSpec, on
from orchestrator.money.ledger import Ledger
from orchestrator.money.messages import ReadEntries
from orchestrator.money.report import Entry
from streams.booking import Book, Booked, BookName, FindBooking, LedgerRef, LedgerUnavailable, ReadMeters, Receipt

Fault: TypeAlias = Literal["none", "unavailable", "stalled", "mute", "crash"]


class Faults:
    """What goes wrong at the moment.

    Attributes:
        fault: `unavailable`: refuses to book. `stalled`: books nothing and says nothing until the fault is gone.
            `mute`: books, but its answers are lost. `crash`: books, then fails.
        submitted: Bookings that were asked for.
    """

    def __init__(self) -> None:
        self.fault: Fault = "none"
        self.submitted = 0
        self.cleared = asyncio.Event()

    def clear(self) -> None:
        """Work again."""
        self.fault = "none"
        self.cleared.set()


class LedgerThatMayFail(Actor[Book | FindBooking | ReadMeters]):
    """Passes on what it is asked, unless told otherwise."""

    def __init__(self, ledger: ActorRef[Any], faults: Faults) -> None:
        self._ledger = ledger
        self._faults = faults

    @on(Book)
    def book(self, message: Book) -> asyncio.Future[Receipt]:
        faults = self._faults
        faults.submitted += 1
        if faults.fault == "unavailable":
            raise LedgerUnavailable("the disk is full", retry_after_s=7.0)
        if faults.fault == "stalled":
            return asyncio.ensure_future(self._book_later(message))
        booked: asyncio.Future[Receipt] = self._ledger.ask(message, 5.0)
        if faults.fault == "mute":
            return asyncio.get_running_loop().create_future()
        if faults.fault == "crash":
            raise RuntimeError("the ledger broke off")
        return booked

    @on(FindBooking)
    def find(self, message: FindBooking) -> asyncio.Future[Booked | None]:
        if self._faults.fault == "unavailable":
            raise LedgerUnavailable("the disk is full", retry_after_s=7.0)
        return self._ledger.ask(message, 5.0)

    @on(ReadMeters)
    def meters(self, message: ReadMeters) -> asyncio.Future[dict[str, int]]:
        return self._ledger.ask(message, 5.0)

    async def _book_later(self, message: Book) -> Receipt:
        await self._faults.cleared.wait()
        receipt: Receipt = await self._ledger.ask(message, 5.0)
        return receipt


class LedgerBench:
    """A ledger for a test.

    Attributes:
        ref: What a stream sees.
        faults: What goes wrong.
    """

    def __init__(self, ledger: ActorRef[Any], ref: LedgerRef, faults: Faults) -> None:
        self._ledger = ledger
        self.ref = ref
        self.faults = faults

    async def entries(self, book: BookName = "paper") -> list[Entry]:
        """Return every transaction, oldest first."""
        found: list[Entry] = []
        cursor: str | None = None
        while True:
            page = await self._ledger.ask(ReadEntries(book=book, limit=500, cursor=cursor, newest_first=False), 5.0)
            found += page.items
            cursor = page.next_cursor
            if cursor is None:
                return found

    async def meters(self, prefix: str = "") -> dict[str, int]:
        """Return the meters whose name starts with a prefix."""
        meters: dict[str, int] = await self._ledger.ask(ReadMeters(prefix), 5.0)
        return meters


@asynccontextmanager
async def open_ledger(directory: Path) -> AsyncIterator[LedgerBench]:
    """Open the ledger of a directory, new or old."""
    instances = directory / "instances"
    instances.mkdir(exist_ok=True)
    async with ActorSystem("ledger-bench") as system:
        ledger = await system.spawn(ChildSpec("ledger", lambda: Ledger(directory / "ledger.sqlite3", instances)))
        faults = Faults()
        ref = await system.spawn(ChildSpec("front", lambda: LedgerThatMayFail(ledger, faults)))
        yield LedgerBench(ledger, ref, faults)
