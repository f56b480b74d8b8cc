"""The tally counts what the ledger made and what it refused, by instance."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from actors import ActorSystem
from orchestrator.money.ledger import Ledger
from streams.booking import Book, BookingRejected, Evidence, KeyConflict, Posting
from streams.booking_tally import BookingTally

GOOD = Book(
    "key-1",
    "paper",
    "api.call",
    "api_services",
    "api_services-001",
    datetime(2026, 1, 1, tzinfo=UTC),
    (
        Posting("asset:receivable:api_services:api_services-001", "USD", 2000),
        Posting("income:api_services:api_services-001", "USD", -2000),
    ),
    Evidence("api.response", "call-1", b"body"),
)


async def test_what_the_ledger_makes_and_refuses_is_counted_and_a_taken_key_is_neither(tmp_path: Path) -> None:
    tally = BookingTally()
    (tmp_path / "instances").mkdir()
    async with ActorSystem("tally") as system:
        ledger = await system.spawn(
            lambda: Ledger(
                tmp_path / "l.sqlite3", tmp_path / "instances", tally.note_booked, on_rejected=tally.note_rejected
            ),
            "ledger",
        )
        await ledger.ask(GOOD, 5)
        await ledger.ask(GOOD, 5)  # the same once more: the same receipt, not another booking
        unbalanced = msgspec.structs.replace(GOOD, key="key-2", postings=GOOD.postings[:1] * 2)
        without_proof = msgspec.structs.replace(GOOD, key="key-3", evidence=Evidence("api.response", "call-3", b""))
        for refused in (unbalanced, without_proof):
            with pytest.raises(BookingRejected):
                await ledger.ask(refused, 5)
        with pytest.raises(KeyConflict):
            await ledger.ask(msgspec.structs.replace(GOOD, kind="api.other"), 5)
    assert (tally.booked("api_services-001"), tally.rejected("api_services-001")) == (1, 2)
    assert (tally.booked("api_services-002"), tally.rejected("api_services-002")) == (0, 0)
