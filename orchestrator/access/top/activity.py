"""What happened lately, a line each; of many bookings at once, the sum."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from rich.text import Text

from orchestrator.access.top.rows import amounts
from orchestrator.logs.brief import brief_fields, plain

SHOWN_EACH: Final = 3
"""Bookings that come together are shown one by one up to so many."""

_BOOKED: Final = "ledger.booked"
_SAID_ALREADY: Final = ("event", "timestamp", "instance")
_OF_A_BOOKING: Final = ("transaction", "sequence", "amounts", "book")

_STYLES: Final = {
    "crashed": "red",
    "failed": "red",
    "alert": "red",
    "failover": "yellow",
    "failover_refused": "red",
    "failover_failed": "red",
    "unhealthy": "yellow",
    "restarting": "yellow",
    "paused": "yellow",
    "stopped": "yellow",
    "incomplete": "yellow",
    "ready": "green",
    "recovered": "green",
    "completed": "green",
    "decided": "magenta",
    "booked": "cyan",
}


def lines(events: Sequence[Mapping[str, Any]], *, bookings: bool = True) -> Iterator[Text]:
    """Yield a line for each of the events that came together.

    Args:
        events: As `events.event` brings them.
        bookings: Whether bookings are shown.
    """
    booked = [event for event in events if event.get("event") == _BOOKED]
    many = len(booked) > SHOWN_EACH
    for event in events:
        if event.get("event") != _BOOKED or (bookings and not many):
            yield line(event)
    if bookings and many:
        yield from _summed(booked)


def line(event: Mapping[str, Any]) -> Text:
    """Return an event's line: when, what, where, and what else there is to say."""
    name = plain(str(event.get("event", "?")))
    told = brief_fields({**event, "event": None, "timestamp": None})
    text = _begun(event, name)
    text.append(f" {told.get('instance', ''):<24}" if "instance" in told else "")
    if name == _BOOKED:
        text.append(f" {told.get('book', '?')} {told.get('amounts', '-')}", "bold")
        rest = {field: value for field, value in told.items() if field not in (*_SAID_ALREADY, *_OF_A_BOOKING)}
        text.append(f"  {' '.join(rest.values())}", "dim")
        return text
    if name.endswith(".decided") and "reason" in told:
        # A sentence: who, what, why. The figures that it was made from are told by the command of the same name.
        what = f"{told.get('stream', '')} {told.get('action', '').replace('_', ' ')}".strip()
        return text.append(f" {what}: " if what else " ", "bold").append(told["reason"])
    for field, value in told.items():
        if field not in _SAID_ALREADY:
            text.append(f" {field}", "dim").append(f" {value}")
    return text


def _summed(booked: Sequence[Mapping[str, Any]]) -> Iterator[Text]:
    by_book: dict[str, list[Mapping[str, Any]]] = {}
    for event in booked:
        by_book.setdefault(str(event.get("book", "?")), []).append(event)
    for book, events in by_book.items():
        money: dict[str, Decimal] = {}
        for event in events:
            if event.get("state") != "posted" or not isinstance(event.get("amounts"), Mapping):
                continue
            for asset, amount in event["amounts"].items():
                try:
                    money[asset] = money.get(asset, Decimal(0)) + Decimal(amount)
                except InvalidOperation:
                    continue
        text = _begun(events[-1], _BOOKED)
        text.append(f" {plain(book)} {amounts(money) or '-'}", "bold")
        yield text.append(f"  {len(events)} transactions", "dim")


def _begun(event: Mapping[str, Any], name: str) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(clock(event.get("timestamp")), "dim")
    return text.append(f" {name:<20}", _STYLES.get(name.rpartition(".")[2], ""))


def clock(timestamp: object) -> str:
    """Return the time of day, here, of an RFC 3339 timestamp."""
    try:
        return datetime.fromisoformat(str(timestamp)).astimezone().strftime("%H:%M:%S")
    except ValueError:
        return "--:--:--"
