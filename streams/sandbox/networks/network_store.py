"""What a network of the paper world keeps: its publishers, and what it has yet to tell them.

It survives the daemon: postbacks that were due while it was down are sent when it is back. Every method blocks and
belongs in one thread.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

import msgspec

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS publishers (name TEXT PRIMARY KEY, terms BLOB NOT NULL, orders INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS outbox (
    number INTEGER PRIMARY KEY, publisher TEXT NOT NULL, due_s REAL NOT NULL, tries INTEGER NOT NULL,
    message BLOB NOT NULL
) STRICT;
"""


class Terms(msgspec.Struct, frozen=True):
    """What a merchant pays a publisher.

    Attributes:
        parameter: The query parameter that carries the click's id.
        least: The smallest commission, units.
        most: The largest commission, units.
        currency: Of the commission.
    """

    parameter: str
    least: int
    most: int
    currency: str


class Publisher(msgspec.Struct, frozen=True):
    """Somebody who sends visitors.

    Attributes:
        postback_url: Where orders are told.
        offers: What each merchant pays, by the last part of its page's path.
    """

    postback_url: str
    offers: dict[str, Terms]


class Outgoing(msgspec.Struct, frozen=True):
    """A postback that is to be sent.

    Attributes:
        publisher: To whom.
        webhook_id: Its id.
        body: What it says.
        defect: What is wrong with it; see `fate.Defect`.
    """

    publisher: str
    webhook_id: str
    body: str
    defect: str


# Made at import, by one thread: msgspec crashes the process where two threads meet a type for the first time at once.
_PUBLISHER: Final = msgspec.json.Decoder(Publisher)
_OUTGOING: Final = msgspec.json.Decoder(Outgoing)


class Due(msgspec.Struct, frozen=True):
    """When a postback is to be sent.

    Attributes:
        number: Its row.
        due_s: When, seconds since 1970.
        tries: How often it was tried.
        outgoing: The postback.
    """

    number: int
    due_s: float
    tries: int
    outgoing: Outgoing


class NetworkStore:
    """The file of one network."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection

    def open(self) -> None:
        """Open the file; it is made where it is missing."""
        self._path.touch(mode=0o600)
        self._db = sqlite3.connect(self._path, isolation_level=None)
        # A network forgets nothing when the daemon is killed; when the power fails, paper may.
        self._db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def publishers(self) -> dict[str, tuple[Publisher, int]]:
        """Return all publishers with how many orders each has brought."""
        rows = self._db.execute("SELECT name, terms, orders FROM publishers")
        return {name: (_PUBLISHER.decode(terms), orders) for name, terms, orders in rows}

    def register(self, name: str, publisher: Publisher) -> None:
        """Take a publisher, or what has changed about one."""
        self._db.execute(
            "INSERT INTO publishers VALUES (?, ?, 0) ON CONFLICT (name) DO UPDATE SET terms = excluded.terms",
            (name, msgspec.json.encode(publisher)),
        )

    def order(self, publisher: str, messages: list[tuple[float, Outgoing]]) -> list[Due]:
        """Note an order, and what is to be told of it and when; return that with its rows."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.execute("UPDATE publishers SET orders = orders + 1 WHERE name = ?", (publisher,))
            due = []
            for due_s, outgoing in messages:
                row = self._db.execute(
                    "INSERT INTO outbox (publisher, due_s, tries, message) VALUES (?, ?, 0, ?)",
                    (publisher, due_s, msgspec.json.encode(outgoing)),
                )
                assert row.lastrowid is not None
                due.append(Due(row.lastrowid, due_s, 0, outgoing))
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # SQLite itself rolls back when the disk is full
                self._db.execute("ROLLBACK")
            raise
        return due

    def outbox(self) -> list[Due]:
        """Return all that is still to be sent."""
        rows = self._db.execute("SELECT number, due_s, tries, message FROM outbox ORDER BY due_s")
        return [Due(number, due_s, tries, _OUTGOING.decode(message)) for number, due_s, tries, message in rows]

    def put_off(self, number: int, due_s: float, tries: int) -> None:
        """Try a postback again later."""
        self._db.execute("UPDATE outbox SET due_s = ?, tries = ? WHERE number = ?", (due_s, tries, number))

    def sent(self, numbers: list[int]) -> None:
        """Forget postbacks that arrived, or never will."""
        self._db.executemany("DELETE FROM outbox WHERE number = ?", [(number,) for number in numbers])
