"""Click ids: 128 bits that only this instance can make, and that lead straight to the click.

An id is the click's place in the journal, sealed: no index is kept in memory, however many clicks there were,
and a made-up id is recognised without looking anywhere. The seal is a synthetic-IV construction: a keyed tag
of the place, and the place hidden under a keyed pad of the tag. Neighbouring ids have nothing in common, and
do not tell how many clicks there were.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode
from binascii import Error as Base64Error
from binascii import b2a_base64
from hashlib import blake2b
from typing import Final

ID_CHARS: Final = 22
MAX_PLACE: Final = 2**48 - 1
KEY_BYTES: Final = 32

_TAG_BYTES: Final = 10
_PLACE_BYTES: Final = 6
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


class ClickIds:
    """Makes and opens the ids of one instance.

    Args:
        key: 32 random bytes that never change and never leave the instance.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"the key must have {KEY_BYTES} bytes, not {len(key)}")
        # Copied for each use, which takes half the time of keying anew.
        self._tags = blake2b(digest_size=_TAG_BYTES, key=key, person=b"click tag")
        self._pads = blake2b(digest_size=_PLACE_BYTES, key=key, person=b"click pad")

    def seal(self, place: int) -> str:
        """Return the id of the click at a place in the journal: 22 URL-safe characters."""
        tags, pads = self._tags.copy(), self._pads.copy()
        tags.update(place.to_bytes(_PLACE_BYTES, "big"))
        tag = tags.digest()
        pads.update(tag)
        hidden = (place ^ int.from_bytes(pads.digest(), "big")).to_bytes(_PLACE_BYTES, "big")
        return b2a_base64(tag + hidden, newline=False).translate(_URL_SAFE, b"=").decode("ascii")

    def open(self, click_id: str) -> int | None:
        """Return the place of a click; None for an id that was not made here."""
        if len(click_id) != ID_CHARS:
            return None
        try:
            sealed = urlsafe_b64decode(click_id.encode("ascii") + b"==")
        except (Base64Error, ValueError):
            return None
        tag, hidden = sealed[:_TAG_BYTES], sealed[_TAG_BYTES:]
        place = int.from_bytes(hidden, "big") ^ self._pad(tag)
        if not hmac.compare_digest(tag, self._tag(place.to_bytes(_PLACE_BYTES, "big"))):
            return None
        # The last character carries two bits that mean nothing: one id has one spelling.
        return place if self.seal(place) == click_id else None

    def _tag(self, plain: bytes) -> bytes:
        tags = self._tags.copy()
        tags.update(plain)
        return tags.digest()

    def _pad(self, tag: bytes) -> int:
        pads = self._pads.copy()
        pads.update(tag)
        return int.from_bytes(pads.digest(), "big")
