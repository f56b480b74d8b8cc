"""The answer that does not end: server-sent events, written as fast as they are read and no faster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol

from orchestrator.access.gateway.frames import FAREWELL, GREETING, HEARTBEAT, TooSlow

HEARTBEAT_S: Final = 15.0
"""A comment is sent when nothing else was for so long: proxies close what is silent, and a peer that went without a
word is found out."""

_HEADERS: Final = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class Source(Protocol):
    """Where the events come from."""

    @property
    def open(self) -> bool:
        """Whether there may be more."""

    async def wait(self, limit_s: float) -> None:
        """Wait until there may be something to take, or it is over; or for so long."""

    def take(self) -> bytes:
        """Return what there is to send now; raises `TooSlow` where the peer has fallen too far behind."""

    def close(self) -> None:
        """It is over."""

    def leave(self) -> None:
        """Nobody reads any more."""


class EventStream:
    """An answer of events; an ASGI application that sends it until either side ends it.

    Args:
        source: Where they come from.
        allowed: Whether whoever reads still may; asked before each write.
        streams: The answers in progress, which this one joins and leaves.
        heartbeat_s: How long nothing may be sent.
    """

    def __init__(
        self,
        source: Source,
        allowed: Callable[[], bool],
        streams: set[EventStream],
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self._source = source
        self._allowed = allowed
        self._streams = streams
        self._heartbeat_s = heartbeat_s

    def close(self) -> None:
        """End the answer, in order."""
        self._source.close()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send events."""
        gone = asyncio.get_running_loop().create_task(_until_gone(receive), name="gateway.event_stream")
        gone.add_done_callback(lambda _: self._source.close())
        self._streams.add(self)
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await self._send_events(send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._streams.discard(self)
            self._source.leave()
            gone.cancel()

    async def _send_events(self, send: Any) -> None:
        source, chunk = self._source, GREETING
        while source.open and self._allowed():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            # One write for each time that it is woken: the source decides how often that is.
            await source.wait(self._heartbeat_s)
            try:
                chunk = source.take() or HEARTBEAT
            except TooSlow:
                await send({"type": "http.response.body", "body": FAREWELL, "more_body": True})
                return


async def _until_gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
