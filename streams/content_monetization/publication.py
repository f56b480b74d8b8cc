"""One site as HTTP sees it: pages, beacons, clicks, and articles for members."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from streams.content_monetization.ad_desk import AdDesk
from streams.content_monetization.membership import Membership
from streams.content_monetization.page import HTML, Page
from streams.content_monetization.site_builder import Build
from streams.content_monetization.visitor import Doorkeeper, Visitor
from streams.http_answer import BodyTooLarge, HttpAnswer, PeerGone, problem_answer, read_body
from streams.stream import Health

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

MAX_BEACON_BYTES: Final = 4096
MAX_BEACON_TOKENS: Final = 8

PAGE_HEADERS: Final = [
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' https: data:; "
        b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
]

_CACHEABLE_S: Final = 300
_VARY: Final = (b"vary", b"accept-encoding")
_NO_STORE: Final = (b"cache-control", b"no-store")


class Bodiless:
    """An answer whose status allows no body: 204 or 304."""

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.status = status
        self.headers = headers

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send the answer."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class Publication:
    """One instance as the shared HTTP application sees it: `scope["state"]["served"]` of every request.

    Args:
        id: The instance's id.
        site: Returns the site as it is now.
        desk: Fills slots, and decides on impressions and clicks.
        doorkeeper: Recognises visitors.
        membership: Sells articles to members.
        on_delivery: Called when something billable was counted.
        now: The time, aware UTC.
        monotonic: Seconds for intervals.
        health: Tells whether it serves.
        log: The instance's logger.

    Attributes:
        counts: What was served.
    """

    def __init__(
        self,
        *,
        id: str,  # noqa: A002 - the field's word
        site: Callable[[], Build],
        desk: AdDesk,
        doorkeeper: Doorkeeper,
        membership: Membership,
        on_delivery: Callable[[], None],
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        health: Callable[[], Health],
        log: FilteringBoundLogger,
    ) -> None:
        self.id = id
        self.health = health
        self.log = log
        self.membership = membership
        self.counts: Counter[str] = Counter()
        self._site = site
        self._desk = desk
        self._doorkeeper = doorkeeper
        self._on_delivery = on_delivery
        self._now = now
        self._monotonic = monotonic

    def page(self, path: str, scope: Any) -> HttpAnswer | Bodiless:
        """Answer a request for a page or another file of the site."""
        page = self._site().pages.get(path)
        if page is None:
            self.counts["not_found"] += 1
            return problem_answer(404, "there is no such page; the page at / lists what there is", code="unknown_page")
        headers: dict[bytes, bytes] = dict(scope["headers"])
        validators = [(b"etag", page.etag), (b"last-modified", page.modified_http)]
        if page.is_known(headers):
            self.counts["not_modified"] += 1
            return Bodiless(304, [*validators, self._caching(page), _VARY])
        if page.media_type != HTML:
            self.counts["files"] += 1
            return self._file(page, headers, validators)
        if scope["method"] == "HEAD":
            return HttpAnswer(200, HTML, page.filled({}), [*validators, *PAGE_HEADERS])
        self.counts["served"] += 1
        if not page.slots:
            return self._file(page, headers, [*validators, *PAGE_HEADERS])
        now = self._now()
        shown = self._desk.fill(path, page.slots, self._visitor(scope, headers, now), now, self._monotonic())
        # With validators, but not to be stored: a browser that showed a copy would show a token that is used up,
        # while a crawler that remembers the tag need not fetch what has not changed.
        return HttpAnswer(200, HTML, page.filled(shown), [*validators, *PAGE_HEADERS])

    async def beacon(self, scope: Any, receive: Any) -> HttpAnswer | Bodiless:
        """Take what a page tells of slots that were in view: a token a line. The answer is the same for all."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        try:
            body = await read_body(receive, headers.get(b"content-length"), MAX_BEACON_BYTES)
        except BodyTooLarge as error:
            return problem_answer(413, str(error), code="body_too_large")
        except PeerGone:
            return problem_answer(400, "the request ended before it was whole", code="incomplete")
        now = self._now()
        visitor = self._visitor(scope, headers, now)
        for token in body.decode("latin-1").split()[:MAX_BEACON_TOKENS]:
            if self._desk.view(token, visitor, now, self._monotonic()) == "billable":
                self._on_delivery()
        return Bodiless(204, [_NO_STORE])

    def go(self, token: str, scope: Any) -> HttpAnswer:
        """Answer a click: to where its contract says, and nowhere else."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        now = self._now()
        destination, outcome = self._desk.click(token, self._visitor(scope, headers, now), now, self._monotonic())
        if outcome == "billable":
            self._on_delivery()
        if destination is None:
            return problem_answer(404, "this link leads nowhere any more", code="unknown_link")
        location = [(b"location", destination.encode("ascii")), (b"referrer-policy", b"no-referrer")]
        return HttpAnswer(302, b"text/plain; charset=utf-8", b"", location)

    async def read(self, slug: str, scope: Any, receive: Any) -> HttpAnswer:
        """Answer a member who wants to read an article."""
        return await self.membership.read(slug, self._site().members.get(slug), scope, receive)

    def _visitor(self, scope: Any, headers: Mapping[bytes, bytes], now: datetime) -> Visitor:
        client = scope.get("client")
        return self._doorkeeper.recognise(headers, client[0] if client else "", now.astimezone(UTC).date())

    def _file(self, page: Page, headers: Mapping[bytes, bytes], extra: list[tuple[bytes, bytes]]) -> HttpAnswer:
        body, encoding = page.parts[0], []
        if b"gzip" in headers.get(b"accept-encoding", b"") and (gzipped := page.gzipped) is not None:
            body, encoding = gzipped, [(b"content-encoding", b"gzip")]
        return HttpAnswer(200, page.media_type, body, [*extra, *encoding, _VARY], cacheable_s=_CACHEABLE_S)

    def _caching(self, page: Page) -> tuple[bytes, bytes]:
        return _NO_STORE if page.slots else (b"cache-control", b"public, max-age=%d" % _CACHEABLE_S)
