"""A newspaper under CC BY, with three feeds, each in another format and with the blemishes that feeds have."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import format_datetime
from html import escape
from typing import Final

import msgspec

from streams.sandbox.sites.chance import tick, tick_began
from streams.sandbox.sites.site import CC_BY, Site, SiteAnswer, html, links, redirect

SECTIONS: Final = ("city", "culture", "science")

_PERIOD_S: Final = 420
_SHOWN: Final = 10
_SUBJECTS: Final[Mapping[str, tuple[str, ...]]] = {
    "city": ("The council", "The harbour board", "A district court", "The tram company", "The water works"),
    "culture": ("The city theatre", "A young quartet", "The film house", "A travelling circus", "The print museum"),
    "science": (
        "A polar expedition",
        "The observatory",
        "A materials lab",
        "The marine station",
        "A team of botanists",
    ),
}
_DEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "city": ("approves the repair of", "postpones the sale of", "opens a second entrance to", "lowers the fees of"),
    "culture": ("opens its season at", "brings a lost score to", "fills every seat of", "moves its archive to"),
    "science": ("reports first results from", "measures a new low at", "extends its survey of", "corrects its map of"),
}
_PLACES: Final = (
    "the north pier",
    "the old exchange",
    "the botanic garden",
    "the ring road",
    "the east dock",
    "the hall",
)
_NAMES: Final = ("Ada Brandt", "Jon Ferrer", "Mina Okoye", "Piet Vos", "Sofie Lund")


class Article(msgspec.Struct, frozen=True):
    """An article. It never changes."""

    number: int
    section: str
    title: str
    author: str
    summary: str
    body: tuple[str, ...]
    published: datetime


class Gazette(Site):
    """Brings an article every seven minutes."""

    name = "gazette"
    title = "The Harbour Gazette"
    disallowed = ("/drafts/", "/search")
    crawl_delay_s = 0.25

    def page(self, path: str, query: Mapping[str, str], now: datetime, visits: int) -> SiteAnswer | None:
        """Return a feed, a section, or an article."""
        if path == "/":
            sections = [(f"/{section}", section.title()) for section in SECTIONS]
            return html(self.title, links([*sections, ("/drafts/next-week", "What we work on")]), licence=CC_BY)
        if path == "/city/feed.xml":
            return self._rss("city", now)
        if path == "/culture/atom.xml":
            return self._atom("culture", now)
        if path == "/science/feed.json":
            return self._json_feed("science", now)
        if path.startswith("/r/"):
            return redirect(f"/news/{path[3:]}")
        if path.startswith("/news/") and path[6:].isdigit():
            return self._article_page(int(path[6:]), now)
        if path[1:] in SECTIONS:
            listed = [(f"/r/{each.number}", each.title) for each in self.newest(path[1:], now)]
            return html(path[1:].title(), links([*listed, ("/drafts/next-week", "Drafts")]), licence=CC_BY)
        return None

    def newest(self, section: str, now: datetime) -> list[Article]:
        """Return a section's newest articles, the newest first."""
        last = tick(now, _PERIOD_S)
        numbers = (number for number in range(last, last - len(SECTIONS) * _SHOWN, -1))
        return [self.article(number) for number in numbers if SECTIONS[number % len(SECTIONS)] == section]

    def article(self, number: int) -> Article:
        """Return the article of a number; every number has one, once its time has come."""
        section = SECTIONS[number % len(SECTIONS)]
        pick = self.chance.pick
        subject = pick(_SUBJECTS[section], "subject", number)
        deed = pick(_DEEDS[section], "deed", number)
        place = pick(_PLACES, "place", number)
        days = 2 + self.chance.number(20, "days", number)
        share = 11 + self.chance.number(80, "share", number)
        return Article(
            number=number,
            section=section,
            title=f"{subject} {deed} {place}",
            author=pick(_NAMES, "author", number),
            summary=f"{subject} {deed} {place}; {share} of a hundred who were asked welcome it.",
            body=(
                f"{subject} {deed} {place}, as was announced on the steps of the exchange this week.",
                f"The work is to take {days} days. Of a hundred readers who were asked, {share} welcome it.",
                f"Those who live near {place} are invited to say what they think until the end of the month.",
            ),
            published=tick_began(number, _PERIOD_S),
        )

    def _article_page(self, number: int, now: datetime) -> SiteAnswer | None:
        if not 0 < number <= tick(now, _PERIOD_S):
            return None
        article = self.article(number)
        paragraphs = "".join(f"<p>{escape(text)}</p>" for text in article.body)
        body = (
            f'<article data-number="{number}"><p class="byline">By <span class="author">{article.author}</span>, '
            f'<time datetime="{article.published:%Y-%m-%dT%H:%M:%SZ}">{article.published:%d %B %Y}</time></p>'
            f'<p class="summary">{escape(article.summary)}</p><div class="text">{paragraphs}</div>'
            f'<p>More in <a class="section" href="/{article.section}">{article.section}</a></p></article>'
        )
        return html(article.title, body, licence=CC_BY, modified_at=article.published)

    def _rss(self, section: str, now: datetime) -> SiteAnswer:
        items = []
        for place, article in enumerate(self.newest(section, now)):
            guid = "" if place == 3 else f'<guid isPermaLink="false">gazette-{article.number}</guid>'
            date = "yesterday, late" if place == 5 else format_datetime(article.published)
            items.append(
                f"<item>{guid}<title>{escape(article.title)}</title><link>{self.base_url}/r/{article.number}</link>"
                f"<description>{escape(article.summary)}</description><dc:creator>{article.author}</dc:creator>"
                f"<pubDate>{date}</pubDate></item>"
            )
        items.append(items[0])  # the same entry twice, as happens
        text = (
            '<?xml version="1.0" encoding="iso-8859-1"?>\n<rss version="2.0" '
            'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:creativeCommons="http://backend.userland.com/creativeCommonsRssModule"><channel>'
            f"<title>{self.title} \N{MIDDLE DOT} {section}</title><link>{self.base_url}/{section}</link>"
            f"<description>News</description><creativeCommons:license>{CC_BY}</creativeCommons:license>"
            f"{''.join(items)}</channel></rss>\n"
        )
        return self._feed(text.encode("iso-8859-1"), "application/rss+xml", now)

    def _atom(self, section: str, now: datetime) -> SiteAnswer:
        articles = self.newest(section, now)
        entries = "".join(
            f"<entry><id>tag:gazette.example,2026:{article.number}</id><title>{escape(article.title)}</title>"
            f'<link href="/news/{article.number}"/><updated>{article.published:%Y-%m-%dT%H:%M:%SZ}</updated>'
            f"<published>{article.published:%Y-%m-%dT%H:%M:%SZ}</published>"
            f"<author><name>{article.author}</name></author><summary>{escape(article.summary)}</summary></entry>"
            for article in articles
        )
        text = (
            '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">'
            f"<id>{self.base_url}/{section}</id><title>{self.title}: {section}</title>"
            f'<link href="{self.base_url}/{section}"/><link rel="license" href="{CC_BY}"/>'
            f"<updated>{articles[0].published:%Y-%m-%dT%H:%M:%SZ}</updated>{entries}</feed>\n"
        )
        return self._feed(text.encode(), "application/atom+xml", now)

    def _json_feed(self, section: str, now: datetime) -> SiteAnswer:
        items = [
            {
                "id": f"{self.base_url}/news/{article.number}",
                "url": f"{self.base_url}/news/{article.number}?utm_source=feed",
                "title": article.title,
                "summary": article.summary,
                "content_text": " ".join(article.body),
                "date_published": (article.published + timedelta(seconds=1)).isoformat(),
                "authors": [{"name": article.author}],
            }
            for article in self.newest(section, now)
        ]
        feed = {
            "version": "https://jsonfeed.org/version/1.1",
            "title": f"{self.title}: {section}",
            "home_page_url": f"{self.base_url}/{section}",
            "items": items,
        }
        return self._feed(msgspec.json.encode(feed), "application/feed+json", now)

    def _feed(self, body: bytes, media_type: str, now: datetime) -> SiteAnswer:
        return SiteAnswer(media_type=media_type, body=body, modified_at=tick_began(tick(now, _PERIOD_S), _PERIOD_S))
