"""What a network's statements look like: every network has its own columns, words and decimal signs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, Literal

import msgspec

_DELIMITERS: Final = ("", ",", ";", "\t", "|")


class StatementFormat(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to read the CSV statements of a network.

    Attributes:
        order_id: The column of the order's id.
        status: The column of its state.
        commission: The column of what it earned.
        currency: The column of the currency; where there is none, the currency is the offer's.
        date: The column of the day of the order.
        date_format: How days are written, as `strptime` reads it; empty for ISO 8601.
        decimal: The decimal sign. The other of the two may separate thousands.
        delimiter: What separates columns; empty to find out by the header.
        paid: The words for "paid" in the column of the state, in lower case.
    """

    order_id: str = "order_id"
    status: str = "status"
    commission: str = "commission"
    currency: str = "currency"
    date: str = "date"
    date_format: str = ""
    decimal: Literal[".", ","] = "."
    delimiter: str = ""
    paid: tuple[str, ...] = ("paid",)

    def __post_init__(self) -> None:
        if self.delimiter not in _DELIMITERS:
            raise ValueError("delimiter: must be one of `,`, `;`, tab and `|`, or empty to find out")
        columns = (self.order_id, self.status, self.commission)
        if not all(columns) or len(set(columns)) != len(columns):
            raise ValueError("order_id, status and commission: must be three columns")
        if any(word != word.casefold() for word in self.paid) or not self.paid:
            raise ValueError("paid: name the words in lower case")

    def amount(self, text: str) -> str:
        """Return an amount as decimal text, `1.234,50` as `1234.50`."""
        other = "," if self.decimal == "." else "."
        return text.strip().replace(other, "").replace("\u00a0", "").replace(" ", "").replace(self.decimal, ".")

    def day(self, text: str) -> datetime:
        """Return the beginning of a day, UTC.

        Raises:
            ValueError: It is written otherwise.
        """
        text = text.strip()
        if not self.date_format:
            return _utc(datetime.fromisoformat(text))
        return _utc(datetime.strptime(text, self.date_format))  # noqa: DTZ007 - days of statements have no zone


def _utc(found: datetime) -> datetime:
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
