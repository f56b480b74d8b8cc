"""The port at which an instance is met: open or not, paused or not, and what its health check says of that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import msgspec

from streams.http_host import HttpApp, HttpHost
from streams.stream import CLOSE_WITHIN_S, Health
from streams.traffic import Traffic
from streams.turns import Turns

_loaded: Final[dict[Callable[[], HttpApp], HttpApp]] = {}


async def app_of(load: Callable[[], HttpApp]) -> HttpApp:
    """Return what a function loads, once in the process: frameworks take a quarter of a second, off the loop."""
    app = _loaded.get(load)
    if app is None:
        app = _loaded[load] = await asyncio.to_thread(load)
    return app


class Front:
    """One instance's port. Paused before it is open, it opens paused.

    Args:
        host: The address to listen on.
        port: The port; 0 for any free one, see `port`.
        traffic: Where requests are counted: the context's.
        turns: Where requests take their turn: those of the context's share.
    """

    def __init__(self, host: str, port: int, traffic: Traffic | None = None, turns: Turns | None = None) -> None:
        self._address = host
        self._port = port
        self._traffic = traffic
        self._turns = turns
        self._host: HttpHost | None = None
        self.paused = False

    @property
    def is_open(self) -> bool:
        """Whether it listens."""
        return self._host is not None

    @property
    def port(self) -> int:
        """The port that is listened on; before it is open, the one that was asked for."""
        return self._port if self._host is None else self._host.port

    async def open(self, app: HttpApp, served: Any) -> None:
        """Listen.

        Args:
            app: The application.
            served: What it finds in `scope["state"]["served"]` of each request.

        Raises:
            CannotListen: The address is taken, or not this machine's.
        """
        self._host = HttpHost(
            app, self._address, self._port, {"served": served}, traffic=self._traffic, turns=self._turns
        )
        await self._host.start()
        if self.paused:
            self._host.pause()

    async def close(self, within_s: float = CLOSE_WITHIN_S) -> None:
        """Finish the requests in progress, then stop listening. Doing it again changes nothing."""
        host, self._host = self._host, None
        if host is not None:
            await host.close(within_s)

    def pause(self) -> None:
        """Answer 503 with Retry-After until `resume`."""
        self.paused = True
        if self._host is not None:
            self._host.pause()

    def resume(self) -> None:
        """Serve again."""
        self.paused = False
        if self._host is not None:
            self._host.resume()

    def health(self) -> Health:
        """Tell whether whoever comes now is served."""
        if self.paused:
            return Health(ready=False, detail="paused")
        return Health(ready=self.is_open, detail="" if self.is_open else "not listening")

    def stats(self) -> dict[str, Any] | None:
        """Return how connections and requests stand; None while it is not open."""
        return None if self._host is None else msgspec.to_builtins(self._host.stats())
