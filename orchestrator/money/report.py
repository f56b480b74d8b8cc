"""What the ledger tells: totals, entries, and the result of a verification."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

import msgspec

from streams.booking import BookedState, BookName, PresentState, Step

TotalsBy: TypeAlias = Literal["stream", "instance", "day"]


class TotalsItem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was earned or spent in one asset.

    Attributes:
        asset: The asset's code.
        kind: Income and cost are both positive numbers; the net is income less cost.
        state: `posted` for money that is earned or spent for good, `pending` for what is expected so far.
        amount: Exact decimal text.
        stream: The stream, where totals are by stream or instance.
        instance: The instance, where totals are by instance.
        day: The UTC day it happened on, `2026-01-31`, where totals are by day.
    """

    asset: str
    kind: Literal["income", "cost"]
    state: str
    amount: str
    stream: str | None = None
    instance: str | None = None
    day: str | None = None


class InTransit(msgspec.Struct, frozen=True):
    """What is due between two instances because only one side of a transfer is booked so far.

    Attributes:
        account: The account between them; it ends in the seller's and the buyer's id.
        asset: The asset's code.
        amount: Positive where the buyer's side is missing, negative where the seller's is.
    """

    account: str
    asset: str
    amount: str


class Totals(msgspec.Struct, frozen=True, omit_defaults=True):
    """Income and cost of one book.

    Attributes:
        book: The book.
        items: The amounts.
        in_transit: Transfers between instances that are booked on one side only. A booking on its way, or one that
            a crash kept back: nothing is lost, and the total of the fleet is right without it.
    """

    book: BookName
    items: tuple[TotalsItem, ...]
    in_transit: tuple[InTransit, ...] = ()


class EntryPosting(msgspec.Struct, frozen=True):
    """One leg of an entry: a debit is positive, a credit negative."""

    account: str
    asset: str
    amount: str


class EntryEvidence(msgspec.Struct, frozen=True):
    """The proof of an entry: its kind, its name where it comes from, and its artefact's SHA-256."""

    kind: str
    external_id: str
    digest: str


class EntryResolution(msgspec.Struct, frozen=True):
    """The step that an entry takes with an earlier one: which, what became of it, and why."""

    transaction: str
    outcome: Step
    reason: str


class EntryStep(msgspec.Struct, frozen=True):
    """A step that was taken with an entry by a later one.

    Attributes:
        outcome: What became of it.
        transaction: The id of the transaction that took the step.
        reason: Why.
        booked_at: When, UTC.
    """

    outcome: Step
    transaction: str
    reason: str
    booked_at: datetime


class Entry(msgspec.Struct, frozen=True):
    """One transaction as it stands in the ledger.

    Attributes:
        id: The receipt's id.
        sequence: Its place in the hash chain, from 1.
        book: The set of accounts.
        stream: The stream that earned or spent.
        instance: The instance that earned or spent.
        key: The idempotency key.
        kind: What happened.
        state: What has become of it: how it was booked, or the last step that was taken with it.
        occurred_at: When it happened, UTC.
        booked_at: When it was committed, UTC.
        amount: Income less cost in `asset`, exact decimal text; None where no income or cost is touched.
        asset: The asset of the first posting to income or cost.
        postings: Its legs.
        evidence: Its proof.
        memo: A line for people.
        corrects: The id of the transaction it corrects.
        reason: Why it corrects that.
        hash: Its hash, hexadecimal; ties it to all before it.
        counts_as: What its postings count as now, `pending` or `posted`; None once a pending one is resolved, for its
            postings are released then, and those of the transaction that posted it count. So the amounts of entries
            sum to the totals by this.
        expires_at: When it expires or would have, UTC, where it was booked as pending and does.
        resolves: The step it takes with another entry.
        steps: The steps that were taken with it, in their order.
    """

    id: str
    sequence: int
    book: BookName
    stream: str
    instance: str
    key: str
    kind: str
    state: PresentState
    occurred_at: datetime
    booked_at: datetime
    amount: str | None
    asset: str | None
    postings: tuple[EntryPosting, ...]
    evidence: EntryEvidence
    memo: str
    corrects: str | None
    reason: str | None
    hash: str
    counts_as: BookedState | None
    expires_at: datetime | None
    resolves: EntryResolution | None
    steps: tuple[EntryStep, ...]


class EntryPage(msgspec.Struct, frozen=True):
    """Some entries, and where to go on: give `next_cursor` back to get the page that follows."""

    items: tuple[Entry, ...]
    next_cursor: str | None


class Problem(msgspec.Struct, frozen=True):
    """Something in the ledger that is not as it was booked.

    Attributes:
        what: What is wrong.
        sequence: The transaction concerned, where it is one.
        id: Its id, where it can be read.
    """

    what: str
    sequence: int | None = None
    id: str | None = None


class VerifyReport(msgspec.Struct, frozen=True):
    """The result of recomputing a ledger.

    Attributes:
        ok: Whether nothing was found.
        transactions: How many were read.
        postings: How many were read.
        head: Hash of the last transaction, hexadecimal. Kept elsewhere, it later proves that none was cut off.
        problems: What was found, the first ones.
        problem_count: How many were found in all.
        notes: What is in order, but worth knowing: transfers between instances that are in transit.
    """

    ok: bool
    transactions: int
    postings: int
    head: str
    problems: tuple[Problem, ...]
    problem_count: int
    notes: tuple[str, ...] = ()
