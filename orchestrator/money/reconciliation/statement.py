"""Statements as banks, venues and networks give them: tables of comma-separated values with headings."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Final

import msgspec

from streams.money import AmountError, UnknownAssetError, asset_of, parse_amount

Columns = Mapping[str, str | None]
"""The heading that stands over `id`, `amount`, `asset` and `day`; None: one of the usual ones."""

MAX_LINES: Final = 1_000_000

_USUAL: Final = {
    "id": ("id", "external_id", "reference", "ref", "transaction_id", "transaction", "txid", "order_id"),
    "amount": ("amount", "net", "value", "total"),
    "asset": ("asset", "currency", "coin", "ccy"),
    "day": ("day", "date", "time", "timestamp", "booked", "occurred_at", "created"),
}
_NEEDED: Final = ("id", "amount")
_DELIMITERS: Final = ",;\t|"
_DAY_CHARS: Final = len("2026-01-31")


class StatementError(ValueError):
    """The statement cannot be read; the text says where and why."""


class StatementLine(msgspec.Struct, frozen=True, gc=False):
    """A line of a statement.

    Attributes:
        number: Its number in the file, from 1.
        id: What the source calls it; empty where it calls it nothing.
        asset: The asset's code.
        units: What it adds to the account, in the asset's scale.
        day: When, UTC; None where the statement does not say.
    """

    number: int
    id: str
    asset: str
    units: int
    day: date | None


def read_statement(lines: Iterable[str], columns: Columns, asset: str | None = None) -> Iterator[StatementLine]:
    """Yield the lines of a statement.

    Args:
        lines: The file's lines, with headings in the first.
        columns: The headings of the columns, where they are not the usual ones.
        asset: What amounts are in, where no column says so.

    Raises:
        StatementError: A line cannot be understood.
    """
    lines = iter(lines)
    first = next(lines, "").removeprefix("\ufeff")
    delimiter = max(_DELIMITERS, key=first.count)
    headings = next(csv.reader([first], delimiter=delimiter), [])
    places = _places(headings, columns)
    if "asset" not in places and asset is None:
        raise StatementError("no column says what the amounts are in: name the asset")
    rows = csv.reader(lines, delimiter=delimiter)
    try:
        for row in rows:
            number = rows.line_num + 1
            if number > MAX_LINES:
                raise StatementError(f"it has more than {MAX_LINES:,} lines: split it")
            if any(cell.strip() for cell in row):
                yield _line(number, row, places, asset)
    except csv.Error as error:
        raise StatementError(f"line {rows.line_num + 1}: {error}") from error


def _places(headings: Sequence[str], columns: Columns) -> dict[str, int]:
    known = {heading.strip().lower(): place for place, heading in reversed([*enumerate(headings)])}
    places = {}
    for what, usual in _USUAL.items():
        wanted = columns.get(what)
        if wanted is not None:
            if wanted.lower() not in known:
                raise StatementError(f"there is no column {wanted!r}; there are {', '.join(headings) or 'none'}")
            places[what] = known[wanted.lower()]
        elif (found := next((known[name] for name in usual if name in known), None)) is not None:
            places[what] = found
        elif what in _NEEDED:
            raise StatementError(
                f"no column is called {' or '.join(usual)}: name the one with the {what}. "
                f"There are {', '.join(headings) or 'none'}"
            )
    return places


def _line(number: int, row: Sequence[str], places: Mapping[str, int], asset: str | None) -> StatementLine:
    if len(row) <= max(places.values()):
        raise StatementError(f"line {number}: it has {len(row)} columns only")
    cells = {what: row[place].strip() for what, place in places.items()}
    try:
        code = asset_of(cells["asset"].upper() if cells.get("asset") else asset or "").code
        units = parse_amount(cells["amount"], code)
        day = date.fromisoformat(cells["day"][:_DAY_CHARS]) if cells.get("day") else None
    except (AmountError, UnknownAssetError) as error:
        raise StatementError(f"line {number}: {error}; amounts are written as 1234.56") from error
    except ValueError as error:
        raise StatementError(f"line {number}: {error}; days are written as 2026-01-31") from error
    return StatementLine(number, cells["id"], code, units, day)
