"""Bookings whose outcome is not known: found out, and settled.

A booking's outcome is unknown when the ledger did not answer in time, stopped or failed while it had the
booking, or when the request was cancelled while it waited. A look for it would not tell, since it may still be
on its way to the disk. Asking for the same booking again does: under one key it is made once, now or before.

Until then the call's quota and credit stay set aside. Where its customer got no answer, and has no
Idempotency-Key to fetch it with, the booking is refunded.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from streams.booking import (
    Book,
    BookingRejected,
    Correction,
    Evidence,
    LedgerRef,
    MeterIncrement,
    Posting,
    Receipt,
)
from streams.bookkeeping import book_until_known
from streams.lazy_event import LazyEvent
from streams.metering.allowance import Reservation

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

Outcome: TypeAlias = Receipt | BookingRejected

REFUND_REASON: Final = "the answer could not be given, because the booking was confirmed too late"


class UnsettledBooking:
    """A booking that was sent to the ledger.

    Attributes:
        book: The booking.
        reservation: What is set aside for it.
        repeatable: Whether the customer can fetch the answer with an Idempotency-Key.
        awaited: Whether the request still waits to give its answer.
        outcome: What came of it.
    """

    __slots__ = ("awaited", "book", "outcome", "repeatable", "reservation")

    def __init__(self, book: Book, reservation: Reservation, *, repeatable: bool, awaited: bool) -> None:
        self.book = book
        self.reservation = reservation
        self.repeatable = repeatable
        self.awaited = awaited
        self.outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()


class Settlement:
    """Settles the unsettled bookings of one instance, one after the other.

    Attributes:
        booked: Bookings that were made.
        refunded: Those of them that were refunded.
    """

    def __init__(
        self,
        ledger: LedgerRef,
        now: Callable[[], datetime],
        log: FilteringBoundLogger,
        timeout_s: float,
    ) -> None:
        self._ledger = ledger
        self._now = now
        self._log = log
        self._timeout_s = timeout_s
        self._unsettled: OrderedDict[str, UnsettledBooking] = OrderedDict()
        self._arrived = LazyEvent()
        self.booked = 0
        self.refunded = 0

    def __len__(self) -> int:
        return len(self._unsettled)

    def take(self, unsettled: UnsettledBooking) -> None:
        """Take a booking over; a settled one again, when its answer could not be given after all."""
        self._unsettled[unsettled.book.key] = unsettled
        self._arrived.set()

    def find(self, key: str) -> UnsettledBooking | None:
        """Return the unsettled booking of this key."""
        return self._unsettled.get(key)

    async def run(self) -> None:
        """Settle what comes, until cancelled.

        What is unsettled then is settled by the next start, which reads the counters from the ledger.
        """
        while True:
            while self._unsettled:
                key, unsettled = next(iter(self._unsettled.items()))
                outcome = await self._settle(unsettled)
                if isinstance(outcome, Receipt) and not unsettled.awaited and not unsettled.repeatable:
                    await self._refund(unsettled, outcome)
                del self._unsettled[key]
            self._arrived.clear()
            await self._arrived.wait()

    async def _settle(self, unsettled: UnsettledBooking) -> Outcome:
        if unsettled.outcome.done():
            return unsettled.outcome.result()
        outcome = await self._outcome_of(unsettled.book)
        if isinstance(outcome, Receipt):
            unsettled.reservation.commit(booked=True)
            self.booked += 1
        else:
            unsettled.reservation.release()
        unsettled.outcome.set_result(outcome)
        return outcome

    async def _refund(self, unsettled: UnsettledBooking, receipt: Receipt) -> None:
        refund = _refund_of(unsettled.book, receipt, self._now())
        outcome = await self._outcome_of(refund)
        if isinstance(outcome, Receipt):
            unsettled.reservation.refund()
            self.refunded += 1
            self._log.info("booking.refunded", transaction=receipt.id, refund=outcome.id)

    async def _outcome_of(self, book: Book) -> Outcome:
        try:
            return await book_until_known(self._ledger, book, self._log, timeout_s=self._timeout_s)
        except BookingRejected as rejection:
            self._log.error("booking.rejected", key=book.key, reason=str(rejection))
            return rejection


def _refund_of(made: Book, receipt: Receipt, now: datetime) -> Book:
    return msgspec.structs.replace(
        made,
        key=f"{made.key}/refund",
        kind="api.refund",
        occurred_at=now,
        postings=tuple(Posting(leg.account, leg.asset, -leg.units) for leg in made.postings),
        evidence=Evidence(kind="api.unanswered", external_id=receipt.id, artefact=REFUND_REASON.encode("ascii")),
        meters=tuple(MeterIncrement(meter.meter, -meter.amount) for meter in made.meters),
        corrects=Correction(receipt.id, REFUND_REASON),
    )
