"""Who asks: the bearer of the token, or a browser that has logged in with it. Pure, apart from the sessions."""

from __future__ import annotations

import hmac
from typing import Final

import msgspec

from config.secrets import Secret
from orchestrator.access.gateway.sessions import Sessions

_BEARER: Final = b"bearer"
_LONGEST_TOKEN_BYTES: Final = 512


class Caller(msgspec.Struct, frozen=True):
    """Someone who may ask.

    Attributes:
        origin: Who it is, for logs and audit.
        session: The id of the browser's session; None for the bearer of the token.
    """

    origin: str
    session: str | None = None


class Credentials:
    """Recognises callers.

    Args:
        token: The daemon's token.
        sessions: The browsers that have logged in with it.
        cookie: The name of the cookie that carries a session's id.
    """

    def __init__(self, token: Secret, sessions: Sessions, cookie: str) -> None:
        self._token = token
        self._sessions = sessions
        self._cookie = cookie

    def caller(self, authorization: bytes | None, cookies: bytes | None, address: str) -> Caller | None:
        """Return who asks; None for a stranger.

        Whoever shows a token is judged by it alone: a wrong one is not made good by a cookie.

        Args:
            authorization: The `Authorization` header.
            cookies: The `Cookie` header.
            address: Where the request came from.
        """
        if authorization is not None:
            scheme, _, shown = authorization.partition(b" ")
            if scheme.lower() == _BEARER and self.is_token(shown.strip()):
                return Caller(f"http {address} with the token")
            return None
        identity = self._cookie_in(cookies) if cookies is not None else None
        if identity is None:
            return None
        session = self._sessions.use(identity)
        return None if session is None else Caller(f"http {address} in session {session.number}", identity)

    def is_token(self, shown: bytes) -> bool:
        """Whether this is the token, compared in constant time."""
        if len(shown) > _LONGEST_TOKEN_BYTES:
            return False
        return hmac.compare_digest(shown, self._token.reveal().encode())

    def lasts(self, caller: Caller) -> bool:
        """Whether a caller may go on; a browser may not once it has logged out."""
        return caller.session is None or self._sessions.lasts(caller.session)

    def _cookie_in(self, cookies: bytes) -> str | None:
        for pair in cookies.decode("latin-1").split(";"):
            name, _, value = pair.strip().partition("=")
            if name == self._cookie:
                return value
        return None
