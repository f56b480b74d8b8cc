"""What instances earned since the last look, read from the ledger: by whom, in which asset, and of which period it is.

Counted is what is posted, income less cost. What is pending is left out: it counts when it is posted, for the period
in which it was earned; the yield model knows from experience how much of a period is still to come. Money between
instances is left out, as the fleet as a whole did not earn it. Assets are never added to each other.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from orchestrator.money.chain import POSTED
from orchestrator.money.instants import to_us
from orchestrator.money.movements import PART, join
from streams.booking import BookName
from streams.transfers import INTERNAL

_LAST: Final = "SELECT coalesce(max(sequence), 0) FROM transactions"

# A step of another transaction, and a correction of one, belong to when that one occurred; so does a step of a step.
_TAKEN: Final = f"""
    SELECT stream, instance, asset, {{age}} AS age, sum(units / {PART}), sum(units % {PART})
    FROM transactions AS entry
    CROSS JOIN postings USING (sequence)
    CROSS JOIN accounts ON accounts.id = account
    CROSS JOIN origins ON origins.id = entry.origin
    LEFT JOIN steps ON steps.sequence = entry.sequence
    LEFT JOIN transactions AS target ON target.sequence = steps.target
    LEFT JOIN steps AS former ON former.sequence = steps.target
    LEFT JOIN transactions AS first ON first.sequence = former.target
    LEFT JOIN transactions AS corrected ON corrected.id = entry.corrects
    WHERE entry.sequence > ? AND entry.sequence <= ? AND book = ? AND entry.state = '{POSTED}'
    AND accounts.kind IN ('income', 'cost')
    AND name NOT GLOB 'income:{INTERNAL}:*' AND name NOT GLOB 'cost:{INTERNAL}:*'
    GROUP BY 1, 2, 3, 4
"""  # noqa: S608  made of constants
_OCCURRED: Final = "coalesce(first.occurred_at, target.occurred_at, corrected.occurred_at, entry.occurred_at)"


class Taking(msgspec.Struct, frozen=True, gc=False):
    """What came to an instance, for one period.

    Attributes:
        stream: Its stream.
        instance: Its id.
        asset: The asset's code.
        age: How many periods before this one it was earned.
        units: Income less cost, in the asset's scale.
    """

    stream: str
    instance: str
    asset: str
    age: int
    units: int


class Takings(msgspec.Struct, frozen=True):
    """What came since the last look.

    Attributes:
        sequence: The last transaction that was looked at.
        items: What came, by instance, asset and age.
    """

    sequence: int
    items: tuple[Taking, ...]


def last_sequence(connection: sqlite3.Connection) -> int:
    """Return the number of the last transaction, 0 where there is none.

    Raises:
        sqlite3.Error: The ledger cannot be read.
    """
    (sequence,) = connection.execute(_LAST).fetchone()
    return int(sequence)


def read_takings(
    connection: sqlite3.Connection, book: BookName, after: int, period_ends: Sequence[datetime]
) -> Takings:
    """Read what came to the instances of a book.

    Args:
        connection: The ledger.
        book: The book; the other one is not looked at.
        after: The last transaction of the look before.
        period_ends: When former periods ended, the newest first. What occurred before as many of them is as old.

    Raises:
        sqlite3.Error: The ledger cannot be read.
    """
    last = last_sequence(connection)
    age = " + ".join([f"({_OCCURRED} < ?)"] * len(period_ends)) or "0"
    rows = connection.execute(_TAKEN.format(age=age), (*map(to_us, period_ends), after, last, book))
    items = (
        Taking(stream, instance, asset, past, -join(billions, rest))
        for stream, instance, asset, past, billions, rest in rows
    )
    return Takings(last, tuple(each for each in items if each.units))
