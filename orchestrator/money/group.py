"""The rows of one group of bookings: replays found, places in the chain given, balances summed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from orchestrator.money import chain
from orchestrator.money.bulk import BulkInsert
from orchestrator.money.instants import from_us
from orchestrator.money.preparation import Prepared, encode_meters
from orchestrator.money.validation import account_kind
from streams.booking import BookingRejected, KeyConflict, Receipt

POSTED: Final = "posted"
"""The state of money that is earned or spent for good."""

Outcome: TypeAlias = Receipt | BookingRejected
Head: TypeAlias = tuple[int, bytes, int]
"""Sequence, hash and time of booking (microseconds) of the chain's last transaction."""
Earlier: TypeAlias = tuple[int, int, bytes, str]
"""Sequence, time of booking (microseconds), body digest and book of a transaction booked before."""

_BYTES_PER_BOOKING: Final = 4096  # its place in the index of ids is random: most often a page of its own

_INSERT_ORIGINS: Final = BulkInsert("origins", ("id", "book", "stream", "instance"))
_INSERT_ACCOUNTS: Final = BulkInsert("accounts", ("id", "name", "kind"))
_INSERT_TRANSACTIONS: Final = BulkInsert(
    "transactions",
    (
        *("sequence", "id", "origin", "key", "kind", "state", "occurred_at", "booked_at", "memo"),
        *("corrects", "reason", "evidence_kind", "evidence_external_id", "evidence_digest"),
        *("meters", "body_digest", "hash"),
    ),
)
_INSERT_POSTINGS: Final = BulkInsert("postings", ("sequence", "n", "account", "asset", "units"))
_INSERT_EVIDENCE: Final = BulkInsert("evidence", ("sequence", "artefact"))
_MOVE_BALANCES: Final = BulkInsert(
    "balances",
    ("origin", "account", "asset", "state", "day", "units"),
    "ON CONFLICT DO UPDATE SET units = units + excluded.units",
)
_MOVE_METERS: Final = BulkInsert(
    "meters", ("name", "value"), "ON CONFLICT DO UPDATE SET value = value + excluded.value"
)


class Names:
    """Names that stand once in the ledger, and the numbers that stand for them on its rows.

    Attributes:
        origins: Number of each (book, stream, instance).
        books: Book of each origin's number.
        accounts: Number of each account's name.
    """

    def __init__(self) -> None:
        self.origins: dict[tuple[str, str, str], int] = {}
        self.books: dict[int, str] = {}
        self.accounts: dict[str, int] = {}

    def read(self, connection: sqlite3.Connection) -> None:
        """Learn all names of a ledger."""
        self.accounts.update(connection.execute("SELECT name, id FROM accounts"))
        for number, *origin in connection.execute("SELECT id, book, stream, instance FROM origins"):
            self.add_origin(tuple(origin), number)

    def add_origin(self, origin: tuple[str, str, str], number: int) -> None:
        """Learn one origin."""
        self.origins[origin] = number
        self.books[number] = origin[0]

    def forget(self, origins: Iterable[tuple[str, str, str]], accounts: Iterable[str]) -> None:
        """Unlearn names that did not come into the ledger after all."""
        for origin in origins:
            del self.books[self.origins.pop(origin)]
        for account in accounts:
            del self.accounts[account]


