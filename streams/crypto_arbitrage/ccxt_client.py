"""The ccxt client of a venue: loaded late, pointed at the venue's address, and told to use the fleet's session."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from streams.crypto_arbitrage.pacing import Pacer

if TYPE_CHECKING:
    import aiohttp

INSTALL = "ccxt is not installed; install it with `pip install 'automate-everything[arbitrage]'`"


class CcxtMissing(Exception):
    """The extra is not installed."""

    def __init__(self) -> None:
        super().__init__(INSTALL)


class NoSuchVenue(Exception):
    """ccxt knows no venue of that name."""

    def __init__(self, venue: str) -> None:
        super().__init__(f"ccxt knows no venue {venue!r}; its manual lists the ids of those that it knows")


async def make_client(
    venue: str,
    credentials: Mapping[str, str],
    url: str | None,
    rate_limit_ms: int | None,
    session: aiohttp.ClientSession,
) -> Any:
    """Return a client of a venue.

    Args:
        venue: ccxt's id of it.
        credentials: What ccxt calls them: `apiKey`, `secret`, …
        url: Where the venue is, if it is not where ccxt knows it to be.
        rate_limit_ms: The least time between two calls; None for ccxt's own.
        session: The shared HTTP session; it is never closed.

    Raises:
        CcxtMissing: The extra is not installed.
        NoSuchVenue: ccxt does not know the venue.
    """
    # Importing it takes over half a second, and brings a hundred megabytes.
    client = await asyncio.to_thread(_make, venue, dict(credentials), rate_limit_ms, session)
    client.throttler = Pacer(client.rateLimit / 1e3, asyncio.get_running_loop().time)
    if url is not None:
        client.urls["api"] = _moved(client.urls["api"], url)
    return client


def _make(venue: str, credentials: dict[str, str], rate_limit_ms: int | None, session: aiohttp.ClientSession) -> Any:
    try:
        import ccxt.async_support as ccxt  # type: ignore[import-untyped]
    except ImportError:
        raise CcxtMissing from None
    if venue not in ccxt.exchanges:
        raise NoSuchVenue(venue)
    settings: dict[str, Any] = {
        **credentials,
        "session": session,
        "enableRateLimit": True,
        "timeout": 8_000,
        "enableLastHttpResponse": False,
        "enableLastJsonResponse": False,
        "enableLastResponseHeaders": False,
        "options": {
            "fetchMarkets": {"types": ["spot"]},
            "fetchMargins": False,
            "defaultType": "spot",
            "recvWindow": 5_000,
        },
    }
    if rate_limit_ms is not None:
        settings["rateLimit"] = rate_limit_ms
    client = getattr(ccxt, venue)(settings)
    # The session has its own; making another would read certificates on the event loop.
    client.ssl_context = True
    client.nonce = _Nonce(client.nonce)
    return client


class _Nonce:
    """Numbers calls so that none has the number of another, or a smaller one: milliseconds, or one more.

    Args:
        clock: What the client would have taken.
    """

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self._last = 0

    def __call__(self) -> int:
        self._last = max(int(self._clock()), self._last + 1)
        return self._last


def _moved(urls: Any, url: str) -> Any:
    """Return addresses with another origin: the paths are the venue's."""
    if isinstance(urls, dict):
        return {name: _moved(at, url) for name, at in urls.items()}
    return url + urlsplit(urls).path if isinstance(urls, str) else urls
