from __future__ import annotations

import asyncio

import msgspec
import pytest
from msgspec import Raw
from structlog.testing import capture_logs

from actors.errors import ActorStopped, AskTimeout, MailboxFull, Refusal
from orchestrator.access.dispatch import MethodError, Methods, NoParams, Session
from orchestrator.access.jsonrpc import RpcError
from tests.orchestrator.access.wire import ANYONE, Gate, methods_with


class NoInstance(Refusal):
    rpc_code = -32001


async def error_of(name: str, methods: Methods | None = None) -> RpcError:
    with pytest.raises(RpcError) as raised:
        await (methods or methods_with(Gate())).ask(name, None, ANYONE)
    return raised.value


def raising(error: BaseException) -> Methods:
    methods = Methods()

    @methods.register("now")
    def now(params: NoParams, session: Session) -> None:
        """Fail."""
        raise error

    @methods.register("later")
    async def later(params: NoParams, session: Session) -> None:
        """Fail."""
        await asyncio.sleep(0)
        raise error

    return methods


async def test_a_method_that_answers_at_once_needs_no_coroutine() -> None:
    methods = methods_with(Gate())
    assert methods.call("sum", [1, 2, 4], ANYONE) == Raw(b"7")
    assert await methods.ask("subtract", [42, 23], ANYONE) == Raw(b"19")


async def test_an_unknown_method_is_not_found_and_the_nearest_is_named() -> None:
    error = await error_of("system.pign")
    assert (error.code, error.data) == (-32601, {"nearest": "system.ping"})


@pytest.mark.parametrize("name", ["foobar", "foo.get", "x" * 1_000_000])
async def test_an_unknown_method_that_is_near_to_nothing_is_just_not_found(name: str) -> None:
    error = await error_of(name)
    assert (error.code, error.message, error.data) == (-32601, "Method not found", None)


@pytest.mark.parametrize("name", ["now", "later"])
@pytest.mark.parametrize(
    ("failure", "code", "message"),
    [
        (RpcError(-32001, "no such thing"), -32001, "no such thing"),
        (AskTimeout("/fleet", NoParams(), 5.0), -32004, "/fleet did not answer NoParams within 5 s"),
        (MailboxFull("/fleet", 8), -32002, "the mailbox of /fleet is full (8 messages)"),
        (ActorStopped("/fleet"), -32002, "/fleet has stopped"),
        (Refusal("not while it rains"), -32002, "not while it rains"),
        (NoInstance("no instance 'x'"), -32001, "no instance 'x'"),
    ],
)
async def test_failures_that_are_meant_for_the_asker_reach_it(
    name: str, failure: Exception, code: int, message: str
) -> None:
    error = await error_of(name, raising(failure))
    assert (error.code, error.message) == (code, message)


@pytest.mark.parametrize("name", ["now", "later"])
@pytest.mark.parametrize("failure", [ValueError("secret 1234"), TimeoutError("secret 1234")])
async def test_any_other_failure_is_logged_whole_and_told_by_its_reference_only(name: str, failure: Exception) -> None:
    with capture_logs() as logs:
        error = await error_of(name, raising(failure))
    assert (error.code, error.message) == (-32603, "Internal error")
    assert "secret" not in str(error.data)
    (entry,) = logs
    assert (entry["event"], entry["log_level"]) == ("rpc.failed", "error")
    assert (entry["method"], entry["origin"], entry["exc_info"]) == (name, "a test", failure)
    assert entry["reference"] == error.data["reference"]  # type: ignore[index]


async def test_a_result_that_cannot_be_encoded_is_an_internal_error() -> None:
    methods = Methods()

    @methods.register("odd")
    async def odd(params: NoParams, session: Session) -> object:
        """Return what JSON has no form for."""
        return object()

    with capture_logs() as logs:
        assert (await error_of("odd", methods)).code == -32603
    assert [entry["event"] for entry in logs] == ["rpc.failed"]


async def test_a_method_is_stopped_at_its_limit() -> None:
    error = await error_of("gate.limited")
    assert (error.code, error.message) == (-32004, "gate.limited did not end within 0.01 s")


async def test_a_method_is_cancelled_with_its_asker() -> None:
    gate = Gate()
    task = asyncio.create_task(methods_with(gate).ask("gate.wait", None, ANYONE))
    await gate.entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gate.finished == 0


async def test_a_cancellation_inside_a_method_does_not_pass_for_one_of_its_asker() -> None:
    with capture_logs():
        assert (await error_of("later", raising(asyncio.CancelledError()))).code == -32603


def test_a_registry_takes_over_the_methods_of_another() -> None:
    methods = methods_with(Gate())
    more = Methods()
    more.include(methods)
    assert "system.ping" in more
    assert len(more) == len(methods)
    with pytest.raises(MethodError, match=r"'system\.ping' is registered already"):
        more.include(methods)


class Loose(msgspec.Struct):
    x: int = 0


def test_a_function_that_lacks_something_cannot_be_registered() -> None:
    register = Methods().register("x")

    def undocumented(params: NoParams, session: Session) -> None: ...

    def no_result(params: NoParams, session: Session):  # type: ignore[no-untyped-def]
        """Do."""

    def no_struct(params: dict[str, int], session: Session) -> None:
        """Do."""

    def loose(params: Loose, session: Session) -> None:
        """Do."""

    def alone(params: NoParams) -> None:
        """Do."""

    for function, message in (
        (undocumented, "must have a docstring"),
        (no_result, "must say what it returns"),
        (no_struct, "must be a msgspec Struct"),
        (loose, "Loose must forbid unknown fields"),
        (alone, "must take"),
    ):
        with pytest.raises(MethodError, match=message):
            register(function)
