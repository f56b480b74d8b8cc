"""News of bookings."""

from __future__ import annotations

from datetime import UTC, datetime

from structlog.testing import capture_logs

from orchestrator.booked import SINGLY, BookingNews
from orchestrator.events import EventBus
from streams.booking import Book, Evidence, Posting, Receipt

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


def test_a_few_bookings_get_a_line_each_with_their_ids() -> None:
    with capture_logs() as lines:
        BookingNews(EventBus())(booked(2))
    assert [(line["event"], line["transaction"], line["amounts"]) for line in lines] == [
        ("ledger.booked", "tx_1", {"USD": "0.002"}),
        ("ledger.booked", "tx_2", {"USD": "0.002"}),
    ]


def test_many_bookings_of_one_commit_get_one_line_that_names_the_range() -> None:
    with capture_logs() as lines:
        BookingNews(EventBus())(booked(SINGLY + 1))
    (line,) = lines
    assert (line["count"], line["first_sequence"], line["last_sequence"]) == (9, 1, 9)
    assert line["instances"] == ["s-000", "s-001", "s-002"]


def test_a_subscriber_gets_every_booking_however_many_there_are() -> None:
    bus, seen = EventBus(), []
    bus.subscribe(("ledger.*",), seen.append)
    BookingNews(bus)(booked(20))
    assert [event.fields["transaction"] for event in seen] == [f"tx_{n}" for n in range(1, 21)]
