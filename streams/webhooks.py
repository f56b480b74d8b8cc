"""Standard Webhooks: who signed a postback, and when.

The signature is an HMAC-SHA256 over `id.timestamp.body`. It is checked on the very bytes that came, in constant
time, and before anything else is made of them. The project's own library checks against its own clock and decodes
the body as text; a clock that is given and bytes that stay bytes are worth these lines.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from typing import Final

TOLERANCE_S: Final = 300
MAX_ID_CHARS: Final = 128
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what secrets begin with

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:=+-]*")
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")
_MAX_SIGNATURES: Final = 16
_MIN_SECRET_BYTES: Final = 16


class NotSigned(Exception):
    """A postback that cannot be shown to come from its network. Says no more than its sender may know."""


def read_secrets(text: str) -> tuple[bytes, ...]:
    """Return the signing keys in `whsec_…` secrets, separated by spaces; several while one replaces another.

    Raises:
        ValueError: A secret is none. The text of the error does not contain it.
    """
    keys: list[bytes] = []
    for secret in text.split():
        encoded = secret.removeprefix(SECRET_PREFIX)
        try:
            key = b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
        except (Base64Error, ValueError):
            raise ValueError("a signing secret is not `whsec_` and base64") from None
        if len(key) < _MIN_SECRET_BYTES:
            raise ValueError(f"a signing secret has fewer than {_MIN_SECRET_BYTES} bytes")
        keys.append(key)
    return tuple(keys)


def sign(key: bytes, webhook_id: str, timestamp_s: int, body: bytes) -> str:
    """Return what the header `webhook-signature` says of a message."""
    return "v1," + b64encode(_mac(key, f"{webhook_id}.{timestamp_s}.".encode() + body)).decode("ascii")


def verify(keys: Sequence[bytes], headers: dict[bytes, bytes], body: bytes, now_s: float) -> str:
    """Check a signed message and return its id, which names it for ever.

    Args:
        keys: The keys that it may be signed with.
        headers: The request's, names in lower case.
        body: As it came.
        now_s: Seconds since 1970.

    Raises:
        NotSigned: A header is missing or malformed, the time is off by more than five minutes, or no signature
            of version 1 is one of these keys'.
    """
    webhook_id = headers.get(b"webhook-id", b"").decode("latin-1")
    timestamp = headers.get(b"webhook-timestamp", b"").decode("latin-1")
    signatures = headers.get(b"webhook-signature", b"").split()
    if not webhook_id or not timestamp or not signatures:
        raise NotSigned("webhook-id, webhook-timestamp and webhook-signature are needed")
    if len(webhook_id) > MAX_ID_CHARS or _ID.fullmatch(webhook_id) is None:
        raise NotSigned(f"webhook-id must be up to {MAX_ID_CHARS} letters, digits and `_.:=+-`")
    if _TIMESTAMP.fullmatch(timestamp) is None:
        raise NotSigned("webhook-timestamp must be whole seconds since 1970")
    if len(signatures) > _MAX_SIGNATURES:
        raise NotSigned(f"webhook-signature has more than {_MAX_SIGNATURES} signatures")
    if abs(now_s - int(timestamp)) > TOLERANCE_S:
        raise NotSigned(f"webhook-timestamp is more than {TOLERANCE_S} seconds away from now")
    signed = f"{webhook_id}.{timestamp}.".encode("latin-1") + body
    expected = [_mac(key, signed) for key in keys]
    # Every signature is compared with every key, so that time does not tell which came close.
    matches = [hmac.compare_digest(mac, given) for given in map(_decoded, signatures) for mac in expected]
    if not any(matches):
        raise NotSigned("no signature of version 1 is right")
    return webhook_id


def _mac(key: bytes, signed: bytes) -> bytes:
    return hmac.digest(key, signed, hashlib.sha256)


def _decoded(signature: bytes) -> bytes:
    version, _, encoded = signature.partition(b",")
    if version != b"v1":
        return b""
    try:
        return b64decode(encoded, validate=True)
    except (Base64Error, ValueError):
        return b""
