"""What stands before every route: which hosts, whose credentials, and that a browser's own user is asking.

It is the outermost ASGI application, so that no route, not even one that does not exist, is reached around it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from time import perf_counter
from typing import Any, Final
from urllib.parse import quote

from orchestrator.access.gateway.credentials import Caller, Credentials
from orchestrator.access.gateway.metrics.traffic import Traffic
from orchestrator.access.gateway.problems import refusal
from streams.http_answer import HttpAnswer
from streams.http_host import AsgiApp

LOGIN_PATH: Final = "/login"
LOGOUT_PATH: Final = "/logout"

FORMS: Final = frozenset({LOGIN_PATH, LOGOUT_PATH})
"""What a form without a script posts to. A form cannot send a header of its own; it has to be of this origin all the
same."""

OWN_HEADER: Final = b"x-automate"
"""A header that a script must send with what changes something, whatever it says. Another site's script cannot, without
asking first with a preflight, which is refused like all else that has no credentials."""

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_SAME: Final = frozenset({b"same-origin", b"none"})
_API: Final = ("/api/", "/metrics", "/healthz")
_CHALLENGE: Final = (b"www-authenticate", b'Bearer realm="automate"')

SECURITY_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # Under `no-referrer`, browsers send `Origin: null` with a form, which then seems to be another site's.
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
"""What every answer carries."""

CONTENT_POLICY: Final = (
    b"default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
)
"""The content security policy of answers that bring none of their own."""


class Guard:
    """Lets requests through to the application, or answers them.

    Args:
        app: The application. It finds who asks in `scope["state"]["caller"]`.
        credentials: Recognises callers.
        traffic: Counts requests.
        names: Host names that the gateway is known by, besides addresses and `localhost`.
    """

    def __init__(self, app: AsgiApp, credentials: Credentials, traffic: Traffic, names: Collection[str] = ()) -> None:
        self._app = app
        self._credentials = credentials
        self._traffic = traffic
        self._names = frozenset(name.lower() for name in names) | {"localhost"}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a request."""
        began_s = perf_counter()

        async def send_guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": _with_security(message.get("headers", ()))}
                route = scope.get("path_template", "none")
                self._traffic.answered(scope["method"], route, message["status"], perf_counter() - began_s)
            await send(message)

        answer = self._refusal(scope)
        await (self._app if answer is None else answer)(scope, receive, send_guarded)

    def _refusal(self, scope: Any) -> HttpAnswer | None:
        """Return what keeps a request out; None where nothing does, and it is known who asks."""
        headers = _Headers(scope["headers"])
        host = headers.only(b"host")
        if host is None or not self._is_own(host):
            # A page of a name that its owner has led here (DNS rebinding) is of one origin with us to the browser.
            detail = "ask for this gateway by an address, by localhost, or by one of gateway_names in fleet_config.json"
            return refusal(421, "unknown_host", detail)
        path, method = scope["path"], scope["method"]
        address = scope["client"][0] if scope["client"] else "an unknown address"
        if path == LOGIN_PATH:
            return None if method in _SAFE or _is_same_origin(headers, host) is not False else _foreign()
        caller = self._credentials.caller(headers.only(b"authorization"), headers.joined(b"cookie"), address)
        if caller is None:
            return _stranger(scope, headers)
        if caller.session is not None and (answer := _suspicion(method, path, headers, host)) is not None:
            return answer
        scope["state"]["caller"] = caller
        return None

    def _is_own(self, host: bytes) -> bool:
        name = host.decode("latin-1").lower()
        if name.startswith("["):
            literal, closing, port = name[1:].partition("]")
            return bool(closing) and _is_address(literal) and (not port or (port[0] == ":" and port[1:].isdigit()))
        name, _, port = name.partition(":")
        return (not port or port.isdigit()) and (name in self._names or _is_address(name))


class _Headers:
    """A request's headers, as far as they are asked for here."""

    __slots__ = ("_pairs",)

    def __init__(self, pairs: list[tuple[bytes, bytes]]) -> None:
        self._pairs = pairs

    def only(self, name: bytes) -> bytes | None:
        """Return the value of a header that must not come twice: then nobody could say which one counts."""
        values = [value for each, value in self._pairs if each == name]
        return values[0] if len(values) == 1 else b"" if values else None

    def joined(self, name: bytes) -> bytes | None:
        """Return the values of a header that may come in parts."""
        values = [value for each, value in self._pairs if each == name]
        return b"; ".join(values) if values else None


def caller_of(scope: Any) -> Caller:
    """Return who asks, of a request that the guard has let through."""
    caller: Caller = scope["state"]["caller"]
    return caller


def _stranger(scope: Any, headers: _Headers) -> HttpAnswer:
    """Send a person's browser to the login; tell a program what is missing."""
    path = scope["path"]
    accepts = headers.joined(b"accept") or b""
    if scope["method"] in ("GET", "HEAD") and not path.startswith(_API) and b"text/html" in accepts:
        # Nothing but the path is carried over: a query could hold what should not be in a history twice.
        location = f"{LOGIN_PATH}?next={quote(path)}" if path != "/" else LOGIN_PATH
        return HttpAnswer(303, b"text/plain; charset=utf-8", b"", [(b"location", location.encode())])
    detail = "send the token as `Authorization: Bearer <token>`; `automate token` shows it"
    return refusal(401, "unauthorized", detail, [_CHALLENGE])


def _suspicion(method: str, path: str, headers: _Headers, host: bytes) -> HttpAnswer | None:
    """Return what is answered to a cookie that may have been sent by another site's page; None where it was not.

    A cookie's `SameSite` is not enough here: other ports of this machine are the same site, the pages that instances
    publish among them.
    """
    same = _is_same_origin(headers, host)
    if method in _SAFE:
        return _foreign() if same is False and path.startswith(_API) else None
    if same is None and path not in FORMS:
        detail = "a request with a cookie that changes something must say its Origin; programs use the token instead"
        return refusal(403, "no_origin", detail)
    if same is not True:
        return _foreign()
    if path not in FORMS and headers.joined(OWN_HEADER) is None:
        detail = "a request with a cookie that changes something must carry the header X-Automate, with any value"
        return refusal(403, "no_own_header", detail)
    return None


def _is_same_origin(headers: _Headers, host: bytes) -> bool | None:
    """Return whether the gateway's own page sent a request; None where the request does not say."""
    site, origin = headers.only(b"sec-fetch-site"), headers.only(b"origin")
    if site is not None and site not in _SAME:
        return False
    if origin is not None:
        scheme, _, rest = origin.lower().partition(b"://")
        return scheme in (b"http", b"https") and rest == host.lower()
    return None if site is None else True


def _foreign() -> HttpAnswer:
    return refusal(403, "cross_site", "this request was sent by a page of another origin")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _with_security(headers: Any) -> list[tuple[bytes, bytes]]:
    own = [*headers]
    present = {name.lower() for name, _ in own}
    own += [header for header in SECURITY_HEADERS if header[0] not in present]
    if b"content-security-policy" not in present:
        own.append((b"content-security-policy", CONTENT_POLICY))
    return own
