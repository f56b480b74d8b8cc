"""A request to a venue, read whole: its path, its parameters as they were sent, and its headers."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from streams.http_answer import read_body

MAX_BODY_BYTES: Final = 16 * 1024
MAX_PARAMETERS: Final = 64


class NotAForm(Exception):
    """A query or a body that is no list of names and values."""


class VenueRequest(msgspec.Struct, frozen=True):
    """What a client sent.

    Attributes:
        method: `GET`.
        path: With its slash.
        query: As it was sent.
        body: As it was sent.
        headers: By lower-case name.
    """

    method: str
    path: str
    query: str
    body: str
    headers: dict[str, str]

    def parameters(self) -> dict[str, str]:
        """Return the parameters of query and body; of two with one name, the last.

        Raises:
            NotAForm: They are not names and values, or too many.
        """
        return {**_parsed(self.query), **_parsed(self.body)}

    def form(self) -> dict[str, str]:
        """Return the parameters of the body alone.

        Raises:
            NotAForm: They are not names and values, or too many.
        """
        return _parsed(self.body)


def _parsed(text: str) -> dict[str, str]:
    if not text:
        return {}
    try:
        return dict(parse_qsl(text, keep_blank_values=True, strict_parsing=True, max_num_fields=MAX_PARAMETERS))
    except ValueError as error:
        raise NotAForm(str(error)) from error


async def read_request(scope: Any, receive: Any) -> VenueRequest:
    """Read a request.

    Raises:
        BodyTooLarge: See `read_body`.
        PeerGone: See `read_body`.
        NotAForm: It is not ASCII, as all that is signed has to be.
    """
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    declared = headers.get("content-length")
    body = b""
    if declared is not None or "transfer-encoding" in headers:
        body = await read_body(receive, declared.encode() if declared else None, MAX_BODY_BYTES)
    try:
        return VenueRequest(
            scope["method"], scope["path"], scope["query_string"].decode("ascii"), body.decode("ascii"), headers
        )
    except UnicodeDecodeError as error:
        raise NotAForm("only ASCII is taken; encode everything else by percent signs") from error
