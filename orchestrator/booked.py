"""Tells of bookings: `ledger.booked`, in the log and to subscribers, with the ids of each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from orchestrator.events import EventBus
from orchestrator.logs.line import Line, compose_trusted
from streams.booking import Book, Receipt
from streams.money import format_amount

NAME: Final = "ledger.booked"


class BookingNews:
    """What the ledger calls after each commit.

    Args:
        events: Those who subscribed.
        submit: Takes a line for the log.
    """

    def __init__(self, events: EventBus, submit: Callable[[Line], object]) -> None:
        self._events = events
        self._submit = submit

    def __call__(self, booked: tuple[tuple[Book, Receipt], ...]) -> None:
        """Tell of the bookings of one commit."""
        wanted = self._events.wanted(NAME)
        now = datetime.now(UTC)
        for booking, receipt in booked:
            fields = _fields(booking, receipt)
            # A busy fleet books thousands of times a second, and the fields are the daemon's own: no search for
            # secrets, no processors.
            self._submit(compose_trusted("info", "ledger", NAME, now, fields))
            if wanted:
                self._events.hand_out(NAME, fields)


def _fields(booking: Book, receipt: Receipt) -> dict[str, Any]:
    net: dict[str, int] = {}
    for posting in booking.postings:
        if posting.account.startswith(("income:", "cost:")):
            net[posting.asset] = net.get(posting.asset, 0) - posting.units
    return {
        "instance": booking.instance,
        "stream": booking.stream,
        "transaction": receipt.id,
        "sequence": receipt.sequence,
        "book": booking.book,
        "kind": booking.kind,
        "state": booking.state,
        "amounts": {asset: format_amount(units, asset) for asset, units in net.items()},
    } | _step(booking)


def _step(booking: Book) -> dict[str, Any]:
    step = booking.resolves
    return {} if step is None else {"resolves": step.transaction, "outcome": step.outcome}
