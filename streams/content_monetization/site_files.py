"""The files of a site that machines read: sitemap, robots.txt, ads.txt, and the structured data of pages."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from streams.content_monetization.site_source import ReadyArticle, SiteInfo

SITEMAP: Final = "http://www.sitemaps.org/schemas/sitemap/0.9"
MAX_SITEMAP_URLS: Final = 50_000

_ADDRESS: Final = re.compile(r"[0-9.]+|.*:.*")

# Says that nobody else may sell this site's space (IAB Tech Lab, ads.txt 1.1, section 3.2.1).
_NOBODY: Final = "placeholder.example.com, placeholder, DIRECT, placeholder"


def sitemap(site: SiteInfo, paths: Sequence[tuple[str, datetime]]) -> str:
    """Return the sitemap of pages, by path and last change."""
    root = ET.Element("urlset", {"xmlns": SITEMAP})
    for path, modified in paths[:MAX_SITEMAP_URLS]:
        url = ET.SubElement(root, "url")
        ET.SubElement(url, "loc").text = site.base_url + path
        ET.SubElement(url, "lastmod").text = modified.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode")


def robots_txt(site: SiteInfo) -> str:
    """Return the rules for crawlers: everything but links of sponsors, and what only members read."""
    return f"User-agent: *\nDisallow: /go/\nDisallow: /members/\nAllow: /\n\nSitemap: {site.base_url}/sitemap.xml\n"


def ads_txt(site: SiteInfo) -> str:
    """Return who may sell this site's space: direct contracts need no line, networks have theirs in the settings."""
    lines = [f"# {site.title}: sponsors have direct contracts"]
    host = urlsplit(site.base_url).hostname or ""
    if not _ADDRESS.fullmatch(host):
        lines.append(f"OWNERDOMAIN={host}")
    return "\n".join([*lines, *(site.ads_txt or (_NOBODY,))]) + "\n"


def index_data(site: SiteInfo) -> str:
    """Return the structured data of the index, JSON-LD that may stand in HTML."""
    return _json_ld(
        {
            "@context": "https://schema.org",
            "@type": "WebSite",
            "name": site.title,
            "description": site.tagline,
            "url": f"{site.base_url}/",
            "inLanguage": site.language,
            "publisher": {"@type": "Organization", "name": site.title, "url": f"{site.base_url}/"},
        }
    )


def article_data(site: SiteInfo, each: ReadyArticle) -> str:
    """Return the structured data of an article, JSON-LD that may stand in HTML."""
    article = each.article
    url = site.base_url + article.path
    data: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "Article",
        "headline": article.title[:110],
        "description": article.summary,
        "datePublished": article.published.isoformat(),
        "dateModified": article.updated.isoformat(),
        "author": {"@type": "Person" if article.author else "Organization", "name": article.author or site.author},
        "publisher": {"@type": "Organization", "name": site.title, "url": f"{site.base_url}/"},
        "mainEntityOfPage": {"@type": "WebPage", "@id": url},
        "url": url,
        "inLanguage": site.language,
        "keywords": list(article.tags),
        "isAccessibleForFree": not article.members,
    }
    if article.members:
        data["hasPart"] = {"@type": "WebPageElement", "isAccessibleForFree": False, "cssSelector": ".members-only"}
    return _json_ld(data)


def _json_ld(data: dict[str, Any]) -> str:
    # A script element ends at the first `</`, whatever the JSON around it says.
    return msgspec.json.encode(data).decode().replace("<", "\\u003c").replace("&", "\\u0026")
