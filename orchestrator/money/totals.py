"""Income and cost, read from the daily balances."""

from __future__ import annotations

import sqlite3
from typing import Final, cast

from orchestrator.money.report import Totals, TotalsBy, TotalsItem
from streams.booking import BookName
from streams.money import format_amount

_GROUPED_BY: Final[dict[TotalsBy | None, tuple[str, ...]]] = {
    None: (),
    "stream": ("stream",),
    "instance": ("stream", "instance"),
    "day": ("day",),
}

# SQLite refuses to sum past 64 bits. Both halves stay far below that, and Python joins them exactly.
_HALF: Final = 1_000_000_000


def read_totals(connection: sqlite3.Connection, book: BookName, by: TotalsBy | None = None) -> Totals:
    """Read what a book earned and spent, per asset and state, and per stream, instance or day if asked.

    Raises:
        sqlite3.Error: The ledger cannot be read.
    """
    grouped_by = _GROUPED_BY[by]
    columns = ", ".join((*grouped_by, "asset", "accounts.kind", "state"))
    rows = connection.execute(
        f"""
        SELECT sum(units / {_HALF}), sum(units % {_HALF}), {columns}
        FROM balances JOIN origins ON origins.id = origin JOIN accounts ON accounts.id = account
        WHERE book = ? AND accounts.kind IN ('income', 'cost')
        GROUP BY {columns} ORDER BY {columns}
        """,  # noqa: S608  made of constants
        (book,),
    )
    items = []
    for high, low, *row in rows:
        units = high * _HALF + low
        *names, asset, kind, state = cast("list[str]", row)
        income = kind == "income"
        items.append(
            TotalsItem(
                asset,
                "income" if income else "cost",
                state,
                format_amount(-units if income else units, asset),
                **dict(zip(grouped_by, names, strict=True)),
            )
        )
    return Totals(book, tuple(items))
