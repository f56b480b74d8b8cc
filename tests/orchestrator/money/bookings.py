"""Bookings as an instance makes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from orchestrator.money.group import Outcome
from orchestrator.money.preparation import prepare
from orchestrator.money.store import Store
from streams.booking import Book, Evidence, LedgerUnavailable, MeterIncrement, Posting, Receipt

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def api_call(n: int = 1, *, units: int = 2000, instance: str = "api_services-001", **changes: Any) -> Book:
    """Return the booking of the n-th paid call of an instance."""
    fields: dict[str, Any] = {
        "key": f"call:{instance}:{n}",
        "book": "paper",
        "kind": "api.call",
        "stream": "api_services",
        "instance": instance,
        "occurred_at": NOON + timedelta(seconds=n),
        "postings": (
            Posting("asset:clearing:sandbox", "USD", units),
            Posting(f"income:api_services:{instance}", "USD", -units),
        ),
        "evidence": Evidence("api.response", f"req-{n}", b'{"valid": true, "call": %d}' % n),
        "meters": (MeterIncrement("calls:ak_1:2026-01", 1),),
    }
    return Book(**(fields | changes))


def write(store: Store, *bookings: Book) -> list[Outcome | LedgerUnavailable]:
    """Book in one group."""
    return store.write_group([prepare(booking) for booking in bookings])


def book(store: Store, booking: Book) -> Receipt:
    """Book one, which must succeed."""
    (outcome,) = write(store, booking)
    assert isinstance(outcome, Receipt), outcome
    return outcome


def ledger_with(path: Path, *bookings: Book) -> None:
    """Make a ledger that holds the bookings, each from a group of its own, and close it."""
    store = Store(path)
    store.open()
    try:
        for booking in bookings:
            book(store, booking)
    finally:
        store.close()
