"""Where calls are charged: bookings are made, found again, and settled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from actors import MailboxFull
from streams.booking import (
    Book,
    BookingRejected,
    Evidence,
    FindBooking,
    LedgerRef,
    LedgerUnavailable,
    MeterIncrement,
    Posting,
    ReadMeters,
)
from streams.metering.allowance import Period, Reservation, period_at
from streams.metering.answer import EVIDENCE_KIND, decode_proof
from streams.metering.idempotency import KeptAnswer
from streams.metering.key_journal import KeyRecord
from streams.metering.limits import MeterLimits
from streams.metering.refusal import BookingUnavailable, BookingUncertain
from streams.metering.settlement import Outcome, Settlement, UnsettledBooking

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

RETRY_AFTER_S: Final = 5.0
"""When trying again makes sense, where the ledger does not say."""


class Till:
    """Charges the calls of one instance.

    Attributes:
        booked: Bookings made since the start.
    """

    def __init__(
        self,
        *,
        stream: str,
        instance: str,
        asset: str,
        ledger: LedgerRef,
        now: Callable[[], datetime],
        log: FilteringBoundLogger,
        limits: MeterLimits,
    ) -> None:
        self._stream = stream
        self._instance = instance
        self._asset = asset
        self._ledger = ledger
        self._now = now
        self._limits = limits
        self._settlement = Settlement(ledger, now, log, limits.booking_timeout_s)
        self._postings: dict[int, tuple[Posting, Posting]] = {}
        self._booked = 0

    @property
    def counts(self) -> dict[str, int]:
        """Bookings made, those whose outcome is not known, and those that were refunded."""
        return {
            "booked": self._booked + self._settlement.booked,
            "unsettled": len(self._settlement),
            "refunded": self._settlement.refunded,
        }

    async def read_meters(self) -> tuple[Period, dict[str, int], dict[str, int]]:
        """Return the current period and what was booked, by key: calls in it, and units spent in all.

        Raises:
            LedgerUnavailable: The ledger cannot read.
            ActorError: The ledger does not answer.
        """
        period = period_at(self._now())
        calls = f"{self._instance}/calls/{period.name}/"
        spent = f"{self._instance}/spent/"
        timeout_s = self._limits.booking_timeout_s
        return (
            period,
            _by_key(await self._ledger.ask(ReadMeters(calls), timeout_s), calls),
            _by_key(await self._ledger.ask(ReadMeters(spent), timeout_s), spent),
        )

    async def run(self) -> None:
        """Settle bookings whose outcome is not known, until cancelled."""
        await self._settlement.run()

    async def find(self, record: KeyRecord, name: str) -> KeptAnswer | None:
        """Return what was delivered and booked for a key under this name; None where nothing was.

        Raises:
            BookingUnavailable: The ledger does not say.
            msgspec.MsgspecError: The booking is none of a call.
        """
        key = self._booking_key(record, name)
        if (unsettled := self._settlement.find(key)) is not None:
            await self._wait_for(unsettled)
        try:
            found = await self._ledger.ask(FindBooking(record.book, key), self._limits.booking_timeout_s)
        except Exception as error:
            raise BookingUnavailable(_retry_after_s(error)) from error
        return None if found is None else KeptAnswer(decode_proof(found.evidence), found.receipt.id)

    async def charge(
        self,
        record: KeyRecord,
        name: str,
        call_id: str,
        reservation: Reservation,
        artefact: bytes,
        now: datetime,
        *,
        repeatable: bool,
    ) -> str:
        """Book a delivery, settle its reservation by what came of that, and return the transaction's id.

        Args:
            record: The key that pays.
            name: What the booking is recognised by, unique for the key.
            call_id: The call's own id.
            reservation: What was set aside. It is this method's from here on, whatever happens.
            artefact: The proof of delivery.
            now: When it was delivered.
            repeatable: Whether its customer can fetch the answer again under this name.

        Raises:
            BookingUnavailable: Nothing was booked.
            BookingUncertain: Whether it was booked will be known later.
            KeyConflict: The name is taken by another booking.
            BookingRejected: The ledger does not take such a booking.
        """
        book = Book(
            key=self._booking_key(record, name),
            book=record.book,
            kind="api.call",
            stream=self._stream,
            instance=self._instance,
            occurred_at=now,
            postings=self._postings.get(reservation.units) or self._price(reservation.units),
            evidence=Evidence(EVIDENCE_KIND, call_id, artefact),
            meters=(
                MeterIncrement(f"{self._instance}/calls/{reservation.period.name}/{record.id}", 1),
                MeterIncrement(f"{self._instance}/spent/{record.id}", reservation.units),
            ),
        )
        try:
            receipt = await self._ledger.ask(book, self._limits.booking_timeout_s)
        except BookingRejected:
            reservation.release()
            raise
        except (LedgerUnavailable, MailboxFull) as refusal:
            reservation.release()
            raise BookingUnavailable(_retry_after_s(refusal)) from refusal
        except BaseException as error:
            # No answer in time, or cancelled, or the ledger broke off: it may have been booked, or may yet be.
            waits = isinstance(error, Exception)
            unsettled = UnsettledBooking(book, reservation, repeatable=repeatable, awaited=waits)
            self._settlement.take(unsettled)
            if not waits:
                raise
        else:
            # Booked before means counted before: by the ledger's meters, or by the settlement.
            if receipt.replayed:
                reservation.release()
            else:
                reservation.commit(booked=True)
                self._booked += 1
            return receipt.id
        return await self._outcome_of(unsettled)

    async def _outcome_of(self, unsettled: UnsettledBooking) -> str:
        try:
            outcome = await self._wait_for(unsettled)
        except BaseException:
            unsettled.awaited = False
            if unsettled.outcome.done():
                self._settlement.take(unsettled)
            raise
        if isinstance(outcome, BookingRejected):
            raise outcome
        return outcome.id

    async def _wait_for(self, unsettled: UnsettledBooking) -> Outcome:
        try:
            async with asyncio.timeout(self._limits.settling_timeout_s):
                return await asyncio.shield(unsettled.outcome)
        except TimeoutError:
            raise BookingUncertain(RETRY_AFTER_S, repeatable=unsettled.repeatable) from None

    def _price(self, units: int) -> tuple[Posting, Posting]:
        subject = f"{self._stream}:{self._instance}"
        postings = self._postings[units] = (
            Posting(f"asset:receivable:{subject}", self._asset, units),
            Posting(f"income:{subject}", self._asset, -units),
        )
        return postings

    def _booking_key(self, record: KeyRecord, name: str) -> str:
        return f"{self._instance}/{record.id}/{name}"


def _retry_after_s(error: Exception) -> float:
    return error.retry_after_s if isinstance(error, LedgerUnavailable) else RETRY_AFTER_S


def _by_key(meters: dict[str, int], prefix: str) -> dict[str, int]:
    return {name[len(prefix) :]: value for name, value in meters.items()}
