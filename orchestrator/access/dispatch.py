"""The registry of methods: one dispatch that every way in shares.

A method is a function of its parameters and of the session that asks. Its types are read from its
annotations, its description from its docstring; the control socket, the HTTP gateway and `rpc.discover` all
work from what is registered here.
"""

from __future__ import annotations

import asyncio
import inspect
import secrets
import typing
from collections.abc import Callable, Coroutine, Iterator
from difflib import get_close_matches
from typing import Any, Final, Protocol, TypeVar

import msgspec
import structlog
from msgspec import Raw

from actors.errors import ActorStopped, AskTimeout, MailboxFull, Refusal
from orchestrator.access import jsonrpc
from orchestrator.access.jsonrpc import Params, RpcError
from orchestrator.access.parameters import convert_params

DEFAULT_LIMIT_S: Final = 30.0

# A suggestion must be one that a person would have made; and comparing takes time that grows with the square
# of what a stranger sent.
_NEAR: Final = 0.8
_LONGEST_NAME: Final = 64

_log = structlog.get_logger(__name__)


class Session(Protocol):
    """Who is asking, and how to reach them later."""

    @property
    def origin(self) -> str:
        """Who asks, for logs and audit: `pid 4242 of uid 1000`."""

    def notify(self, method: str, params: object) -> bool:
        """Send a notification; never waits. False once the peer is gone or was cut off for reading too slowly."""

    def notify_line(self, line: bytes) -> bool:
        """The same with a line made by `jsonrpc.encode_notification`, so that many can be sent the same one."""

    def on_close(self, callback: Callable[[], object]) -> None:
        """Have a callback called when the session ends. A session with one is kept though it asks nothing."""


class NoParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of a method without parameters."""


P = TypeVar("P", bound=msgspec.Struct)
R = TypeVar("R")
HandlerT = TypeVar("HandlerT", bound=Callable[..., Any])


class Method(msgspec.Struct, frozen=True):
    """A registered method.

    Attributes:
        name: Its dotted name.
        params: The struct of its parameters.
        result: The type of its result.
        summary: The first line of its docstring.
        description: The rest of it.
        limit_s: How long it may take before the asker is told that it timed out, seconds.
        handler: The function: `def` when it answers at once, `async def` when it has to wait.
        waits: Whether it is an `async def`.
    """

    name: str
    params: type[msgspec.Struct]
    result: Any
    summary: str
    description: str
    limit_s: float
    handler: Callable[[Any, Session], Any]
    waits: bool


class MethodError(TypeError):
    """A function cannot be registered as it stands; raised where it is registered."""


class Methods:
    """The methods that can be called, by name.

    Example:
        ```python
        methods = Methods()

        @methods.register("fleet.get")
        async def get(params: FleetGet, session: Session) -> InstanceView:
            '''Return one instance.'''
        ```
    """

    def __init__(self) -> None:
        self._methods: dict[str, Method] = {}

    def __iter__(self) -> Iterator[Method]:
        return iter(self._methods.values())

    def __len__(self) -> int:
        return len(self._methods)

    def __contains__(self, name: object) -> bool:
        return name in self._methods

    def register(self, name: str, *, limit_s: float = DEFAULT_LIMIT_S) -> Callable[[HandlerT], HandlerT]:
        """Return a decorator that registers a function `(params, session) -> result` under a dotted name.

        A `def` is the fast path, for what is answered at once; an `async def` is cancelled after `limit_s`.

        Raises:
            MethodError: The name is taken, a type is missing, the parameters are no struct with
                `forbid_unknown_fields`, or there is no docstring.
        """

        def register(handler: HandlerT) -> HandlerT:
            self._add(_describe(name, handler, limit_s))
            return handler

        return register

    def include(self, others: Methods) -> None:
        """Take over all methods of another registry.

        Raises:
            MethodError: A name is taken.
        """
        for method in others:
            self._add(method)

    def _add(self, method: Method) -> None:
        if method.name in self._methods:
            raise MethodError(f"a method {method.name!r} is registered already")
        self._methods[method.name] = method

    def call(self, name: str, params: Params, session: Session) -> Raw | Coroutine[Any, Any, Raw]:
        """Carry a call out and return its encoded result: at once, or a coroutine of it.

        Raises:
            RpcError: And nothing else, neither here nor from the coroutine (cancellation apart).
        """
        method = self._methods.get(name)
        if method is None:
            raise self._not_found(name)
        arguments = convert_params(params, method.params)
        if method.waits:
            return _await_result(method, arguments, session)
        try:
            return Raw(msgspec.json.encode(method.handler(arguments, session)))
        except Exception as error:
            raise _failure_of(error, method, session) from error

    async def ask(self, name: str, params: Params, session: Session) -> Raw:
        """The same for a caller that awaits anyway, such as the HTTP gateway.

        Raises:
            RpcError: And nothing else, cancellation apart.
        """
        result = self.call(name, params, session)
        return result if isinstance(result, Raw) else await result

    def _not_found(self, name: str) -> RpcError:
        near = get_close_matches(name, self._methods, n=1, cutoff=_NEAR) if len(name) <= _LONGEST_NAME else []
        return RpcError(jsonrpc.METHOD_NOT_FOUND, data={"nearest": near[0]} if near else None)


async def _await_result(method: Method, arguments: msgspec.Struct, session: Session) -> Raw:
    limit = asyncio.timeout(method.limit_s)
    try:
        async with limit:
            result = await method.handler(arguments, session)
        return Raw(msgspec.json.encode(result))
    except asyncio.CancelledError as error:
        if _is_cancelled():
            raise
        # Something that the method awaited was cancelled, not the call: whoever asked is owed an answer.
        raise _failure_of(error, method, session) from error
    except TimeoutError as error:
        if limit.expired():
            raise RpcError(jsonrpc.TIMED_OUT, f"{method.name} did not end within {method.limit_s:g} s") from error
        raise _failure_of(error, method, session) from error
    except Exception as error:
        raise _failure_of(error, method, session) from error


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _failure_of(error: BaseException, method: Method, session: Session) -> RpcError:
    """Return what the peer is told of a failure: what was meant for it, and of anything else only that it was."""
    if isinstance(error, RpcError):
        return error
    if isinstance(error, AskTimeout):
        return RpcError(jsonrpc.TIMED_OUT, str(error))
    if isinstance(error, (MailboxFull, ActorStopped)):
        return RpcError(jsonrpc.REFUSED, str(error))
    if isinstance(error, Refusal):
        return RpcError(getattr(error, "rpc_code", jsonrpc.REFUSED), str(error) or None)
    reference = secrets.token_hex(6)
    _log.error("rpc.failed", method=method.name, origin=session.origin, reference=reference, exc_info=error)
    data = {"hint": "the daemon's log has the cause, under this reference", "reference": reference}
    return RpcError(jsonrpc.INTERNAL_ERROR, data=data)


def _describe(name: str, handler: Callable[..., Any], limit_s: float) -> Method:
    where = f"{handler.__module__}.{handler.__qualname__}"
    arguments = list(inspect.signature(handler).parameters)
    if len(arguments) != 2:
        raise MethodError(f"{where} must take (params, session), not ({', '.join(arguments)})")
    try:
        hints = typing.get_type_hints(handler, include_extras=True)
    except NameError as error:
        raise MethodError(f"{where}: {error}; its types must be importable at run time") from error
    params = hints.get(arguments[0])
    if not (isinstance(params, type) and issubclass(params, msgspec.Struct)):
        raise MethodError(f"{where}: the type of {arguments[0]!r} must be a msgspec Struct")
    if not params.__struct_config__.forbid_unknown_fields or params.__struct_config__.array_like:
        raise MethodError(f"{where}: {params.__qualname__} must forbid unknown fields and not be array-like")
    if "return" not in hints:
        raise MethodError(f"{where} must say what it returns")
    text = inspect.getdoc(handler)
    if not text:
        raise MethodError(f"{where} must have a docstring: it is what `rpc.discover` shows")
    summary, _, description = text.partition("\n")
    return Method(
        name=name,
        params=params,
        result=hints["return"],
        summary=summary.strip(),
        description=description.strip(),
        limit_s=limit_s,
        handler=handler,
        waits=inspect.iscoroutinefunction(handler),
    )
