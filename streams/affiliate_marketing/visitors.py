"""One click per visitor, link and hour."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import msgspec

HOUR_US: Final = 3_600_000_000
MAX_VISITORS: Final = 262_144
"""Visitors of the last hour that are remembered: 73 a second, some 40 MB. Past it, the oldest are forgotten early."""


class FirstClick(msgspec.Struct, frozen=True, gc=False):
    """The click that a visitor made first within the hour.

    Attributes:
        at_us: When, microseconds since 1970.
        place: Its place in the journal.
        offer: Where it led.
    """

    at_us: int
    place: int
    offer: str


class Visitors:
    """Who clicked what within the last hour.

    Args:
        salt: Keeps what is stored of a visitor from being traced back to an address.
    """

    def __init__(self, salt: bytes, max_visitors: int = MAX_VISITORS) -> None:
        self._salt = salt
        self._max = max_visitors
        self._first: dict[bytes, FirstClick] = {}

    def __len__(self) -> int:
        return len(self._first)

    def pseudonym(self, address: str, agent: bytes, code: str) -> bytes:
        """Return what is kept of a visitor of a link: 16 bytes that only the salt's owner can make."""
        seen = b"%s\n%s\n%s" % (address.encode(), code.encode(), agent)
        return blake2b(seen, digest_size=16, key=self._salt, person=b"visitor").digest()

    def first_click(self, visitor: bytes, at_us: int) -> FirstClick | None:
        """Return the visitor's click of the hour before `at_us`; None where there is none."""
        first = self._first.get(visitor)
        # A clock that was set back makes the first click lie in the future: that is no new hour either.
        return first if first is not None and at_us - first.at_us < HOUR_US else None

    def remember(self, visitor: bytes, click: FirstClick) -> None:
        """Note a first click."""
        self._first.pop(visitor, None)
        self._first[visitor] = click
        self._forget(click.at_us)

    def take_back(self, visitor: bytes, place: int) -> None:
        """Forget a click that did not come about."""
        first = self._first.get(visitor)
        if first is not None and first.place == place:
            del self._first[visitor]

    def _forget(self, now_us: int) -> None:
        first = self._first
        while first:
            oldest = next(iter(first))
            if len(first) <= self._max and now_us - first[oldest].at_us < HOUR_US:
                return
            del first[oldest]
