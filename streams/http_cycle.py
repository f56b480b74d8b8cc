"""One request and its answer: uvicorn's cycle, with a short way for answers that are known whole.

uvicorn writes head and body one after the other, uvloop makes a system call of each write, and each header is matched
against two patterns. For a short answer that is most of the work. An answer that declares its length is
written at once here; every other goes uvicorn's way.
"""

from __future__ import annotations

import re
from typing import Final

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

_TOKEN: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_CLOSE: Final = (b"connection", b"close")
_SPECIAL: Final = frozenset({b"connection", b"transfer-encoding"})
_MAX_KNOWN_NAMES: Final = 256

_known_names: Final[set[bytes]] = set()


class HttpCycle(RequestResponseCycle):
    """A request being answered.

    Attributes:
        began_s: When it came, `time.perf_counter`; 0 where it is not counted as traffic.
        status: What it was answered with; 0 before.
    """

    _head = b""
    began_s = 0.0
    status = 0

    async def send(self, message: ASGISendEvent) -> None:
        """Take a part of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if not self.response_started and self._hold_head(message["status"], list(message.get("headers", ()))):
                return
        elif self._head and message["type"] == "http.response.body":
            if self.flow.write_paused and not self.disconnected:
                await self.flow.drain()
            head, self._head = self._head, b""
            body = message.get("body", b"")
            if self.disconnected:
                return
            if not message.get("more_body", False) and len(body) == self.expected_content_length:
                self.transport.write(head + body)
                self._finish()
                return
            self.transport.write(head)
        await super().send(message)

    def answer(self, status: int, fields: bytes, body: bytes = b"") -> None:
        """Answer whole, without a task; for who has taken a GET request by `HttpApp`'s `quick`.

        Args:
            status: The HTTP status.
            fields: The lines of the headers as they are sent, the body's length among them, but `connection`. Whoever
                writes them answers for there being no other line break in them.
            body: The body.
        """
        if self.disconnected or self.response_started:
            return
        self.response_started = True
        self.status = status
        close = b"" if self.keep_alive else b"connection: close\r\n"
        self.transport.write(
            b"%s%s%s%s\r\n%s" % (STATUS_LINE[status], _dated(self.default_headers), fields, close, body)
        )
        self._finish()

    def _hold_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> bool:
        """Keep the head until its body comes; False where the answer is not of the simple kind."""
        length = None
        for name, value in headers:
            if name not in _known_names:
                _know(name)
            if name == b"content-length":
                length = value
            elif name in _SPECIAL:
                return False
        if length is None or self.scope["method"] == "HEAD":
            return False
        fields = _lines(
            [*self.default_headers, *headers] if self.keep_alive else [*self.default_headers, *headers, _CLOSE]
        )
        self.expected_content_length = int(length)
        self.chunked_encoding = False
        self.waiting_for_100_continue = False
        self.response_started = True
        self._head = b"%s%s\r\n" % (STATUS_LINE[status], fields)
        return True

    def _finish(self) -> None:
        self.expected_content_length = 0
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()


_last_dated: tuple[list[tuple[bytes, bytes]], bytes] = ([], b"")


def _dated(headers: list[tuple[bytes, bytes]]) -> bytes:
    """Return a listener's default headers as lines: the same list for all answers of a second."""
    global _last_dated
    if _last_dated[0] is not headers:
        _last_dated = headers, _lines(headers)
    return _last_dated[1]


def _lines(headers: list[tuple[bytes, bytes]]) -> bytes:
    values = [value for _, value in headers]
    # A line break in a value would let its author write the rest of the answer.
    if _CONTROL.search(b" ".join(values)) is not None:
        raise ValueError("a header's value contains a control character")
    return b"".join([b"%s: %s\r\n" % header for header in headers])


def _know(name: bytes) -> None:
    if _TOKEN.fullmatch(name) is None:
        raise ValueError(f"{name!r} is not the name of a header, in lower case")
    if len(_known_names) < _MAX_KNOWN_NAMES:
        _known_names.add(name)
