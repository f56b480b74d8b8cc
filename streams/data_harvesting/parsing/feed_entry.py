"""What a feed is made into, whatever format it had."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

import msgspec

from streams.data_harvesting.parsing.dates import DateProblem

FeedRejectedBecause: TypeAlias = Literal[
    "empty",
    "too_large",
    "not_a_feed",
    "malformed",
    "entity_bomb",
    "external_entity",
    "too_many_elements",
]
EntryRejectedBecause: TypeAlias = Literal["empty", "duplicate", "too_many", "malformed"]


class FeedRejected(Exception):
    """A document that is not taken as a feed.

    Attributes:
        reason: Why.
    """

    def __init__(self, reason: FeedRejectedBecause, detail: str) -> None:
        super().__init__(detail)
        self.reason: FeedRejectedBecause = reason


class Enclosure(msgspec.Struct, frozen=True):
    """A file that an entry comes with.

    Attributes:
        url: Absolute.
        media_type: As the feed says; empty without.
        length_bytes: As the feed says; None without, or where it is no number.
    """

    url: str
    media_type: str = ""
    length_bytes: int | None = None


class FeedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry.

    Attributes:
        id: Stable, and its own within the feed.
        id_from: Where the id is from: `given` by the feed; its canonical `link`, where the feed gives none, or the
            same to several; or a digest of its `content`, where there is no link either.
        link: Canonical; empty where it has none that is an http(s) URL.
        original_link: Absolute, as the feed says.
        title: Plain text.
        summary: Plain text.
        published: Aware UTC: when it was published, else updated; None where that is not known.
        published_problem: Why it is not known; empty where it is.
        author: Plain text.
        license: The address of its licence, else of the feed's; empty without.
        rights: What it, else the feed, says about rights, plain text.
        enclosures: Its files.
        language: A language tag; empty without.
    """

    id: str
    id_from: Literal["given", "link", "content"]
    link: str = ""
    original_link: str = ""
    title: str = ""
    summary: str = ""
    published: datetime | None = None
    published_problem: DateProblem = ""
    author: str = ""
    license: str = ""
    rights: str = ""
    enclosures: tuple[Enclosure, ...] = ()
    language: str = ""


class RejectedEntry(msgspec.Struct, frozen=True):
    """An entry that is not taken.

    Attributes:
        position: Its place in the feed, from 0.
        reason: Why: it has neither link nor text; it is there already; there are too many; it is no entry.
        detail: For people.
    """

    position: int
    reason: EntryRejectedBecause
    detail: str


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """A feed.

    Attributes:
        kind: Its format, `rss20`, `atom10`, `json11`; empty where it looks like none in particular.
        title: Plain text.
        link: Absolute; empty without.
        license: The address of its licence; empty without.
        rights: Plain text.
        language: A language tag; empty without.
        entries: In the feed's order.
        rejected: In the feed's order.
    """

    kind: str
    title: str = ""
    link: str = ""
    license: str = ""
    rights: str = ""
    language: str = ""
    entries: tuple[FeedEntry, ...] = ()
    rejected: tuple[RejectedEntry, ...] = ()
