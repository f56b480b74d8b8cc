"""What all harvesters of a process share: connections, the schedule of hosts, and what their robots.txt say."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from streams.commons import Common
from streams.data_harvesting.fetching.body_decoder import ACCEPT_ENCODING, BodyDecoder, BodyTooLarge, BrokenEncoding
from streams.data_harvesting.fetching.media_types import content_type, is_accepted, is_vague, sniffed
from streams.data_harvesting.fetching.outcome import FailedBecause, FetchFailed, FetchRefused
from streams.data_harvesting.fetching.policy import FetchPolicy
from streams.data_harvesting.fetching.robots_cache import RobotsCache
from streams.data_harvesting.fetching.schedule import HostSchedule
from streams.data_harvesting.fetching.url_gate import Address

if TYPE_CHECKING:
    import aiohttp
    from aiohttp.abc import AbstractResolver

_MAX_HEADERS: Final = 128
_TOO_LARGE: Final = ("Too many headers", "Got more than")
"""How aiohttp says that headers are too many or too long; it has no types for that which survive its wrapping."""

_READ_BYTES: Final = 64 * 1024
_ERROR_BODY_BYTES: Final = 16 * 1024
"""How much of a page that says why there is none is read, so that its connection can be used again."""


class Answer(msgspec.Struct, frozen=True):
    """An answer, whole and within all bounds.

    Attributes:
        status: The HTTP status.
        headers: By lower-case name; of repeated ones all values, joined by `, `.
        media_type: What the body is, sniffed where the header is vague; empty where unknown.
        charset: Of the Content-Type header; empty without.
        body: Decompressed; of an answer other than 200, empty.
        at: When the answer began.
    """

    status: int
    headers: dict[str, str]
    media_type: str
    charset: str
    body: bytes
    at: datetime


class FetchClient(Common):
    """Sends requests through connections that are checked, one hop at a time; leased from the commons.

    Attributes:
        schedule: Turns of hosts. `send` takes none; whoever calls it does.
        robots: What robots.txt files say.

    Args:
        now: The time, aware UTC.
        monotonic: Seconds for intervals.
        resolver: Makes what finds addresses of names; by default it asks the system.
    """

    KEY: ClassVar[str] = "data_harvesting.fetching"

    def __init__(
        self,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        resolver: Callable[[], AbstractResolver] | None = None,
    ) -> None:
        self._now = now
        self._resolver = resolver
        self._names: AbstractResolver | None = None
        self._session: aiohttp.ClientSession | None = None
        self.schedule = HostSchedule(monotonic)
        self.robots = RobotsCache(self, now)

    async def start(self) -> None:
        """Load what is needed, in a thread, and open the session."""
        await asyncio.to_thread(_load_libraries)
        import aiohttp

        from streams.data_harvesting.fetching.connector import SafeConnector, ThreadResolver

        self._names = (self._resolver or ThreadResolver)()
        self._session = aiohttp.ClientSession(
            connector=SafeConnector(self._names),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            max_headers=_MAX_HEADERS,
            read_bufsize=_READ_BYTES,
            requote_redirect_url=False,
        )

    async def stop(self) -> None:
        """Close every connection."""
        session, self._session = self._session, None
        names, self._names = self._names, None
        if session is not None:
            await session.close()
        if names is not None:
            await names.close()

    async def send(
        self,
        address: Address,
        policy: FetchPolicy,
        headers: Mapping[str, str] = {},
        *,
        limit_bytes: int,
        cut: bool = False,
        accept: Collection[str] = (),
    ) -> Answer:
        """Send one GET request and read its answer; redirects are answers.

        Args:
            address: What is asked for.
            policy: The bounds.
            headers: Beyond User-Agent and Accept-Encoding.
            limit_bytes: Largest body of a 200, decompressed.
            cut: Whether a larger one is cut off there instead of refused.
            accept: Media types that are taken; () for any.

        Raises:
            FetchRefused: The connection would lead where it must not, or the body is not taken.
            FetchFailed: It did not work.
        """
        import aiohttp

        from streams.data_harvesting.fetching.connector import ATTEMPT, Attempt

        session = self._session
        if session is None:
            raise RuntimeError("the client is not started")
        attempt = Attempt(policy.reach())
        token = ATTEMPT.set(attempt)
        timeout = aiohttp.ClientTimeout(
            total=policy.total_timeout_s, sock_connect=policy.connect_timeout_s, sock_read=policy.idle_timeout_s
        )
        url = str(address)
        try:
            async with session.get(
                address.url,
                headers={"User-Agent": policy.user_agent, "Accept-Encoding": ACCEPT_ENCODING, **headers},
                allow_redirects=False,
                timeout=timeout,
                max_line_size=policy.max_header_bytes,
                max_field_size=policy.max_header_bytes,
            ) as response:
                return await self._read(url, response, limit_bytes, cut, accept)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            if attempt.refused:
                where = ", ".join(attempt.refused[:3])
                raise FetchRefused(url, "address", f"leads to {where}: neither public nor in allow_private") from None
            if isinstance(error, aiohttp.InvalidURL):
                raise FetchRefused(url, "malformed_url", f"malformed: {error}") from None
            reason, detail = _why_failed(error)
            raise FetchFailed(url, reason, detail) from error
        finally:
            ATTEMPT.reset(token)

    async def _read(
        self, url: str, response: aiohttp.ClientResponse, limit_bytes: int, cut: bool, accept: Collection[str]
    ) -> Answer:
        at = self._now()
        headers: dict[str, str] = {}
        for name, value in response.headers.items():
            name = name.lower()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        media_type, charset = content_type(headers.get("content-type", ""))
        good = response.status == 200
        if good and not is_vague(media_type) and not is_accepted(media_type, accept):
            response.close()
            raise FetchRefused(url, "media_type", f"is {media_type}")
        if good and not cut and (response.content_length or 0) > limit_bytes:
            response.close()
            raise FetchRefused(url, "too_large", f"the body is larger than {limit_bytes} bytes")
        try:
            if good:
                decoder = BodyDecoder(headers.get("content-encoding", ""), limit_bytes, cut=cut)
            else:
                decoder = BodyDecoder("", _ERROR_BODY_BYTES, cut=True)
            async for chunk in response.content.iter_any():
                decoder.feed(chunk)
                while decoder.pending:
                    await asyncio.sleep(0)
                    decoder.step()
                if decoder.full:
                    response.close()
                    break
            body = decoder.finish() if good else b""
        except BodyTooLarge as error:
            response.close()
            raise FetchRefused(url, "too_large", str(error)) from None
        except BrokenEncoding as error:
            response.close()
            raise FetchRefused(url, "encoding", str(error)) from None
        if good and is_vague(media_type):
            media_type = sniffed(media_type, body)
            if not is_accepted(media_type, accept):
                raise FetchRefused(url, "media_type", f"is {media_type or 'of an unknown kind'}")
        return Answer(response.status, headers, media_type, charset, body, at)


def _why_failed(error: Exception) -> tuple[FailedBecause, str]:
    import aiohttp

    detail = str(error) or type(error).__name__
    match error:
        case TimeoutError():
            return "timeout", detail if isinstance(error, aiohttp.ClientError) else "took too long"
        case aiohttp.ClientConnectorDNSError():
            return "dns", detail
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return "tls", detail
        case aiohttp.ClientPayloadError():
            return "truncated", detail
        case aiohttp.ClientResponseError():
            too_large = any(words in detail for words in _TOO_LARGE)
            return "headers_too_large" if too_large else "protocol", detail
        case aiohttp.ClientConnectionError() | OSError():
            return "connection", detail
        case _:
            return "protocol", detail


def _load_libraries() -> None:
    """Import what takes tens to hundreds of milliseconds; on the loop that would be felt by everyone."""
    import aiohttp
    import protego
    import url_normalize
    import w3lib.url

    from streams.data_harvesting.fetching import connector

    loaded: tuple[Any, ...] = (aiohttp, protego, url_normalize, w3lib.url, connector)
    del loaded
