"""The shared HTTP client: one session, made when it is first needed, closed last."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import aiohttp


class HttpClient:
    """Makes and keeps the session."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    def session(self) -> aiohttp.ClientSession:
        """Return the session; nobody but `close` closes it."""
        # Importing aiohttp takes a quarter of a second and ten megabytes.
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
