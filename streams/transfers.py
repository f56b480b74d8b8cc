"""Money between two instances of the fleet: what one earns of another, and the fleet as a whole does not.

A harvester that sells a dataset to an article writer earns, and the writer spends; the owner has neither more nor less.
So both sides are booked on accounts whose second part is `internal`, which the ledger leaves out when it adds the fleet
up, and shows where an instance is looked at by itself.

Each side is a transaction of its own instance, and a crash may come between the two. Both keys follow from the
transfer's, so booking both again heals it. Until then what is due between them is in transit, which the ledger tells.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from streams.booking import Book, BookName, Evidence, Posting

INTERNAL: Final = "internal"
"""The second part of the accounts that consolidation leaves out: `income:internal:…`, `cost:…`, `asset:…`."""

DUE: Final = f"asset:{INTERNAL}:due"
"""What the accounts between two instances begin with; the seller's and the buyer's follow."""


class Party(msgspec.Struct, frozen=True):
    """One side of a transfer.

    Attributes:
        stream: Its stream.
        instance: Its id.
    """

    stream: str
    instance: str


def transfer(
    key: str,
    *,
    kind: str,
    book: BookName,
    seller: Party,
    buyer: Party,
    asset: str,
    units: int,
    occurred_at: datetime,
    evidence: Evidence,
    memo: str = "",
) -> tuple[Book, Book]:
    """Return the seller's and the buyer's booking of a transfer; to be booked both, in any order, until both are known.

    Args:
        key: The transfer's idempotency key, made of what happened. Each side's key follows from it.
        kind: What happened, for example `dataset.sold`.
        book: The set of accounts.
        seller: Who earns.
        buyer: Who spends.
        asset: The asset's code.
        units: How much, in the asset's scale; at least 1.
        occurred_at: When it happened, aware UTC.
        evidence: The proof, the same for both.
        memo: A line for people.

    Raises:
        ValueError: Nothing is transferred, or both sides are the same instance.
    """
    if units < 1:
        raise ValueError(
            f"a transfer moves at least 1 unit, not {units}: swap seller and buyer for the other direction"
        )
    if seller.instance == buyer.instance:
        raise ValueError(f"{seller.instance} cannot sell to itself")
    due = f"{DUE}:{seller.instance}:{buyer.instance}"
    income = f"income:{INTERNAL}:{seller.stream}:{seller.instance}"
    cost = f"cost:{INTERNAL}:{buyer.stream}:{buyer.instance}"

    def side(name: str, party: Party, postings: tuple[Posting, ...]) -> Book:
        return Book(
            key=f"transfer:{key}:{name}",
            book=book,
            kind=kind,
            stream=party.stream,
            instance=party.instance,
            occurred_at=occurred_at,
            postings=postings,
            evidence=evidence,
            memo=memo,
        )

    return (
        side("seller", seller, (Posting(due, asset, units), Posting(income, asset, -units))),
        side("buyer", buyer, (Posting(cost, asset, units), Posting(due, asset, -units))),
    )


def is_internal(account: str) -> bool:
    """Whether an account is for money between the fleet's own instances."""
    return account.split(":", 2)[1:2] == [INTERNAL]
