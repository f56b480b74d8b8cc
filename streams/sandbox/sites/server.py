"""A site on a port of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final
from urllib.parse import parse_qsl

from actors import Actor, Message, on
from streams.addresses import address_of
from streams.far_sides import FarSide, FarSides
from streams.http_answer import HttpAnswer
from streams.http_host import HttpApp, HttpHost, PortTaken
from streams.sandbox.sites.site import Site, SiteAnswer
from streams.sandbox.sites.watch import Access, Watch, robot_in

_CLOSE_WITHIN_S: Final = 1.0
_MAX_PATH: Final = 300


class Idle(Message, frozen=True):
    """Nothing: a site is reached over HTTP only."""


class SiteServer(Actor[Idle]):
    """Serves one site, and makes it known as a far side while it does.

    Args:
        site: What is served.
        host: Where to listen.
        port: The port to listen on if it is free.
        now: The time, aware UTC.
        monotonic: Seconds for intervals.
        far_sides: Where it makes itself known, as `site.<name>`.

    Attributes:
        site: What is served.
        watch: What it notes of its visitors.
    """

    def __init__(
        self,
        site: Site,
        host: str,
        port: int,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        far_sides: FarSides,
    ) -> None:
        self.site = site
        self.watch = Watch(site.disallowed, site.crawl_delay_s)
        self._host_name = host
        self._port = port
        self._now = now
        self._monotonic = monotonic
        self._far_sides = far_sides
        self._host: HttpHost | None = None

    async def on_start(self) -> None:
        """Listen."""
        try:
            self._host = await self._listen(self._port)
        except PortTaken:
            self._host = await self._listen(0)
        self.site.base_url = address_of(self._host_name, self._host.port)
        self._far_sides.add(FarSide(f"site.{self.site.name}", self.site.base_url))

    async def on_stop(self, reason: BaseException | None) -> None:
        """Close."""
        host, self._host = self._host, None
        if host is not None:
            self._far_sides.remove(f"site.{self.site.name}")
            await host.close(_CLOSE_WITHIN_S)

    @on(Idle)
    def idle(self, _: Idle) -> None:
        """Do nothing."""

    async def serve(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request; an ASGI application."""
        path: str = scope["path"][:_MAX_PATH]
        headers: dict[bytes, bytes] = dict(scope["headers"])
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), max_num_fields=8))
        answer = self.site.answer(path, query, self._now(), self.watch.visits(path))
        etag = b'"%s"' % blake2b(answer.body, digest_size=8).hexdigest().encode("ascii")
        unchanged = answer.status == 200 and _is_known(answer, etag, headers)
        retry_after = dict(answer.headers).get("retry-after", "")
        self.watch.note(
            Access(
                at_s=self._monotonic(),
                path=path,
                status=304 if unchanged else answer.status,
                robot=robot_in(headers.get(b"user-agent", b"").decode("latin-1")),
                is_conditional=b"if-none-match" in headers or b"if-modified-since" in headers,
            ),
            float(retry_after) if retry_after.isdigit() else None,
        )
        if answer.delay_s:
            await asyncio.sleep(answer.delay_s)
        await _http_answer(answer, etag, unchanged=unchanged)(scope, receive, send)

    async def _listen(self, port: int) -> HttpHost:
        host = HttpHost(_app(), self._host_name, port, {"site": self})
        await host.start()
        return host


@lru_cache(maxsize=1)
def _app() -> HttpApp:
    return HttpApp(_serve)


async def _serve(scope: Any, receive: Any, send: Any) -> None:
    server: SiteServer = scope["state"]["site"]
    await server.serve(scope, receive, send)


def _is_known(answer: SiteAnswer, etag: bytes, headers: dict[bytes, bytes]) -> bool:
    """Return whether the visitor has this very page (RFC 9110: a tag counts before a date)."""
    known = headers.get(b"if-none-match")
    if known is not None:
        return answer.is_tagged and etag in {tag.strip().removeprefix(b"W/") for tag in known.split(b",")}
    since = headers.get(b"if-modified-since")
    if since is None or answer.modified_at is None:
        return False
    try:
        return answer.modified_at.replace(microsecond=0) <= parsedate_to_datetime(since.decode("latin-1"))
    except (ValueError, TypeError):
        return False


def _http_answer(answer: SiteAnswer, etag: bytes, *, unchanged: bool) -> HttpAnswer:
    headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in answer.headers]
    if answer.is_tagged and answer.status == 200:
        headers.append((b"etag", etag))
    if answer.modified_at is not None:
        modified = format_datetime(answer.modified_at.astimezone(UTC), usegmt=True)
        headers.append((b"last-modified", modified.encode("ascii")))
    status, body = (304, b"") if unchanged else (answer.status, answer.body)
    http = HttpAnswer(status, answer.media_type.encode("ascii"), body, headers)
    if unchanged:
        http.headers = [(name, value) for name, value in http.headers if name != b"content-length"]
    return http
