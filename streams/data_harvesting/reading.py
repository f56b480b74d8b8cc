"""From a fetched document to records and further links: one function per role, pure, for a thread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from streams.data_harvesting.fetching.outcome import Page
from streams.data_harvesting.fetching.urls import absolute_url, authority_of, canonical_url
from streams.data_harvesting.field import Field, RawValue, rfc3339
from streams.data_harvesting.licensing import terms_of
from streams.data_harvesting.recipe import Recipe, Role
from streams.data_harvesting.record import Record, RecordRejected, Terms, key_of_raw, record_of

if TYPE_CHECKING:
    from datetime import datetime

    from selectolax.lexbor import LexborNode

    from streams.data_harvesting.parsing.directives import Directives
    from streams.data_harvesting.parsing.feeds import FeedEntry
    from streams.data_harvesting.parsing.pages import ParsedPage

_MAX_RECORDS_PER_PAGE: Final = 2_000
_MAX_LINKS_PER_PAGE: Final = 1_000
_MAX_SAMPLES: Final = 5
_TAIL_BYTES: Final = 2_048
_MAX_FOLLOWED: Final = 2_048
"""Longest address that is matched with a recipe's expressions, which are its operator's, on links, which are not."""


class FoundLink(msgspec.Struct, frozen=True):
    """A link that is worth following.

    Attributes:
        url: As it stood there, absolute; what is fetched.
        role: What it leads to.
    """

    url: str
    role: Role


class Reading(msgspec.Struct, frozen=True):
    """What a document came to.

    Attributes:
        records: Valid records, each key once.
        rejected: How many were rejected, by reason.
        samples: Some of the rejections, for people.
        links: What to visit next.
        still_there: Keys of those that were rejected.
        complete: Whether what has none of these keys is not there any more.
    """

    records: tuple[Record, ...] = ()
    rejected: dict[str, int] = {}
    samples: tuple[str, ...] = ()
    links: tuple[FoundLink, ...] = ()
    still_there: tuple[str, ...] = ()
    complete: bool = False


class DocumentRejected(Exception):
    """A document that is not what its role says.

    Attributes:
        code: A stable name of the reason, for counting.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def read_document(
    recipe: Recipe, role: Role, page: Page, authorities: frozenset[str], now: datetime, product_token: str = ""
) -> Reading:
    """Return what a document came to. Blocks: up to a tenth of a second for a large feed.

    Args:
        recipe: What is looked for.
        role: What the document is.
        page: As it was fetched.
        authorities: `host:port` of all hosts that may be visited.
        now: The time, for dates that lie in the future.
        product_token: The name that pages may address directives to.

    Raises:
        DocumentRejected: It is not what its role says.
    """
    reader = _Reader(recipe, page, authorities, product_token)
    if role == "feed":
        return reader.feed(now)
    if role == "sitemap":
        return reader.sitemap(now)
    return reader.page()


def check_selectors(recipe: Recipe) -> None:
    """Check the CSS selectors of a recipe. Blocks: it loads the parser.

    Raises:
        ValueError: One is malformed; says which.
    """
    if recipe.records == "feed":
        return
    from selectolax.lexbor import LexborHTMLParser, SelectolaxError

    tree = LexborHTMLParser("<p></p>")
    selectors = {"item": recipe.item} | {f"fields.{name}": field.select for name, field in recipe.fields.items()}
    for where, selector in selectors.items():
        if not selector:
            continue
        try:
            tree.css_first(selector)
        except (SelectolaxError, ValueError) as error:
            raise ValueError(f"{where}: {selector!r} is no CSS selector: {error}") from None


