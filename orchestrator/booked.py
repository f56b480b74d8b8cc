"""Tells of bookings: `ledger.booked`, in the log and to subscribers."""

from __future__ import annotations

from typing import Any, Final

import structlog

from orchestrator.events import EventBus
from streams.booking import Book, Receipt
from streams.money import format_amount

SINGLY: Final = 8
"""Bookings of one commit that get a line each in the log; more get one line together, so that a busy fleet
does not spend its time on writing about it."""

_log = structlog.get_logger("ledger")


class BookingNews:
    """What the ledger calls after each commit."""

    def __init__(self, events: EventBus) -> None:
        self._events = events

    def __call__(self, booked: tuple[tuple[Book, Receipt], ...]) -> None:
        """Tell of the bookings of one commit."""
        if len(booked) <= SINGLY:
            for booking, receipt in booked:
                _log.info("ledger.booked", **_fields(booking, receipt))
        else:
            first, last = booked[0][1], booked[-1][1]
            _log.info(
                "ledger.booked",
                count=len(booked),
                first_transaction=first.id,
                last_transaction=last.id,
                first_sequence=first.sequence,
                last_sequence=last.sequence,
                instances=sorted({booking.instance for booking, _ in booked}),
            )
        if self._events.wanted("ledger.booked"):
            for booking, receipt in booked:
                self._events.hand_out("ledger.booked", _fields(booking, receipt))


def _fields(booking: Book, receipt: Receipt) -> dict[str, Any]:
    net: dict[str, int] = {}
    for posting in booking.postings:
        if posting.account.startswith(("income:", "cost:")):
            net[posting.asset] = net.get(posting.asset, 0) - posting.units
    return {
        "transaction": receipt.id,
        "sequence": receipt.sequence,
        "book": booking.book,
        "kind": booking.kind,
        "instance": booking.instance,
        "stream": booking.stream,
        "amounts": {asset: format_amount(units, asset) for asset, units in net.items()},
    }
