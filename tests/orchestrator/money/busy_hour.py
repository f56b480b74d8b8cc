"""An hour of a fleet in which everything happens that can: refunds, reversals, fees, crypto and fiat, both books."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from orchestrator.money.expiry import overdue
from orchestrator.money.instants import to_us
from orchestrator.money.store import Store
from streams.booking import Book, Correction, Evidence, Posting, Receipt, Resolution
from streams.transfers import Party, transfer
from tests.orchestrator.money.bookings import (
    NOON,
    api_call,
    book,
    commission,
    earned,
    paid,
    step,
    taken_back,
    usd,
)

MEMOS = ("", 'said "so" \\ and so', "Größe ¾ — 値段", "=HYPERLINK(1)", "it's \\n no line")


def book_an_hour(store: Store, events: int = 180, seed: int = 1) -> None:
    """Book it, group by group of one."""
    dice = Random(seed)
    for n in range(events):
        at = NOON + timedelta(seconds=n * 3600 / events)
        _EVENTS[n % len(_EVENTS)](store, n, at, dice)


def ledger_of_an_hour(path: Path, events: int = 180) -> None:
    """Make a ledger that holds such an hour, and has let expire what did."""
    clock = to_us(NOON)
    store = Store(path, lambda: clock)
    store.open()
    try:
        book_an_hour(store, events)
        clock += 86_400_000_000
        for expiration in overdue(store.connection, clock, events):
            book(store, expiration)
    finally:
        store.close()


def _call_and_correction(store: Store, n: int, at: Any, dice: Random) -> None:
    name = "live" if n % 3 == 0 else "paper"
    units, instance = dice.randrange(1, 10_000), f"api_services-{n % 7:03d}"
    call = api_call(n, units=units, instance=instance, book=name, occurred_at=at, memo=dice.choice(MEMOS))
    receipt = book(store, call)
    if n % 5 == 0:
        book(
            store,
            api_call(
                n, key=f"correct:{n}", units=-1, instance=instance, book=name, occurred_at=at,
                corrects=Correction(receipt.id, 'charged "one" too much'),
            ),
        )  # fmt: skip


def _refund(store: Store, n: int, at: Any, dice: Random) -> None:
    units = dice.randrange(2, 10_000)
    receipt = book(store, api_call(n, units=units, occurred_at=at))
    back = Resolution(receipt.id, "reversed", "the customer was not served")
    book(store, api_call(n, key=f"refund:{n}", units=-dice.randrange(1, units), occurred_at=at, resolves=back))


def _commission(store: Store, n: int, at: Any, dice: Random) -> None:
    units = dice.randrange(100, 1_000_000)
    pending = book(store, commission(n, units, occurred_at=at))
    approved = units - dice.randrange(50)
    later = {"occurred_at": at + timedelta(minutes=1)}
    match n % 4:
        case 0:
            posted = book(store, step(pending, "posted", *earned(approved), **later))
            book(store, step(posted, "settled", *paid(approved, fee=25), **later))
            if n % 8 == 0:
                book(store, step(posted, "reversed", *taken_back(approved - 25, "asset:bank"), **later))
        case 1:
            book(store, step(pending, "voided", **later))
        case 2:
            posted = book(store, step(pending, "posted", *earned(approved), **later))
            book(store, step(posted, "reversed", *taken_back(10), **later))
        case _:
            pass  # nothing came of it yet


def _commission_that_expires(store: Store, n: int, at: Any, dice: Random) -> None:
    book(store, commission(n, dice.randrange(1, 500), occurred_at=at, expires_at=at + timedelta(hours=2)))


def _trade(store: Store, n: int, at: Any, dice: Random) -> None:
    """A triangle: dollars to bitcoin, bitcoin to euros, a fee in each."""
    stream, instance = "crypto_arbitrage", f"crypto_arbitrage-{n % 3:03d}"
    venue, trading = f"asset:venue:kraken:{stream}:{instance}", f"equity:trading:{stream}:{instance}"
    fee, income = f"cost:fee:{stream}:{instance}", f"income:{stream}:{instance}"
    coins, dollars, euros = dice.randrange(1, 10**8), dice.randrange(1, 10**10), dice.randrange(1, 10**10)
    postings = [
        *(Posting(venue, "USD", -dollars), Posting(trading, "USD", dollars)),
        *(Posting(venue, "BTC", coins), Posting(trading, "BTC", -coins)),
        *(Posting(venue, "EUR", euros), Posting(trading, "EUR", -euros)),
        *(Posting(venue, "BTC", -7), Posting(fee, "BTC", 7), Posting(venue, "USDT", 3), Posting(income, "USDT", -3)),
    ]
    fill = Evidence("venue.fill", f"kraken:{n}", b"\x00\x01binary\xff%d" % n)
    book(store, Book(f"trade:{n}", "paper", "arbitrage.trip", stream, instance, at, tuple(postings), fill))


def _sale_inside(store: Store, n: int, at: Any, dice: Random) -> None:
    sides = transfer(
        f"sale:{n}",
        kind="dataset.sold",
        book="paper",
        seller=Party("data_harvesting", "data_harvesting-001"),
        buyer=Party("content_monetization", "content_monetization-001"),
        asset="USD",
        units=dice.randrange(1, 900),
        occurred_at=at,
        evidence=Evidence("order", f"order-{n}", b"{}"),
    )
    for side in sides[: 1 if n % 10 == 0 else 2]:
        book(store, side)


def _computing(store: Store, n: int, at: Any, dice: Random) -> None:
    units = dice.randrange(1, 100)
    legs = (usd("cost:cpu:api_services:api_services-001", units), usd("liability:machine.owner", -units))
    receipt: Receipt = book(store, api_call(n, key=f"cpu:{n}", postings=legs, occurred_at=at))
    assert not receipt.replayed


_EVENTS = (
    _call_and_correction,
    _refund,
    _commission,
    _trade,
    _commission_that_expires,
    _sale_inside,
    _computing,
    _commission,
    _commission,
)
