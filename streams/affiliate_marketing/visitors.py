"""One click per visitor, link and hour."""

from __future__ import annotations

from collections import deque
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
        self._pseudonyms = blake2b(digest_size=16, key=salt, person=b"visitor")
        self._max = max_visitors
        self._first: dict[bytes, FirstClick] = {}
        self._order: deque[bytes] = deque()

    def __len__(self) -> int:
        return len(self._first)

    def pseudonym(self, address: str, agent: bytes, code: str) -> bytes:
        """Return what is kept of a visitor of a link: 16 bytes that only the salt's owner can make."""
        pseudonym = self._pseudonyms.copy()
        pseudonym.update(b"%s\n%s\n%s" % (address.encode(), code.encode(), agent))
        return pseudonym.digest()

    def first_click(self, visitor: bytes, at_us: int) -> FirstClick | None:
        """Return the visitor's click of the hour before `at_us`; None where there is none."""
        first = self._first.get(visitor)
        # A clock that was set back makes the first click lie in the future: that is no new hour either.
        return first if first is not None and at_us - first.at_us < HOUR_US else None

    def remember(self, visitor: bytes, click: FirstClick) -> None:
        """Note a first click."""
        self._first[visitor] = click
        order = self._order
        order.append(visitor)
        # Two looks for each click that comes: those that are over go as fast as new ones come, never all at once.
        for _ in range(2):
            oldest = self._first.get(order[0])
            if oldest is not None and len(order) <= self._max and click.at_us - oldest.at_us < HOUR_US:
                return
            gone = order.popleft()
            # One that came again after its hour stands further behind, too.
            if oldest is not None and (len(order) >= self._max or click.at_us - oldest.at_us >= HOUR_US):
                self._first.pop(gone, None)

    def take_back(self, visitor: bytes, place: int) -> None:
        """Forget a click that did not come about."""
        first = self._first.get(visitor)
        if first is not None and first.place == place:
            del self._first[visitor]
