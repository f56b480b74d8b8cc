"""The ledger as beancount reads it, so that somebody else's program can check the books.

Each transaction stands on the day it happened, with what the ledger knows of it as metadata, and a link by its id; one
that corrects another, or takes a step with it, has the other's link, too. Assets keep their names, and amounts all
their places.

**What is pending** is flagged `!`, and its postings are on accounts of their own (`Income:Paper-pending:…`), so that
they are in no balance of what was earned. The transaction that resolves it takes them from there again, and has
what it posts beside that. So the balance of `Income:Paper` is what `ledger totals` says is posted, and that of
`Income:Paper-pending` what it says is pending. Money between instances is on `…:Paper:Internal:…`.

At the end stand balance assertions, made from the sums that the ledger keeps and not from what is exported: beancount
itself finds where they differ. There are none where days are left out at the beginning, and none of what is
pending where some are left out at the end.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Final, TypeAlias

from orchestrator.money import chain
from orchestrator.money.export.account_names import beancount_account
from orchestrator.money.export.selection import Selection
from orchestrator.money.instants import day_of
from orchestrator.money.movements import PART, join
from orchestrator.money.queries import walk_entries
from orchestrator.money.report import Entry
from orchestrator.money.steps import RESOLVING
from streams.money import asset_of, format_amount

_LAST_DAY: Final = date(2099, 12, 31)  # of beancount's grammar

_Leg: TypeAlias = tuple[str, str, str]
"""Account as beancount writes it, amount, asset."""

_OF_BOOK: Final = "(?1 IS NULL OR book = ?1)"
_ACCOUNTS: Final = f"""
    SELECT DISTINCT book, name, state
    FROM sums JOIN origins ON origins.id = origin JOIN accounts ON accounts.id = account
    WHERE {_OF_BOOK} ORDER BY name, book, state DESC
"""  # noqa: S608  made of constants
_ASSETS: Final = "SELECT DISTINCT asset FROM sums ORDER BY asset"
_DAYS: Final = "SELECT min(day), max(day) FROM balances"
_STEP_DAYS: Final = "SELECT min(occurred_at), max(occurred_at) FROM steps JOIN transactions USING (sequence)"
_SUMS: Final = f"""
    SELECT book, name, state, asset, sum(billions), sum(rest)
    FROM sums JOIN origins ON origins.id = origin JOIN accounts ON accounts.id = account
    WHERE {_OF_BOOK} GROUP BY name, book, state, asset ORDER BY name, book, state DESC, asset
"""  # noqa: S608
_SUMS_UNTIL: Final = f"""
    SELECT book, name, state, asset, sum(units / {PART}), sum(units % {PART})
    FROM balances JOIN origins ON origins.id = origin JOIN accounts ON accounts.id = account
    WHERE {_OF_BOOK} AND state = 'posted' AND day <= ?2
    GROUP BY name, book, asset ORDER BY name, book, asset
"""  # noqa: S608
_HEAD: Final = "SELECT sequence, hash FROM transactions ORDER BY sequence DESC LIMIT 1"
_PENDING_LEGS: Final = """
    SELECT occurred_at, name, asset, units
    FROM transactions JOIN postings USING (sequence) JOIN accounts ON accounts.id = account
    WHERE transactions.id = ? ORDER BY n
