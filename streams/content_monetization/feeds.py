"""The feeds of a site: RSS 2.0, Atom (RFC 4287) and JSON Feed 1.1, of the same articles."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Final

import msgspec

from streams.content_monetization.site_source import ReadyArticle, SiteInfo

RSS_PATH: Final = "/feed.xml"
ATOM_PATH: Final = "/atom.xml"
JSON_PATH: Final = "/feed.json"

ATOM: Final = "http://www.w3.org/2005/Atom"
CONTENT: Final = "http://purl.org/rss/1.0/modules/content/"
DC: Final = "http://purl.org/dc/elements/1.1/"

_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)


def latest(articles: Sequence[ReadyArticle]) -> datetime:
    """Return when the newest change was; a fixed day where there is no article."""
    return max((each.updated for each in articles), default=_EPOCH)


def rss(site: SiteInfo, articles: Sequence[ReadyArticle]) -> str:
    """Return the RSS 2.0 feed."""
    root = ET.Element("rss", {"version": "2.0", "xmlns:atom": ATOM, "xmlns:content": CONTENT, "xmlns:dc": DC})
    channel = ET.SubElement(root, "channel")
    _add(channel, "title", site.title)
    _add(channel, "link", f"{site.base_url}/")
    _add(channel, "description", site.tagline or site.title)
    _add(channel, "language", site.language)
    _add(channel, "lastBuildDate", format_datetime(latest(articles), usegmt=True))
    _add(channel, "docs", "https://www.rssboard.org/rss-specification")
    ET.SubElement(
        channel, "atom:link", {"href": site.base_url + RSS_PATH, "rel": "self", "type": "application/rss+xml"}
    )
    for each in articles:
        article = each.article
        item = ET.SubElement(channel, "item")
        url = site.base_url + article.path
        _add(item, "title", article.title)
        _add(item, "link", url)
        _add(item, "guid", url, isPermaLink="true")
        _add(item, "pubDate", format_datetime(article.published, usegmt=True))
        _add(item, "dc:creator", article.author or site.author)
        for tag in article.tags:
            _add(item, "category", tag)
        _add(item, "description", article.summary or article.title)
        if not article.members:
            _add(item, "content:encoded", each.text.html)
    return _document(root)


def atom(site: SiteInfo, articles: Sequence[ReadyArticle]) -> str:
    """Return the Atom feed."""
    root = ET.Element("feed", {"xmlns": ATOM, "xml:lang": site.language})
    _add(root, "id", f"{site.base_url}/")
    _add(root, "title", site.title)
    if site.tagline:
        _add(root, "subtitle", site.tagline)
    _add(root, "updated", _rfc3339(latest(articles)))
    _add(ET.SubElement(root, "author"), "name", site.author)
    ET.SubElement(root, "link", {"rel": "alternate", "type": "text/html", "href": f"{site.base_url}/"})
    ET.SubElement(root, "link", {"rel": "self", "type": "application/atom+xml", "href": site.base_url + ATOM_PATH})
    for each in articles:
        article = each.article
        entry = ET.SubElement(root, "entry")
        url = site.base_url + article.path
        _add(entry, "id", url)
        _add(entry, "title", article.title)
        _add(entry, "published", _rfc3339(article.published))
        _add(entry, "updated", _rfc3339(article.updated))
        if article.author:
            _add(ET.SubElement(entry, "author"), "name", article.author)
        ET.SubElement(entry, "link", {"rel": "alternate", "type": "text/html", "href": url})
        for tag in article.tags:
            ET.SubElement(entry, "category", {"term": tag})
        _add(entry, "summary", article.summary or article.title)
        if not article.members:
            _add(entry, "content", each.text.html, type="html")
    return _document(root)


def json_feed(site: SiteInfo, articles: Sequence[ReadyArticle]) -> str:
    """Return the JSON Feed."""
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": site.title,
        "description": site.tagline,
        "home_page_url": f"{site.base_url}/",
        "feed_url": site.base_url + JSON_PATH,
        "language": site.language,
        "authors": [{"name": site.author}],
        "items": [_json_item(site, each) for each in articles],
    }
    return msgspec.json.encode(feed).decode()


def _json_item(site: SiteInfo, each: ReadyArticle) -> dict[str, Any]:
    article = each.article
    url = site.base_url + article.path
    item: dict[str, Any] = {
        "id": url,
        "url": url,
        "title": article.title,
        "summary": article.summary,
        "date_published": _rfc3339(article.published),
        "date_modified": _rfc3339(article.updated),
        "authors": [{"name": article.author or site.author}],
        "tags": list(article.tags),
    }
    # An item needs one of the two; of what only members read, the summary is all there is.
    return item | ({"content_text": article.summary} if article.members else {"content_html": each.text.html})


def _add(parent: ET.Element, name: str, text: str, **attributes: str) -> None:
    ET.SubElement(parent, name, attributes).text = text


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _document(root: ET.Element) -> str:
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode")
