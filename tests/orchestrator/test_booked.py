"""News of bookings."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from orchestrator.booked import BookingNews
from orchestrator.events import EventBus
from orchestrator.logs.line import Line
from streams.booking import Book, Evidence, Posting, Receipt
from tests.orchestrator.money.bookings import commission, step

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def booked(count: int) -> tuple[tuple[Book, Receipt], ...]:
    return tuple(
        (
            Book(
                key=str(number),
                book="paper",
                kind="api.call",
                stream="s",
                instance=f"s-00{number % 3}",
                occurred_at=NOW,
                postings=(Posting("asset:receivable:s", "USD", 2000), Posting("income:s:s-001", "USD", -2000)),
                evidence=Evidence("api.response", str(number), b"{}"),
            ),
            Receipt(f"tx_{number}", number, NOW),
        )
        for number in range(1, count + 1)
    )


def test_every_booking_gets_a_line_with_its_ids_however_many_a_commit_has() -> None:
    lines: list[Line] = []
    BookingNews(EventBus(), lines.append)(booked(20))
    assert [line.instance for line in lines[:3]] == ["s-001", "s-002", "s-000"]
    said = [json.loads(line.encoded) for line in lines]
    assert [each["transaction"] for each in said] == [f"tx_{n}" for n in range(1, 21)]
    first = said[0]
    assert (first["level"], first["event"], first["logger"]) == ("info", "ledger.booked", "ledger")
    assert (first["stream"], first["amounts"]) == ("s", {"USD": "0.002"})
    assert first["timestamp"].endswith("Z")


def test_a_subscriber_gets_every_booking() -> None:
    bus, seen = EventBus(), []
    bus.subscribe(("ledger.*",), seen.append)
    BookingNews(bus, lambda line: None)(booked(20))
    assert [event.fields["transaction"] for event in seen] == [f"tx_{n}" for n in range(1, 21)]


def test_what_is_pending_is_said_to_be_and_a_step_names_its_target() -> None:
    bus, seen = EventBus(), []
    bus.subscribe(("ledger.*",), seen.append)
    pending, receipt = commission(), Receipt("tx_1", 1, NOW)
    BookingNews(bus, lambda line: None)(((pending, receipt), (step(receipt, "voided"), Receipt("tx_2", 2, NOW))))
    first, second = (event.fields for event in seen)
    assert (first["state"], first["amounts"], "resolves" in first) == ("pending", {"USD": "0.001"}, False)
    assert (second["state"], second["amounts"]) == ("posted", {})
    assert (second["resolves"], second["outcome"]) == ("tx_1", "voided")
