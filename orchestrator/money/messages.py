"""What the ledger answers, besides what instances ask it (streams/booking.py)."""

from __future__ import annotations

from actors import Request
from orchestrator.money.report import Entry, EntryPage, Totals, TotalsBy, VerifyReport
from orchestrator.money.story import Stories
from streams.booking import BookName, PresentState


class ReadTotals(Request[Totals], frozen=True):
    """What a book earned and spent, per asset and state, and per stream, instance or day if asked.

    Attributes:
        book: The book.
        by: How finely.
        consolidated: Whether to leave out what instances earned of each other, which the fleet as a whole did not.
    """

    book: BookName
    by: TotalsBy | None = None
    consolidated: bool = True


class ReadEntries(Request[EntryPage], frozen=True):
    """A page of transactions, in the order they were booked.

    Attributes:
        book: Only this book's.
        stream: Only this stream's.
        instance: Only this instance's.
        limit: How many at most, 1 to 1,000; a number outside counts as the nearest inside.
        cursor: Where the page before ended; `BadCursor` is the answer to one from elsewhere.
        newest_first: Whether to go back from the last one.
        state: Only what has become this by now.
    """

    book: BookName | None = None
    stream: str | None = None
    instance: str | None = None
    limit: int = 100
    cursor: str | None = None
    newest_first: bool = False
    state: PresentState | None = None


class ReadEntry(Request[Entry | None], frozen=True):
    """One transaction by its id, the receipt's; None where there is none."""

    id: str


class VerifyLedger(Request[VerifyReport], frozen=True):
    """Recompute the whole ledger; takes time, while bookings go on. Asked again meanwhile, the same answer."""


class TellStories(Request[Stories], frozen=True):
    """Tell of the transaction of that id or idempotency key, or of those whose evidence is called so in the world."""

    name: str
