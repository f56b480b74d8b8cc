"""A step of an order as the ledger takes it."""

from __future__ import annotations

from typing import Final

from streams.affiliate_marketing.order_store import Postback, StepToBook
from streams.booking import Book, BookName, Correction, Evidence, Posting, Resolution
from streams.booking import Step as LedgerStep

_KINDS: Final = {
    "expect": "affiliate.pending",
    "post": "affiliate.commission",
    "void": "affiliate.voided",
    "earn": "affiliate.commission",
    "settle": "affiliate.payout",
    "reverse": "affiliate.reversal",
    "correct": "affiliate.reversal",
}
_RESOLUTIONS: Final[dict[str, LedgerStep]] = {
    "post": "posted",
    "void": "voided",
    "settle": "settled",
    "reverse": "reversed",
}


class Bookkeeper:
    """Writes an instance's steps as bookings. The same step always gives the same booking.

    Args:
        stream: The stream.
        instance: The instance.
        book: The set of accounts.
    """

    def __init__(self, stream: str, instance: str, book: BookName) -> None:
        self._stream = stream
        self._instance = instance
        self._book = book
        subject = f"{stream}:{instance}"
        self._due = f"asset:receivable:{subject}"
        self._cash = f"asset:cash:{subject}"
        self._income = f"income:{subject}"

    def booking(self, work: StepToBook, place: int, cause: Postback, target: str | None, currency: str) -> Book:
        """Return the booking of a step.

        Args:
            work: The step.
            place: Its place among the steps that follow from the same postback.
            cause: That postback, the evidence.
            target: The transaction that it is about; None where it makes a line of its own.
            currency: The asset.
        """
        kind, units = work.step.kind, work.step.units
        claim = cause.claim
        assert claim is not None
        resolves = correction = None
        if target is not None:
            if kind == "correct":
                correction = Correction(target, f"{claim.status}: taken back after an earlier reversal")
            else:
                resolves = Resolution(target, _RESOLUTIONS[kind], claim.status)
        return Book(
            key=f"{self._instance}/{cause.network}/{claim.order_id}/{cause.id}/{place}-{kind}",
            book=self._book,
            kind=_KINDS[kind],
            stream=self._stream,
            instance=self._instance,
            occurred_at=claim.occurred_at,
            postings=self._postings(kind, units, currency),
            evidence=Evidence(cause.kind, f"{cause.network}/{cause.id}", cause.proof),
            memo=f"{cause.network} order {claim.order_id}: {claim.status}",
            corrects=correction,
            state="pending" if kind == "expect" else "posted",
            expires_at=work.expires_at if kind == "expect" else None,
            resolves=resolves,
        )

    def _postings(self, kind: str, units: int, currency: str) -> tuple[Posting, ...]:
        match kind:
            case "void":
                return ()
            case "settle":
                return (Posting(self._cash, currency, units), Posting(self._due, currency, -units))
            case "reverse" | "correct":
                return (Posting(self._income, currency, units), Posting(self._due, currency, -units))
            case _:
                return (Posting(self._due, currency, units), Posting(self._income, currency, -units))
