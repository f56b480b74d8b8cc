"""The shared HTTP client: one session, made when it is first needed, closed last."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import aiohttp


class HttpClient:
    """Makes and keeps the session."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def prepare(self) -> None:
        """Load what a session stands on. That takes half a second, mostly for the system's certificates."""
        await asyncio.to_thread(import_module, "aiohttp")

    def session(self) -> aiohttp.ClientSession:
        """Return the session; nobody but `close` closes it."""
        # Where nobody has prepared it, it is loaded here: a question on the command line needs no aiohttp.
        import aiohttp

        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=512, keepalive_timeout=30.0),
                timeout=aiohttp.ClientTimeout(total=30.0, connect=5.0),
                headers={"User-Agent": "automate-everything"},
            )
        return self._session

    async def close(self) -> None:
        """Close the session, if there is one."""
        if self._session is not None:
            await self._session.close()
            self._session = None
