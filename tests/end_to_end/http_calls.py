"""HTTP calls as a customer makes them."""

from __future__ import annotations

import http.client
import json
from typing import Any

import msgspec

TIMEOUT_S = 20.0


class Reply(msgspec.Struct, frozen=True):
    """An answer, read whole.

    Attributes:
        status: The HTTP status.
        headers: Its headers, names in lower case.
        body: Its body.
    """

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return what the body says."""
        return json.loads(self.body)


def request(
    port: int,
    path: str,
    *,
    key: str | None = None,
    body: object = None,
    connection: http.client.HTTPConnection | None = None,
    idempotency_key: str | None = None,
) -> Reply:
    """Make a call: a POST where there is a body, else a GET.

    Args:
        port: The instance's port.
        path: What is asked for.
        key: The customer's key.
        body: What is sent, as JSON.
        connection: A connection to use and to keep; without it, one is made for this call.
        idempotency_key: What the call is to be recognised by.

    Raises:
        OSError: There was no answer, nor a connection perhaps.
        http.client.HTTPException: The answer broke off.
    """
    used = connection if connection is not None else http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    fields = {}
    if idempotency_key is not None:
        fields["Idempotency-Key"] = idempotency_key
    if key is not None:
        fields["Authorization"] = f"Bearer {key}"
    content = None
    if body is not None:
        content = json.dumps(body)
        fields["Content-Type"] = "application/json"
    try:
        used.request("GET" if body is None else "POST", path, content, fields)
        answer = used.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, found, answer.read())
    finally:
        if connection is None:
            used.close()
