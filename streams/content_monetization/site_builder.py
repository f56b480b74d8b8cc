"""Builds a site: articles in, pages out. Slow; for a thread.

A build is a value. The one that is served is replaced by the next in one assignment, so that no reader ever sees half
of it. What has not changed since the build before is taken from there: texts by their digest, pages by their date.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import msgspec

from streams.content_monetization import feeds
from streams.content_monetization.article import Article, NotAnArticle
from streams.content_monetization.contract import SlotName
from streams.content_monetization.page import HTML, Page, keep_stamps, page_of, slot_mark, stamps
from streams.content_monetization.rendered_text import RenderedText, render
from streams.content_monetization.site_files import ads_txt, article_data, index_data, robots_txt, sitemap
from streams.content_monetization.site_source import FEED_ARTICLES, AffiliateLink, ReadyArticle, SiteInfo

if TYPE_CHECKING:
    from jinja2 import Environment

_TEXT: Final = b"text/plain; charset=utf-8"
_XML: Final = b"application/xml; charset=utf-8"

Stamps = Mapping[str, tuple[str, datetime]]


class SiteSource(msgspec.Struct, frozen=True):
    """What a site is built of.

    Attributes:
        info: What every page says.
        articles: All articles, also those that are not to appear yet; of two with one slug, the later counts.
        links: Affiliate links by slug.
        has_sponsors: Whether pages have slots.
        view_after_ms: How long a slot must be in view before the page tells of it.
    """

    info: SiteInfo
    articles: tuple[Article, ...]
    links: Mapping[str, tuple[AffiliateLink, ...]] = {}
    has_sponsors: bool = False
    view_after_ms: int = 1000


class Build(msgspec.Struct, frozen=True):
    """A site, ready to be served.

    Attributes:
        source: What it was built of.
        pages: Its pages by path.
        members: What members read, by slug.
        texts: Articles' texts as HTML, by the article's digest.
        rejected: Articles that could not be built, and why.
        next_at: When the next article is to appear; None where none is.
    """

    source: SiteSource
    pages: Mapping[str, Page]
    members: Mapping[str, Page]
    texts: Mapping[str, RenderedText]
    rejected: Mapping[str, str] = {}
    next_at: datetime | None = None

    def prepare(self) -> Build:
        """Compress what is sent compressed, and return the build itself."""
        for page in self.pages.values():
            _ = page.gzipped
        return self

    @property
    def stamps(self) -> Stamps:
        """Tags and dates of all pages; kept for the next life, so that dates hold over restarts."""
        return stamps(self.pages)


def build(source: SiteSource, now: datetime, former: Build | None = None, known: Stamps | None = None) -> Build:
    """Build a site.

    Args:
        source: What it is built of.
        now: The time, aware UTC.
        former: The build before, if there is one.
        known: Tags and dates from a former life, where there is no build before.
    """
    with _one_at_a_time:
        stamps = known if known is not None else former.stamps if former else {}
        return _Building(source, now, former).build(stamps).prepare()


# Threads that compute delay the event loop, each by its share: instances that start together build in turn.
_one_at_a_time: Final = threading.Lock()


class _Building:
    def __init__(self, source: SiteSource, now: datetime, former: Build | None) -> None:
        self._source = source
        self._info = source.info
        self._now = now
        self._former = former
        self._texts: dict[str, RenderedText] = {}
        self._rejected: dict[str, str] = {}

    def build(self, known: Stamps) -> Build:
        by_slug = {article.slug: article for article in self._source.articles}
        due = [article for article in by_slug.values() if article.published <= self._now]
        later = [article.published for article in by_slug.values() if article.published > self._now]
        due.sort(key=lambda article: (article.published, article.slug), reverse=True)
        ready = [each for article in due if (each := self._ready(article)) is not None]
        pages = keep_stamps([*self._index(ready), *self._articles(ready), self._about()], known, self._now)
        files = keep_stamps(self._files(ready, pages), known, self._now)
        return Build(
            source=self._source,
            pages=pages | files,
            members={each.article.slug: self._reading(each) for each in ready if each.article.members},
            texts=self._texts,
            rejected=self._rejected,
            next_at=min(later, default=None),
        )

    def _ready(self, article: Article) -> ReadyArticle | None:
        digest = article.digest
        text = self._former.texts.get(digest) if self._former is not None else None
        if text is None:
            try:
                text = render(article.slug, article.text)
            except NotAnArticle as error:
                self._rejected[article.slug] = str(error)
                return None
        self._texts[digest] = text
        links = () if article.members else self._source.links.get(article.slug, ())
        return ReadyArticle(article, text, links)

    def _index(self, ready: Sequence[ReadyArticle]) -> list[tuple[str, Page]]:
        size = self._info.page_size
        total = max(1, -(-len(ready) // size))
        pages = []
        for number in range(1, total + 1):
            path = _index_path(number)
            text = self._html(
                "index.html",
                path,
                heading="Latest articles" if number == 1 else f"Articles, page {number}",
                description=self._info.tagline,
                data=index_data(self._info),
                articles=ready[(number - 1) * size : number * size],
                number=number,
                total=total,
                previous=_index_path(number - 1),
                following=_index_path(number + 1) if number < total else "",
            )
            pages.append((path, page_of(HTML, text, feeds.latest(ready))))
        return pages

    def _articles(self, ready: Sequence[ReadyArticle]) -> list[tuple[str, Page]]:
        pages = []
        for place, each in enumerate(ready):
            article = each.article
            text = self._html(
                "article.html",
                article.path,
                heading=article.title,
                description=article.summary,
                data=article_data(self._info, each),
                article=article,
                text=each.text,
                links=each.links,
                teaser=article.members,
                newer=ready[place - 1].article if place else None,
                older=ready[place + 1].article if place + 1 < len(ready) else None,
            )
            pages.append((article.path, page_of(HTML, text, article.updated)))
        return pages

    def _reading(self, each: ReadyArticle) -> Page:
        article = each.article
        text = self._html(
            "article.html",
            article.path,
            slots=False,
            heading=article.title,
            description=article.summary,
            data=article_data(self._info, each),
            article=article,
            text=each.text,
            links=(),
            teaser=False,
            newer=None,
            older=None,
        )
        return page_of(HTML, text, article.updated)

    def _about(self) -> tuple[str, Page]:
        text = self._html(
            "about.html", "/about", slots=False, heading=f"About {self._info.title}", description=self._info.tagline
        )
        return "/about", page_of(HTML, text, self._now)

    def _files(self, ready: Sequence[ReadyArticle], pages: Mapping[str, Page]) -> list[tuple[str, Page]]:
        info = self._info
        newest = ready[:FEED_ARTICLES]
        changed = feeds.latest(ready)
        now = self._now
        style = _environment().get_template("style.css").render(site=info)
        beacon = _environment().get_template("beacon.js").render(delay_ms=self._source.view_after_ms + 100)
        return [
            (feeds.RSS_PATH, page_of(b"application/rss+xml; charset=utf-8", feeds.rss(info, newest), changed)),
            (feeds.ATOM_PATH, page_of(b"application/atom+xml; charset=utf-8", feeds.atom(info, newest), changed)),
            (feeds.JSON_PATH, page_of(b"application/feed+json", feeds.json_feed(info, newest), changed)),
            (
                "/sitemap.xml",
                page_of(_XML, sitemap(info, [(path, page.modified) for path, page in pages.items()]), changed),
            ),
            ("/robots.txt", page_of(_TEXT, robots_txt(info), now)),
            ("/ads.txt", page_of(_TEXT, ads_txt(info), now)),
            ("/style.css", page_of(b"text/css; charset=utf-8", style, now)),
            ("/beacon.js", page_of(b"text/javascript; charset=utf-8", beacon, now)),
        ]

    def _html(self, template: str, path: str, *, slots: bool = True, **values: Any) -> str:
        slots = slots and self._source.has_sponsors and not values.get("teaser")
        return (
            _environment()
            .get_template(template)
            .render(
                site=self._info,
                path=path,
                slots=slots,
                mark=slot_mark if slots else _no_mark,
                day=_day,
                **values,
            )
        )


def _index_path(number: int) -> str:
    return "/" if number <= 1 else f"/page/{number}"


def _no_mark(slot: SlotName) -> str:
    return ""


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"


@functools.cache
def _environment() -> Environment:
    from jinja2 import DictLoader, Environment, StrictUndefined, select_autoescape

    folder = resources.files("streams.content_monetization").joinpath("templates")
    sources = {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()}
    return Environment(
        loader=DictLoader(sources),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
