"""Sitemaps (sitemaps.org): lists of pages, indexes of further sitemaps, plain lists; gzipped or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import msgspec

from streams.data_harvesting.fetching.body_decoder import BodyDecoder, BodyTooLarge, BrokenEncoding
from streams.data_harvesting.fetching.urls import absolute_url
from streams.data_harvesting.parsing.dates import DateProblem, checked, from_iso
from streams.data_harvesting.parsing.documents import decoded
from streams.data_harvesting.parsing.xml_guard import XmlWeapon, guard

if TYPE_CHECKING:
    from lxml import etree  # type: ignore[import-untyped]

MAX_SITEMAP_BYTES: Final = 16 * 1024 * 1024
"""Decompressed. The standard allows 50 MB; those that large are indexes' work."""

MAX_URLS: Final = 50_000

SitemapRejectedBecause: TypeAlias = Literal[
    "too_large", "encoding", "not_a_sitemap", "entity_bomb", "external_entity", "too_many_elements"
]

_GZIP: Final = b"\x1f\x8b"
_MAX_LOCATION: Final = 2048


class SitemapRejected(Exception):
    """A document that is not taken as a sitemap.

    Attributes:
        reason: Why.
    """

    def __init__(self, reason: SitemapRejectedBecause, detail: str) -> None:
        super().__init__(detail)
        self.reason: SitemapRejectedBecause = reason


class SitemapEntry(msgspec.Struct, frozen=True):
    """A page, or a further sitemap.

    Attributes:
        url: Absolute.
        lastmod: When it was changed last, aware UTC; None where that is not known.
        lastmod_problem: Why not.
    """

    url: str
    lastmod: datetime | None = None
    lastmod_problem: DateProblem = "missing"


class Sitemap(msgspec.Struct, frozen=True):
    """A sitemap.

    Attributes:
        pages: Pages, each once, in order.
        sitemaps: Further sitemaps, each once, in order.
        rejected: How many entries were not taken, by reason: `malformed_url`, `duplicate`, `too_many`.
    """

    pages: tuple[SitemapEntry, ...]
    sitemaps: tuple[SitemapEntry, ...]
    rejected: dict[str, int]


def parse_sitemap(body: bytes, *, url: str, now: datetime) -> Sitemap:
    """Read a sitemap. Blocks: a large one takes a second.

    Args:
        body: The document, gzipped or not.
        url: Its address.
        now: The time, aware UTC.

    Raises:
        SitemapRejected: It is none, or one that is not taken.
    """
    text = decoded(_unpacked(body))
    head = text.lstrip("\ufeff \t\r\n")
    if head.startswith("<"):
        try:
            guard(text)
        except XmlWeapon as weapon:
            raise SitemapRejected(weapon.reason, str(weapon)) from None
        found = _of_xml(text)
    elif head.startswith(("http://", "https://")):
        found = (("url", line.strip(), "") for line in text.splitlines() if line.strip())
    else:
        raise SitemapRejected("not_a_sitemap", "is neither XML nor a list of URLs")
    return _gathered(found, url, now)


def _unpacked(body: bytes) -> bytes:
    if not body.startswith(_GZIP):
        if len(body) > MAX_SITEMAP_BYTES:
            raise SitemapRejected("too_large", f"larger than {MAX_SITEMAP_BYTES} bytes")
        return body
    decoder = BodyDecoder("gzip", MAX_SITEMAP_BYTES)
    try:
        decoder.feed(body)
        while decoder.pending:
            decoder.step()
        return decoder.finish()
    except BodyTooLarge:
        raise SitemapRejected("too_large", f"larger than {MAX_SITEMAP_BYTES} bytes, unpacked") from None
    except BrokenEncoding as error:
        raise SitemapRejected("encoding", str(error)) from None


def _of_xml(text: str) -> Iterator[tuple[str, str, str]]:
    """Return kind (`url` or `sitemap`), location and lastmod of each entry."""
    from lxml import etree

    parser = etree.XMLPullParser(
        events=("end",), recover=True, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    parser.feed(text.encode("utf-8", "replace") if not text.lstrip().startswith("<?xml") else _undeclared(text))
    location, lastmod = "", ""
    is_sitemap = False
    for _, element in _events(parser):
        name = etree.QName(element).localname if isinstance(element.tag, str) else ""
        if name == "loc" and not location:  # images and videos have further ones
            location = (element.text or "").strip()
        elif name == "lastmod":
            lastmod = (element.text or "").strip()
        elif name in ("url", "sitemap"):
            is_sitemap = True
            yield name, location, lastmod
            location, lastmod = "", ""
            _drop(element)
        elif name in ("urlset", "sitemapindex"):
            is_sitemap = True
    if not is_sitemap:
        raise SitemapRejected("not_a_sitemap", "has neither urlset nor sitemapindex")


def _events(parser: etree.XMLPullParser[Any]) -> Iterator[tuple[str, Any]]:
    from lxml import etree

    try:
        yield from parser.read_events()
        parser.close()
        yield from parser.read_events()
    except etree.XMLSyntaxError:
        return  # what came before the break counts


def _drop(element: Any) -> None:
    """Free an entry, so that memory does not grow with the document."""
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def _undeclared(text: str) -> bytes:
    """Return the document without its XML declaration: it is UTF-8 from here on, whatever it says."""
    return text.partition("?>")[2].encode("utf-8", "replace")


def _gathered(found: Iterator[tuple[str, str, str]], base: str, now: datetime) -> Sitemap:
    entries: dict[str, dict[str, SitemapEntry]] = {"url": {}, "sitemap": {}}
    rejected: Counter[str] = Counter()
    for kind, location, lastmod in found:
        address = absolute_url(base, location) if len(location) <= _MAX_LOCATION else None
        if address is None:
            rejected["malformed_url"] += 1
        elif address in entries[kind]:
            rejected["duplicate"] += 1
        elif len(entries["url"]) + len(entries["sitemap"]) >= MAX_URLS:
            rejected["too_many"] += 1
        else:
            entries[kind][address] = SitemapEntry(address, *checked(from_iso(lastmod), lastmod, now))
    return Sitemap(tuple(entries["url"].values()), tuple(entries["sitemap"].values()), dict(rejected))
