"""Entries as a format gives them, and the rules that all formats share: ids, links, dates, duplicates, bounds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Final, Literal

import msgspec

from streams.data_harvesting.fetching.urls import UrlError, absolute_url, canonical_url
from streams.data_harvesting.parsing.dates import checked
from streams.data_harvesting.parsing.feed_entry import Enclosure, FeedEntry, RejectedEntry
from streams.data_harvesting.parsing.text import plain_text

MAX_ENTRIES: Final = 5_000
MAX_TITLE: Final = 500
MAX_SUMMARY: Final = 20_000
MAX_NAME: Final = 200

_MAX_ID: Final = 500
_MAX_ENCLOSURES: Final = 20


class Draft(msgspec.Struct, kw_only=True):
    """An entry, as its format gives it; texts are plain already.

    Attributes:
        id: As given.
        link: As given, perhaps relative.
        date: Read; None where it could not be.
        raw_date: As given.
        enclosures: Address, media type and length, as given.
    """

    id: str = ""
    link: str = ""
    title: str = ""
    summary: str = ""
    author: str = ""
    date: datetime | None = None
    raw_date: str = ""
    license: str = ""
    rights: str = ""
    language: str = ""
    enclosures: list[tuple[str, str, str]] = []


class Entries:
    """Takes drafts, in the feed's order.

    Args:
        url: The feed's address, which relative links are relative to.
        now: The time, aware UTC.
        license: The feed's licence.
        rights: What the feed says about rights.
        language: The feed's language.
    """

    def __init__(self, url: str, now: datetime, *, license: str, rights: str, language: str) -> None:  # noqa: A002
        self._url = url
        self._now = now
        self._license = license
        self._rights = rights
        self._language = language
        self._ids: set[str] = set()
        self._links: set[str] = set()
        self.taken: list[FeedEntry] = []
        self.rejected: list[RejectedEntry] = []

    def take(self, drafts: Iterable[Draft | None]) -> None:
        """Take drafts; None stands for what is no entry at all."""
        for position, draft in enumerate(drafts):
            if len(self.taken) >= MAX_ENTRIES:
                self.rejected.append(RejectedEntry(position, "too_many", f"more than {MAX_ENTRIES} entries"))
                return
            if draft is None:
                self.rejected.append(RejectedEntry(position, "malformed", "is no entry"))
            else:
                self._take(position, draft)

    def _take(self, position: int, draft: Draft) -> None:
        original = absolute_url(self._url, draft.link) or ""
        link = _canonical(original)
        if not (link or draft.title or draft.summary):
            self.rejected.append(RejectedEntry(position, "empty", "has neither link nor title nor text"))
            return
        found = self._id_of(draft, link)
        if found is None:
            self.rejected.append(RejectedEntry(position, "duplicate", f"{draft.id or link} is there already"[:300]))
            return
        entry_id, id_from = found
        self._ids.add(entry_id)
        self._links.add(link)
        published, problem = checked(draft.date, draft.raw_date, self._now)
        self.taken.append(
            FeedEntry(
                id=entry_id,
                id_from=id_from,
                link=link,
                original_link=original,
                title=draft.title,
                summary=draft.summary,
                published=published,
                published_problem=problem,
                author=draft.author,
                license=absolute_url(self._url, draft.license) or self._license,
                rights=draft.rights or self._rights,
                enclosures=tuple(self._enclosures(draft)),
                language=draft.language or self._language,
            )
        )

    def _id_of(self, draft: Draft, link: str) -> tuple[str, Literal["given", "link", "content"]] | None:
        given = plain_text(draft.id, _MAX_ID * 4)
        if len(given) > _MAX_ID:
            given = f"sha256:{hashlib.sha256(given.encode()).hexdigest()}"
        if given and given not in self._ids:
            return given, "given"
        if link:
            # Feeds that give all entries one id are told apart by their links.
            return None if link in self._links or link in self._ids else (link, "link")
        if given:
            return None
        content = "\0".join((draft.title, draft.summary, draft.raw_date)).encode("utf-8", "replace")
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        return None if digest in self._ids else (digest, "content")

    def _enclosures(self, draft: Draft) -> Iterable[Enclosure]:
        for address, media_type, length in draft.enclosures[:_MAX_ENCLOSURES]:
            if (url := absolute_url(self._url, address)) is not None:
                size = int(length) if length.isascii() and length.isdigit() and len(length) <= 15 else None
                yield Enclosure(url, plain_text(media_type, MAX_NAME).lower(), size)


def _canonical(url: str) -> str:
    try:
        return canonical_url(url) if url else ""
    except UrlError:
        return ""
