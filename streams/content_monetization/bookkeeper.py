"""Makes statements of what was delivered, and books them.

    delivered → on the disk → stated, on the disk → booked → noted

A kill between any two of them repeats the step after it, under the same key: nothing is booked twice, and what was
stated is booked.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from streams.booking import BookingRejected, BookName, LedgerRef
from streams.bookkeeping import book_until_known
from streams.content_monetization.delivery_log import DeliveryLog, NotStored
from streams.content_monetization.statement import booking_of

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

FLUSH_AFTER_S: Final = 1.0
"""How long a delivery may wait for others to be written with it: what a kill can take."""

_RETRY_AFTER_S: Final = 5.0


class Bookkeeper:
    """States and books for one instance.

    Args:
        log: What was delivered.
        ledger: Where it is booked.
        book: The set of accounts.
        stream: The stream.
        instance: The instance.
        logger: Where trouble is told.
        first_s: How soon the first statement follows a delivery.
        longest_s: How long later ones wait, at most.
        sweep: Called before statements are made: gives up what was waited for in vain.

    Attributes:
        counts: Statements made, and those booked.
    """

    def __init__(
        self,
        log: DeliveryLog,
        ledger: LedgerRef,
        book: BookName,
        stream: str,
        instance: str,
        logger: FilteringBoundLogger,
        first_s: float,
        longest_s: float,
        sweep: Callable[[], None],
    ) -> None:
        self._log = log
        self._ledger = ledger
        self._book: BookName = book
        self._stream = stream
        self._instance = instance
        self._logger = logger
        self._interval_s = first_s
        self._longest_s = longest_s
        self._sweep = sweep
        self._to_flush = asyncio.Event()
        self._to_state = asyncio.Event()
        self._rejected: set[tuple[str, int]] = set()
        self.counts: Counter[str] = Counter()

    def stir(self) -> None:
        """Say that something was delivered."""
        self._to_flush.set()
        self._to_state.set()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._flush_all())
            tasks.create_task(self._state_all())

    async def close(self) -> None:
        """Bring to the disk what is not there yet, if it takes it."""
        try:
            await self._log.flush()
        except NotStored as error:
            self._logger.error("deliveries.lost", reason=str(error))

    async def state(self) -> None:
        """Make the statements that are due, and book those that are owed.

        Raises:
            NotStored: The disk takes none.
        """
        self._sweep()
        await self._log.state()
        for statement in self._log.unbooked():
            place = (statement.terms.contract, statement.number)
            if place in self._rejected:
                continue
            booking = booking_of(statement, self._book, self._stream, self._instance)
            try:
                receipt = await book_until_known(self._ledger, booking, self._logger)
            except BookingRejected as error:
                # Kept: the next life asks again, and until then an operator sees it owed.
                self._rejected.add(place)
                self._logger.error("booking.rejected", key=booking.key, reason=str(error))
                continue
            self._log.entered(statement, receipt.id)
            self._to_flush.set()
            self.counts["booked"] += not receipt.replayed

    async def _flush_all(self) -> None:
        while True:
            await self._to_flush.wait()
            await asyncio.sleep(FLUSH_AFTER_S)
            self._to_flush.clear()
            try:
                await self._log.flush()
                # Here, for a ledger that does not answer holds up the booking, and the journal goes on growing.
                await self._log.tidy()
            except NotStored as error:
                self._logger.warning("deliveries.not_stored", reason=str(error), retry_in_s=_RETRY_AFTER_S)
                await asyncio.sleep(_RETRY_AFTER_S)
                self._to_flush.set()

    async def _state_all(self) -> None:
        while True:
            # What a former life delivered, or has not booked, is the first thing to do.
            try:
                before = self._log.statements
                await self.state()
                self.counts["statements"] += self._log.statements - before
            except NotStored as error:
                self._logger.warning("statements.not_stored", reason=str(error))
            # A fixed contract's period ends also when nobody comes.
            try:
                async with asyncio.timeout(self._longest_s):
                    await self._to_state.wait()
            except TimeoutError:
                pass
            else:
                await asyncio.sleep(self._interval_s)
                self._interval_s = min(self._interval_s * 2, self._longest_s)
            self._to_state.clear()
