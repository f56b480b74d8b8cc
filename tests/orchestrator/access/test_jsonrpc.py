from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from orchestrator.access import jsonrpc
from orchestrator.access.jsonrpc import Call, Malformed, Params, RpcError
from tests.orchestrator.access.wire import no_pause


def echo(method: str, params: Params) -> Raw:
    if method == "missing":
        raise RpcError(jsonrpc.METHOD_NOT_FOUND)
    return Raw(msgspec.json.encode(params))


async def echo_later(params: Params) -> Raw:
    return echo("echo", params)


def code_of(line: bytes) -> int:
    message = jsonrpc.parse(line)
    assert isinstance(message, Malformed)
    return message.error.code


async def answered(line: bytes) -> bytes:
    reply = jsonrpc.answer(jsonrpc.parse(line), echo, no_pause)
    return reply if isinstance(reply, bytes) else await reply


def test_a_request_is_a_call_with_its_id() -> None:
    assert jsonrpc.parse(b'{"jsonrpc":"2.0","id":"a","method":"m","params":[1]}') == Call("m", [1], "a")


def test_a_request_with_a_null_id_is_no_notification() -> None:
    assert jsonrpc.parse(b'{"jsonrpc":"2.0","id":null,"method":"m"}') == Call("m", None, None)
    assert jsonrpc.parse(b'{"jsonrpc":"2.0","method":"m"}') == Call("m", None, msgspec.UNSET)


@pytest.mark.parametrize("identity", ["true", "[1]", "{}"])
def test_an_id_of_another_type_is_an_invalid_request_without_id(identity: str) -> None:
    message = jsonrpc.parse(b'{"jsonrpc":"2.0","method":"m","id":%s}' % identity.encode())
    assert isinstance(message, Malformed)
    assert (message.error.code, message.id) == (jsonrpc.INVALID_REQUEST, None)


@pytest.mark.parametrize(
    ("line", "path"),
    [
        (b'{"id":7,"method":"m"}', "$.jsonrpc"),
        (b'{"jsonrpc":"1.0","id":7,"method":"m"}', "$.jsonrpc"),
        (b'{"jsonrpc":2.0,"id":7,"method":"m"}', "$.jsonrpc"),
        (b'{"jsonrpc":"2.0","id":7}', "$.method"),
        (b'{"jsonrpc":"2.0","id":7,"method":null}', "$.method"),
        (b'{"jsonrpc":"2.0","id":7,"method":"m","params":null}', "$.params"),
        (b'{"jsonrpc":"2.0","id":7,"method":"m","params":"x"}', "$.params"),
    ],
)
def test_an_invalid_request_with_an_id_is_told_what_is_wrong_under_that_id(line: bytes, path: str) -> None:
    message = jsonrpc.parse(line)
    assert isinstance(message, Malformed)
    assert (message.error.code, message.id) == (jsonrpc.INVALID_REQUEST, 7)
    assert message.error.data["path"] == path  # type: ignore[index]


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 100_000,
        b"[" * 1_000_000,
        b"[" * 50_000 + b"]" * 50_000,
        b'{"a":' * 50_000,
        b'"\xff"',
        b'"\\ud800"',
        b"NaN",
        b" ",
        b"1 2",
    ],
)
def test_what_is_no_json_is_a_parse_error_however_deep(line: bytes) -> None:
    assert code_of(line) == jsonrpc.PARSE_ERROR


def test_a_line_of_too_many_values_is_refused_before_it_is_parsed() -> None:
    assert code_of(b"[" + b"[]," * 300_000 + b"[]]") == jsonrpc.INVALID_REQUEST


def test_a_megabyte_of_text_is_not_too_many_values() -> None:
    line = msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": "m", "params": ["x" * 1_000_000]})
    assert isinstance(jsonrpc.parse(line), Call)


def test_a_batch_holds_at_most_a_thousand_calls() -> None:
    member = b'{"jsonrpc":"2.0","id":1,"method":"m"}'
    assert isinstance(jsonrpc.parse(b"[" + b",".join([member] * 1_000) + b"]"), list)
    assert code_of(b"[" + b",".join([member] * 1_001) + b"]") == jsonrpc.INVALID_REQUEST


