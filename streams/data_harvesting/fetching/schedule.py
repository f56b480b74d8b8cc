"""One queue per host: how many requests at a time, how far apart, and not at all while it is paused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

_MAX_HOSTS: Final = 10_000
_DOUBLINGS: Final = 20
_ERRORS_KEPT_S: Final = 3_600.0
"""How long after its pause a host's errors count: a site may redirect to any number of hosts that do not exist."""


class HostWaits(Exception):
    """A host whose turn comes later than the caller's patience lasts.

    Attributes:
        wait_s: How long from now until it can be asked.
    """

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"its turn comes in {wait_s:.0f} s")
        self.wait_s = wait_s


class _Host:
    __slots__ = ("active", "errors", "ready_at", "released", "turnstile", "users")

    def __init__(self) -> None:
        self.turnstile = asyncio.Lock()
        self.released = asyncio.Event()
        self.active = 0
        self.users = 0
        self.ready_at = 0.0
        self.errors = 0


class HostSchedule:
    """The hosts of a process, by authority. Whoever asks a host anything does so in a `turn`.

    Args:
        monotonic: The clock, seconds.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._hosts: dict[str, _Host] = {}

    @asynccontextmanager
    async def turn(
        self, authority: str, *, concurrency: int, delay_s: float, strict: bool = False, patience_s: float
    ) -> AsyncIterator[None]:
        """Wait for a turn, in order of arrival, and hold it for as long as the block lasts.

        Args:
            authority: The host and its port.
            concurrency: How many may hold a turn there at a time.
            delay_s: Least time between the beginnings of two turns.
            strict: Whether that is measured from the end of the one before, whatever it took, as a Crawl-delay is.
            patience_s: Longest wait for the host's clock; the wait for others' turns is not counted.

        Raises:
            HostWaits: The host is not ready in that time; nothing was asked of it.
        """
        host = self._host(authority)
        host.users += 1
        try:
            async with host.turnstile:
                await self._until_ready(host, concurrency, patience_s)
                host.active += 1
                host.ready_at = max(host.ready_at, self._monotonic() + delay_s)
            try:
                yield
            finally:
                host.active -= 1
                host.released.set()
                if strict:
                    host.ready_at = max(host.ready_at, self._monotonic() + delay_s)
        finally:
            host.users -= 1

    def wait_s(self, authority: str) -> float:
        """Return how long the host is not to be asked, seconds."""
        host = self._hosts.get(authority)
        return max(0.0, host.ready_at - self._monotonic()) if host is not None else 0.0

    def pause(self, authority: str, seconds: float) -> None:
        """Ask the host nothing for a while; a longer pause stands."""
        host = self._host(authority)
        host.ready_at = max(host.ready_at, self._monotonic() + seconds)

    def failed(self, authority: str, *, first_s: float, most_s: float) -> float:
        """Pause a host after an error, for twice as long as after the one before. Return the pause, seconds."""
        host = self._host(authority)
        pause_s = min(most_s, first_s * 2.0 ** min(host.errors, _DOUBLINGS))
        host.errors += 1
        self.pause(authority, pause_s)
        return pause_s

    def worked(self, authority: str) -> None:
        """Forget the errors of a host that answers again."""
        host = self._hosts.get(authority)
        if host is not None:
            host.errors = 0

    async def _until_ready(self, host: _Host, concurrency: int, patience_s: float) -> None:
        while True:
            wait_s = host.ready_at - self._monotonic()
            if wait_s > patience_s:
                raise HostWaits(wait_s)
            if host.active >= concurrency:
                host.released.clear()
                await host.released.wait()
            elif wait_s > 0:
                await asyncio.sleep(wait_s)  # a pause may have come in the meantime: look again
            else:
                return

    def _host(self, authority: str) -> _Host:
        host = self._hosts.get(authority)
        if host is None:
            if len(self._hosts) >= _MAX_HOSTS:
                self._forget()
            host = self._hosts[authority] = _Host()
        return host

    def _forget(self) -> None:
        now = self._monotonic()
        idle = [
            name
            for name, host in self._hosts.items()
            if not host.users and host.ready_at + (_ERRORS_KEPT_S if host.errors else 0.0) <= now
        ]
        for name in idle:
            del self._hosts[name]
