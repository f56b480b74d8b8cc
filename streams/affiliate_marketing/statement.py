"""A network's statement: what it says it owes and has paid, line by line. These functions belong in a thread."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from typing import Final

import msgspec

from streams.affiliate_marketing.claim import OrderId
from streams.affiliate_marketing.statement_format import StatementFormat
from streams.money import AmountError, UnknownAssetError, parse_amount

MAX_STATEMENT_CHARS: Final = 768 * 1024
MAX_LINES: Final = 10_000

_BOM: Final = "\ufeff"
_MAX_FIELD_CHARS: Final = 4096
_DELIMITERS: Final = (";", "\t", "|", ",")


class StatementUnreadable(ValueError):
    """A statement that is none, or not in the format that the settings describe."""


class StatementLine(msgspec.Struct, frozen=True):
    """A line that could be read.

    Attributes:
        number: Its line in the file, from 1.
        order_id: The network's name for the order.
        paid: Whether the network says that it has paid.
        status: What it says.
        amount: The commission, decimal text.
        currency: Of the commission; empty where the statement does not say.
        day: The day of the order, UTC; None where it does not say.
        text: The header and the line, as evidence.
    """

    number: int
    order_id: str
    paid: bool
    status: str
    amount: str
    currency: str
    day: datetime | None
    text: str

    def units(self, currency: str) -> int:
        """Return the commission in units of the currency that it should be in.

        Raises:
            ValueError: It is in another one, or is no amount.
        """
        if self.currency and self.currency != currency:
            raise ValueError(f"it is in {self.currency}, the offer pays in {currency}")
        return parse_amount(self.amount, currency)


class BadLine(msgspec.Struct, frozen=True):
    """A line that could not be read."""

    number: int
    reason: str


class Statement(msgspec.Struct, frozen=True):
    """A statement, read."""

    lines: list[StatementLine]
    bad_lines: list[BadLine]


def read_statement(text: str, layout: StatementFormat) -> Statement:
    """Read a CSV file.

    Args:
        text: The file; a byte order mark at its beginning is fine.
        layout: What its columns are called.

    Raises:
        StatementUnreadable: It is too large, or lacks a column.
    """
    text = text.removeprefix(_BOM)
    if len(text) > MAX_STATEMENT_CHARS:
        raise StatementUnreadable(f"a statement has at most {MAX_STATEMENT_CHARS} characters: split it")
    header, _, _ = text.partition("\n")
    delimiter = layout.delimiter or max(_DELIMITERS, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns = [name.strip().strip(_BOM) for name in next(reader, [])]
        missing = [name for name in (layout.order_id, layout.status, layout.commission) if name not in columns]
        if missing:
            raise StatementUnreadable(
                f"there is no column {', '.join(missing)}; there are {', '.join(columns)[:300] or 'none'}. "
                "Say in networks.<name>.statement what the columns are called"
            )
        lines: list[StatementLine] = []
        bad_lines: list[BadLine] = []
        for row in reader:
            if not any(field.strip() for field in row):
                continue
            if len(lines) + len(bad_lines) >= MAX_LINES:
                raise StatementUnreadable(f"a statement has at most {MAX_LINES} lines: split it")
            try:
                lines.append(_line(reader.line_num, row, columns, layout, header.strip("\r"), delimiter))
            except (ValueError, AmountError, UnknownAssetError) as error:
                bad_lines.append(BadLine(reader.line_num, str(error)[:200]))
    except csv.Error as error:
        raise StatementUnreadable(f"line {reader.line_num} is not CSV: {error}") from None
    return Statement(lines, bad_lines)


def _line(
    number: int, row: list[str], columns: list[str], layout: StatementFormat, header: str, delimiter: str
) -> StatementLine:
    if len(row) != len(columns):
        raise ValueError(f"it has {len(row)} columns, the header {len(columns)}")
    if any(len(field) > _MAX_FIELD_CHARS for field in row):
        raise ValueError("a column is too long")
    fields = dict(zip(columns, (field.strip() for field in row), strict=True))
    currency = fields.get(layout.currency, "").upper()
    amount = layout.amount(fields[layout.commission])
    parse_amount(amount, currency or "USD")  # that it is an amount; which currency is decided with the order
    day = fields.get(layout.date, "")
    try:
        order_id = msgspec.convert(fields[layout.order_id], OrderId)
    except msgspec.ValidationError:
        raise ValueError(f"{fields[layout.order_id][:64]!r} is not the id of an order") from None
    return StatementLine(
        number=number,
        order_id=order_id,
        paid=fields[layout.status].casefold() in layout.paid,
        status=fields[layout.status][:40],
        amount=amount,
        currency=currency,
        day=layout.day(day) if day else None,
        text=f"{header}\n{delimiter.join(row)}\n",
    )