async def test_what_needs_no_waiting_is_answered_without_a_coroutine() -> None:
    reply = jsonrpc.answer(jsonrpc.parse(b'{"jsonrpc":"2.0","id":1,"method":"m","params":[1]}'), echo, no_pause)
    assert reply == b'{"jsonrpc":"2.0","result":[1],"id":1}\n'


async def test_what_needs_waiting_is_answered_by_a_coroutine() -> None:
    message = jsonrpc.parse(b'{"jsonrpc":"2.0","id":1,"method":"m","params":[1]}')
    reply = jsonrpc.answer(message, lambda _, params: echo_later(params), no_pause)
    assert not isinstance(reply, bytes)
    assert await reply == b'{"jsonrpc":"2.0","result":[1],"id":1}\n'


async def test_a_notification_is_not_answered_though_it_fails() -> None:
    assert await answered(b'{"jsonrpc":"2.0","method":"missing"}') == b""
    assert await answered(b'[{"jsonrpc":"2.0","method":"missing"},{"jsonrpc":"2.0","method":"m"}]') == b""


def test_what_an_error_carries_is_sent_as_text_where_json_has_no_form_for_it() -> None:
    error = RpcError(jsonrpc.REFUSED, "no", {"directory": Path("/tmp")})
    assert json.loads(jsonrpc.encode_error(error, 1))["error"]["data"] == {"directory": "/tmp"}


async def test_a_batch_is_answered_in_its_order_and_others_get_their_turn() -> None:
    turns = 0

    def pause() -> None:
        nonlocal turns
        turns += 1

    line = b'[{"jsonrpc":"2.0","id":2,"method":"m"},7,{"jsonrpc":"2.0","id":2,"method":"missing"}]'
    reply = jsonrpc.answer(jsonrpc.parse(line), echo, pause)
    assert not isinstance(reply, bytes)
    answers = json.loads(await reply)
    assert [(each["id"], each.get("error", {}).get("code")) for each in answers] == [
        (2, None),
        (None, jsonrpc.INVALID_REQUEST),
        (2, jsonrpc.METHOD_NOT_FOUND),
    ]
    assert turns == 3


async def test_a_batch_whose_answers_grow_too_large_is_not_carried_out_to_its_end() -> None:
    carried_out = 0

    def invoke(method: str, params: Params) -> Raw:
        nonlocal carried_out
        carried_out += 1
        return Raw(b'"' + b"x" * 1_000_000 + b'"')

    members: list[Any] = [Call("m", None, number) for number in range(20)] + [Malformed(RpcError(-32600))]
    reply = jsonrpc.answer(members, invoke, no_pause)
    assert not isinstance(reply, bytes)
    answers = json.loads(await reply)
    assert carried_out == 9
    assert [each["error"]["code"] for each in answers[9:]] == [jsonrpc.REFUSED] * 12
    assert [each["id"] for each in answers] == [*range(20), None]


@pytest.mark.parametrize("identity", ["1", "1.5", "-0", '"ä\\u0000"', "12345678901234567890123", "null"])
async def test_an_id_comes_back_as_it_was(identity: str) -> None:
    line = f'{{"jsonrpc":"2.0","id":{identity},"method":"m"}}'.encode()
    assert json.loads(await answered(line))["id"] == json.loads(identity)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["id", "method", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(json_values)
async def test_any_json_that_is_no_notification_is_answered(value: Any) -> None:
    answer = await answered(json.dumps(value).encode())
    reply = json.loads(answer)
    assert answer.endswith(b"\n")
    for each in reply if isinstance(value, list) and value else [reply]:
        assert each["error"]["code"] == jsonrpc.INVALID_REQUEST


@given(st.binary(max_size=60))
async def test_any_bytes_are_answered_or_are_a_notification(line: bytes) -> None:
    answer = await answered(line)
    if not answer:
        assert json.loads(line)["jsonrpc"] == "2.0"
