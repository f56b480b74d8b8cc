"""What becomes of a fetch: a page, or one of the ways not to get one, each with a name that can be counted."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Final, Literal, TypeAlias

import msgspec

_ENCODER: Final = msgspec.json.Encoder(order="sorted")

RefusedBecause: TypeAlias = Literal[
    "malformed_url",
    "url_too_long",
    "scheme",
    "credentials_in_url",
    "port",
    "disguised_address",
    "address",
    "robots",
    "crawl_delay",
    "too_many_redirects",
    "redirect_loop",
    "media_type",
    "encoding",
    "too_large",
]
"""Why we do not fetch, or do not take, a URL. Asking again at once would end the same.

- `address`: it is, or leads to, an address that is not public and not in `allow_private`.
- `disguised_address`: an address written so that it does not look like one.
- `crawl_delay`: the host asks for a longer delay than the policy waits for.
- `media_type`: the answer is not of a kind that was asked for.
- `encoding`: its Content-Encoding is not one that was offered, or is broken.
"""

FailedBecause: TypeAlias = Literal[
    "dns",
    "connection",
    "tls",
    "timeout",
    "protocol",
    "headers_too_large",
    "truncated",
    "client_error",
    "server_error",
    "throttled",
    "host_paused",
    "robots_unreachable",
]
"""Why a fetch did not work this time. It may later.

- `throttled`: 429 or 503; the host is paused.
- `host_paused`: the host is paused for longer than the policy's patience; nothing was sent.
- `robots_unreachable`: its robots.txt cannot be had, so that everything is disallowed (RFC 9309, 2.3.1.4).
- `client_error`: an answer of 4xx other than 404 and 410.
"""


class FetchRefused(Exception):
    """A URL that is not fetched, or whose answer is not taken, by rule.

    Attributes:
        url: The URL at which it ended; after a redirect not the one that was asked for.
        reason: Why.
        detail: For people.
    """

    def __init__(self, url: str, reason: RefusedBecause, detail: str) -> None:
        super().__init__(f"{url}: {detail}")
        self.url = url
        self.reason: RefusedBecause = reason
        self.detail = detail


class FetchFailed(Exception):
    """A fetch that did not work.

    Attributes:
        url: The URL at which it ended.
        reason: Why.
        detail: For people.
        retry_at: When to come back at the earliest, aware UTC; None where only the caller can say.
        status: The HTTP status, where there was one.
    """

    def __init__(
        self,
        url: str,
        reason: FailedBecause,
        detail: str,
        *,
        retry_at: datetime | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(f"{url}: {detail}")
        self.url = url
        self.reason: FailedBecause = reason
        self.detail = detail
        self.retry_at = retry_at
        self.status = status


class Gone(Exception):
    """There is nothing at the URL: 404 or 410."""

    def __init__(self, url: str, status: int) -> None:
        super().__init__(f"{url}: {status}")
        self.url = url
        self.status = status


class Validators(msgspec.Struct, frozen=True):
    """What makes the next request for a URL conditional.

    Attributes:
        url: The URL whose answer carried them; they are sent to no other.
        etag: As it was sent, quotes and weakness included.
        last_modified: As it was sent.
        terms: Digest of the site's terms at that time. They are part of what a page says of its use: under others
            the page itself is needed again.
    """

    url: str
    etag: str = ""
    last_modified: str = ""
    terms: str = ""


class RobotsTerms(msgspec.Struct, frozen=True):
    """What a site's robots.txt says about the use of what it allows to fetch.

    Attributes:
        licenses: Values of its `License:` lines (RSL), as they stand there.
        content_signals: Its `Content-Signal:` for us, for example `{"search": "yes", "ai-train": "no"}`.
    """

    licenses: tuple[str, ...] = ()
    content_signals: dict[str, str] = {}

    @property
    def digest(self) -> str:
        """Tells these terms from others; empty where nothing is said."""
        return sha256(_ENCODER.encode(self)).hexdigest()[:16] if self.licenses or self.content_signals else ""


class Page(msgspec.Struct, frozen=True):
    """A successful answer (200), or word that nothing changed (304).

    Attributes:
        url: The URL that was asked for.
        final_url: The URL that answered, after redirects; relative links are relative to it.
        status: 200 or 304.
        unchanged: Whether the server says that nothing changed; `body` is empty then.
        media_type: Lower case, without parameters; empty where the server does not say.
        charset: Of the Content-Type header, lower case; empty without.
        headers: Headers by lower-case name; of repeated ones all values, joined by `, `.
        body: Decompressed.
        validators: For the next request.
        fetched_at: When the answer began, aware UTC.
        terms: What robots.txt says about its use.
    """

    url: str
    final_url: str
    status: int
    unchanged: bool
    media_type: str
    charset: str
    headers: dict[str, str]
    body: bytes
    validators: Validators
    fetched_at: datetime
    terms: RobotsTerms
