"""What can be computed of a booking before its place in the chain is known."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

import msgspec

from orchestrator.money import chain
from orchestrator.money.instants import hour_of, to_us
from orchestrator.money.validation import check
from streams.booking import Book, BookingRejected, MeterIncrement

_encode: Final = msgspec.json.Encoder().encode
_decode_meters: Final = msgspec.json.Decoder(tuple[MeterIncrement, ...]).decode


class Prepared(msgspec.Struct, frozen=True, gc=False):
    """A checked booking with its digests, ready for the writer.

    Attributes:
        booking: The booking itself.
        id: The transaction's id.
        occurred_at_us: When it happened, microseconds since 1970.
        hour: The UTC hour it happened in, which what it moves is kept under.
        evidence_digest: SHA-256 of the artefact.
        body_digest: What the idempotency key is bound to.
        corrects: The id of the transaction it corrects.
        resolves: The id of the transaction it takes a step with.
        expires_at_us: When it expires, microseconds since 1970.
    """

    booking: Book
    id: bytes
    occurred_at_us: int
    hour: str
    evidence_digest: bytes
    body_digest: bytes
    corrects: bytes | None
    resolves: bytes | None
    expires_at_us: int | None


def prepare(booking: Book) -> Prepared:
    """Check a booking and compute its digests.

    Raises:
        BookingRejected: It can never be booked as it stands.
    """
    try:
        check(booking)
        evidence = booking.evidence
        digest = sha256(evidence.artefact)
        occurred_at_us = to_us(booking.occurred_at)
        expires_at_us = None if booking.expires_at is None else to_us(booking.expires_at)
        return Prepared(
            booking,
            chain.transaction_id(booking.book, booking.key),
            occurred_at_us,
            hour_of(occurred_at_us),
            digest.digest(),
            chain.body_digest(
                booking.book,
                booking.key,
                booking.kind,
                booking.stream,
                booking.instance,
                booking.postings,
                (evidence.kind, evidence.external_id, digest.hexdigest()),
                booking.corrects,
                booking.state,
                expires_at_us,
                booking.resolves,
            ),
            None if booking.corrects is None else chain.parse_id(booking.corrects.transaction),
            None if booking.resolves is None else chain.parse_id(booking.resolves.transaction),
            expires_at_us,
        )
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        # Structs are not checked when they are made: a field of another type is the caller's mistake, too.
        raise BookingRejected(f"the booking is malformed: {error}") from error


def encode_meters(meters: Sequence[MeterIncrement]) -> str | None:
    """Return what the ledger keeps of a booking's meters: compact JSON, or None where there are none."""
    return _encode(meters).decode() if meters else None


def decode_meters(text: str | None) -> tuple[MeterIncrement, ...]:
    """Return the meters that `encode_meters` wrote.

    Raises:
        msgspec.DecodeError: It did not write that.
    """
    return _decode_meters(text) if text else ()
