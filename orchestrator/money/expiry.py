"""Pending transactions that nothing came of in time: the ledger itself books that they have expired."""

from __future__ import annotations

import asyncio
import math
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final

import msgspec
import structlog

from orchestrator.money import chain
from orchestrator.money.instants import from_us, to_us
from orchestrator.money.reader import Reader
from streams.booking import Book, BookingRejected, Evidence, LedgerUnavailable, Receipt, Resolution

LOOK_EVERY_S: Final = 60.0
"""The wall clock may be set: how late an expiry is noticed then."""

_PAUSE_S: Final = 1.0
_BATCH: Final = 500

_OVERDUE: Final = """
    SELECT states.sequence, transactions.id, book, stream, instance, key, states.expires_at, body_digest
    FROM states JOIN transactions USING (sequence) JOIN origins ON origins.id = states.origin
    WHERE states.expires_at <= ? ORDER BY states.expires_at LIMIT ?
"""
_NEXT: Final = "SELECT min(expires_at) FROM states WHERE expires_at IS NOT NULL"

_log = structlog.get_logger(__name__)


def overdue(connection: sqlite3.Connection, now_us: int, limit: int = _BATCH) -> list[Book]:
    """Return the bookings that say of pending transactions that they have expired, the longest overdue first.

    Raises:
        sqlite3.Error: The ledger cannot be read.
    """
    return [_expiration(*row) for row in connection.execute(_OVERDUE, (now_us, limit))]


def next_expiry_us(connection: sqlite3.Connection) -> int | None:
    """Return when the next pending transaction expires, microseconds since 1970; None where none will.

    Raises:
        sqlite3.Error: The ledger cannot be read.
    """
    (expires_at_us,) = connection.execute(_NEXT).fetchone()
    return None if expires_at_us is None else int(expires_at_us)


def _expiration(
    sequence: int, id_: bytes, book: Any, stream: str, instance: str, key: str, expires_at: int, digest: bytes
) -> Book:
    transaction = chain.id_text(id_)
    expired_at = from_us(expires_at)
    # Only what stands in the ledger, and not when it was looked at: asked for again, it is the same booking.
    terms = {
        "transaction": transaction,
        "sequence": sequence,
        "key": key,
        "body_digest": digest.hex(),
        "state": chain.PENDING,
        "expires_at": expired_at,
    }
    return Book(
        key=f"ledger.expired:{transaction}",
        book=book,
        kind="ledger.expired",
        stream=stream,
        instance=instance,
        occurred_at=expired_at,
        postings=(),
        evidence=Evidence("ledger.terms", transaction, msgspec.json.encode(terms)),
        resolves=Resolution(transaction, "expired", "nothing came of it in time"),
    )


class Expirer:
    """Books expiries as they come. While nothing is pending that expires, it sleeps.

    Args:
        reader: Reads the ledger.
        book: Books in it.
        clock: The wall clock, microseconds since 1970.
    """

    def __init__(
        self, reader: Reader, book: Callable[[Book], asyncio.Future[Receipt]], clock: Callable[[], int]
    ) -> None:
        self._reader = reader
        self._book = book
        self._clock = clock
        self._due = asyncio.Event()
        self._wakes_at_us = math.inf
        self._failing = False

    def note(self, bookings: Iterable[Book]) -> None:
        """Look at what was booked: it may expire before it would be looked for."""
        for booking in bookings:
            if booking.expires_at is not None and to_us(booking.expires_at) < self._wakes_at_us:
                self._due.set()
                return

    async def run(self) -> None:
        """Book expiries until cancelled."""
        while True:
            self._due.clear()
            self._wakes_at_us = math.inf  # what is booked while this looks is looked at, too
            wait_s = await self._expire()
            self._wakes_at_us = math.inf if wait_s is None else self._clock() + wait_s * 1e6
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._due.wait()
            await asyncio.sleep(_PAUSE_S)

    async def _expire(self) -> float | None:
        """Book what is overdue, and return after how long to look again, seconds; None: when there is news."""
        try:
            while found := await self._reader.run(overdue, self._clock()):
                if not await self._book_all(found):
                    break
            next_us = await self._reader.run(next_expiry_us)
        except LedgerUnavailable as error:
            if not self._failing:
                _log.warning("ledger.expiries_behind", reason=str(error))
            self._failing = True
            return LOOK_EVERY_S
        self._failing = False
        return None if next_us is None else min(max(next_us - self._clock(), 0) / 1e6, LOOK_EVERY_S)

    async def _book_all(self, expirations: list[Book]) -> int:
        """Book, and return how many could be.

        Raises:
            LedgerUnavailable: Some could not be now.
        """
        outcomes = await asyncio.gather(*map(self._book, expirations), return_exceptions=True)
        refused = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        for outcome in refused:
            # Resolved by the instance while this was on its way: that is as good.
            if not isinstance(outcome, BookingRejected):
                raise outcome
        return len(outcomes) - len(refused)
