"""Single bookings, pages of entries, and meters."""

from __future__ import annotations

import heapq
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

from actors import Refusal
from orchestrator.money import chain
from orchestrator.money.bulk import BulkSelect
from orchestrator.money.instants import from_us
from orchestrator.money.report import Entry, EntryEvidence, EntryPage, EntryPosting, EntryResolution, EntryStep
from streams.booking import Booked, BookName, Evidence, PresentState, Receipt, Step
from streams.money import MAX_UNITS, format_amount

MAX_PAGE: Final = 1000
_BATCH: Final = 512

_CURSOR: Final = re.compile(r"a([0-9a-f]{1,15})")

_ENTRIES: Final = """
    SELECT entry.sequence, entry.id, book, stream, instance, entry.key, entry.kind, entry.state,
           coalesce(states.state, entry.state), entry.occurred_at, entry.booked_at,
           entry.evidence_kind, entry.evidence_external_id, entry.evidence_digest,
           entry.memo, entry.corrects, entry.reason, entry.hash,
           expiries.expires_at, target.id, steps.outcome, steps.reason
    FROM transactions AS entry
    JOIN origins ON origins.id = entry.origin
    LEFT JOIN states ON states.sequence = entry.sequence
    LEFT JOIN expiries ON expiries.sequence = entry.sequence
    LEFT JOIN steps ON steps.sequence = entry.sequence
    LEFT JOIN transactions AS target ON target.sequence = steps.target
"""
_SELECT_ENTRIES: Final = BulkSelect(_ENTRIES, "entry.sequence")
_SELECT_ENTRY: Final = f"{_ENTRIES} WHERE entry.id = ?"
# The plus signs keep SQLite from another order, which it would have to sort.
_WALK: Final = f"""
    {_ENTRIES} WHERE (?1 IS NULL OR +book = ?1)
    AND (?2 IS NULL OR +entry.occurred_at >= ?2) AND (?3 IS NULL OR +entry.occurred_at < ?3)
    ORDER BY entry.sequence
"""
_SELECT_STEPS: Final = BulkSelect(
    "SELECT target, sequence, outcome, id, steps.reason, booked_at FROM steps JOIN transactions USING (sequence)",
    "target",
)
_SELECT_LEGS: Final = BulkSelect(
    "SELECT sequence, n, accounts.kind, name, asset, units FROM postings JOIN accounts ON accounts.id = account",
    "sequence",
)
_SELECT_ORIGINS: Final = """
    SELECT id FROM origins
    WHERE (?1 IS NULL OR book = ?1) AND (?2 IS NULL OR stream = ?2) AND (?3 IS NULL OR instance = ?3)
"""
_ALL_ORIGINS: Final = "SELECT id FROM origins"
_FORWARD: Final = "sequence > :after {} ORDER BY sequence LIMIT :limit"
_BACKWARD: Final = "sequence < :after {} ORDER BY sequence DESC LIMIT :limit"
_OF_ORIGIN: Final = "AND origin = :origin"
_OF_ANY_STATE: Final = "SELECT sequence FROM transactions WHERE"
_POSTED: Final = (  # nearly all are, and few of them have a row there
    "SELECT sequence FROM transactions LEFT JOIN (SELECT sequence, state AS now FROM states) USING (sequence)"
    " WHERE coalesce(now, 'posted') = 'posted' AND"
)
_OF_STATE: Final = "SELECT sequence FROM states WHERE state = :state AND"


class BadCursor(Refusal):
    """A cursor that no page of entries gave."""

    rpc_code = -32602

    def __init__(self, cursor: str) -> None:
        super().__init__(f"{cursor[:40]!r} is not a cursor that a page of entries gave")


