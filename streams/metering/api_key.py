"""API keys: what they look like, how one is made, and what is kept of it.

`ak_test_` or `ak_live_`, then 32 random base62 characters (190 bits), then a CRC32 in 6 base62 characters. The
prefix and the checksum let a secret scanner find a leaked key, and tell it from noise, without asking anyone.

Only the SHA-256 of a key is kept. A slow hash would guard a guessable secret; 190 random bits cannot be
guessed, so a fast one is right. Keys are found by a dictionary lookup of their digest, which is not a
constant-time comparison of the *key*: all that its timing could tell is how much of the digest of the caller's own
guess agrees with a stored digest, and nobody can choose a guess by its SHA-256.
"""

from __future__ import annotations

import hashlib
import secrets
import zlib
from typing import Final

from streams.booking import BookName

PREFIXES: Final[dict[BookName, str]] = {"paper": "ak_test_", "live": "ak_live_"}
"""What a key starts with, by the book that its calls are booked in."""

_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ALPHABET: Final = frozenset(_BASE62)
_PREFIX_LENGTH: Final = 8
_RANDOM_LENGTH: Final = 32
_CHECKSUM_LENGTH: Final = 6
KEY_LENGTH: Final = _PREFIX_LENGTH + _RANDOM_LENGTH + _CHECKSUM_LENGTH
"""Characters of a whole key."""


def new_api_key(book: BookName) -> str:
    """Return a fresh key from the operating system's randomness."""
    body = PREFIXES[book] + "".join(secrets.choice(_BASE62) for _ in range(_RANDOM_LENGTH))
    return body + _checksum(body)


def is_well_formed(text: str) -> bool:
    """Return whether a text has the form and the checksum of a key; says nothing of whether it is in force."""
    if len(text) != KEY_LENGTH or not text.startswith(tuple(PREFIXES.values())):
        return False
    body, checksum = text[:-_CHECKSUM_LENGTH], text[-_CHECKSUM_LENGTH:]
    return _ALPHABET.issuperset(text[_PREFIX_LENGTH:]) and _checksum(body) == checksum


def is_key(text: str) -> bool:
    """Return whether a text is meant as a key, rather than as the id of one; whole or not."""
    return text.startswith(tuple(PREFIXES.values()))


def digest_of(key: bytes) -> bytes:
    """Return what is kept of a key: its SHA-256."""
    return hashlib.sha256(key, usedforsecurity=True).digest()


def display_of(key: str) -> str:
    """Return the beginning of a key that people may see, to tell keys apart."""
    return f"{key[: _PREFIX_LENGTH + 4]}…"


def _checksum(body: str) -> str:
    value = zlib.crc32(body.encode("ascii"))
    digits = []
    for _ in range(_CHECKSUM_LENGTH):
        value, digit = divmod(value, 62)
        digits.append(_BASE62[digit])
    return "".join(reversed(digits))
