"""JSON-RPC 2.0: what a line means, and what is answered. Pure: no socket, no event loop, no registry.

https://www.jsonrpc.org/specification is followed to the letter, its examples included. The texts and codes
of its own errors are exactly the specification's; what helps a person find the mistake stands in `data`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import UNSET, Raw, UnsetType

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
NOT_FOUND: Final = -32001
REFUSED: Final = -32002
NOT_ALLOWED: Final = -32003
TIMED_OUT: Final = -32004

MESSAGES: Final[dict[int, str]] = {
    PARSE_ERROR: "Parse error",
    INVALID_REQUEST: "Invalid Request",
    METHOD_NOT_FOUND: "Method not found",
    INVALID_PARAMS: "Invalid params",
    INTERNAL_ERROR: "Internal error",
    NOT_FOUND: "Not found",
    REFUSED: "Refused in this state",
    NOT_ALLOWED: "Not allowed",
    TIMED_OUT: "Timed out",
}
"""The codes of the specification, then the daemon's own, each with its usual text."""

MAX_BATCH_CALLS: Final = 1_000
MAX_BATCH_ANSWER_BYTES: Final = 8 << 20

# A megabyte of `[],[],[]` is 350,000 objects and stops the event loop for 0.2 s. Text is never the problem,
# so it is the separators that are counted, and only in lines long enough to hurt.
MAX_SEPARATORS: Final = 50_000
UNCOUNTED_BYTES: Final = 64 << 10

Id: TypeAlias = str | int | float | None
Params: TypeAlias = dict[str, Any] | list[Any] | None


class RpcError(Exception):
    """An error answer. Raised by a method, its code, message and data reach the peer as they are."""

    def __init__(self, code: int, message: str | None = None, data: object = None) -> None:
        self.code = code
        self.message = message if message is not None else MESSAGES.get(code, "Server error")
        self.data = data
        super().__init__(f"{self.message} ({code})")


class Call(msgspec.Struct, frozen=True):
    """A well-formed request; a notification when its id is unset."""

    method: str
    params: Params
    id: Id | UnsetType


class Malformed(msgspec.Struct, frozen=True):
    """What stands in the place of a request that is none: the error to answer, and under which id."""

    error: RpcError
    id: Id = None


Member: TypeAlias = Call | Malformed

Invoke: TypeAlias = Callable[[str, Params], Raw | Coroutine[Any, Any, Raw]]
"""Carries a call out and returns its encoded result, or a coroutine of it. Raises nothing but `RpcError`."""

Pause: TypeAlias = Callable[[], Awaitable[None] | None]
"""Asked between the calls of a batch: what to await so that others get their turn, if anything."""


class _Result(msgspec.Struct, frozen=True, gc=False):
    jsonrpc: str
    result: Raw
    id: Id