def find_booking(connection: sqlite3.Connection, book: BookName, key: str) -> Booked | None:
    """Look a booking up by its idempotency key.

    Raises:
        sqlite3.Error: The ledger cannot be read.
    """
    transaction = chain.transaction_id(book, key)
    row = connection.execute(
        "SELECT sequence, booked_at, evidence_kind, evidence_external_id, artefact,"
        " coalesce(states.state, transactions.state)"
        " FROM transactions JOIN evidence USING (sequence) LEFT JOIN states USING (sequence) WHERE id = ?",
        (transaction,),
    ).fetchone()
    if row is None:
        return None
    sequence, booked_at, kind, external_id, artefact, state = row
    return Booked(
        Receipt(chain.id_text(transaction), sequence, from_us(booked_at), replayed=True),
        Evidence(kind, external_id, artefact),
        state,
    )


def read_meters(connection: sqlite3.Connection, prefix: str) -> dict[str, int]:
    """Read all meters whose name starts with a prefix.

    Raises:
        sqlite3.Error: The ledger cannot be read.
    """
    # No meter's name contains the last code point, so this ends right behind the prefix.
    return dict(
        connection.execute(
            "SELECT name, value FROM meters WHERE name >= ? AND name < ?", (prefix, f"{prefix}\U0010ffff")
        )
    )


def read_entry(connection: sqlite3.Connection, transaction: str) -> Entry | None:
    """Read one transaction by its id, the receipt's; None where there is none.

    Raises:
        sqlite3.Error: The ledger cannot be read.
    """
    parsed = chain.parse_id(transaction)
    if parsed is None:
        return None
    row = connection.execute(_SELECT_ENTRY, (parsed,)).fetchone()
    return next(iter(_entries(connection, [row])), None) if row else None


def read_entries(
    connection: sqlite3.Connection,
    *,
    book: BookName | None = None,
    stream: str | None = None,
    instance: str | None = None,
    state: PresentState | None = None,
    limit: int = 100,
    cursor: str | None = None,
    newest_first: bool = False,
) -> EntryPage:
    """Read a page of transactions, in the order they were booked or the reverse.

    Args:
        connection: The ledger.
        book: Only this book's.
        stream: Only this stream's.
        instance: Only this instance's.
        state: Only what has become this by now.
        limit: How many at most, 1 to 1,000; a number outside counts as the nearest inside.
        cursor: Where the page before ended.
        newest_first: Whether to go back from the last one.

    Raises:
        BadCursor: The cursor comes from elsewhere.
        sqlite3.Error: The ledger cannot be read.
    """
    limit = min(max(limit, 1), MAX_PAGE)
    after = _parse_cursor(cursor)
    origins = None
    if (book, stream, instance) != (None, None, None):
        origins = [number for (number,) in connection.execute(_SELECT_ORIGINS, (book, stream, instance))]
    found = sequences(connection, origins, after=after, limit=limit + 1, newest_first=newest_first, state=state)
    page = found[:limit]
    rows = sorted(_SELECT_ENTRIES.run(connection, page), reverse=newest_first)
    return EntryPage(
        tuple(_entries(connection, rows)),
        _format_cursor(page[-1]) if len(found) > limit else None,
    )


def walk_entries(
    connection: sqlite3.Connection,
    book: BookName | None = None,
    since_us: int | None = None,
    until_us: int | None = None,
) -> Iterator[Entry]:
    """Yield transactions from the first to the last, however many there are, a batch of them in memory at a time.

    Args:
        connection: The ledger, with a transaction open on it if all are to be of one moment.
        book: Only this book's.
        since_us: Only what happened at this instant or later, microseconds since 1970.
        until_us: Only what happened before this one.

    Raises:
        sqlite3.Error: The ledger cannot be read.
    """
    found = connection.execute(_WALK, (book, since_us, until_us))
    while rows := found.fetchmany(_BATCH):
        yield from _entries(connection, rows)


def entries_at(connection: sqlite3.Connection, places: Sequence[int]) -> list[Entry]:
    """Read the transactions at places in the chain, in its order; those that there are.

    Raises:
        sqlite3.Error: The ledger cannot be read.
    """
    return list(_entries(connection, sorted(_SELECT_ENTRIES.run(connection, places))))


