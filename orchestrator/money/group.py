"""The rows of one group of bookings: replays found, places in the chain given, balances summed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from orchestrator.money import chain, movements
from orchestrator.money.bulk import BulkInsert
from orchestrator.money.chain import PENDING, POSTED
from orchestrator.money.instants import from_us
from orchestrator.money.movements import Place
from orchestrator.money.preparation import Prepared, encode_meters
from orchestrator.money.steps import RESOLVING, Taken, Target, step_problem, sums_of
from orchestrator.money.validation import EARNING_KINDS, account_kind
from streams.booking import BookingRejected, KeyConflict, Receipt
from streams.transfers import is_internal

Outcome: TypeAlias = Receipt | BookingRejected
Head: TypeAlias = tuple[int, bytes, int]
"""Sequence, hash and time of booking (microseconds) of the chain's last transaction."""
Earlier: TypeAlias = tuple[int, int, bytes, str, str]
"""Sequence, time of booking (microseconds), body digest, book and state as booked of a transaction booked before."""

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
_INSERT_STEPS: Final = BulkInsert("steps", ("sequence", "target", "outcome", "reason"))
_INSERT_EXPIRIES: Final = BulkInsert("expiries", ("sequence", "expires_at"))
_SET_STATES: Final = BulkInsert(
    "states",
    ("sequence", "origin", "state", "expires_at"),
    "ON CONFLICT DO UPDATE SET state = excluded.state, expires_at = excluded.expires_at",
)
_MOVE_METERS: Final = BulkInsert(
    "meters", ("name", "value"), "ON CONFLICT DO UPDATE SET value = value + excluded.value"
)


