"""What may be booked: the messages between an instance and the ledger.

They stand here, below both, so that the fleet can hand an instance a reference to the ledger without
importing it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

import msgspec

from actors import ActorRef, Refusal, Request

BookName: TypeAlias = Literal["paper", "live"]
"""A separate set of accounts. The two are never added together."""


class Posting(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One leg of a transaction.

    Attributes:
        account: Its first part is the kind: `income:…`, `cost:…`, `asset:…`, `liability:…`, `equity:…`.
        asset: The code of a declared asset.
        units: Whole units in the asset's scale; a debit is positive, a credit negative, so income is
            negative here and the postings of a transaction sum to zero per asset.
    """

    account: str
    asset: str
    units: int


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """The typed proof behind a booking.

    Attributes:
        kind: For example `api.response`, `venue.fill`, `network.postback`.
        external_id: The proof's name in the world it comes from.
        artefact: The proof itself, as it was seen; stored, and digested with SHA-256.
    """

    kind: str
    external_id: str
    artefact: bytes


class MeterIncrement(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A counter that moves in the same commit as the money (calls of a key in a period, for example)."""

    meter: str
    amount: int


class Correction(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a transaction corrects: booked transactions are never changed, another one is added.

    Attributes:
        transaction: The id of the transaction that was wrong, in the same book.
        reason: Why, for people.
    """

    transaction: str
    reason: str


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """The answer to a booking, given after the commit that made it durable.

    Attributes:
        id: The transaction's id, `tx_` and 32 hexadecimal digits.
        sequence: Its place in the hash chain, from 1.
        booked_at: When it was committed, UTC.
        replayed: Whether the same booking had been made before; nothing was booked again then.
    """

    id: str
    sequence: int
    booked_at: datetime
    replayed: bool = False


class Book(Request[Receipt], frozen=True, gc=False):
    """Book a transaction, durably, exactly once.

    Attributes:
        key: The idempotency key, unique per book for ever. The same key and body give the same receipt.
        book: The set of accounts.
        kind: What happened, for example `api.call`.
        stream: The stream that earned or spent.
        instance: The instance that earned or spent.
        occurred_at: When it happened, aware UTC. Not part of the body that the key is bound to.
        postings: Two or more legs that sum to zero per asset.
        evidence: The proof.
        meters: Counters that move in the same commit; not part of the body that the key is bound to.
        memo: A line for people. Not part of the body that the key is bound to.
        corrects: The transaction that this one corrects, if it does.

    Answers with a `Receipt`, or raises `BookingRejected` (never going to work) or `LedgerUnavailable`
    (nothing was booked; try again).
    """

    key: str
    book: BookName
    kind: str
    stream: str
    instance: str
    occurred_at: datetime
    postings: tuple[Posting, ...]
    evidence: Evidence
    meters: tuple[MeterIncrement, ...] = ()
    memo: str = ""
    corrects: Correction | None = None


class Booked(msgspec.Struct, frozen=True):
    """A booking that was found by its key."""

    receipt: Receipt
    evidence: Evidence


class FindBooking(Request[Booked | None], frozen=True):
    """Look a booking up by its idempotency key; None where there is none."""

    book: BookName
    key: str


class ReadMeters(Request[dict[str, int]], frozen=True):
    """Read all meters whose name starts with a prefix."""

    prefix: str


LedgerRef: TypeAlias = ActorRef[Book | FindBooking | ReadMeters]
"""What an instance sees of the ledger."""


class BookingRejected(Refusal):
    """A booking that can never be made as it stands: the reason says why."""


class KeyConflict(BookingRejected):
    """The idempotency key is bound to another body."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the key {key!r} was used before for a booking with another body")
        self.key = key


class LedgerUnavailable(Refusal):
    """The ledger cannot store anything now (disk full, for example); nothing was booked.

    Attributes:
        retry_after_s: When trying again makes sense, seconds.
    """

    def __init__(self, reason: str, retry_after_s: float = 5.0) -> None:
        super().__init__(f"the ledger cannot book now: {reason}")
        self.retry_after_s = retry_after_s
