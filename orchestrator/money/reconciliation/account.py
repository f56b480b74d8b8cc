"""What an account of the ledger moved, as it is to be compared."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import date, timedelta
from difflib import get_close_matches
from typing import Final

import msgspec

from orchestrator.money import chain
from orchestrator.money.export.selection import Selection
from orchestrator.money.instants import from_us
from streams.booking import BookName

_ACCOUNT: Final = "SELECT id FROM accounts WHERE name = ?"
_ACCOUNTS: Final = "SELECT name FROM accounts ORDER BY name"
# Days and books stand in the larger table: it is read through once, by its places.
_MOVED: Final = """
    SELECT sequence, id, evidence_external_id, occurred_at, asset, sum(units)
    FROM postings CROSS JOIN transactions USING (sequence)
    WHERE account = ?1 AND state = 'posted' AND origin IN (SELECT id FROM origins WHERE book = ?2)
    AND (?3 IS NULL OR occurred_at >= ?3) AND (?4 IS NULL OR occurred_at < ?4)
    GROUP BY sequence, asset
"""


class Movement(msgspec.Struct, frozen=True, gc=False):
    """What a transaction moved on the account.

    Attributes:
        sequence: Its place in the chain.
        transaction: Its id.
        id: Its evidence's name in the world it comes from.
        asset: The asset's code.
        units: How much, in the asset's scale.
        day: When it happened, UTC.
    """

    sequence: int
    transaction: str
    id: str
    asset: str
    units: int
    day: date


class UnknownAccount(Exception):
    """The ledger has no such account.

    Attributes:
        near: Those that are called nearly so.
    """

    def __init__(self, account: str, near: list[str]) -> None:
        hint = f"; did you mean {near[0]}?" if near else ""
        super().__init__(f"the ledger has no account {account}{hint}")
        self.near = near


def read_movements(
    connection: sqlite3.Connection, account: str, book: BookName, since: date | None, until: date | None
) -> Iterator[Movement]:
    """Yield what is posted on an account, in the order of the chain. What is pending is no movement yet.

    Args:
        connection: The ledger.
        account: Its name.
        book: The book.
        since: The first day.
        until: The last day.

    Raises:
        UnknownAccount: There is none of that name.
        sqlite3.Error: The ledger cannot be read.
    """
    number = connection.execute(_ACCOUNT, (account,)).fetchone()
    if number is None:
        raise UnknownAccount(account, _near(connection, account))
    days = Selection(book, since, until)
    for sequence, id_, external_id, occurred_at, asset, units in connection.execute(
        _MOVED, (*number, book, days.since_us, days.until_us)
    ):
        if units:
            yield Movement(sequence, chain.id_text(id_), external_id, asset, units, from_us(occurred_at).date())


def widened(since: date | None, until: date | None, by_days: int) -> tuple[date | None, date | None]:
    """Return a period with some days more at both ends."""
    more = timedelta(days=by_days)
    return since and since - more, until and until + more


def _near(connection: sqlite3.Connection, account: str) -> list[str]:
    return get_close_matches(account, [name for (name,) in connection.execute(_ACCOUNTS)], n=3)