class _Reader:
    def __init__(self, recipe: Recipe, page: Page, authorities: frozenset[str], product_token: str) -> None:
        self._recipe = recipe
        self._page = page
        self._authorities = authorities
        self._product_token = product_token
        self._fetched_at = rfc3339(page.fetched_at)
        self._records: dict[str, Record] = {}
        self._rejected: Counter[str] = Counter()
        self._samples: list[str] = []
        self._links: dict[str, FoundLink] = {}
        self._still_there: list[str] = []
        self._all_keys_known = True

    def feed(self, now: datetime) -> Reading:
        from streams.data_harvesting.parsing.directives import directives_of
        from streams.data_harvesting.parsing.feeds import FeedRejected, parse_feed

        page = self._page
        try:
            feed = parse_feed(page.body, url=page.final_url, media_type=page.media_type, charset=page.charset, now=now)
        except FeedRejected as error:
            raise DocumentRejected(f"feed_{error.reason}", str(error)) from error
        directives = directives_of(page.headers.get("x-robots-tag", ""), self._product_token)
        for rejected in feed.rejected:
            self._reject(f"entry_{rejected.reason}", f"entry {rejected.position}: {rejected.detail}")
        for entry in feed.entries:
            if self._recipe.records == "feed":
                stated = [licence for licence in (entry.license or feed.license,) if licence]
                terms = self._terms(stated, directives)
                parts = _parts_of(entry)
                self._take({name: parts[field.select] for name, field in self._recipe.fields.items()}, terms)
            self._find(entry.original_link or entry.link)
        return self._reading(complete=False)

    def sitemap(self, now: datetime) -> Reading:
        from streams.data_harvesting.parsing.sitemaps import SitemapRejected, parse_sitemap

        try:
            sitemap = parse_sitemap(self._page.body, url=self._page.final_url, now=now)
        except SitemapRejected as error:
            raise DocumentRejected(f"sitemap_{error.reason}", str(error)) from error
        for entry in sitemap.pages:
            self._find(entry.url)
        for entry in sitemap.sitemaps:
            self._find(entry.url, "sitemap")
        for reason, count in sitemap.rejected.items():
            self._rejected[f"entry_{reason}"] += count
        return self._reading(complete=False)

    def page(self) -> Reading:
        from streams.data_harvesting.parsing.pages import PageRejected, parse_page

        page = self._page
        try:
            parsed = parse_page(
                page.body,
                url=page.final_url,
                charset=page.charset,
                headers=page.headers,
                product_token=self._product_token,
            )
        except PageRejected as error:
            raise DocumentRejected(f"page_{error.reason}", str(error)) from error
        if not parsed.directives.nofollow:
            for link in parsed.links:
                if not link.nofollow:
                    self._find(link.url)
        if not self._recipe.has_records_on(path_of(page.final_url)):
            return self._reading(complete=False)
        terms = self._terms(_stated_on(parsed), parsed.directives)
        items = self._items(parsed)
        for item in items:
            self._take({name: self._raw(item, field) for name, field in self._recipe.fields.items()}, terms)
        # A page that was cut short, or that looks unlike it did, says nothing of what it does not show.
        whole = b"</html" in page.body[-_TAIL_BYTES:].lower()
        return self._reading(complete=whole and bool(self._records) and self._all_keys_known)

    def _items(self, parsed: ParsedPage) -> list[LexborNode]:
        if not self._recipe.item:
            return [] if parsed.tree.root is None else [parsed.tree.root]
        items = parsed.tree.css(self._recipe.item)
        if len(items) > _MAX_RECORDS_PER_PAGE:
            self._rejected["too_many"] += len(items) - _MAX_RECORDS_PER_PAGE
        return items[:_MAX_RECORDS_PER_PAGE]

    def _raw(self, item: LexborNode, field: Field) -> RawValue:
        if field.type == "list" and field.select:
            return [text for node in item.css(field.select) if (text := _text_of(node, field.attribute))]
        node = item.css_first(field.select) if field.select else item
        if node is None:
            return None
        text = _text_of(node, field.attribute)
        if field.type == "url" and text:
            return _canonical(absolute_url(self._page.final_url, text.strip()))
        return text

    def _terms(self, stated: Sequence[str], directives: Directives) -> Terms:
        site = self._page.terms
        return terms_of(self._recipe.licence, stated or site.licenses, directives, site.content_signals)

    def _take(self, raw: Mapping[str, RawValue], terms: Terms) -> None:
        try:
            record = record_of(self._recipe, raw, self._page.final_url, self._fetched_at, terms)
        except RecordRejected as error:
            self._reject(error.code, str(error))
            key = key_of_raw(self._recipe, raw)
            self._all_keys_known = self._all_keys_known and key is not None
            if key is not None:
                self._still_there.append(key)
            return
        if record.key in self._records:
            self._reject("duplicate", f"{record.key} stands there twice")
            return
        self._records[record.key] = record

    def _reject(self, code: str, detail: str) -> None:
        self._rejected[code] += 1
        if len(self._samples) < _MAX_SAMPLES:
            self._samples.append(f"{self._page.final_url}: {detail}"[:300])

    def _find(self, link: str | None, role: Role = "page") -> None:
        url = _canonical(link)
        if (
            link is None
            or url is None
            or len(url) > _MAX_FOLLOWED
            or url in self._links
            or len(self._links) >= _MAX_LINKS_PER_PAGE
        ):
            return
        if authority_of(url) not in self._authorities:
            return
        if role == "page" and not self._recipe.follows(path_of(url)):
            return
        self._links[url] = FoundLink(link, role)

    def _reading(self, *, complete: bool) -> Reading:
        return Reading(
            records=tuple(self._records.values()),
            rejected=dict(self._rejected),
            samples=tuple(self._samples),
            links=tuple(self._links.values()),
            still_there=tuple(self._still_there),
            complete=complete,
        )


def path_of(url: str) -> str:
    """Return an address's path with its query: what a recipe's expressions are matched with."""
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _stated_on(parsed: ParsedPage) -> list[str]:
    """Return the licences that a page states.

    A mere link to one may be the credit of a photograph. By itself it allows nothing, but what it forbids counts.
    """
    from streams.data_harvesting.parsing.licenses import known_license

    if any(found.source != "link" for found in parsed.licenses):
        return [found.url for found in parsed.licenses]
    known = ((found.url, known_license(found.url)) for found in parsed.licenses)
    return [url for url, licence in known if licence and (not licence.may_sell or licence.no_derivatives)]


def _parts_of(entry: FeedEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "title": entry.title,
        "link": entry.link,
        "summary": entry.summary,
        "published": entry.published,
        "author": entry.author,
        "language": entry.language,
    }


def _canonical(url: str | None) -> str | None:
    if not url:
        return None
    try:
        return canonical_url(url)
    except ValueError:
        return None


def _text_of(node: LexborNode, attribute: str) -> str | None:
    if attribute:
        value = node.attributes.get(attribute)
        return None if value is None else str(value)
    return str(node.text())
