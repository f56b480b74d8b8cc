"""The control socket from the other side: synchronous, and quick to import, for the command line."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar, cast, overload

import msgspec
from msgspec import UNSET, Raw, UnsetType

from orchestrator.access.socket_file import address_of

T = TypeVar("T")

_CHUNK_BYTES: Final = 256 << 10
_QUEUE_RETRY_S: Final = 0.002


class DaemonUnreachable(Exception):
    """No daemon answers. EX_UNAVAILABLE; the message says what to do."""

    exit_code: Final = 69


class CallTimedOut(Exception):
    """The daemon did not answer in time; the call may still be carried out. EX_TEMPFAIL."""

    exit_code: Final = 75

    def __init__(self, method: str, timeout_s: float) -> None:
        super().__init__(f"the daemon did not answer {method} within {timeout_s:g} s; it may still carry it out")
        self.method = method


class RpcFailure(Exception):
    """The daemon's answer is an error."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class Notification(msgspec.Struct, frozen=True):
    """Something that the daemon says of its own accord."""

    method: str
    params: Any


class _Request(msgspec.Struct, frozen=True, omit_defaults=True):
    method: str
    id: int
    params: Any = None
    jsonrpc: str = msgspec.field(default_factory=lambda: "2.0")  # a factory, so that it is never omitted


class _Error(msgspec.Struct, frozen=True):
    code: int
    message: str
    data: Any = None


class _Incoming(msgspec.Struct, frozen=True):
    method: str | UnsetType = UNSET
    params: Any = None
    result: Raw | UnsetType = UNSET
    error: _Error | UnsetType = UNSET
    id: Any = None


class Client:
    """A connection to the daemon, made at the first call.

    Not for use from several threads at once. Usable as a context manager.

    Args:
        path: The control socket.
        timeout_s: How long to wait for an answer.
    """

    def __init__(self, path: str | Path, timeout_s: float = 30.0) -> None:
        self.path = Path(path)
        self.timeout_s = timeout_s
        self._socket: socket.socket | None = None
        self._buffer = bytearray()
        self._last_id = 0
        self._early: list[Notification] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up. The next call connects anew."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._buffer.clear()
        self._early.clear()

    def interrupt(self) -> None:
        """Have the thread that waits for the daemon find that it hung up; this one may be called from another."""
        connection = self._socket
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @overload
    def call(self, method: str, params: object = None) -> Any: ...

    @overload
    def call(self, method: str, params: object = None, *, result: type[T]) -> T: ...

    def call(self, method: str, params: object = None, *, result: Any = Any) -> Any:
        """Call a method and return its result, as `result` if a type is given.

        Args:
            method: The dotted name.
            params: A struct, mapping or sequence; None for no parameters.
            result: The type to decode to.

        Raises:
            RpcFailure: The daemon answered with an error.
            DaemonUnreachable: No daemon listens, or it hung up.
            CallTimedOut: No answer came in time.
            msgspec.ValidationError: The result is not of that type.
        """
        deadline_s = time.monotonic() + self.timeout_s
        try:
            identity = self._send(method, params, deadline_s)
            return msgspec.json.decode(self._answer(identity, method, deadline_s), type=result)
        except TimeoutError:
            self.close()  # its answer may still come, and must not be taken for that of another call
            raise CallTimedOut(method, self.timeout_s) from None

    def stream(self, method: str, params: object = None) -> Stream:
        """Call a method that subscribes; return its notifications, to iterate over.

        Raises:
            The same as `call`.
        """
        return Stream(self, self.call(method, params))

    def notifications(self) -> Iterator[Notification]:
        """Yield what the daemon says of its own accord, waiting for as long as it takes.

        Raises:
            DaemonUnreachable: The daemon hung up.
        """
        while True:
            while self._early:
                yield self._early.pop(0)
            message = self._receive(None, "the stream")
            if message.method is not UNSET:
                yield Notification(message.method, message.params)

    def _send(self, method: str, params: object, deadline_s: float) -> int:
        connection = self._connect(deadline_s)
        self._last_id += 1
        line = msgspec.json.encode(_Request(method, self._last_id, params)) + b"\n"
        connection.settimeout(_left_s(deadline_s))
        # What the daemon said before it hung up is still there to be read.
        with contextlib.suppress(ConnectionError):
            connection.sendall(line)
        return self._last_id

    def _answer(self, identity: int, method: str, deadline_s: float) -> Raw:
        while True:
            message = self._receive(deadline_s, method)
            if message.method is not UNSET:
                self._early.append(Notification(message.method, message.params))
            elif message.error is not UNSET and message.id in (identity, None):
                error = message.error
                raise RpcFailure(error.code, error.message, error.data)
            elif message.result is not UNSET and message.id == identity:
                return message.result

    def _receive(self, deadline_s: float | None, waiting_for: str) -> _Incoming:
        connection = cast("socket.socket", self._socket)
        scanned = 0
        while (end := self._buffer.find(b"\n", scanned)) < 0:
            scanned = len(self._buffer)
            connection.settimeout(None if deadline_s is None else _left_s(deadline_s))
            try:
                chunk = connection.recv(_CHUNK_BYTES)
            except ConnectionError:
                chunk = b""
            if not chunk:
                self.close()
                raise DaemonUnreachable(
                    f"the daemon at {self.path} hung up before it answered {waiting_for}; whether it carried "
                    "it out is not known. Its log says why: log/automate.jsonl"
                )
            self._buffer += chunk
        line = self._buffer[:end]
        del self._buffer[: end + 1]
        try:
            return msgspec.json.decode(line, type=_Incoming)
        except msgspec.DecodeError as error:
            self.close()
            raise DaemonUnreachable(f"what listens at {self.path} does not speak JSON-RPC 2.0: {error}") from None

    def _connect(self, deadline_s: float) -> socket.socket:
        if self._socket is not None:
            return self._socket
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with address_of(self.path) as address:
                _wait_in_queue(connection, address, deadline_s)
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as error:
            connection.close()
            raise DaemonUnreachable(
                f"no daemon listens at {self.path}. Start one with `automate run`, or name the home of a "
                "running one with --home or AUTOMATE_HOME"
            ) from error
        except PermissionError as error:
            connection.close()
            raise DaemonUnreachable(
                f"{self.path} may not be opened by this user. Only the daemon's owner, root and members of its "
                "configured group may; ask as one of them, for example with sudo"
            ) from error
        except BaseException:
            connection.close()
            raise
        self._socket = connection
        return connection


class Stream:
    """The notifications that follow a call.

    Attributes:
        result: What the call itself returned.
    """

    def __init__(self, client: Client, result: Any) -> None:
        self.result = result
        self._client = client

    def __iter__(self) -> Iterator[Notification]:
        return self._client.notifications()


def _wait_in_queue(connection: socket.socket, address: str, deadline_s: float) -> None:
    while True:
        connection.settimeout(_left_s(deadline_s))
        try:
            return connection.connect(address)
        except BlockingIOError:  # the daemon's queue is full; a Unix socket with a timeout does not wait for it
            time.sleep(_QUEUE_RETRY_S)


def _left_s(deadline_s: float) -> float:
    left_s = deadline_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s
