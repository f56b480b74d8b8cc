"""Our orders beside a network's statement: what agrees, what does not, and which way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

import msgspec

from streams.affiliate_marketing.order_store import Order
from streams.affiliate_marketing.statement import BadLine, Statement, StatementLine
from streams.money import format_amount

MAX_LISTED: Final = 500
"""Differences that a report lists of each kind; the counts are of all."""


class Difference(msgspec.Struct, frozen=True):
    """Something that does not agree.

    Attributes:
        order_id: The order.
        line: The line in the statement; None where it has none.
        ours: The commission here, decimal text; None where the order is not known here.
        theirs: The commission there; None where it is not there.
        detail: What differs.
    """

    order_id: str
    line: int | None
    ours: str | None
    theirs: str | None
    detail: str


class Report(msgspec.Struct, frozen=True):
    """What a statement was found to say. Nothing but `settled` was booked for it.

    Attributes:
        network: Whose statement.
        lines: Lines that could be read.
        matched: Lines that agree with an order.
        settled: Orders that were booked as paid because of a matching line.
        already_paid: Lines about orders that were booked as paid before.
        counts: Differences by kind.
        missing_here: Lines about orders that are not known here.
        missing_there: Orders of the statement's days that it does not mention.
        amount_differs: Lines with another commission than ours.
        status_differs: Lines about orders that earn nothing here.
        repeated: Lines about an order of an earlier line.
        unreadable: Lines that could not be read.
    """

    network: str
    lines: int
    matched: int
    settled: int
    already_paid: int
    counts: dict[str, int]
    missing_here: list[Difference]
    missing_there: list[Difference]
    amount_differs: list[Difference]
    status_differs: list[Difference]
    repeated: list[Difference]
    unreadable: list[BadLine]


class Reconciliation(msgspec.Struct, frozen=True):
    """A report before anything is booked, and the lines that settle something."""

    report: Report
    to_settle: list[tuple[StatementLine, Order]]


def reconcile(network: str, statement: Statement, orders: Mapping[str, Order]) -> Reconciliation:
    """Compare a statement with our orders.

    Args:
        network: Whose statement.
        statement: The statement.
        orders: All our orders of that network, by their ids.
    """
    found: dict[str, list[Difference]] = {
        kind: [] for kind in ("missing_here", "missing_there", "amount_differs", "status_differs", "repeated")
    }
    matched = already_paid = 0
    to_settle: list[tuple[StatementLine, Order]] = []
    seen: set[str] = set()
    for line in statement.lines:
        order = orders.get(line.order_id)
        if line.order_id in seen:
            found["repeated"].append(_difference(line, order, "an earlier line is about the same order"))
            continue
        seen.add(line.order_id)
        if order is None:
            found["missing_here"].append(_difference(line, None, f"{line.status} there, and not known here"))
            continue
        standing = order.standing
        try:
            theirs = line.units(order.currency)
        except ValueError as error:
            found["amount_differs"].append(_difference(line, order, str(error)[:200]))
            continue
        if standing.paid and line.paid and theirs == standing.paid:
            already_paid += 1
        elif not _worth(order):
            found["status_differs"].append(_difference(line, order, f"{line.status} there, {standing.state} here"))
        elif theirs != (standing.paid or _worth(order)):
            found["amount_differs"].append(_difference(line, order, f"{line.status} there, {standing.state} here"))
        else:
            matched += 1
            if line.paid:
                to_settle.append((line, order))
    found["missing_there"] += [
        Difference(order.order_id, None, _ours(order), None, f"{order.standing.state} here, and not in the statement")
        for order in _within_days_of(statement.lines, orders)
        if order.order_id not in seen and _worth(order) and not order.standing.paid
    ]
    report = Report(
        network=network,
        lines=len(statement.lines),
        matched=matched,
        settled=0,
        already_paid=already_paid,
        counts={**{kind: len(each) for kind, each in found.items()}, "unreadable": len(statement.bad_lines)},
        unreadable=statement.bad_lines[:MAX_LISTED],
        **{kind: each[:MAX_LISTED] for kind, each in found.items()},
    )
    return Reconciliation(report, to_settle)


def _within_days_of(lines: Sequence[StatementLine], orders: Mapping[str, Order]) -> list[Order]:
    days = [line.day for line in lines if line.day is not None]
    if not days:
        return list(orders.values())
    first, last = min(days), max(days) + timedelta(days=1)
    return [order for order in orders.values() if first <= order.ordered_at < last]


def _worth(order: Order) -> int:
    return order.standing.earned or order.standing.expected


def _ours(order: Order) -> str:
    return format_amount(_worth(order), order.currency)


def _difference(line: StatementLine, order: Order | None, detail: str) -> Difference:
    return Difference(line.order_id, line.number, None if order is None else _ours(order), line.amount, detail)
