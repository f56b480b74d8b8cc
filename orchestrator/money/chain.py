"""Names and digests of transactions, and the hash chain that ties them together.

Everything here can be recomputed by a stranger with SHA-256 and a JSON encoder. `‖` joins bytes, and JSON is
compact (no spaces) UTF-8 with non-ASCII left as it is:

- id = the first 16 bytes of SHA-256(book ‖ NUL ‖ key), written `tx_` and 32 hexadecimal digits;
- body digest = SHA-256 of the JSON array `[book, key, kind, stream, instance, [[account, asset, units], …],
  [evidence kind, external id, SHA-256 of the artefact in hexadecimal], null or [corrected id, reason]]`. Where the
  booking is pending or takes a step with another, three elements follow: `"pending"` or `"posted"`, null or the
  instant it expires at, null or `[the other's id, outcome, reason]`;
- hash n = SHA-256(hash n-1 ‖ body digest ‖ the JSON array `[sequence, occurred at, booked at, state, memo,
  [[meter, amount], …]]`). Hash 0 is 32 zero bytes.

The state is the one that the booking's own postings count as, `pending` or `posted`; what becomes of it later stands
in transactions of their own. Instants are in microseconds since 1970.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

import msgspec

from streams.booking import Correction, MeterIncrement, Posting, Resolution

POSTED: Final = "posted"
"""The state of postings that are earned or spent for good."""

PENDING: Final = "pending"
"""The state of postings that are expected, and may come to nothing."""

GENESIS: Final = bytes(32)
"""What stands for the hash before the first transaction's."""

ID_BYTES: Final = 16
_ID_PREFIX: Final = "tx_"
_ID_TEXT: Final = re.compile(r"tx_[0-9a-f]{32}")

_encode: Final = msgspec.json.Encoder().encode


def transaction_id(book: str, key: str) -> bytes:
    """Return the id of the transaction that a book makes under an idempotency key."""
    return sha256(f"{book}\0{key}".encode()).digest()[:ID_BYTES]


def id_text(transaction: bytes) -> str:
    """Return the id as people and receipts write it."""
    return _ID_PREFIX + transaction.hex()


def parse_id(text: str) -> bytes | None:
    """Return the id that a text names, or None where it is not the text of an id."""
    return bytes.fromhex(text[len(_ID_PREFIX) :]) if _ID_TEXT.fullmatch(text) else None


def body_digest(
    book: str,
    key: str,
    kind: str,
    stream: str,
    instance: str,
    postings: Sequence[Posting],
    evidence: tuple[str, str, str],
    corrects: Correction | None,
    state: str = POSTED,
    expires_at_us: int | None = None,
    resolves: Resolution | None = None,
) -> bytes:
    """Return the digest of what an idempotency key is bound to.

    Args:
        book: The book's name.
        key: The idempotency key.
        kind: What happened.
        stream: The stream that earned or spent.
        instance: The instance that earned or spent.
        postings: The legs, in their order.
        evidence: Its kind, its external id, and its artefact's SHA-256 in hexadecimal.
        corrects: What is corrected, and why.
        state: What the postings count as.
        expires_at_us: When a pending booking expires.
        resolves: The step taken with an earlier transaction.
    """
    body: tuple[object, ...] = (book, key, kind, stream, instance, postings, evidence, corrects)
    if state != POSTED or resolves is not None:
        body += (state, expires_at_us, resolves)
    return sha256(_encode(body)).digest()


def next_hash(
    previous: bytes,
    body: bytes,
    sequence: int,
    occurred_at_us: int,
    booked_at_us: int,
    state: str,
    memo: str,
    meters: Sequence[MeterIncrement],
) -> bytes:
    """Return the hash of a transaction that follows the one whose hash is `previous`."""
    return sha256(previous + body + _encode((sequence, occurred_at_us, booked_at_us, state, memo, meters))).digest()
