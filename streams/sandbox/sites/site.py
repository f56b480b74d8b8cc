"""What all sites of the sandbox are: a name, rules for robots, and an answer for every path at every time."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from typing import ClassVar, Final

import msgspec

from streams.sandbox.sites.chance import Chance

HTML: Final = "text/html; charset=utf-8"
TEXT: Final = "text/plain; charset=utf-8"
XML: Final = "application/xml"

CC_BY: Final = "https://creativecommons.org/licenses/by/4.0/"
CC_BY_SA: Final = "https://creativecommons.org/licenses/by-sa/4.0/"
CC_BY_NC: Final = "https://creativecommons.org/licenses/by-nc/4.0/"
CC0: Final = "https://creativecommons.org/publicdomain/zero/1.0/"


class SiteAnswer(msgspec.Struct, frozen=True):
    """What a site answers.

    Attributes:
        status: The HTTP status.
        media_type: What the body is.
        body: The body.
        headers: Further headers.
        delay_s: How long the site takes over it.
        modified_at: When it last changed; None where the site does not say.
        is_tagged: Whether it carries an ETag.
    """

    status: int = 200
    media_type: str = HTML
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    delay_s: float = 0.0
    modified_at: datetime | None = None
    is_tagged: bool = True


class Site(abc.ABC):
    """One site. Its pages follow from its chance and the time alone, so that they are the same after a restart.

    Args:
        chance: What decides on its contents.

    Attributes:
        name: The site's name.
        title: What people call it.
        disallowed: Paths that robots must not visit, by their beginnings.
        crawl_delay_s: Seconds between two visits of a robot; None where the site does not say.
        base_url: Where it is, without a slash at the end; known once its server listens.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    disallowed: ClassVar[tuple[str, ...]] = ()
    crawl_delay_s: ClassVar[float | None] = None

    def __init__(self, chance: Chance) -> None:
        self.chance = chance
        self.base_url = ""

    def answer(self, path: str, query: Mapping[str, str], now: datetime, visits: int) -> SiteAnswer:
        """Return what the site answers.

        Args:
            path: The path.
            query: The query's parameters.
            now: The time.
            visits: How often this path was visited before; what the site does only now and then goes by it.
        """
        if path == "/robots.txt":
            return self.robots(now)
        return self.page(path, query, now, visits) or missing(self.title)

    def robots(self, now: datetime) -> SiteAnswer:
        """Return the site's robots.txt."""
        lines = ["User-agent: *", *(f"Disallow: {path}" for path in self.disallowed)]
        if self.crawl_delay_s is not None:
            lines.append(f"Crawl-delay: {self.crawl_delay_s:g}")
        return SiteAnswer(media_type=TEXT, body="\n".join([*lines, ""]).encode())

    @abc.abstractmethod
    def page(self, path: str, query: Mapping[str, str], now: datetime, visits: int) -> SiteAnswer | None:
        """Return the page at a path; None where there is none."""


def html(
    title: str, body: str, *, licence: str = "", head: str = "", modified_at: datetime | None = None
) -> SiteAnswer:
    """Return a page."""
    linked = f'<link rel="license" href="{licence}">' if licence else ""
    text = (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{escape(title)}</title>{linked}{head}'
        f"</head>\n<body>\n<h1>{escape(title)}</h1>\n{body}\n</body>\n</html>\n"
    )
    return SiteAnswer(body=text.encode(), modified_at=modified_at)


def links(addresses: Sequence[tuple[str, str]]) -> str:
    """Return a list of links, each given as address and text."""
    items = "".join(f'<li><a href="{escape(address)}">{escape(text)}</a></li>' for address, text in addresses)
    return f"<ul>{items}</ul>"


def sitemap(entries: Sequence[tuple[str, datetime | None]]) -> str:
    """Return a sitemap of addresses, each with the time of its last change."""
    rows = "".join(f"<url><loc>{escape(address)}</loc>{_lastmod(when)}</url>" for address, when in entries)
    return f'<?xml version="1.0"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{rows}</urlset>\n'


def redirect(address: str, status: int = 301) -> SiteAnswer:
    """Return a redirect."""
    return SiteAnswer(status=status, headers=(("location", address),), is_tagged=False)


def missing(title: str, status: int = 404) -> SiteAnswer:
    """Return what is said where there is nothing (any more)."""
    page = html("Not here", f"<p>{escape(title)} has nothing at this address.</p>")
    return msgspec.structs.replace(page, status=status, is_tagged=False)


def _lastmod(when: datetime | None) -> str:
    return "" if when is None else f"<lastmod>{when:%Y-%m-%dT%H:%M:%SZ}</lastmod>"