"""


class NotForBeancount(Exception):
    """The ledger holds what beancount cannot read."""


def beancount_lines(connection: sqlite3.Connection, selection: Selection) -> Iterator[bytes]:
    """Yield the file, a directive at a time.

    Raises:
        NotForBeancount: Something happened after the year 2099, or on its last day.
        sqlite3.Error: The ledger cannot be read.
    """
    first, last = _days(connection)
    yield _text(_heading(connection, selection))
    for (asset,) in connection.execute(_ASSETS):
        yield _text([f"{first} commodity {asset}", f"  scale: {asset_of(asset).scale}", ""])
    for book, name, state in connection.execute(_ACCOUNTS, (selection.book,)):
        yield _text([f"{first} open {beancount_account(book, state, name)}", f'  ledger: "{name}"'])
    for entry in walk_entries(connection, selection.book, selection.since_us, selection.until_us):
        yield _text(_transaction(entry, _legs(connection, entry, selection)))
    yield _text([""])
    for line in _assertions(connection, selection, last):
        yield _text([line])


def _days(connection: sqlite3.Connection) -> tuple[date, date]:
    """Return the first and the last day that something happened on; today where nothing has."""
    moved = connection.execute(_DAYS).fetchone()
    stepped = [day_of(instant) for instant in connection.execute(_STEP_DAYS).fetchone() if instant is not None]
    days = [date.fromisoformat(day) for day in (*moved, *stepped) if day is not None] or [datetime.now(UTC).date()]
    if max(days) >= _LAST_DAY:  # the balances are asserted on the day after
        raise NotForBeancount(f"something happened on {max(days)}, and beancount knows no day after {_LAST_DAY}")
    return min(days), max(days)


def _heading(connection: sqlite3.Connection, selection: Selection) -> list[str]:
    sequence, head = connection.execute(_HEAD).fetchone() or (0, chain.GENESIS)
    return [
        f"; {sequence:,} transactions in the ledger, the hash of the last is {head.hex()}",
        f"; exported: {selection.book or 'both books'}, {selection.since or 'from the first day'}"
        f" to {selection.until or 'the last'}",
        'option "title" "Ledger"',
        "",
    ]


def _legs(connection: sqlite3.Connection, entry: Entry, selection: Selection) -> list[_Leg]:
    state = chain.PENDING if entry.counts_as != chain.POSTED else chain.POSTED
    legs = [
        (beancount_account(entry.book, state, posting.account), posting.amount, posting.asset)
        for posting in entry.postings
    ]
    if entry.resolves is not None and entry.resolves.outcome in RESOLVING:
        pending = chain.parse_id(entry.resolves.transaction)
        for occurred_at, name, asset, units in connection.execute(_PENDING_LEGS, (pending,)):
            if _is_selected(occurred_at, selection):
                account = beancount_account(entry.book, chain.PENDING, name)
                legs.append((account, format_amount(-units, asset), asset))
    return legs


def _is_selected(occurred_at: int, selection: Selection) -> bool:
    since, until = selection.since_us, selection.until_us
    return (since is None or since <= occurred_at) and (until is None or occurred_at < until)


def _transaction(entry: Entry, legs: Iterable[_Leg]) -> list[str]:
    step = entry.resolves
    flag = "*" if entry.counts_as == chain.POSTED else "!"
    other = entry.corrects or (step.transaction if step else None)
    links = f"^{entry.id} ^{other}" if other else f"^{entry.id}"
    told = {
        "id": entry.id,
        "sequence": str(entry.sequence),
        "instance": entry.instance,
        "stream": entry.stream,
        "state": entry.state,
        "occurred": entry.occurred_at.isoformat(),
        "booked": entry.booked_at.isoformat(),
        "evidence": entry.evidence.kind,
        "external-id": entry.evidence.external_id,
        "digest": entry.evidence.digest,
        "key": entry.key,
        "expires": entry.expires_at.isoformat() if entry.expires_at else None,
        "corrects": entry.corrects,
        "resolves": step.transaction if step else None,
        "outcome": step.outcome if step else None,
        "reason": (step.reason if step else entry.reason) or None,
        "hash": entry.hash,
    }
    return [
        "",
        f"{entry.occurred_at.date()} {flag} {_quoted(entry.kind)} {_quoted(entry.memo)} {links}",
        *(f"  {name}: {_quoted(value)}" for name, value in told.items() if value is not None),
        *(f"  {account}  {amount} {asset}" for account, amount, asset in legs),
    ]


def _assertions(connection: sqlite3.Connection, selection: Selection, last: date) -> Iterator[str]:
    if selection.since is not None:
        return
    if selection.until is None:
        rows = connection.execute(_SUMS, (selection.book,))
    else:
        rows = connection.execute(_SUMS_UNTIL, (selection.book, selection.until.isoformat()))
        last = min(last, selection.until)
    for book, name, state, asset, billions, rest in rows:
        amount = format_amount(join(billions, rest), asset)
        account = beancount_account(book, state, name)
        yield f"{last + timedelta(days=1)} balance {account}  {amount} ~ 0 {asset}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _text(lines: Iterable[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()
