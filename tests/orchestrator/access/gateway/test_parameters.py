from __future__ import annotations

from typing import Any, Literal

import msgspec
import pytest

from orchestrator.access.dispatch import Method, Methods, Session
from orchestrator.access.gateway.parameters import MAX_QUERY_FIELDS, NotJson, from_body, from_query
from orchestrator.access.jsonrpc import INVALID_PARAMS, RpcError


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    limit: int = 100
    rate: float | None = None
    deep: bool = False
    state: Literal["ready", "failed"] | None = None
    topics: tuple[str, ...] = ()


def method() -> Method:
    methods = Methods()

    @methods.register("x.y")
    def handler(params: Params, session: Session) -> None:
        """Do something."""

    return next(iter(methods))


def test_a_query_says_every_type_as_text() -> None:
    query = b"limit=7&rate=1.5&deep=true&state=ready&topics=a&topics=b%20c"
    params = from_query(method(), query, {"id": "007"})
    assert msgspec.convert(params, Params) == Params("007", 7, 1.5, True, "ready", ("a", "b c"))
    assert msgspec.convert(from_query(method(), b"", {"id": "x"}), Params) == Params("x")
    assert from_query(method(), b"rate=null&topics=a", {"id": "x"})["rate"] is None


@pytest.mark.parametrize(
    ("query", "path"),
    [
        (b"limit=x", "$.limit"),
        (b"limit=1&limit=2", "$.limit"),
        (b"limt=1", "$.limt"),
        (b"deep=maybe", "$.deep"),
        (b"state=gone", "$.state"),
        (b"id=y", "$.id"),
        (b"limit", "$"),
        (b"limit=%ff", "$"),
        (b"state=\xff", "$"),
        (b"&".join([b"topics=a"] * (MAX_QUERY_FIELDS + 1)), "$"),
    ],
)
def test_what_is_wrong_in_a_query_is_named(query: bytes, path: str) -> None:
    with pytest.raises(RpcError) as caught:
        from_query(method(), query, {"id": "x"})
    assert caught.value.code == INVALID_PARAMS
    data: Any = caught.value.data
    assert data["path"] == path


def test_a_body_is_an_object_and_an_empty_one_is_too() -> None:
    assert from_body(method(), b'{"limit": 7}', {"id": "x"}) == {"limit": 7, "id": "x"}
    assert from_body(method(), b"", {"id": "x"}) == {"id": "x"}


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'"x"', b"null", b"\xff", b"[" * 100_000, b'{"a":[' + b"0," * 60_000 + b"0]}"]
)
def test_what_is_no_object_is_not_taken(body: bytes) -> None:
    with pytest.raises(NotJson):
        from_body(method(), body, {"id": "x"})


@pytest.mark.parametrize("body", [b'{"limit": "7"}', b'{"id": "y"}', b'{"more": 1}'])
def test_types_of_a_body_are_those_of_json(body: bytes) -> None:
    with pytest.raises(RpcError) as caught:
        from_body(method(), body, {"id": "x"})
    assert caught.value.code == INVALID_PARAMS
