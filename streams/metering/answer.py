"""What a metered call is, what its answer is, and the proof of delivery that is booked."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import Final, TypeAlias

import msgspec

from streams.booking import Evidence
from streams.metering.account import Account
from streams.money import format_amount

Headers: TypeAlias = list[tuple[bytes, bytes]]

EVIDENCE_KIND: Final = "api.response"


class MeteredCall(msgspec.Struct, frozen=True):
    """A call of an authenticated customer.

    Attributes:
        account: Whose call it is.
        method: The HTTP method.
        path: What is called, without its query.
        digest: SHA-256 of the canonical content; with method and path it says whether two calls are the same.
        units: The price.
        idempotency_key: As the customer sent it; None without.
    """

    account: Account
    method: str
    path: str
    digest: bytes
    units: int
    idempotency_key: str | None = None


class Delivery(msgspec.Struct, frozen=True):
    """What a body is, where it stands elsewhere for good: the proof of one that is too large to be its own.

    Attributes:
        what: Its name where it stands, `datasets/events/3.jsonl`.
        sha256: Of the body, hexadecimal.
        size_bytes: The body's size.
        range: The bytes of it that were delivered, `0-81919`.
        key: The id of the key that it was delivered to.
    """

    what: str
    sha256: str
    size_bytes: int
    range: str
    key: str


class Response(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the work of a call came to. Only a status of 2xx is a delivery, and charged.

    Attributes:
        status: The HTTP status.
        media_type: What the body is.
        body: The body. In a proof it is empty where it was too large for it; `delivery` tells what it was then.
        headers: Further headers, the same whenever the answer is repeated.
        delivery: What the body is, where it can be had again by that; None where it is known from here only.
    """

    status: int
    media_type: str
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    delivery: Delivery | None = None

    @property
    def is_whole(self) -> bool:
        """Whether the body is here."""
        return self.delivery is None or len(self.body) == self.delivery.size_bytes


class Answer(msgspec.Struct, frozen=True):
    """What the customer gets."""

    response: Response
    headers: Headers


class ProvenRequest(msgspec.Struct, frozen=True):
    """What was asked."""

    method: str
    path: str
    digest: bytes


class Proof(msgspec.Struct, frozen=True):
    """The artefact of a booked call, stored with its booking as MessagePack.

    Attributes:
        request: What was asked.
        response: What was delivered, to the byte; a body that is too large for this by its name and digest.
        charge: What it cost, `0.002 USD`.
    """

    request: ProvenRequest
    response: Response
    charge: str

    def is_of(self, call: MeteredCall) -> bool:
        """Return whether it proves this very call."""
        asked = self.request
        return asked.digest == call.digest and asked.method == call.method and asked.path == call.path


_CONTENT_ENCODER: Final = msgspec.msgpack.Encoder(order="sorted")
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Proof)


def content_digest(content: object) -> bytes:
    """Return the SHA-256 of what is asked, the same for the same values in whatever order they were written."""
    return sha256(_CONTENT_ENCODER.encode(content)).digest()


def prove(call: MeteredCall, response: Response, asset: str) -> Proof:
    """Return the proof of a delivery."""
    return Proof(ProvenRequest(call.method, call.path, call.digest), response, charge_text(call.units, asset))


def encode_proof(proof: Proof) -> bytes:
    """Return the artefact that is stored."""
    return _ENCODER.encode(proof)


def without_body(proof: Proof) -> Proof:
    """Return the proof of a delivery that tells its body by name and digest alone."""
    response = msgspec.structs.replace(proof.response, body=b"")
    return msgspec.structs.replace(proof, response=response)


def decode_proof(evidence: Evidence) -> Proof:
    """Return the proof that is stored in a booking.

    Raises:
        msgspec.MsgspecError: The artefact is not the proof of a call.
    """
    return _DECODER.decode(evidence.artefact)


@lru_cache(maxsize=1024)
def charge_text(units: int, asset: str) -> str:
    """Return a price as it stands in `X-Charge`."""
    return f"{format_amount(units, asset)} {asset}"
