"""What a site is made of: its settings' public part, its articles, and what stands beside them."""

from __future__ import annotations

from datetime import datetime

import msgspec

from streams.content_monetization.article import Article
from streams.content_monetization.rendered_text import RenderedText

FEED_ARTICLES = 20
"""Articles in a feed, the newest."""


class AffiliateLink(msgspec.Struct, frozen=True):
    """A link for which a merchant pays, of an instance of the fleet.

    Attributes:
        url: Where it leads.
        title: What is there.
        merchant: Who pays.
    """

    url: str
    title: str
    merchant: str


class SiteInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What every page says of its site.

    Attributes:
        title: The site's name.
        tagline: What it is about.
        author: Who answers for it.
        language: Its language.
        base_url: Where readers reach it, without a slash at the end.
        accent_hue: The colour of its links, degrees.
        page_size: Articles on a page of the index.
        article_price: What a member pays for an article, with its asset, for people.
        ads_txt: Further lines of `/ads.txt`.
    """

    title: str
    tagline: str
    author: str
    language: str
    base_url: str
    accent_hue: int
    page_size: int
    article_price: str
    ads_txt: tuple[str, ...]


class ReadyArticle(msgspec.Struct, frozen=True):
    """An article with its text as HTML, and its affiliate links."""

    article: Article
    text: RenderedText
    links: tuple[AffiliateLink, ...] = ()

    @property
    def updated(self) -> datetime:
        """When it was last changed."""
        return self.article.updated
