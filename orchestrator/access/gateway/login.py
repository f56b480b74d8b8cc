"""Logging a browser in and out: the token once, a session's cookie from then on."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qs, quote

import msgspec
import structlog

from orchestrator.access.gateway.credentials import Credentials
from orchestrator.access.gateway.guard import LOGIN_PATH, caller_of
from orchestrator.access.gateway.login_limit import LoginLimit
from orchestrator.access.gateway.metrics.traffic import Traffic
from orchestrator.access.gateway.pages.templates import Templates
from orchestrator.access.gateway.problems import refusal
from orchestrator.access.gateway.sessions import LIFETIME_S, Sessions
from streams.http_answer import JSON_TYPE, BodyTooLarge, HttpAnswer, read_body

MAX_FORM_BYTES: Final = 4096

_ATTRIBUTES: Final = "HttpOnly; SameSite=Strict; Path=/"
_PLAIN: Final = b"text/plain; charset=utf-8"

_log = structlog.get_logger("gateway")


class _Login(msgspec.Struct, frozen=True):
    token: str
    next: str = "/"


class _LoggedIn(msgspec.Struct, frozen=True):
    expires_in_s: float


class Door:
    """Logs browsers in and out.

    Args:
        credentials: Knows the token.
        sessions: Where sessions begin and end.
        limit: How often an address may try.
        traffic: Counts attempts.
        templates: The pages.
        cookie: The name of the cookie.
    """

    def __init__(
        self,
        credentials: Credentials,
        sessions: Sessions,
        limit: LoginLimit,
        traffic: Traffic,
        templates: Templates,
        cookie: str,
    ) -> None:
        self._credentials = credentials
        self._sessions = sessions
        self._limit = limit
        self._traffic = traffic
        self._templates = templates
        self._cookie = cookie

    def show(self, query: bytes) -> HttpAnswer:
        """Return the page with the form."""
        return self._templates.page("login.html", next=_own_path(_fields(query).get("next", "/")), problem="")

    async def log_in(self, scope: Any, receive: Any) -> HttpAnswer:
        """Take the token, from the form or as JSON, and begin a session."""
        headers = dict(scope["headers"])
        try:
            body = await read_body(receive, headers.get(b"content-length"), MAX_FORM_BYTES)
        except BodyTooLarge as error:
            return refusal(413, "too_large", str(error))
        is_json = headers.get(b"content-type", b"").partition(b";")[0].strip().lower() == JSON_TYPE
        asked = _read_json(body) if is_json else _read_form(body)
        if asked is None:
            return refusal(400, "no_token", 'send the token as {"token": "…"}, or as a form with a field of that name')
        address = scope["client"][0] if scope["client"] else "unknown"
        if wait_s := self._limit.wait_s(address):
            self._traffic.login("limited")
            return self._refuse(429, f"too many attempts; try again in {wait_s} s", asked, is_json, wait_s)
        if not self._credentials.is_token(asked.token.strip().encode("utf-8", "surrogatepass")):
            wait_s = self._limit.failed(address)
            self._traffic.login("refused")
            _log.warning("gateway.login_refused", address=address, next_attempt_in_s=wait_s)
            return self._refuse(401, "this is not the daemon's token", asked, is_json, wait_s)
        self._limit.succeeded(address)
        self._traffic.login("accepted")
        _log.info("gateway.login", address=address)
        set_cookie = f"{self._cookie}={self._sessions.begin()}; Max-Age={LIFETIME_S:.0f}; {_ATTRIBUTES}"
        cookie = (b"set-cookie", set_cookie.encode())
        if is_json:
            return HttpAnswer(200, JSON_TYPE, msgspec.json.encode(_LoggedIn(LIFETIME_S)), [cookie])
        return HttpAnswer(303, _PLAIN, b"", [(b"location", quote(_own_path(asked.next)).encode()), cookie])

    def log_out(self, scope: Any) -> HttpAnswer:
        """End the session of whoever asks."""
        session = caller_of(scope).session
        if session is not None:
            self._sessions.end(session)
        cookie = (b"set-cookie", f"{self._cookie}=; Max-Age=0; {_ATTRIBUTES}".encode())
        return HttpAnswer(303, _PLAIN, b"", [(b"location", LOGIN_PATH.encode()), cookie])

    def _refuse(self, status: int, detail: str, asked: _Login, is_json: bool, wait_s: int) -> HttpAnswer:
        headers = ((b"retry-after", b"%d" % wait_s),) if wait_s else ()
        if is_json:
            return refusal(status, "login_limited" if status == 429 else "wrong_token", detail, headers)
        problem = f"{detail[0].upper()}{detail[1:]}."
        return self._templates.page("login.html", status, headers, next=_own_path(asked.next), problem=problem)


def _read_json(body: bytes) -> _Login | None:
    try:
        return msgspec.json.decode(body, type=_Login)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _read_form(body: bytes) -> _Login | None:
    fields = _fields(body)
    return _Login(fields["token"], fields.get("next", "/")) if "token" in fields else None


def _fields(encoded: bytes) -> dict[str, str]:
    """Return the fields of a form or a query, the first of each name; nothing where there are too many."""
    try:
        return {name: values[0] for name, values in parse_qs(encoded.decode("latin-1"), max_num_fields=10).items()}
    except ValueError:
        return {}


def _own_path(path: str) -> str:
    """Return where to go after the login: a path of this gateway, never another site's address."""
    safe = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isascii() and path.isprintable()
    return path if safe and len(path) <= 512 else "/"
