"""Sessions of browsers: who has logged in, and until when. In memory only; a restart of the daemon logs out."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from hashlib import sha256
from typing import Final

import msgspec

LIFETIME_S: Final = 24 * 3600.0
"""How long a session lasts, however busy it is."""

IDLE_S: Final = 4 * 3600.0
"""How long it lasts unused."""

CAPACITY: Final = 256
"""Sessions at a time; one more ends the one that was unused for longest."""

_ID_BYTES: Final = 32
_LONGEST_ID: Final = 64


class BrowserSession(msgspec.Struct, gc=False):
    """One login.

    Attributes:
        number: What logs call it; nothing follows from it.
        began_s: When it began, on the store's clock.
        used_s: When it was last used.
    """

    number: int
    began_s: float
    used_s: float


class Sessions:
    """The sessions. Their ids are kept hashed, so that a look into the memory finds none that could be used.

    Looking an id up by its hash takes no longer for one that is nearly right, which is why no comparison in constant
    time is needed.

    Args:
        now_s: The clock, monotonic seconds.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._sessions: dict[bytes, BrowserSession] = {}  # the one unused for longest first
        self._count = 0

    def __len__(self) -> int:
        return len(self._sessions)

    def begin(self) -> str:
        """Begin a session and return its id, 256 random bits; it is kept nowhere."""
        identity = secrets.token_urlsafe(_ID_BYTES)
        now_s = self._now_s()
        self._count += 1
        while len(self._sessions) >= CAPACITY:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[_hashed(identity)] = BrowserSession(self._count, now_s, now_s)
        return identity

    def use(self, identity: str) -> BrowserSession | None:
        """Return the session of an id, which counts as a use; None where there is none, or none any more."""
        if len(identity) > _LONGEST_ID:
            return None
        key = _hashed(identity)
        session = self._sessions.pop(key, None)
        if session is None or not self._lasts(session):
            return None
        session.used_s = self._now_s()
        self._sessions[key] = session
        return session

    def lasts(self, identity: str) -> bool:
        """Whether a session is still in force; asking is no use."""
        session = self._sessions.get(_hashed(identity))
        return session is not None and self._lasts(session)

    def end(self, identity: str) -> bool:
        """End a session; False where there is none."""
        return self._sessions.pop(_hashed(identity), None) is not None

    def _lasts(self, session: BrowserSession) -> bool:
        now_s = self._now_s()
        return now_s - session.began_s < LIFETIME_S and now_s - session.used_s < IDLE_S


def _hashed(identity: str) -> bytes:
    return sha256(identity.encode("utf-8", "surrogatepass")).digest()
