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

BookedState: TypeAlias = Literal["pending", "posted"]
"""What a booking's own postings count as: expected, or earned and spent for good."""

Step: TypeAlias = Literal["posted", "voided", "expired", "settled", "reversed"]
"""What becomes of a transaction by another one: see `Resolution`."""

PresentState: TypeAlias = Literal["pending", "posted", "voided", "expired", "settled", "reversed"]
"""How a transaction was booked, or the last step that another one took with it."""


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


class Resolution(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The step that a booking takes with a transaction booked before it, in the same book by the same instance.

    A transaction is never changed: what becomes of it is another one that names it. A pending one is resolved
    exactly once; what is posted (the resolving transaction, or one that was posted at once) may be settled once
    and reversed once, in either order. The ledger rejects a step that is not next, and says what was before.

    - `posted`: of a pending one, before it expires. The booking's postings are what is now earned and spent for
      good: all or part of the pending ones, on the same accounts. The rest is released.
    - `voided`: of a pending one; nothing comes of it. No postings.
    - `expired`: of a pending one, from its `expires_at` on. No postings. The ledger does this by itself.
    - `settled`: of a posted one; what was due has come. The postings take all or part of what it put on its asset
      accounts (`asset:receivable:…`) to others; no income changes, and cost only rises (a payout fee).
    - `reversed`: of a posted one, settled or not; it is taken back. The postings are the inverse of all or part of
      its own. Once settled, they may take from where it was settled to instead of what was due.

    Attributes:
        transaction: The id of that transaction.
        outcome: What becomes of it.
        reason: Why, for people.
    """

    transaction: str
    outcome: Step
    reason: str = ""


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
        postings: Two or more legs that sum to zero per asset; none where a pending transaction comes to nothing.
        evidence: The proof.
        meters: Counters that move in the same commit; not part of the body that the key is bound to.
        memo: A line for people. Not part of the body that the key is bound to.
        corrects: The transaction that this one corrects, if it does.
        state: `pending` for what is expected but not earned yet; it counts apart until it is resolved.
        expires_at: From when on a pending booking can no longer be posted, aware UTC; None: it never expires.
        resolves: The step that this booking takes with an earlier transaction, if it does.

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
    state: BookedState = "posted"
    expires_at: datetime | None = None
    resolves: Resolution | None = None


class Booked(msgspec.Struct, frozen=True):
    """A booking that was found by its key.

    Attributes:
        receipt: Its receipt.
        evidence: Its proof.
        state: What has become of it by now.
    """

    receipt: Receipt
    evidence: Evidence
    state: PresentState = "posted"


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
