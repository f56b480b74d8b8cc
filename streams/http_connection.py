"""One HTTP connection: uvicorn's protocol, with bounds on what a slow, silent or greedy peer can hold.

uvicorn's own protocol waits for a request for ever, reads heads of any size, lets a peer that does not read its
answer keep it in memory, and writes a log line for each malformed request. Timers are armed only while there is
something to wait for, and a keep-alive timer is looked at again when it fires instead of being armed anew with each
answer, so that a quick request costs none.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from email.utils import formatdate
from time import perf_counter
from typing import Any, Final, TypeAlias
from urllib.parse import unquote

import httptools
import msgspec
from uvicorn import Config
from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from streams.http_cycle import HttpCycle
from streams.lazy_event import LazyEvent
from streams.traffic import SERVER_ERROR, Traffic
from streams.turns import Turns

HEALTH_PATH: Final = "/healthz"

_AT_ONCE_BYTES: Final = 4096
"""What is parsed in a row: a hundred small requests."""

_MAX_PIPELINED: Final = 32
"""Requests of one connection that wait for the answers before them; what else came is not parsed yet."""

_log = logging.getLogger(__name__)
_log.setLevel(logging.WARNING)
# A request that is cancelled because the host closes is no failure of the application.
_log.addFilter(lambda record: not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError)))


Quick: TypeAlias = Callable[[HttpCycle], bool]
"""Takes a request whose answer needs no task, and returns whether it did.

