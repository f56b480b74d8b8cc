"""Many rows in few steps.

Python gives up the interpreter lock around every step of a statement, and with a busy event loop in another
thread each time costs up to a switch interval (5 ms) to get it back. So rows are written and looked up by
statements of many rows at once rather than row by row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, Final

# A few fixed sizes, so that each statement is compiled once and stays in the connection's cache.
_CHUNKS: Final = (512, 64, 32, 16, 8, 4, 2, 1)


class BulkInsert:
    """Inserts rows that stand one after the other in a flat list of values.

    Args:
        table: The table.
        columns: Its columns, in the order of the values.
        suffix: What follows the rows, an upsert clause for example.
    """

    def __init__(self, table: str, columns: Sequence[str], suffix: str = "") -> None:
        self._width = len(columns)
        row = f"({', '.join('?' * self._width)})"
        self._statements = tuple(
            (
                rows,
                f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([row] * rows)} {suffix}",  # noqa: S608
            )
            for rows in _CHUNKS
        )

    def run(self, connection: sqlite3.Connection, values: list[Any]) -> None:
        """Insert all rows of the flat list.

        Raises:
            sqlite3.Error: SQLite's own words; rows before the failing chunk have been inserted.
        """
        start, end, width = 0, len(values), self._width
        for rows, statement in self._statements:
            size = rows * width
            while end - start >= size:
                connection.execute(statement, values[start : start + size])
                start += size


class BulkSelect:
    """Selects the rows whose column has one of many values.

    Args:
        select: The statement up to, and without, its `WHERE`.
        column: The column.
    """

    def __init__(self, select: str, column: str) -> None:
        self._statements = tuple((size, f"{select} WHERE {column} IN ({', '.join('?' * size)})") for size in _CHUNKS)

    def run(self, connection: sqlite3.Connection, values: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        """Yield the rows found, in no particular order."""
        start, end = 0, len(values)
        for size, statement in self._statements:
            while end - start >= size:
                yield from connection.execute(statement, values[start : start + size])
                start += size
