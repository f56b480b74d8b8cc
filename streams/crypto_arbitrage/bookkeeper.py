"""Brings what fills mean into the books: from the journal, one by one, until the ledger has said what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from streams.booking import Book, BookingRejected, BookName, Evidence, LedgerRef
from streams.bookkeeping import book_until_known
from streams.crypto_arbitrage.amounts import show_amount
from streams.crypto_arbitrage.journal import Booked, Journal, Settled

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


class Bookkeeper:
    """Books apart from trading: a ledger that is slow or full does not strand a leg.

    Args:
        journal: Where it stands what has to be booked.
        ledger: Where it is booked.
        book: The set of accounts.
        stream: The stream.
        instance: The instance.
        rejected: Called with what the ledger can never book as it stands.
        log: The instance's logger.
    """

    def __init__(
        self,
        journal: Journal,
        ledger: LedgerRef,
        *,
        book: BookName,
        stream: str,
        instance: str,
        rejected: Callable[[str], Awaitable[object]],
        log: FilteringBoundLogger,
    ) -> None:
        self._journal = journal
        self._ledger = ledger
        self._book = book
        self._stream = stream
        self._instance = instance
        self._rejected = rejected
        self._log = log
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Say that there is something to book."""
        self._wake.set()

    async def run(self) -> None:
        """Book, until cancelled."""
        given_up: set[str] = set()
        while True:
            self._wake.clear()
            for settled in list(self._journal.memory.unbooked.values()):
                if settled.report.client_id in given_up:
                    continue
                try:
                    await book_until_known(self._ledger, self.booking_of(settled), self._log)
                except BookingRejected as error:
                    given_up.add(settled.report.client_id)
                    await self._rejected(f"the ledger rejects order {settled.report.client_id}: {error}")
                    continue
                await self._journal.write(Booked(settled.report.client_id))
            await self._wake.wait()

    def booking_of(self, settled: Settled) -> Book:
        """Return the booking of a fill: the same, whenever it is asked for."""
        report, market = settled.report, settled.order.market
        return Book(
            key=f"{self._instance}:{report.client_id}",
            book=self._book,
            kind="venue.fill",
            stream=self._stream,
            instance=self._instance,
            occurred_at=report.at,
            postings=settled.postings,
            evidence=Evidence("venue.fill", f"{market.venue}:{report.order_id}", report.artefact),
            memo=f"{settled.order.side} {show_amount(report.filled)} {market.symbol} on {market.venue} "
            f"for {show_amount(report.cost)}",
        )
