"""Signed tokens of rendered slots: only what this instance has shown can become an impression or a click.

A token is made when a page is rendered. It says what was shown where and when, carries a number that no other token
has, and an HMAC over all of it. Whether it was used before is not its own matter; see `ad_desk`.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hmac
import os
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from config.saving import create_exclusively

SECRET_BYTES: Final = 32
MAX_TOKEN_CHARS: Final = 512

_MAC_BYTES: Final = 16
_NONCE_BYTES: Final = 10


class Rendering(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A sponsor that was shown in a slot of a page.

    Attributes:
        contract: Whose slot it was.
        slot: Where on the page.
        page: The page's path.
        issued_at_ms: When, milliseconds since 1970, UTC.
        nonce: What no other rendering has, hexadecimal.
    """

    contract: str
    slot: str
    page: str
    issued_at_ms: int
    nonce: str


class ForgedToken(Exception):
    """A token that this instance has not made."""


class TokenMint:
    """Makes and reads the tokens of an instance.

    Args:
        secret: What only the instance knows.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def make(self, contract: str, slot: str, page: str, issued_at_ms: int) -> tuple[Rendering, str]:
        """Return a new rendering and its token."""
        rendering = Rendering(contract, slot, page, issued_at_ms, os.urandom(_NONCE_BYTES).hex())
        body = _ENCODER.encode(rendering)
        return rendering, base64.urlsafe_b64encode(self._mac(body) + body).rstrip(b"=").decode("ascii")

    def read(self, token: str) -> Rendering:
        """Return the rendering of a token.

        Raises:
            ForgedToken: It is none of this instance's.
        """
        if len(token) > MAX_TOKEN_CHARS:
            raise ForgedToken
        try:
            raw = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, UnicodeEncodeError):
            raise ForgedToken from None
        mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(body)):
            raise ForgedToken
        try:
            return _DECODER.decode(body)
        except msgspec.MsgspecError:
            raise ForgedToken from None

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._secret, body, "sha256")[:_MAC_BYTES]


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Rendering)


def instance_secret(file: Path) -> bytes:
    """Return the secret that a file of mode 0600 keeps; made when it is first asked for. Blocks.

    Raises:
        OSError: It can be neither read nor made.
        ValueError: The file is not such a secret.
    """
    with contextlib.suppress(FileExistsError):
        create_exclusively(file, os.urandom(SECRET_BYTES))
    secret = file.read_bytes()
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"{file} is not the {SECRET_BYTES} bytes of a secret; remove it and start again")
    return secret


def derived(secret: bytes, purpose: str) -> bytes:
    """Return a secret of its own for a purpose."""
    return hmac.digest(secret, purpose.encode("utf-8"), sha256)
