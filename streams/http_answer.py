"""Whole answers, problem details, and bounded bodies: what every HTTP route of a stream needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec

JSON_TYPE: Final = b"application/json"
PROBLEM_TYPE: Final = b"application/problem+json"

_NO_STORE: Final = (b"cache-control", b"no-store")
_NO_SNIFF: Final = (b"x-content-type-options", b"nosniff")


class BodyTooLarge(Exception):
    """A request body that is larger than what is read."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"the body is larger than the {limit_bytes} bytes that are taken")
        self.limit_bytes = limit_bytes


class PeerGone(Exception):
    """The peer closed its connection before its request was whole; nobody waits for an answer."""


class HttpAnswer:
    """An answer that is known whole; an ASGI application that sends it.

    Args:
        status: The HTTP status.
        media_type: What the body is.
        body: The body. It is not sent to a HEAD request, which learns its length.
        headers: Further headers.
        cacheable_s: For how long anyone may keep the answer, seconds; 0 for not at all.
    """

    __slots__ = ("body", "headers", "status")

    def __init__(
        self,
        status: int,
        media_type: bytes,
        body: bytes,
        headers: Iterable[tuple[bytes, bytes]] = (),
        *,
        cacheable_s: int = 0,
    ) -> None:
        self.status = status
        self.body = body
        self.headers = [
            (b"content-type", media_type),
            (b"content-length", b"%d" % len(body)),
            _NO_SNIFF,
            (b"cache-control", b"public, max-age=%d" % cacheable_s) if cacheable_s else _NO_STORE,
            *headers,
        ]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send the answer."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": False})


def problem(
    status: int,
    detail: str,
    *,
    code: str,
    type_uri: str = "about:blank",
    extra: Mapping[str, object] | None = None,
) -> bytes:
    """Return problem details (RFC 9457); `code` is an extension member that programs can rely on."""
    members = {
        "type": type_uri,
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    return msgspec.json.encode({**members, **(extra or {})})


def problem_answer(
    status: int,
    detail: str,
    *,
    code: str,
    type_uri: str = "about:blank",
    extra: Mapping[str, object] | None = None,
    headers: Iterable[tuple[bytes, bytes]] = (),
) -> HttpAnswer:
    """Return an answer that explains what is wrong."""
    body = problem(status, detail, code=code, type_uri=type_uri, extra=extra)
    return HttpAnswer(status, PROBLEM_TYPE, body, headers)


async def read_body(receive: Any, declared_bytes: bytes | None, limit_bytes: int) -> bytes:
    """Read a request's body.

    Args:
        receive: The ASGI callable.
        declared_bytes: The Content-Length header; None without.
        limit_bytes: The most that is read.

    Raises:
        BodyTooLarge: It is, or says that it is, larger.
        PeerGone: It ended before it was whole.
    """
    if declared_bytes is not None and int(declared_bytes) > limit_bytes:
        raise BodyTooLarge(limit_bytes)
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.request" and not message["more_body"] and len(body) <= limit_bytes:
        return body
    parts = [body]
    size_bytes = len(body)
    while True:
        if message["type"] == "http.disconnect":
            raise PeerGone
        if size_bytes > limit_bytes:
            raise BodyTooLarge(limit_bytes)
        if not message["more_body"]:
            return b"".join(parts)
        message = await receive()
        part: bytes = message.get("body", b"")
        parts.append(part)
        size_bytes += len(part)
