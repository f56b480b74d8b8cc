"""From a request to a method's parameters: out of the path, the query or the body."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from msgspec import inspect

from orchestrator.access import jsonrpc
from orchestrator.access.dispatch import Method
from orchestrator.access.jsonrpc import MAX_SEPARATORS, UNCOUNTED_BYTES, RpcError
from orchestrator.access.parameters import convert_params

MAX_BODY_BYTES: Final = 1 << 20
"""The largest body that is read: as much as a line of the control socket."""

MAX_QUERY_FIELDS: Final = 200

_MANY: Final = (inspect.ListType, inspect.VarTupleType, inspect.SetType, inspect.FrozenSetType)


class NotJson(Exception):
    """A body that is no JSON object."""


def from_query(method: Method, query: bytes, path_params: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a call whose query says them as text.

    Args:
        method: What is called; the types of its fields decide what a text means.
        query: The query string.
        path_params: What stands in the path.

    Raises:
        RpcError: -32602, as for a call over the control socket.
    """
    try:
        pairs = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, strict_parsing=bool(query), errors="strict",
            max_num_fields=MAX_QUERY_FIELDS,
        )  # fmt: skip
    except ValueError as error:
        expected = f"name=value pairs in percent-encoded UTF-8, at most {MAX_QUERY_FIELDS}"
        raise RpcError(jsonrpc.INVALID_PARAMS, data={"path": "$", "expected": expected}) from error
    many = _fields_of_many(method.params)
    named: dict[str, Any] = {}
    for name, value in pairs:
        if name in many:
            named.setdefault(name, []).append(value)
        elif name in named:
            raise RpcError(jsonrpc.INVALID_PARAMS, data={"path": f"$.{name}", "expected": "one value"})
        else:
            named[name] = value
    struct = convert_params(_with_places(named, path_params), method.params, strict=False)
    params: dict[str, Any] = msgspec.to_builtins(struct)
    return params


def from_body(method: Method, body: bytes, path_params: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a call whose body says them; an empty one is an empty object.

    Raises:
        NotJson: The body is no JSON object.
        RpcError: -32602, as for a call over the control socket; or it names what the path says already.
    """
    named = _with_places(_object_in(body), path_params)
    convert_params(named, method.params)
    return named


def _object_in(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    if len(body) > UNCOUNTED_BYTES and sum(map(body.count, (b",", b"[", b"{"))) > MAX_SEPARATORS:
        raise NotJson(f"at most {MAX_SEPARATORS:,} values in a body")
    try:
        named = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotJson(f"the body is not JSON: {error}") from error
    if not isinstance(named, dict):
        raise NotJson("the body must be a JSON object")
    return named


def _with_places(named: dict[str, Any], path_params: dict[str, Any]) -> dict[str, Any]:
    for name in path_params:
        if name in named:
            raise RpcError(jsonrpc.INVALID_PARAMS, data={"path": f"$.{name}", "expected": "said by the path alone"})
    return {**named, **path_params}


@lru_cache(maxsize=1024)
def _fields_of_many(struct: type[msgspec.Struct]) -> frozenset[str]:
    """Return the fields that take several values, as `topics=a&topics=b`."""
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    return frozenset(field.encode_name for field in info.fields if isinstance(field.type, _MANY))