class _ErrorObject(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    code: int
    message: str
    data: Any = None


class _Failure(msgspec.Struct, frozen=True, gc=False):
    jsonrpc: str
    error: _ErrorObject
    id: Id


class _Notification(msgspec.Struct, frozen=True, gc=False):
    jsonrpc: str
    method: str
    params: Any


_decode = msgspec.json.Decoder().decode
_check = msgspec.json.Decoder(Raw).decode  # makes no objects: a few milliseconds a megabyte, whatever is in it
_encode = msgspec.json.Encoder().encode
_encode_failure = msgspec.json.Encoder(enc_hook=str).encode  # an error must not fail for want of a form in JSON


def parse(line: bytes | bytearray) -> Member | list[Member]:
    """Return what a line holds: one request or a batch. Never raises; a list is never empty."""
    try:
        if len(line) > UNCOUNTED_BYTES and sum(map(line.count, (b",", b"[", b"{"))) > MAX_SEPARATORS:
            _check(line)
            return _too_much(f"at most {MAX_SEPARATORS:,} values a line")
        value = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Malformed(RpcError(PARSE_ERROR))
    if type(value) is not list:
        return _member(value)
    if not value:
        return Malformed(RpcError(INVALID_REQUEST))
    if len(value) > MAX_BATCH_CALLS:
        return _too_much(f"at most {MAX_BATCH_CALLS:,} calls a batch")
    return [_member(member) for member in value]


def _member(value: object) -> Member:
    if type(value) is not dict:
        return Malformed(RpcError(INVALID_REQUEST))
    identity = value.get("id", UNSET)
    method = value.get("method")
    params = value.get("params", UNSET)
    if type(identity) is bool or not isinstance(identity, (str, int, float, UnsetType, type(None))):
        return Malformed(RpcError(INVALID_REQUEST))
    if value.get("jsonrpc") != "2.0":
        return _invalid(identity, "$.jsonrpc", 'the text "2.0"')
    if type(method) is not str:
        return _invalid(identity, "$.method", "the name of a method")
    if params is UNSET:
        return Call(method, None, identity)
    if type(params) is not dict and type(params) is not list:
        return _invalid(identity, "$.params", "an object or an array, or no params at all")
    return Call(method, params, identity)


def _too_much(expected: str) -> Malformed:
    return Malformed(RpcError(INVALID_REQUEST, data={"path": "$", "expected": expected}))


def _invalid(identity: Id | UnsetType, path: str, expected: str) -> Malformed:
    # The specification answers its examples, which have no id, without data.
    if isinstance(identity, UnsetType):
        return Malformed(RpcError(INVALID_REQUEST))
    return Malformed(RpcError(INVALID_REQUEST, data={"path": path, "expected": expected}), identity)


def answer(message: Member | list[Member], invoke: Invoke, pause: Pause) -> bytes | Coroutine[Any, Any, bytes]:
    """Carry out what a line holds and return the line to send back, or a coroutine of it.

    What needs no waiting is answered at once. The members of a batch are carried out one after another.

    Returns:
        A line with its LF, or nothing (`b""`) where only notifications were sent.
    """
    if isinstance(message, list):
        return _answer_batch(message, invoke, pause)
    reply = _answer_member(message, invoke)
    if isinstance(reply, bytes):
        return reply and reply + b"\n"
    return _as_line(reply)


async def _as_line(reply: Coroutine[Any, Any, bytes]) -> bytes:
    text = await reply
    return text and text + b"\n"


async def _answer_batch(members: list[Member], invoke: Invoke, pause: Pause) -> bytes:
    answers: list[bytes] = []
    size_bytes = 0
    for member in members:
        reply = _answer_member(member if size_bytes <= MAX_BATCH_ANSWER_BYTES else _refused(member), invoke)
        text = reply if isinstance(reply, bytes) else await reply
        if text:
            answers.append(text)
            size_bytes += len(text)
        if (others := pause()) is not None:
            await others
    return b"[" + b",".join(answers) + b"]\n" if answers else b""


def _refused(member: Member) -> Member:
    identity = None if isinstance(member.id, UnsetType) else member.id
    hint = f"the answers to this batch are past {MAX_BATCH_ANSWER_BYTES:,} bytes; ask in smaller batches"
    return Malformed(RpcError(REFUSED, data={"hint": hint}), identity)


def _answer_member(member: Member, invoke: Invoke) -> bytes | Coroutine[Any, Any, bytes]:
    if isinstance(member, Malformed):
        return encode_error(member.error, member.id)
    try:
        result = invoke(member.method, member.params)
    except RpcError as error:
        return b"" if member.id is UNSET else encode_error(error, member.id)
    if not isinstance(result, Raw):
        return _answer_later(result, member.id)
    return b"" if member.id is UNSET else encode_result(result, member.id)


async def _answer_later(result: Coroutine[Any, Any, Raw], identity: Id | UnsetType) -> bytes:
    try:
        value = await result
    except RpcError as error:
        return b"" if identity is UNSET else encode_error(error, identity)
    return b"" if identity is UNSET else encode_result(value, identity)


def encode_result(result: Raw, identity: Id) -> bytes:
    """Return the answer object that carries a result."""
    return _encode(_Result("2.0", result, identity))


def encode_error(error: RpcError, identity: Id) -> bytes:
    """Return the answer object that carries an error."""
    return _encode_failure(_Failure("2.0", _ErrorObject(error.code, error.message, error.data), identity))


def encode_notification(method: str, params: object) -> bytes:
    """Return the line, LF included, of a notification."""
    return _encode(_Notification("2.0", method, params)) + b"\n"
