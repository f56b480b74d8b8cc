"""Serves an ASGI application on a port, without a server object that ticks.

uvicorn's `Server` wakes ten times a second; hundreds of listeners would cost thousands of wake-ups. A host
is a listening socket, and its connections are uvicorn's own: an idle host costs nothing.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias, cast

import msgspec
from uvicorn import Config
from uvicorn._types import ASGI3Application

from streams.http_connection import HostState, HttpConnection, HttpLimits, Quick
from streams.traffic import Traffic
from streams.turns import Turns

AsgiApp: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]
"""An ASGI 3 application: scope, receive, send."""

_LAST_WORDS_S: Final = 1.0


class CannotListen(Exception):
    """The address cannot be listened on."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"cannot listen on {host}:{port}: {reason}")
        self.host = host
        self.port = port


class PortTaken(CannotListen):
    """Another program listens there."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(
            host,
            port,
            f"another program listens there. Find it with `ss -ltnp 'sport = :{port}'` and stop it, "
            "or give this instance another port",
        )


class HttpApp:
    """An ASGI application, made ready once for all the hosts that serve it.

    A request finds the host's own state in `scope["state"]`, so that one application serves many instances.

    Args:
        app: The application.
        quick: Takes requests before the application does, where a task for each is too much; see `Quick`.
    """

    def __init__(self, app: AsgiApp, quick: Quick | None = None) -> None:
        self.quick = quick
        self.config = Config(
            cast("ASGI3Application", app),
            http="httptools",
            ws="none",
            lifespan="off",
            loop="none",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
        )


class HostStats(msgspec.Struct, frozen=True):
    """How a host stands.

    Attributes:
        connections: Open connections.
        in_progress: Requests being worked on.
        requests: Requests answered since the start.
        errors: Those of them that were answered with 500 and above, the health check's apart.
        refused: Connections that found no room.
        malformed: Requests that were not HTTP.
        timed_out: Connections cut because the peer was too slow.
    """

    connections: int
    in_progress: int
    requests: int
    errors: int
    refused: int
    malformed: int
    timed_out: int


class HttpHost:
    """One application on one address.

    Args:
        app: What is served.
        host: The address.
        port: The port; 0 for any free one, see `port`.
        state: What the application finds in `scope["state"]` of each request.
        limits: What the connections may use.
        retry_after_s: What clients are told while the host is paused.
        traffic: Where requests are counted, an instance's `context.traffic`; None for nobody's.
        turns: Where requests take their turn, an instance's `context.share.requests`; None where none has to wait.
    """

    def __init__(
        self,
        app: HttpApp,
        host: str,
        port: int,
        state: dict[str, Any],
        limits: HttpLimits | None = None,
        *,
        retry_after_s: int = 5,
        traffic: Traffic | None = None,
        turns: Turns | None = None,
    ) -> None:
        self._app = app
        self._host = host
        self._port = port
        self._app_state = state
        self._limits = limits if limits is not None else HttpLimits()
        self._traffic = traffic if traffic is not None else Traffic()
        self._state = HostState(self._limits, retry_after_s, self._traffic, app.quick, turns)
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port that is listened on; before the start, the one that was asked for."""
        return self._port

    async def start(self) -> None:
        """Listen.

        Raises:
            PortTaken: Another program listens there.
            CannotListen: The address is not this machine's, or the port is reserved.
        """
        if not self._app.config.loaded:
            self._app.config.load()
        loop = asyncio.get_running_loop()
        self._state.closing = False
        try:
            self._server = await loop.create_server(
                lambda: HttpConnection(self._app.config, self._state, self._app_state, loop),
                self._host,
                self._port,
                backlog=self._limits.backlog,
            )
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortTaken(self._host, self._port) from error
            raise CannotListen(self._host, self._port, error.strerror or str(error)) from error
        self._port = self._server.sockets[0].getsockname()[1]

    async def close(self, deadline_s: float) -> None:
        """Stop listening, let the requests in progress finish, then close what is left. Safe to call again.

        Args:
            deadline_s: How long the requests may take before they are cancelled.
        """
        server, self._server = self._server, None
        if server is None:
            return
        state = self._state
        state.closing = True
        last_words_s = min(_LAST_WORDS_S, deadline_s)
        server.close()
        try:
            for connection in self._connections():
                connection.shutdown()
            if state.turns is not None:
                state.turns.let_all_in()
            if state.tasks:
                await asyncio.wait(state.tasks, timeout=deadline_s)
            for task in state.tasks:
                task.cancel("the host is closing")
            if state.tasks:
                await asyncio.wait(state.tasks, timeout=last_words_s)
            if state.connections:
                async with asyncio.timeout(last_words_s):
                    await state.empty.wait()
        except TimeoutError:
            pass  # peers that do not read their answers are cut below
        finally:
            for connection in self._connections():
                connection.abort()

    def pause(self) -> None:
        """Answer 503 with Retry-After to everything but the health check, until `resume`."""
        self._state.paused = True

    def resume(self) -> None:
        """Serve again."""
        self._state.paused = False

    def stats(self) -> HostStats:
        """Return how the host stands."""
        state = self._state
        return HostStats(
            connections=len(state.connections),
            in_progress=len(state.tasks),
            requests=state.total_requests,
            errors=self._traffic.errors,
            refused=state.refused,
            malformed=state.malformed,
            timed_out=state.timed_out,
        )

    def _connections(self) -> list[HttpConnection]:
        return [each for each in self._state.connections if isinstance(each, HttpConnection)]
