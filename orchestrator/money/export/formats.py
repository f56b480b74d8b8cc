"""Which formats there are, and the export of one moment of a ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Iterator
from typing import Final, Literal, TypeAlias

from orchestrator.money.export.beancount import beancount_lines
from orchestrator.money.export.selection import Selection
from orchestrator.money.export.tables import csv_lines, json_lines

Format: TypeAlias = Literal["beancount", "csv", "jsonl"]

_FORMATS: Final[dict[Format, Callable[[sqlite3.Connection, Selection], Iterator[bytes]]]] = {
    "beancount": beancount_lines,
    "csv": csv_lines,
    "jsonl": json_lines,
}


def export(connection: sqlite3.Connection, written_as: Format, selection: Selection) -> Generator[bytes, None, None]:
    """Yield the ledger in a format, piece by piece, whatever is booked meanwhile. Memory does not grow with it.

    Close it before the connection, where it is not taken to its end.

    Raises:
        NotForBeancount: It holds what that format cannot say.
        sqlite3.Error: The ledger cannot be read.
    """
    connection.execute("BEGIN")
    try:
        yield from _FORMATS[written_as](connection, selection)
    finally:
        connection.execute("ROLLBACK")
