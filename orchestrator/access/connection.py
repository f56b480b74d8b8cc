"""One peer of the control socket: its lines, in order, and what it may cost the others.

What can be answered at once is answered where it is read, without a task. Whatever has to be awaited is
awaited by a task of this connection alone, which lives as long as there is something to do: an idle
connection is a socket and this object.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
import structlog

from orchestrator.access import jsonrpc
from orchestrator.access.jsonrpc import RpcError
from orchestrator.access.lines import LineBuffer, LineTooLong
from orchestrator.access.peer import Socket

if TYPE_CHECKING:
    from orchestrator.access.control_socket import ControlSocket

# A line longer than this takes its turn at being parsed: one for each round of the event loop.
_LONG_LINE_BYTES: Final = 16 << 10
_FLUSH_BYTES: Final = 64 << 10
_MAX_DISCARDED_BYTES: Final = 16 << 20

_log = structlog.get_logger(__name__)


class Connection(asyncio.Protocol):
    """The server's side of one connection; a `dispatch.Session` for the methods it calls."""

    def __init__(self, server: ControlSocket) -> None:
        self._server = server
        self._limits = server.limits
        self._transport: asyncio.Transport
        self.origin = "a peer not known yet"
        self.proven = False  # has sent a well-formed request
        self.quiet_since_s = 0.0
        self._lines = LineBuffer(server.limits.line_bytes)
        self._partial_since_s: float | None = None
        self._worker: asyncio.Task[None] | None = None
        self._on_close: list[Callable[[], object]] = []
        self._held = bytearray()  # notifications that wait for the peer to read
        self._unwritable_since_s: float | None = None
        self._writable: asyncio.Future[None] | None = None
        self._reading = True
        self._eof = False
        self._ended = False  # nothing more is carried out
        self._closing = False  # to be closed once what is in progress has been answered
        self._deadline_s: float | None = None  # by when the peer must be gone
        self._discarded_bytes = 0
        self._lost = False

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Admit the peer, or tell it why not."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=self._limits.write_high_bytes)
        self.quiet_since_s = self._server.now()
        refusal = self._server.admit(self)
        if refusal is not None:
            self._refuse(refusal)

    def data_received(self, data: bytes) -> None:
        """Take what was read; answer what can be answered at once."""
        if self._ended:
            self._discard(len(data))
            return
        self._lines.feed(data)
        if self._worker is None:
            self._advance()
        elif self._reading and len(self._lines) > self._limits.read_ahead_bytes:
            self._reading = False
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """Keep the connection for the answers still owed: `echo … | socat` hangs up its half right away."""
        self._eof = True
        if self._ended:
            return False
        self._lines.end()
        if self._worker is None:
            self._advance()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """End the session. A call in progress goes on to its end, for it may be half done."""
        self._lost = True
        self._end()
        self._wake_worker()
        callbacks, self._on_close = self._on_close, []
        for callback in callbacks:
            try:
                callback()
            except Exception:  # noqa: BLE001  # the other callbacks are owed their call
                _log.exception("control.close_callback_failed", origin=self.origin)
        if self._worker is None:
            self._server.forget(self)

    def pause_writing(self) -> None:
        """The peer reads too slowly: carry nothing out for it until it has caught up."""
        self._unwritable_since_s = self._server.now()
        self._server.watch(self)

    def resume_writing(self) -> None:
        """The peer has caught up: send it the notifications held back, then go on with its requests."""
        self._unwritable_since_s = None
        if self._held:
            held, self._held = self._held, bytearray()
            self._transport.write(held)
        if self._unwritable_since_s is None:  # writing may have reached the limit again
            self._wake_worker()

    # dispatch.Session

    def notify(self, method: str, params: object) -> bool:
        """Send a notification; never waits. False once the peer is gone or was cut off."""
        return not self._ended and self.notify_line(jsonrpc.encode_notification(method, params))

    def notify_line(self, line: bytes) -> bool:
        """Send a notification that is encoded already; never waits. False once the peer is gone or cut off."""
        if self._ended:
            return False
        if self._unwritable_since_s is None:
            self._transport.write(line)
            return True
        self._held += line
        if len(self._held) <= self._limits.held_notification_bytes:
            return True
        self.cut_off("it does not read its notifications")
        return False

    def on_close(self, callback: Callable[[], object]) -> None:
        """Have a callback called when the connection ends; at once if it has ended."""
        if self._lost:
            callback()
        else:
            self._on_close.append(callback)

    # Lines

    def _advance(self) -> None:
        pending = self._turn()
        if pending is not None:
            self._worker = asyncio.get_running_loop().create_task(self._work(pending), name="control.connection")

    async def _work(self, pending: Coroutine[Any, Any, bytes] | None) -> None:
        try:
            while pending is not None:
                self._write(await pending)
                pending = self._turn()
        except Exception:  # noqa: BLE001  # a fault of this module must not take a connection down unseen
            _log.exception("control.connection_failed", origin=self.origin)
            self._transport.abort()
        finally:
            self._worker = None
            if self._lost:
                self._server.forget(self)
        if self._closing:
            self._close_transport()
        else:
            self._resume_reading()

    def _turn(self) -> Coroutine[Any, Any, bytes] | None:
        """Answer lines until there is none (returns None) or something has to be awaited first (returns it)."""
        answers: list[bytes] = []
        size_bytes = 0
        pending: Coroutine[Any, Any, bytes] | None = None
        too_long = False
        while not self._ended:
            if self._unwritable_since_s is not None:
                pending = self._until_writable()
                break
            try:
                line = self._lines.take()
            except LineTooLong:
                too_long = True
                break
            if line is None:
                break
            self._partial_since_s = None
            if len(line) > _LONG_LINE_BYTES:
                pending = self._answer_long(line)
                break
            if line:
                reply = self._answer(jsonrpc.parse(line))
                if not isinstance(reply, bytes):
                    pending = reply
                    break
                answers.append(reply)
                size_bytes += len(reply)
            if size_bytes > _FLUSH_BYTES:
                self._write(b"".join(answers))
                answers.clear()
                size_bytes = 0
            if self._lines and (others := self._server.pause()) is not None:
                pending = _nothing_after(others)
                break
        if answers:
            self._write(b"".join(answers))
        if too_long:
            self._server.count("oversized")
            expected = f"a line of at most {self._limits.line_bytes:,} bytes"
            self._refuse(RpcError(jsonrpc.INVALID_REQUEST, data={"path": "$", "expected": expected}))
        if pending is None:
            self._settle()
        return pending

    def _answer(self, message: jsonrpc.Member | list[jsonrpc.Member]) -> bytes | Coroutine[Any, Any, bytes]:
        if isinstance(message, jsonrpc.Malformed):
            self._server.count("malformed")
        elif not self.proven:
            self._server.prove(self)
        return jsonrpc.answer(message, self._invoke, self._server.pause)

    def _invoke(self, method: str, params: jsonrpc.Params) -> msgspec.Raw | Coroutine[Any, Any, msgspec.Raw]:
        return self._server.methods.call(method, params, self)

    async def _answer_long(self, line: bytes | bytearray) -> bytes:
        async with self._server.long_line:
            message = jsonrpc.parse(line)
            await asyncio.sleep(0)
        reply = self._answer(message)
        return reply if isinstance(reply, bytes) else await reply

    def _settle(self) -> None:
        """Nothing is left to answer: note what is unfinished, and go when the peer will send no more."""
        self.quiet_since_s = self._server.now()
        if self._ended:
            return
        if self._eof:
            if self._on_close and not self._has_hung_up():
                self._server.watch(self)
            else:
                self._end()
                self._close_transport()
        elif self._lines and self._partial_since_s is None:
            self._partial_since_s = self.quiet_since_s
            self._server.watch(self)

    async def _until_writable(self) -> bytes:
        if self._unwritable_since_s is not None and not self._lost:
            self._writable = asyncio.get_running_loop().create_future()
            await self._writable
        return b""

    def _wake_worker(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    def _resume_reading(self) -> None:
        if not self._reading and not self._eof and not self._lost:
            self._reading = True
            self._transport.resume_reading()

    def _write(self, data: bytes) -> None:
        if data and not self._transport.is_closing():
            self._transport.write(data)

    # The end

    @property
    def idle(self) -> bool:
        """Whether nothing is in progress, on its way out, or subscribed to."""
        return self._worker is None and not self._on_close and self._unwritable_since_s is None

    @property
    def socket(self) -> Socket:
        """The socket beneath, for its options."""
        return cast("Socket", self._transport.get_extra_info("socket"))

    @property
    def worker(self) -> asyncio.Task[None] | None:
        """What is in progress."""
        return self._worker

    def abort(self) -> None:
        """Close now, without a word."""
        self._end()
        self._transport.abort()

    def close(self) -> None:
        """Finish what is in progress, carry nothing more out, and close once the answers have been sent."""
        self._end()
        self._closing = True
        if self._worker is None:
            self._close_transport()

    def _close_transport(self) -> None:
        self._transport.close()
        if not self._lost and self._transport.get_write_buffer_size():
            self._deadline_s = self._server.now() + self._limits.write_limit_s
            self._server.watch(self)

    def cut_off(self, reason: str) -> None:
        """Close now, with whatever has not been sent."""
        if not self._lost:
            self._server.note("cut_off", origin=self.origin, reason=reason)
        self.abort()

    def overdue(self, now_s: float) -> bool:
        """Cut the peer off if it used up its time. False when there is nothing to watch it for any more."""
        limits = self._limits
        if self._lost:
            return False
        if self._deadline_s is not None:
            if now_s >= self._deadline_s:
                self._transport.abort()
        elif self._unwritable_since_s is not None:
            if now_s - self._unwritable_since_s >= limits.write_limit_s:
                self.cut_off(f"it did not read its answers for {limits.write_limit_s:g} s")
        elif self._partial_since_s is not None:
            if now_s - self._partial_since_s >= limits.partial_line_s:
                self.cut_off(f"it did not finish a line within {limits.partial_line_s:g} s")
        elif self._eof and self._worker is None:
            if self._has_hung_up():
                self.close()
        else:
            return False
        return True

    def _end(self) -> None:
        self._ended = True
        self._lines.clear()
        self._held.clear()

    def _refuse(self, error: RpcError) -> None:
        """Send one error and close, reading on for a moment so that the peer is not stopped before it reads it."""
        self._end()
        self._deadline_s = self._server.now() + self._limits.linger_s
        self._transport.write(jsonrpc.encode_error(error, None) + b"\n")
        if self._eof:
            self._transport.close()
        else:
            self._transport.write_eof()
        self._server.watch(self)

    def _discard(self, size_bytes: int) -> None:
        self._discarded_bytes += size_bytes
        if self._discarded_bytes > _MAX_DISCARDED_BYTES:
            self._transport.abort()

    def _has_hung_up(self) -> bool:
        """Whether the peer has closed both directions, which reading alone cannot tell from having closed one."""
        connection = self._transport.get_extra_info("socket")
        if connection is None or connection.fileno() < 0:
            return True
        poll = select.poll()
        poll.register(connection.fileno(), 0)
        return any(events & (select.POLLHUP | select.POLLERR) for _, events in poll.poll(0))


async def _nothing_after(others: Coroutine[Any, Any, None]) -> bytes:
    await others
    return b""
