"""Income and cost, read from sums that are kept with the postings: it takes as long after years as after a day."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any, Final, cast

from orchestrator.money.chain import PENDING
from orchestrator.money.movements import join
from orchestrator.money.report import InTransit, Totals, TotalsBy, TotalsItem
from streams.booking import BookName
from streams.money import format_amount
from streams.transfers import INTERNAL

_GROUPED_BY: Final[dict[TotalsBy | None, tuple[str, ...]]] = {
    None: (),
    "stream": ("stream",),
    "instance": ("stream", "instance"),
    "day": ("day",),
}

_SUM: Final = "sum(billions), sum(rest)"

_EARNED: Final = "sums JOIN origins ON origins.id = origin JOIN accounts ON accounts.id = account"
_BY_DAY: Final = "(SELECT *, starts AS day FROM flows WHERE grain = 'day') AS accounts"
_NOT_BETWEEN_INSTANCES: Final = f"""
    AND account NOT IN (
        SELECT id FROM accounts WHERE name GLOB 'income:{INTERNAL}:*' OR name GLOB 'cost:{INTERNAL}:*'
    )
"""  # noqa: S608  made of constants
_DUE_ACCOUNTS: Final = f"SELECT id FROM accounts WHERE name GLOB 'asset:{INTERNAL}:*'"  # noqa: S608
_DUE: Final = f"""
    SELECT {_SUM}, asset, name
    FROM {_EARNED}
    WHERE account IN ({_DUE_ACCOUNTS}) AND book = ?
    GROUP BY name, asset ORDER BY name, asset
"""  # noqa: S608


def read_totals(
    connection: sqlite3.Connection, book: BookName, by: TotalsBy | None = None, *, consolidated: bool = True
) -> Totals:
    """Read what a book earned and spent, per asset and state, and per stream, instance or day if asked.

    Args:
        connection: The ledger.
        book: The book.
        by: How finely.
        consolidated: Whether to leave out what instances earned of each other, which the fleet as a whole did not.

    Raises:
        sqlite3.Error: The ledger cannot be read.
    """
    grouped_by = _GROUPED_BY[by]
    columns = ", ".join((*grouped_by, "asset", "accounts.kind", "state"))
    source, consolidation = (_BY_DAY, "AND NOT internal") if by == "day" else (_EARNED, _NOT_BETWEEN_INSTANCES)
    rows = connection.execute(
        f"""
        SELECT {_SUM}, {columns}
        FROM {source}
        WHERE book = ? AND accounts.kind IN ('income', 'cost') {consolidation if consolidated else ""}
        GROUP BY {columns} ORDER BY {columns}
        """,  # noqa: S608  made of constants
        (book,),
    )
    items = []
    for units, *row in _summed(rows):
        *names, asset, kind, state = cast("list[str]", row)
        if state == PENDING and not units:
            continue  # all of it is resolved
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
    return Totals(book, tuple(items), read_in_transit(connection, book) if consolidated else ())


def read_in_transit(connection: sqlite3.Connection, book: BookName) -> tuple[InTransit, ...]:
    """Read the transfers between instances of which only one side is booked so far.

    Raises:
        sqlite3.Error: The ledger cannot be read.
    """
    if connection.execute(_DUE_ACCOUNTS).fetchone() is None:
        return ()
    return tuple(
        InTransit(account, asset, format_amount(units, asset))
        for units, asset, account in _summed(connection.execute(_DUE, (book,)))
        if units
    )


def _summed(rows: sqlite3.Cursor) -> Iterator[tuple[Any, ...]]:
    for billions, rest, *row in rows:
        yield (join(billions, rest), *row)
