from __future__ import annotations

from typing import Any

from orchestrator.access.top.activity import clock, line, lines

AT = "2026-11-25T17:13:25.324631Z"


def booked(amount: str, *, book: str = "paper", state: str = "posted", asset: str = "USD") -> dict[str, Any]:
    return {
        "event": "ledger.booked",
        "timestamp": AT,
        "instance": "api_services-001",
        "stream": "api_services",
        "transaction": "tx_1",
        "sequence": 4,
        "book": book,
        "kind": "api.call",
        "state": state,
        "amounts": {asset: amount},
    }


def test_a_line_says_when_what_where_and_the_rest() -> None:
    event = {"event": "instance.restarting", "timestamp": AT, "instance": "api_services-002", "stream": "api_services"}
    text = line({**event, "delay_s": 0.076}).plain
    assert text.startswith(clock(AT))
    assert text[8:].split() == ["instance.restarting", "api_services-002", "delay_s", "0.076"]


def test_a_booking_says_its_book_with_its_money() -> None:
    assert line(booked("0.002")).plain[8:].split() == (
        ["ledger.booked", "api_services-001", "paper", "0.002", "USD", "api.call", "posted"]
    )


def test_many_bookings_at_once_are_one_line_a_book_and_never_added_across_books_or_assets() -> None:
    crashed = {"event": "instance.crashed", "timestamp": AT}
    many = [booked("0.10"), booked("0.20"), booked("5", book="live"), booked("7", state="pending"), crashed]
    shown = [text.plain[9:] for text in lines([*many, booked("0.5", asset="BTC")])]
    assert [text.split() for text in shown] == [
        ["instance.crashed"],
        ["ledger.booked", "paper", "0.30", "USD,", "0.5", "BTC", "4", "transactions"],
        ["ledger.booked", "live", "5", "USD", "1", "transactions"],
    ]


def test_bookings_can_be_left_out() -> None:
    assert list(lines([booked("1")], bookings=False)) == []
    assert list(lines([booked("1")] * 9, bookings=False)) == []


def test_what_strangers_sent_is_written_out() -> None:
    text = line({"event": "a\x1b[2J", "timestamp": "no time", "instance": "\x07", "reason": ["\u202e"]}).plain
    assert text.startswith("--:--:-- ")
    assert not any(character in text for character in "\x1b\x07\u202e")


def test_a_decision_is_a_sentence() -> None:
    event = {"event": "scaling.decided", "timestamp": AT, "round": 3, "figures": {"cpu": 0.5}}
    text = line({**event, "stream": "api_services", "action": "scale_up", "reason": "the load was at least 91 %"}).plain
    assert text[9:].split(maxsplit=1) == ["scaling.decided", "api_services scale up: the load was at least 91 %"]
    assert line({**event, "event": "profit.decided", "reason": "as before"}).plain[9:].split() == [
        "profit.decided",
        "as",
        "before",
    ]
