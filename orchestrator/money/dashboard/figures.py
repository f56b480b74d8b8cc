"""What the ledger has to say for a report: sums that it keeps, read in one moment."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Final, NamedTuple, TypeAlias, cast

import msgspec

from orchestrator.money.chain import PENDING
from orchestrator.money.instants import day_of, hour_of, to_us
from orchestrator.money.movements import join
from orchestrator.money.report import InTransit
from orchestrator.money.totals import read_in_transit
from streams.booking import BookName
from streams.transfers import is_internal

HISTORY_DAYS: Final = 90
HISTORY_HOURS: Final = 24 * 14
"""Two weeks, so that one can be compared with the one before."""

BOOKS: Final[tuple[BookName, ...]] = ("paper", "live")

_SUMS: Final = """
    SELECT book, stream, instance, origin, name, kind, asset, state, billions, rest
    FROM sums JOIN origins ON origins.id = origin JOIN accounts ON accounts.id = account
    WHERE kind IN ('income', 'cost')
"""
# One look into the balances for each sum, not one through all days.
_DAY: Final = """
    SELECT book, instance, name, kind, asset, state, units
    FROM sums CROSS JOIN balances USING (origin, account, asset, state)
    JOIN origins ON origins.id = origin JOIN accounts ON accounts.id = account
    WHERE day = ? AND kind IN ('income', 'cost')
"""
_FLOWS: Final = """
    SELECT book, starts, stream, kind, asset, state, billions, rest
    FROM flows WHERE grain = ? AND starts >= ? AND NOT internal
"""
_FIRST_DAY: Final = "SELECT min(starts) FROM flows WHERE grain = 'day'"


class Units(msgspec.Struct):
    """Income and cost in one asset, in units of its scale; both positive numbers.

    Attributes:
        income: Earned for good.
        cost: Spent for good.
        pending: Expected: income less cost.
    """

    income: int = 0
    cost: int = 0
    pending: int = 0

    @property
    def net(self) -> int:
        """Income less cost."""
        return self.income - self.cost

    def add(self, kind: str, state: str, units: int) -> None:
        """Add what postings on an account of income or cost sum to: income is negative there."""
        if state == PENDING:
            self.pending -= units
        elif kind == "income":
            self.income -= units
        else:
            self.cost += units

    def add_all(self, other: Units) -> None:
        """Add another's."""
        self.income += other.income
        self.cost += other.cost
        self.pending += other.pending


ByAsset: TypeAlias = defaultdict[str, Units]


def by_asset() -> ByAsset:
    """Return a place for sums by asset."""
    return defaultdict(Units)


class Earner(NamedTuple):
    """An instance and its stream."""

    stream: str
    instance: str


class BookFigures(msgspec.Struct):
    """What one book has to say.

    Attributes:
        totals: By asset; without what instances earned of each other, as all that follows but `internal`.
        streams: By stream and asset.
        earners: By instance and asset.
        internal: What each instance earned of others, less what it paid to others.
        today: What each instance earned and spent on this UTC day.
        resources: What was spent, by stream, kind of cost (the second part of its account) and asset.
        days: By UTC day, stream and asset.
        hours: By UTC hour, stream and asset.
        in_transit: Transfers between instances that are booked on one side only.
    """

    totals: ByAsset = msgspec.field(default_factory=by_asset)
    streams: defaultdict[str, ByAsset] = msgspec.field(default_factory=lambda: defaultdict(by_asset))
    earners: defaultdict[Earner, ByAsset] = msgspec.field(default_factory=lambda: defaultdict(by_asset))
    internal: defaultdict[str, ByAsset] = msgspec.field(default_factory=lambda: defaultdict(by_asset))
    today: defaultdict[str, ByAsset] = msgspec.field(default_factory=lambda: defaultdict(by_asset))
    resources: defaultdict[tuple[str, str, str], int] = msgspec.field(default_factory=lambda: defaultdict(int))
    days: defaultdict[tuple[str, str], ByAsset] = msgspec.field(default_factory=lambda: defaultdict(by_asset))
    hours: defaultdict[tuple[str, str], ByAsset] = msgspec.field(default_factory=lambda: defaultdict(by_asset))
    in_transit: tuple[InTransit, ...] = ()


class Figures(msgspec.Struct):
    """What the ledger had to say at one moment.

    Attributes:
        now: The moment, UTC.
        first_day: The first UTC day with income or cost, `2026-01-31`; None where there is none.
        books: By book.
    """

    now: datetime
    first_day: str | None
    books: dict[BookName, BookFigures]


def read_figures(connection: sqlite3.Connection, now: datetime) -> Figures:
    """Read all that a report is made of.

    Args:
        connection: The ledger; no transaction is open on it.
        now: The present, aware.

    Raises:
        sqlite3.Error: The ledger cannot be read.
    """
    books: dict[BookName, BookFigures] = {book: BookFigures() for book in BOOKS}
    connection.execute("BEGIN")
    try:
        _read_sums(connection, books)
        _read_today(connection, books, day_of(to_us(now)))
        for book, starts, stream, asset, units in _flows(connection, "day", now - timedelta(days=HISTORY_DAYS - 1)):
            books[book].days[starts, stream][asset].add_all(units)
        for book, starts, stream, asset, units in _flows(connection, "hour", now - timedelta(hours=HISTORY_HOURS)):
            books[book].hours[starts, stream][asset].add_all(units)
        for book in BOOKS:
            books[book].in_transit = read_in_transit(connection, book)
        (first_day,) = connection.execute(_FIRST_DAY).fetchone()
    finally:
        connection.execute("ROLLBACK")
    return Figures(now, first_day, books)


def _read_sums(connection: sqlite3.Connection, books: dict[BookName, BookFigures]) -> None:
    for book, stream, instance, _, account, kind, asset, state, billions, rest in connection.execute(_SUMS):
        units = join(billions, rest)
        figures = books[book]
        if is_internal(account):
            figures.internal[instance][asset].add(kind, state, units)
            continue
        figures.totals[asset].add(kind, state, units)
        figures.streams[stream][asset].add(kind, state, units)
        figures.earners[Earner(stream, instance)][asset].add(kind, state, units)
        if kind == "cost" and state != PENDING:
            figures.resources[stream, account.split(":", 2)[1], asset] += units


def _read_today(connection: sqlite3.Connection, books: dict[BookName, BookFigures], today: str) -> None:
    for book, instance, account, kind, asset, state, units in connection.execute(_DAY, (today,)):
        if not is_internal(account):
            books[book].today[instance][asset].add(kind, state, units)


_Flow: TypeAlias = tuple[BookName, str, str, str, Units]


def _flows(connection: sqlite3.Connection, grain: str, since: datetime) -> list[_Flow]:
    first = (day_of if grain == "day" else hour_of)(to_us(since))
    flows = []
    for book, starts, stream, kind, asset, state, billions, rest in connection.execute(_FLOWS, (grain, first)):
        units = Units()
        units.add(kind, state, join(billions, rest))
        flows.append((cast("BookName", book), starts, stream, asset, units))
    return flows
