"""Bookings as an instance makes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from orchestrator.money.group import Outcome
from orchestrator.money.preparation import prepare
from orchestrator.money.store import Store
from streams.booking import Book, Evidence, LedgerUnavailable, MeterIncrement, Posting, Receipt, Resolution

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


AFFILIATE = "affiliate_marketing-001"
DUE = f"asset:receivable:affiliate_marketing:{AFFILIATE}"
EARNED = f"income:affiliate_marketing:{AFFILIATE}"
FEE = f"cost:payout:affiliate_marketing:{AFFILIATE}"
BANK = "asset:bank"


def usd(account: str, units: int) -> Posting:
    """Return a leg in dollars."""
    return Posting(account, "USD", units)


def commission(n: int = 1, units: int = 1000, **changes: Any) -> Book:
    """Return the booking of the n-th commission that an affiliate network told of; pending unless said otherwise."""
    fields: dict[str, Any] = {
        "key": f"commission:{n}",
        "book": "paper",
        "kind": "network.commission",
        "stream": "affiliate_marketing",
        "instance": AFFILIATE,
        "occurred_at": NOON + timedelta(seconds=n),
        "postings": (usd(DUE, units), usd(EARNED, -units)),
        "evidence": Evidence("network.postback", f"pb-{n}", b'{"commission": %d}' % n),
        "state": "pending",
    }
    return Book(**(fields | changes))


def step(of: Receipt | str, outcome: Any, *postings: Posting, key: str | None = None, **changes: Any) -> Book:
    """Return the booking of a step with a commission, a day later."""
    target = of if isinstance(of, str) else of.id
    fields: dict[str, Any] = {
        "key": key or f"{outcome}:{target}",
        "kind": f"network.{outcome}",
        "occurred_at": NOON + timedelta(days=1),
        "postings": postings,
        "evidence": Evidence("network.postback", f"{outcome}-{target[-6:]}", b'{"outcome": "%s"}' % outcome.encode()),
        "state": "posted",
        "resolves": Resolution(target, outcome, f"the network says {outcome}"),
    }
    return commission(**(fields | changes))


def earned(units: int) -> tuple[Posting, Posting]:
    """Return the legs of a commission that is due."""
    return usd(DUE, units), usd(EARNED, -units)


def paid(units: int, fee: int = 0) -> tuple[Posting, ...]:
    """Return the legs of a payout of what was due, less a fee."""
    legs = (usd(DUE, -units), usd(BANK, units - fee))
    return (*legs, usd(FEE, fee)) if fee else legs


def taken_back(units: int, account: str = DUE) -> tuple[Posting, Posting]:
    """Return the legs that take a commission back."""
    return usd(account, -units), usd(EARNED, units)