class Group:
    """What is about to be written.

    Args:
        head: The last transaction in the ledger.
        names: The names the ledger has; new ones are added, until `take_back`.
        now_us: The wall clock; times of booking never go back along the chain, whatever it says.

    Attributes:
        head: The last transaction once the group is written.
        outcomes: The answer to each booking, in order.
        bytes: About how much the group adds to the write-ahead log.
    """

    def __init__(self, head: Head, names: Names, now_us: int) -> None:
        self.head = head
        self.outcomes: list[Outcome] = []
        self.bytes = 0
        self._names = names
        self._booked_at_us = max(now_us, head[2])
        self._booked_at = from_us(self._booked_at_us)
        self._new_origins: dict[tuple[str, str, str], int] = {}
        self._new_accounts: dict[str, int] = {}
        self._transactions: list[Any] = []
        self._postings: list[Any] = []
        self._evidence: list[Any] = []
        self._balances: dict[tuple[int, int, str, str], int] = {}
        self._meters: dict[str, int] = {}

    def add(self, bookings: Iterable[Prepared], earlier: dict[bytes, Earlier]) -> None:
        """Add bookings, each after the one before.

        Args:
            bookings: What to book.
            earlier: What the ledger holds under the ids they have or correct; grows by what is added.
        """
        for prepared in bookings:
            booking = prepared.booking
            if (made := earlier.get(prepared.id)) is not None:
                self.outcomes.append(_replay(prepared, made))
            elif booking.corrects is not None and not _is_in_book(booking.book, earlier.get(prepared.corrects or b"")):
                wrong = booking.corrects.transaction
                self.outcomes.append(BookingRejected(f"the book {booking.book} has no transaction {wrong} to correct"))
            else:
                sequence = self._append(prepared)
                earlier[prepared.id] = sequence, self._booked_at_us, prepared.body_digest, booking.book
                self.outcomes.append(Receipt(chain.id_text(prepared.id), sequence, self._booked_at))

    def insert(self, connection: sqlite3.Connection) -> None:
        """Write the rows, inside the transaction that is open.

        Raises:
            sqlite3.IntegrityError, OverflowError: A row is impossible (a balance out of range, for example).
            sqlite3.Error: They cannot be written.
        """
        if not self._transactions:
            return
        if self._new_origins:
            _INSERT_ORIGINS.run(connection, [v for o, n in self._new_origins.items() for v in (n, *o)])
        if self._new_accounts:
            _INSERT_ACCOUNTS.run(
                connection, [v for a, n in self._new_accounts.items() for v in (n, a, account_kind(a))]
            )
        _INSERT_TRANSACTIONS.run(connection, self._transactions)
        _INSERT_POSTINGS.run(connection, self._postings)
        _INSERT_EVIDENCE.run(connection, self._evidence)
        _MOVE_BALANCES.run(
            connection,
            [v for (o, a, asset, day), u in self._balances.items() for v in (o, a, asset, POSTED, day, u)],
        )
        _MOVE_METERS.run(connection, [value for item in self._meters.items() for value in item])

    def take_back(self) -> None:
        """Undo what the group changed in memory; to be called when it was not committed."""
        self._names.forget(self._new_origins, self._new_accounts)

    def _append(self, prepared: Prepared) -> int:
        booking = prepared.booking
        evidence = booking.evidence
        last, last_hash, _ = self.head
        sequence = last + 1
        origin_name = (booking.book, booking.stream, booking.instance)
        origin = self._names.origins.get(origin_name) or self._name_origin(origin_name)
        this_hash = chain.next_hash(
            last_hash,
            prepared.body_digest,
            sequence,
            prepared.occurred_at_us,
            self._booked_at_us,
            POSTED,
            booking.memo,
            booking.meters,
        )
        self._transactions += (
            sequence,
            prepared.id,
            origin,
            booking.key,
            booking.kind,
            POSTED,
            prepared.occurred_at_us,
            self._booked_at_us,
            booking.memo,
            prepared.corrects,
            booking.corrects and booking.corrects.reason,
            evidence.kind,
            evidence.external_id,
            prepared.evidence_digest,
            encode_meters(booking.meters),
            prepared.body_digest,
            this_hash,
        )
        accounts, balances, day = self._names.accounts, self._balances, prepared.day
        for n, posting in enumerate(booking.postings):
            name, asset, units = posting.account, posting.asset, posting.units
            account = accounts.get(name) or self._name_account(name)
            self._postings += (sequence, n, account, asset, units)
            place = (origin, account, asset, day)
            balances[place] = balances.get(place, 0) + units
        self._evidence += (sequence, evidence.artefact)
        for increment in booking.meters:
            self._meters[increment.meter] = self._meters.get(increment.meter, 0) + increment.amount
        self.bytes += _BYTES_PER_BOOKING + len(evidence.artefact)
        self.head = (sequence, this_hash, self._booked_at_us)
        return sequence

    def _name_origin(self, origin: tuple[str, str, str]) -> int:
        number = self._new_origins[origin] = len(self._names.origins) + 1
        self._names.add_origin(origin, number)
        return number

    def _name_account(self, name: str) -> int:
        number = self._new_accounts[name] = self._names.accounts[name] = len(self._names.accounts) + 1
        return number


def _replay(prepared: Prepared, made: Earlier) -> Outcome:
    sequence, booked_at_us, body_digest, _ = made
    if body_digest != prepared.body_digest:
        return KeyConflict(prepared.booking.key)
    return Receipt(chain.id_text(prepared.id), sequence, from_us(booked_at_us), replayed=True)


def _is_in_book(book: str, transaction: Earlier | None) -> bool:
    return transaction is not None and transaction[3] == book