It is called when the head is here, reads `cycle.scope`, and calls `cycle.answer` once, in a later turn of the loop.
What it does not take goes to the application. It is for the few paths where a task for each request is too much.
"""


class HttpLimits(msgspec.Struct, frozen=True):
    """What one listener and its connections may use.

    Attributes:
        max_connections: Connections at a time; one more is answered 503 and closed.
        backlog: Connections that the system holds until they are accepted.
        max_head_bytes: Largest request line and headers.
        max_discarded_bytes: How much of a body that was already answered is read on, so that the peer can see the
            answer, before the connection is cut.
        receive_timeout_s: How long a request may take to arrive whole, and a new connection to send one.
        send_timeout_s: How long a peer may leave its answer unread.
        keep_alive_s: How long a connection may stay idle between requests.
    """

    max_connections: int = 4096
    backlog: int = 2048
    max_head_bytes: int = 32 * 1024
    max_discarded_bytes: int = 1024 * 1024
    receive_timeout_s: float = 15.0
    send_timeout_s: float = 15.0
    keep_alive_s: int = 15


class HostState(ServerState):
    """What the connections of one listener share."""

    def __init__(
        self,
        limits: HttpLimits,
        retry_after_s: int,
        traffic: Traffic,
        quick: Quick | None = None,
        turns: Turns | None = None,
    ) -> None:
        super().__init__()
        self.limits = limits
        self.traffic = traffic
        self.turns = turns
        self.quick = quick
        self.paused = False
        self.closing = False
        self.refused = 0
        self.malformed = 0
        self.timed_out = 0
        self.empty = LazyEvent()
        self.retry_after = b"%d" % retry_after_s
        self._date_until_s = 0.0

    def refresh_date(self, now_s: float) -> None:
        """Render the Date header when a second has passed: on demand, since tickers of idle hosts add up."""
        if now_s >= self._date_until_s:
            self._date_until_s = now_s + 1.0
            self.default_headers = [(b"date", formatdate(time.time(), usegmt=True).encode("ascii"))]


class HttpConnection(HttpToolsProtocol):
    """One connection of a listener. Reached by uvicorn's and the loop's callbacks only."""

    server_state: HostState

    def __init__(
        self,
        config: Config,
        server_state: HostState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.logger = _log
        self.access_log = False
        self._limits = server_state.limits
        self.timeout_keep_alive = self._limits.keep_alive_s
        self._receive_deadline: asyncio.TimerHandle | None = None
        self._send_deadline: asyncio.TimerHandle | None = None
        self._receiving = False
        self._head_received = False
        self._head_bytes = 0
        self._discarded_bytes = 0
        self._idle_since_s = 0.0
        self._held = b""
        self._answering: HttpCycle | None = None
        self._deaf = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, if there is room."""
        super().connection_made(transport)
        state = self.server_state
        state.empty.clear()
        if state.closing or len(state.connections) > self._limits.max_connections:
            state.refused += 1
            self._fail(503, "There are too many connections. Try again.")
        else:
            self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection and all its timers."""
        self._deaf = True
        self._unset_keepalive_if_required()
        self._received_in_time()
        self._sent_in_time()
        cycle = self._answering
        if cycle is not None and cycle.began_s and not cycle.response_complete and not self.server_state.closing:
            # It took at least as long as its peer had patience for.
            self.server_state.traffic.note(perf_counter() - cycle.began_s, failed=False)
        super().connection_lost(exc)
        if self.server_state.turns is not None:
            self.server_state.turns.give_back(self)
        if not self.server_state.connections:
            self.server_state.empty.set()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep the other half open while an answer is owed: a peer may send its request and close its side."""
        if self._responding() and not self._receiving:
            self.cycle.keep_alive = False
            return True
        return False

    def data_received(self, data: bytes) -> None:
        """Parse what came, as far as there is room for the requests in it."""
        if len(data) <= _AT_ONCE_BYTES and not self._held and len(self.pipeline) < _MAX_PIPELINED:
            self._parse(data)
        else:
            self._held += data
            self._parse_held()

    def _parse_held(self) -> None:
        """Parse a little at a time: thousands of requests that one peer sends at once must not hold the loop."""
        while self._held and not self._deaf and len(self.pipeline) < _MAX_PIPELINED:
            part, self._held = self._held[:_AT_ONCE_BYTES], self._held[_AT_ONCE_BYTES:]
            self._parse(part)
        if self._deaf:
            self._held = b""
        elif self._held:
            self.flow.pause_reading()
        else:
            self.flow.resume_reading()

    def _parse(self, data: bytes) -> None:
        """Parse, and watch a request that has not come whole."""
        if self._deaf:
            return
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # The request was a whole one and is answered as HTTP/1.1; what follows is another protocol.
            self._deaf = True
            self.shutdown()
            return
        except httptools.HttpParserError:
            self._refuse_malformed()
            return
        if self._receiving:
            if not self._head_received:
                self._head_bytes += len(data)
                if self._head_bytes > self._limits.max_head_bytes:
                    self._fail(431, "The request line and headers are too large.")
                    return
            if self._receive_deadline is None:
                self._await_request()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._receiving = True
        self._head_received = False
        self._head_bytes = 0
        self.server_state.refresh_date(self.loop.time())
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head of a request is here: work on it begins, or waits for the answers before it."""
        self._head_received = True
        version = self.parser.get_http_version()
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        scope = self.scope
        scope["method"] = self.parser.get_method().decode("ascii")
        scope["http_version"] = version
        scope["path"] = unquote(path) if "%" in path else path
        scope["raw_path"] = url.path
        scope["query_string"] = url.query or b""
        idle = not self._responding()
        self.cycle = HttpCycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=LazyEvent(),  # type: ignore[arg-type]
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        if scope["path"] != HEALTH_PATH:
            # Not the loop's time: uvloop reads the clock once for all that it does in a turn.
            self.cycle.began_s = perf_counter()
        if idle:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def on_body(self, body: bytes) -> None:
        """A part of the body is here."""
        cycle = self.cycle
        if cycle.response_complete:
            self._discarded_bytes += len(body)
            if self._discarded_bytes > self._limits.max_discarded_bytes:
                self._deaf = True
                self.transport.abort()
            return
        if isinstance(cycle, HttpCycle) and cycle.began_s:
            cycle.began_s = perf_counter()  # how slowly a request comes is its peer's affair
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is here whole."""
        self._receiving = False
        self._received_in_time()
        cycle = self.cycle
        if cycle.response_complete:
            self._idle_since_s = self.loop.time()
            self._await_next()
        else:
            cycle.more_body = False
            cycle.message_event.set()

    def on_response_complete(self) -> None:
        """The answer is written."""
        state = self.server_state
        state.total_requests += 1
        cycle = self._answering
        if cycle is not None and cycle.began_s:
            state.traffic.note(perf_counter() - cycle.began_s, cycle.status >= SERVER_ERROR)
        if state.turns is not None:
            state.turns.give_back(self)
        if self.transport.is_closing():
            return
        if self._held:
            self.loop.call_soon(self._parse_held)
        else:
            self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            # Where the next request is on its way already, its own deadline watches it, too.
            self._idle_since_s = self.loop.time()
            self._await_next()

    def timeout_keep_alive_handler(self) -> None:
        """The connection has been idle for long enough, or was not idle all the time."""
        self.timeout_keep_alive_task = None
        if self._responding() or self._receiving:
            return  # it is armed again when the answer is written
        idle_s = self.loop.time() - self._idle_since_s
        if idle_s < self.timeout_keep_alive:
            self._await_next(self.timeout_keep_alive - idle_s)
        else:
            self._close()

    def _await_next(self, for_s: float | None = None) -> None:
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive if for_s is None else for_s, self.timeout_keep_alive_handler
            )

    def pause_writing(self) -> None:
        """The peer does not read as fast as we write."""
        super().pause_writing()
        if self._send_deadline is None:
            self._send_deadline = self.loop.call_later(self._limits.send_timeout_s, self._cut)

    def resume_writing(self) -> None:
        """The peer reads again."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._sent_in_time()

    def shutdown(self) -> None:
        """Finish the request in progress, then close."""
        if self._responding():
            self.cycle.keep_alive = False
        else:
            self._close()

    def abort(self) -> None:
        """Cut the connection."""
        self.transport.abort()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        assert isinstance(cycle, HttpCycle)
        self._answering = cycle
        if self.server_state.paused and cycle.scope["path"] != HEALTH_PATH:
            cycle.began_s = 0.0  # a person's wish is no failure of the instance
            super()._start_asgi_task(cycle, self._answer_paused)
            return
        turns = self.server_state.turns
        if turns is None or turns.take(self) or cycle.scope["path"] == HEALTH_PATH:
            self._work_on(cycle, app)
        elif turns.crowded:
            super()._start_asgi_task(cycle, self._answer_crowded)
        else:
            turns.wait(self, lambda: self._work_on(cycle, app))

    def _work_on(self, cycle: HttpCycle, app: ASGI3Application) -> None:
        if self.server_state.quick is None or not self._taken(cycle):
            super()._start_asgi_task(cycle, app)

    def _taken(self, cycle: HttpCycle) -> bool:
        assert self.server_state.quick is not None
        try:
            return self.server_state.quick(cycle)
        except Exception as error:
            self.logger.error("a quick answer failed", exc_info=error)
            return False

    async def _answer_paused(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        await self._send_away(send, "This service is paused. Try again later.")

    async def _answer_crowded(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        await self._send_away(send, "Too many requests wait already. Try again later.")

    async def _send_away(self, send: ASGISendCallable, detail: str) -> None:
        body = _problem(503, detail)
        headers = [*_problem_headers(body), (b"retry-after", self.server_state.retry_after)]
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    def _responding(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _await_request(self) -> None:
        self._receive_deadline = self.loop.call_later(self._limits.receive_timeout_s, self._receive_too_slow)

    def _received_in_time(self) -> None:
        if self._receive_deadline is not None:
            self._receive_deadline.cancel()
            self._receive_deadline = None

    def _sent_in_time(self) -> None:
        if self._send_deadline is not None:
            self._send_deadline.cancel()
            self._send_deadline = None

    def _receive_too_slow(self) -> None:
        self._receive_deadline = None
        self.server_state.timed_out += 1
        if self._responding() and not (self._receiving and self._head_received):
            # Another request's answer is owed; it comes first, and is the last.
            self.cycle.keep_alive = False
            self._deaf = True
        else:
            self._fail(408, "The request did not arrive in time.")

    def _refuse_malformed(self) -> None:
        self.server_state.malformed += 1
        if self._responding() and not (self._receiving and self._head_received):
            self.cycle.keep_alive = False
            self._deaf = True
        else:
            self._fail(400, "The request is not valid HTTP.")

    def _fail(self, status: int, detail: str) -> None:
        """Answer in the application's stead where that is still possible, and close."""
        self._deaf = True
        answered = False
        if self._responding():
            answered = self.cycle.response_started or bool(self.pipeline)
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if not answered and not self.transport.is_closing():
            body = _problem(status, detail)
            head = b"HTTP/1.1 %d %s\r\n" % (status, _REASONS[status])
            fields = b"".join(b"%s: %s\r\n" % field for field in _problem_headers(body))
            self.transport.write(b"%s%sconnection: close\r\n\r\n%s" % (head, fields, body))
        self._close()

    def _close(self) -> None:
        self.transport.close()
        if self._send_deadline is None and self.transport.get_write_buffer_size() > 0:
            self._send_deadline = self.loop.call_later(self._limits.send_timeout_s, self._cut)

    def _cut(self) -> None:
        self._send_deadline = None
        self.server_state.timed_out += 1
        self.transport.abort()


_REASONS: Final = {
    400: b"Bad Request",
    408: b"Request Timeout",
    431: b"Request Header Fields Too Large",
    503: b"Service Unavailable",
}


def _problem(status: int, detail: str) -> bytes:
    title = _REASONS[status].decode("ascii")
    return msgspec.json.encode({"type": "about:blank", "title": title, "status": status, "detail": detail})


def _problem_headers(body: bytes) -> list[tuple[bytes, bytes]]:
    return [
        (b"content-type", b"application/problem+json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
