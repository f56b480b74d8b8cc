"""Errors as problem details (RFC 9457): the dispatch's, and the gateway's own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from orchestrator.access import jsonrpc
from orchestrator.access.jsonrpc import RpcError
from streams.http_answer import HttpAnswer, problem_answer

STATUSES: Final = {
    jsonrpc.PARSE_ERROR: (400, "not_json"),
    jsonrpc.INVALID_REQUEST: (400, "invalid_request"),
    jsonrpc.METHOD_NOT_FOUND: (404, "method_not_found"),
    jsonrpc.INVALID_PARAMS: (422, "invalid_params"),
    jsonrpc.INTERNAL_ERROR: (500, "internal"),
    jsonrpc.NOT_FOUND: (404, "not_found"),
    jsonrpc.REFUSED: (409, "refused"),
    jsonrpc.NOT_ALLOWED: (403, "not_allowed"),
    jsonrpc.TIMED_OUT: (504, "timed_out"),
}
"""The HTTP status of each of the dispatch's codes, and its name in problem details."""


class ProblemDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """What went wrong (RFC 9457).

    Attributes:
        type: Always `about:blank`: the status says what kind of problem it is.
        title: The status in words.
        status: The HTTP status.
        code: A name that programs can rely on.
        detail: What is wrong here, for people.
        rpc_code: The code that the control socket answers with.
        data: What helps to find the mistake: the path in the parameters, what is expected there, the nearest known
            name.
    """

    type: str
    title: str
    status: int
    code: str
    detail: str
    rpc_code: int | None = None
    data: Any = None


def problem_of(error: RpcError, *, fits_the_document: bool = False) -> HttpAnswer:
    """Return the answer that tells of a failed call.

    Args:
        error: The failure.
        fits_the_document: Whether the parameters were of the types that the OpenAPI document tells of. What a method
            finds wrong with those is between them and how things stand: a cursor of another list, a stream that is
            not installed. So it is 409, and 422 is left for what fits the document of no daemon.
    """
    status, code = STATUSES.get(error.code, (500, "server_error"))
    if error.code == jsonrpc.INVALID_PARAMS and fits_the_document:
        status = STATUSES[jsonrpc.REFUSED][0]
    extra: dict[str, object] = {"rpc_code": error.code}
    if error.data is not None:
        extra["data"] = msgspec.to_builtins(error.data, enc_hook=str, str_keys=True)
    return problem_answer(status, _detail_of(error), code=code, extra=extra)


def refusal(status: int, code: str, detail: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> HttpAnswer:
    """Return the answer of the gateway itself."""
    return problem_answer(status, detail, code=code, headers=headers)


def no_content(headers: Iterable[tuple[bytes, bytes]] = ()) -> HttpAnswer:
    """Return an answer without a body."""
    answer = HttpAnswer(204, b"", b"", headers)
    answer.headers = [header for header in answer.headers if not header[0].startswith(b"content-")]
    return answer


def _detail_of(error: RpcError) -> str:
    data = error.data
    if isinstance(data, dict) and "path" in data and "expected" in data:
        near = f"; did you mean {data['nearest']}?" if "nearest" in data else ""
        return f"{error.message}: {data['path']} should be {data['expected']}{near}"
    return error.message
