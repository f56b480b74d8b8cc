"""A booking that has to be made: asked for until the ledger has said what came of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from streams.booking import Book, BookingRejected, LedgerRef, Receipt

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

_FIRST_PAUSE_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 30.0


async def book_until_known(
    ledger: LedgerRef, booking: Book, log: FilteringBoundLogger, *, timeout_s: float = 5.0
) -> Receipt:
    """Book, through a full disk, a ledger that restarts, and answers that do not come.

    Under one key a booking is made once, now or before, so asking again is safe. Cancelled, it may have been
    made or not: asking again under the same key tells.

    Args:
        ledger: Where to book.
        booking: What to book.
        log: Where a delay is told.
        timeout_s: How long one answer may take.

    Raises:
        BookingRejected: It can never be made as it stands.
    """
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            return await ledger.ask(booking, timeout_s)
        except BookingRejected:
            raise
        except Exception as error:  # noqa: BLE001 - whatever keeps the ledger from answering, the question stays
            reason = f"{type(error).__name__}: {error}"
            log.warning("booking.unsettled", key=booking.key, reason=reason, retry_in_s=pause_s)
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