def sequences(
    connection: sqlite3.Connection,
    origins: Iterable[int] | None,
    *,
    after: int | None,
    limit: int,
    newest_first: bool = False,
    state: PresentState | None = None,
) -> list[int]:
    """Read the places in the chain of the transactions of some origins, or of all.

    Args:
        connection: The ledger.
        origins: The origins' numbers; None for all there are.
        after: Only what follows this place (or comes before it, newest first).
        limit: How many at most.
        newest_first: Whether to go back from the last one.
        state: Only what has become this by now; None for any.

    Raises:
        sqlite3.Error: The ledger cannot be read.
    """
    if after is None:
        after = MAX_UNITS if newest_first else 0
    wanted = {"after": after, "limit": limit, "state": state}
    source = _OF_ANY_STATE if state is None else _POSTED if state == chain.POSTED else _OF_STATE
    part = _BACKWARD if newest_first else _FORWARD
    if origins is None and source != _OF_STATE:
        return [sequence for (sequence,) in connection.execute(f"{source} {part.format('')}", wanted)]
    if origins is None:
        origins = [origin for (origin,) in connection.execute(_ALL_ORIGINS)]
    # One short range of the index per origin, merged: a rare origin costs no walk through the others' rows.
    statement = f"{source} {part.format(_OF_ORIGIN)}"
    runs = [connection.execute(statement, wanted | {"origin": origin}).fetchall() for origin in origins]
    return [sequence for (sequence,) in islice(heapq.merge(*runs, reverse=newest_first), limit)]


def _entries(connection: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> Iterable[Entry]:
    legs: defaultdict[int, list[tuple[str, str, str, int]]] = defaultdict(list)
    for sequence, _, *leg in sorted(_SELECT_LEGS.run(connection, [row[0] for row in rows])):
        legs[sequence].append(tuple(leg))
    steps: defaultdict[int, list[EntryStep]] = defaultdict(list)
    for target, _, *step in sorted(_SELECT_STEPS.run(connection, [row[0] for row in rows])):
        steps[target].append(_step(*step))
    for row in rows:
        (sequence, transaction, book, stream, instance, key, kind, booked_as, state, occurred_at, booked_at) = row[:11]
        (evidence_kind, external_id, digest, memo, corrects, reason, this_hash) = row[11:18]
        expires_at, target, outcome, why = row[18:]
        net = _net_income((leg[0], leg[2], leg[3]) for leg in legs[sequence])
        yield Entry(
            id=chain.id_text(transaction),
            sequence=sequence,
            book=book,
            stream=stream,
            instance=instance,
            key=key,
            kind=kind,
            state=state,
            occurred_at=from_us(occurred_at),
            booked_at=from_us(booked_at),
            amount=format_amount(net[1], net[0]) if net else None,
            asset=net[0] if net else None,
            postings=tuple(
                EntryPosting(account, asset, format_amount(units, asset)) for _, account, asset, units in legs[sequence]
            ),
            evidence=EntryEvidence(evidence_kind, external_id, digest.hex()),
            memo=memo,
            corrects=chain.id_text(corrects) if corrects is not None else None,
            reason=reason,
            hash=this_hash.hex(),
            counts_as=booked_as if booked_as in {chain.POSTED, state} else None,
            expires_at=from_us(expires_at) if expires_at is not None else None,
            resolves=EntryResolution(chain.id_text(target), outcome, why) if target is not None else None,
            steps=tuple(steps[sequence]),
        )


def _step(outcome: Step, transaction: bytes, reason: str, booked_at: int) -> EntryStep:
    return EntryStep(outcome, chain.id_text(transaction), reason, from_us(booked_at))


def _net_income(legs: Iterable[tuple[str, str, int]]) -> tuple[str, int] | None:
    """Return asset and units of what the legs (account's kind, asset, units) of a transaction earned, net.

    The asset is that of the first leg on income or cost; None where there is none.
    """
    first: str | None = None
    units = 0
    for kind, asset, leg in legs:
        if kind in {"income", "cost"} and asset == (first := first or asset):
            units -= leg
    return None if first is None else (first, units)


def _parse_cursor(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        raise BadCursor(cursor)
    return int(match[1], 16)


def _format_cursor(sequence: int) -> str:
    return f"a{sequence:x}"
