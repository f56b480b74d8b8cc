"""Keeps a site up to date with what it is made of: starter articles, files, harvested data, affiliate links."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from config.saving import write_atomically
from streams.content_monetization.article import Article
from streams.content_monetization.article_files import OwnArticles, own_articles, starters
from streams.content_monetization.neighbour_sources import NeighbourSources, links_of
from streams.content_monetization.settings import ContentMonetizationSettings
from streams.content_monetization.site_builder import Build, SiteSource, Stamps, build
from streams.content_monetization.site_source import SiteInfo
from streams.stream import StreamContext

STAMPS_FILE: Final = "site.json"

_STAMPS: Final = msgspec.json.Decoder(dict[str, tuple[str, datetime]])


class Newsroom:
    """Builds the site of one instance, and builds it anew when something has changed.

    Args:
        context: The instance's context.
        sources: What comes from its neighbours.
    """

    def __init__(self, context: StreamContext[ContentMonetizationSettings], sources: NeighbourSources) -> None:
        self._context = context
        self._settings = context.settings
        self._sources = sources
        self._own = OwnArticles()
        self._build: Build | None = None
        self._building = asyncio.Lock()
        self._base_url = ""

    @property
    def site(self) -> Build:
        """The site as it is served; there is one after `open`."""
        if self._build is None:
            raise RuntimeError("the site is not built yet")
        return self._build

    @property
    def rejected(self) -> dict[str, str]:
        """Articles that are not on the site, by name, and why."""
        return {**self._own.rejected, **(self._build.rejected if self._build is not None else {})}

    async def open(self, base_url: str) -> None:
        """Build the site for the first time in this life.

        Args:
            base_url: Where readers reach it, without a slash at the end.
        """
        self._base_url = base_url
        known = await asyncio.to_thread(_read_stamps, self._context.directory / STAMPS_FILE)
        await self.refresh(known)

    async def refresh(self, known: Stamps | None = None) -> None:
        """Build the site anew, if anything that it is made of has changed. What cannot be read stays as it was."""
        async with self._building:
            now = self._context.now()
            directory = self._context.directory
            try:
                self._own = await asyncio.to_thread(own_articles, directory, self._own)
            except OSError as error:
                self._context.log.warning("site.files_unreadable", reason=str(error))
            source = await asyncio.to_thread(self._source)
            former = self._build
            is_due = former is not None and former.next_at is not None and former.next_at <= now
            if former is not None and source == former.source and not is_due:
                return
            async with self._context.share.errands.turn():
                self._build = made = await asyncio.to_thread(build, source, now, former, known)
            try:
                await asyncio.to_thread(write_atomically, directory / STAMPS_FILE, msgspec.json.encode(made.stamps))
            except OSError as error:
                # The next life dates what has changed by its articles; readers of this one lose nothing.
                self._context.log.warning("site.dates_not_kept", reason=str(error))
            self._context.log.info("site.built", pages=len(made.pages), rejected=len(self.rejected))

    def _source(self) -> SiteSource:
        settings = self._settings
        articles: Sequence[Article] = (
            *starters(settings.topic),
            *(used.article for used in self._sources.taken.datasets),
            *self._own.articles,
        )
        links = {
            article.slug: found
            for article in articles
            if (found := links_of(article, self._sources.taken.links, settings.affiliate_links))
        }
        return SiteSource(
            info=SiteInfo(
                title=settings.title,
                tagline=settings.tagline,
                author=settings.author,
                language=settings.language,
                base_url=self._base_url,
                accent_hue=settings.accent_hue,
                page_size=settings.page_size,
                article_price=f"{settings.article_price} {settings.asset}",
                ads_txt=settings.ads_txt,
            ),
            articles=tuple(articles),
            links=links,
            has_sponsors=bool(settings.contracts),
            view_after_ms=int(settings.view_after_s * 1000),
        )


def _read_stamps(file: Path) -> Stamps:
    try:
        return _STAMPS.decode(file.read_bytes())
    except (OSError, msgspec.MsgspecError):
        # Without them, pages are dated by their articles.
        return {}
