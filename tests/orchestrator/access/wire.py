"""What the tests of the control socket share: the specification's methods, a server, and a bare connection."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Self

import msgspec

from actors.errors import Refusal
from orchestrator.access.control_socket import ControlSocket, Limits
from orchestrator.access.dispatch import Methods, NoParams, Session
from orchestrator.access.jsonrpc import Params, RpcError
from orchestrator.access.openrpc import register_discover

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"


class Subtract(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    minuend: int
    subtrahend: int


class Numbers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Positional numbers, as the specification's examples have them."""

    a: int = 0
    b: int = 0
    c: int = 0
    d: int = 0
    e: int = 0


class Size(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    size_bytes: int


class Pong(msgspec.Struct, frozen=True):
    pong: bool


class Gate:
    """Holds the calls of `gate.wait` until it is opened, and keeps the sessions that subscribed."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.entered = asyncio.Event()
        self.finished = 0
        self.sessions: list[Session] = []
        self.closed: list[Session] = []
        self.noted: list[int] = []


def methods_with(gate: Gate) -> Methods:
    methods = Methods()

    @methods.register("system.ping")
    def ping(params: NoParams, session: Session) -> Pong:
        """Answer."""
        return Pong(True)

    @methods.register("subtract")
    async def subtract(params: Subtract, session: Session) -> int:
        """Return the difference."""
        return params.minuend - params.subtrahend

    @methods.register("sum")
    def add(params: Numbers, session: Session) -> int:
        """Return the sum."""
        return params.a + params.b + params.c + params.d + params.e

    @methods.register("get_data")
    async def get_data(params: NoParams, session: Session) -> tuple[str, int]:
        """Return what the specification's example returns."""
        await asyncio.sleep(0)
        return "hello", 5

    @methods.register("update")
    @methods.register("notify_sum")
    @methods.register("notify_hello")
    def take(params: Numbers, session: Session) -> None:
        """Take note."""
        gate.noted.append(params.a)

    @methods.register("gate.wait")
    async def wait(params: NoParams, session: Session) -> str:
        """Wait until the gate opens."""
        gate.entered.set()
        await gate.opened.wait()
        gate.finished += 1
        return "opened"

    @methods.register("gate.limited", limit_s=0.01)
    async def limited(params: NoParams, session: Session) -> None:
        """Wait for longer than is allowed."""
        await gate.opened.wait()

    @methods.register("large")
    def large(params: Size, session: Session) -> str:
        """Return a text of a size."""
        return "x" * params.size_bytes

    @methods.register("subscribe")
    def subscribe(params: NoParams, session: Session) -> str:
        """Subscribe."""
        gate.sessions.append(session)
        session.on_close(lambda: gate.closed.append(session))
        return "subscribed"

    @methods.register("crash")
    def crash(params: NoParams, session: Session) -> None:
        """Fail."""
        raise ValueError("the secret is 1234")

    @methods.register("refuse")
    async def refuse(params: NoParams, session: Session) -> None:
        """Refuse."""
        raise Refusal("not while it rains")

    @methods.register("missing")
    def missing(params: NoParams, session: Session) -> None:
        """Find nothing."""
        raise RpcError(-32001, "there is no instance 'x'", {"nearest": "y"})

    register_discover(methods, title="test", version="1")
    return methods


class _Anything:
    """A session for what needs none."""

    origin = "a test"

    def notify(self, method: str, params: object) -> bool:
        return False

    def notify_line(self, line: bytes) -> bool:
        return False

    def on_close(self, callback: object) -> None:
        pass


ANYONE: Session = _Anything()


def no_pause() -> None:
    """Others never want their turn."""


def call(method: str, params: Params = None, identity: Any = 1) -> bytes:
    request: dict[str, Any] = {"jsonrpc": "2.0", "id": identity, "method": method}
    if params is not None:
        request["params"] = params
    return json.dumps(request).encode() + b"\n"


@contextlib.asynccontextmanager
async def serving(
    path: Path, gate: Gate | None = None, limits: Limits | None = None, **options: Any
) -> AsyncIterator[ControlSocket]:
    server = ControlSocket(path, methods_with(gate or Gate()), limits=limits, **options)
    await server.start()
    try:
        yield server
    finally:
        await server.close(deadline_s=1.0)


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that has no event of its own; the test's timeout is the limit."""
    while not condition():
        await asyncio.sleep(0.001)


class Wire:
    """A connection, seen as bytes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_unix_connection(self.path, limit=1 << 24)
        return self

    async def __aexit__(self, *error: object) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def line(self) -> bytes:
        return await asyncio.wait_for(self.reader.readline(), 5.0)

    async def answer(self) -> Any:
        return json.loads(await self.line())

    async def ask(self, data: bytes) -> Any:
        self.send(data)
        return await self.answer()

    async def ended(self) -> bool:
        """Whether the server closes the connection without another word."""
        try:
            return await asyncio.wait_for(self.reader.read(), 5.0) == b""
        except ConnectionError:
            return True