class Names:
    """Names that stand once in the ledger, and the numbers that stand for them on its rows.

    Attributes:
        origins: Number of each (book, stream, instance).
        parties: Book and stream of each origin's number.
        accounts: Number of each account's name.
        earning: Kind of each account's number that stands for income or cost, and whether it is between instances.
    """

    def __init__(self) -> None:
        self.origins: dict[tuple[str, str, str], int] = {}
        self.parties: dict[int, tuple[str, str]] = {}
        self.accounts: dict[str, int] = {}
        self.earning: dict[int, tuple[str, bool]] = {}

    def read(self, connection: sqlite3.Connection) -> None:
        """Learn all names of a ledger."""
        for account, number in connection.execute("SELECT name, id FROM accounts"):
            self.add_account(account, number)
        for number, *origin in connection.execute("SELECT id, book, stream, instance FROM origins"):
            self.add_origin(tuple(origin), number)

    def add_origin(self, origin: tuple[str, str, str], number: int) -> None:
        """Learn one origin."""
        self.origins[origin] = number
        self.parties[number] = origin[:2]

    def add_account(self, account: str, number: int) -> None:
        """Learn one account."""
        self.accounts[account] = number
        if (kind := account.partition(":")[0]) in EARNING_KINDS:
            self.earning[number] = (kind, is_internal(account))

    def forget(self, origins: Iterable[tuple[str, str, str]], accounts: Iterable[str]) -> None:
        """Unlearn names that did not come into the ledger after all."""
        for origin in origins:
            del self.parties[self.origins.pop(origin)]
        for account in accounts:
            self.earning.pop(self.accounts.pop(account), None)


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
        self._moved: dict[Place, int] = {}
        self._moved_pending: dict[Place, int] = {}
        self._steps: list[Any] = []
        self._expiries: list[Any] = []
        self._states: dict[int, tuple[int, str, int | None]] = {}
        self._meters: dict[str, int] = {}

    def add(
        self, bookings: Iterable[Prepared], earlier: dict[bytes, Earlier], targets: dict[bytes, Target | None]
    ) -> None:
        """Add bookings, each after the one before.

        Args:
            bookings: What to book.
            earlier: What the ledger holds under the ids they have or correct; grows by what is added.
            targets: What it holds under the ids they take a step with, None where that is nothing; grows, too.
        """
        for prepared in bookings:
            booking = prepared.booking
            if (made := earlier.get(prepared.id)) is not None:
                self.outcomes.append(_replay(prepared, made))
            elif (prepared.corrects is not None or prepared.resolves is not None) and (
                problem := self._problem(prepared, earlier, targets)
            ):
                self.outcomes.append(BookingRejected(problem))
            else:
                sequence = self._append(prepared)
                earlier[prepared.id] = sequence, self._booked_at_us, prepared.body_digest, booking.book, booking.state
                if targets:
                    self._follow_steps(prepared, sequence, targets)
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
        movements.insert(connection, POSTED, self._moved, self._names)
        movements.insert(connection, PENDING, self._moved_pending, self._names)
        _INSERT_STEPS.run(connection, self._steps)
        _INSERT_EXPIRIES.run(connection, self._expiries)
        _SET_STATES.run(connection, [v for sequence, state in self._states.items() for v in (sequence, *state)])
        _MOVE_METERS.run(connection, [value for item in self._meters.items() for value in item])

    def take_back(self) -> None:
        """Undo what the group changed in memory; to be called when it was not committed."""
        self._names.forget(self._new_origins, self._new_accounts)

    def _problem(
        self, prepared: Prepared, earlier: dict[bytes, Earlier], targets: dict[bytes, Target | None]
    ) -> str | None:
        """Return why a booking cannot be made after those before it; None where it can."""
        booking = prepared.booking
        if prepared.corrects is not None and booking.corrects is not None:
            return _correction_problem(booking.book, booking.corrects.transaction, earlier.get(prepared.corrects))
        if prepared.resolves is not None and booking.resolves is not None:
            origin = (booking.book, booking.stream, booking.instance)
            target = targets[prepared.resolves]
            return step_problem(booking.resolves, origin, sums_of(booking.postings), target, self._booked_at_us)
        return None

    def _append(self, prepared: Prepared) -> int:
        booking = prepared.booking
        state = booking.state
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
            state,
            booking.memo,
            booking.meters,
        )
        self._transactions += (
            sequence,
            prepared.id,
            origin,
            booking.key,
            booking.kind,
            state,
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
        accounts, moved, hour = self._names.accounts, self._moved, prepared.hour
        if state != POSTED:
            moved = self._moved_pending
            self._states[sequence] = (origin, state, prepared.expires_at_us)
            if prepared.expires_at_us is not None:
                self._expiries += (sequence, prepared.expires_at_us)
        for n, posting in enumerate(booking.postings):
            name, asset, units = posting.account, posting.asset, posting.units
            account = accounts.get(name) or self._name_account(name)
            self._postings += (sequence, n, account, asset, units)
            place = (origin, account, asset, hour)
            moved[place] = moved.get(place, 0) + units
        self._evidence += (sequence, evidence.artefact)
        for increment in booking.meters:
            self._meters[increment.meter] = self._meters.get(increment.meter, 0) + increment.amount
        self.bytes += _BYTES_PER_BOOKING + len(evidence.artefact)
        self.head = (sequence, this_hash, self._booked_at_us)
        return sequence

    def _follow_steps(self, prepared: Prepared, sequence: int, targets: dict[bytes, Target | None]) -> None:
        """Note the step that what was added takes, and that others may take one with it."""
        booking, step = prepared.booking, prepared.booking.resolves
        units = sums_of(booking.postings)
        took = None
        if step is not None and prepared.resolves is not None:
            took = (step.outcome, prepared.resolves)
            if (target := targets[prepared.resolves]) is not None:
                self._take_step(step.outcome, step.reason, target, sequence)
                target.taken[step.outcome] = Taken(prepared.id, units)
        if prepared.id in targets:
            origin = (booking.book, booking.stream, booking.instance)
            targets[prepared.id] = Target(
                prepared.id, sequence, origin, booking.state, prepared.hour, prepared.expires_at_us, took, units, {}
            )

    def _take_step(self, outcome: str, reason: str, target: Target, sequence: int) -> None:
        origin = self._names.origins[target.origin]
        self._steps += (sequence, target.sequence, outcome, reason)
        self._states[target.sequence] = (origin, outcome, None)
        if outcome in RESOLVING:
            # In the hour it was expected in, so that nothing is left pending there.
            accounts, moved = self._names.accounts, self._moved_pending
            for (name, asset), units in target.units.items():
                place = (origin, accounts[name], asset, target.hour)
                moved[place] = moved.get(place, 0) - units

    def _name_origin(self, origin: tuple[str, str, str]) -> int:
        number = self._new_origins[origin] = len(self._names.origins) + 1
        self._names.add_origin(origin, number)
        return number

    def _name_account(self, name: str) -> int:
        number = self._new_accounts[name] = len(self._names.accounts) + 1
        self._names.add_account(name, number)
        return number


def _replay(prepared: Prepared, made: Earlier) -> Outcome:
    sequence, booked_at_us, body_digest, _, _ = made
    if body_digest != prepared.body_digest:
        return KeyConflict(prepared.booking.key)
    return Receipt(chain.id_text(prepared.id), sequence, from_us(booked_at_us), replayed=True)


def _correction_problem(book: str, wrong: str, transaction: Earlier | None) -> str | None:
    if transaction is None or transaction[3] != book:
        return f"the book {book} has no transaction {wrong} to correct"
    if transaction[4] != POSTED:
        return f"{wrong} cannot be corrected: it was booked as pending, and is to be voided, or posted in part"
    return None
