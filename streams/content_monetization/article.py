"""Articles: Markdown with a head in TOML.

+++
title = "How to prune an apple tree"
summary = "Three cuts, in February."
published = 2025-02-01
+++
The text, in Markdown.
"""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, date, datetime, time
from functools import cached_property
from hashlib import sha256
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec

from actors import Refusal

Origin: TypeAlias = Literal["starter", "file", "dataset"]

MAX_ARTICLE_BYTES: Final = 256 * 1024

_SLUG: Final = r"^[a-z0-9]+(-[a-z0-9]+)*$"
_FENCE: Final = "+++"
# What XML cannot hold: a feed with one such character is none.
_UNWRITABLE: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Slug = Annotated[str, msgspec.Meta(pattern=_SLUG, max_length=80)]


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands above an article.

    Attributes:
        title: Its title.
        published: When it appears, a date (midnight UTC) or a time; not shown before.
        summary: What it says, in a sentence or two.
        updated: When it was last changed; `published` where absent.
        author: Who wrote it; the site's author where empty.
        tags: What it is about.
        members: Whether only members read it.
    """

    title: Annotated[str, msgspec.Meta(min_length=1, max_length=160)]
    published: datetime
    summary: Annotated[str, msgspec.Meta(max_length=400)] = ""
    updated: datetime | None = None
    author: Annotated[str, msgspec.Meta(max_length=80)] = ""
    tags: Annotated[
        tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=40)], ...], msgspec.Meta(max_length=20)
    ] = ()
    members: bool = False


# Met here, at import, by one thread: msgspec crashes the process where two threads meet a type for the first time at
# once, and instances that start together read their articles in threads.
msgspec.json.Decoder(Head)


class Article(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """An article, before it is a page.

    Attributes:
        slug: Its name in addresses.
        title: Its title.
        summary: What it says, in a sentence or two.
        published: When it appears, UTC.
        updated: When it was last changed, UTC.
        author: Who wrote it; the site's author where empty.
        tags: What it is about.
        members: Whether only members read it.
        text: Markdown.
        origin: Where it comes from.
    """

    slug: Slug
    title: str
    summary: str
    published: datetime
    updated: datetime
    author: str = ""
    tags: tuple[str, ...] = ()
    members: bool = False
    text: str
    origin: Origin = "file"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all that it says, hexadecimal."""
        return sha256(msgspec.json.encode(self)).hexdigest()

    @property
    def path(self) -> str:
        """Where it stands on the site."""
        return f"/articles/{self.slug}"


class NotAnArticle(Refusal):
    """A file or a text that is no article: says what is wrong, and what would be right."""

    rpc_code = -32602

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name


def parse_article(slug: str, source: str, origin: Origin = "file") -> Article:
    """Return the article that a text with a head is.

    Raises:
        NotAnArticle: It is none.
    """
    if re.fullmatch(_SLUG, slug) is None or len(slug) > 80:
        raise NotAnArticle(slug[:80], "a slug is made of small letters, digits and single hyphens, at most 80")
    if len(source.encode("utf-8", "surrogatepass")) > MAX_ARTICLE_BYTES:
        raise NotAnArticle(slug, f"an article is at most {MAX_ARTICLE_BYTES} bytes")
    lines = _UNWRITABLE.sub("", source.removeprefix("\ufeff")).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if lines[0].strip() != _FENCE or _FENCE not in (stripped := [line.strip() for line in lines[1:]]):
        raise NotAnArticle(slug, f"begin with a line {_FENCE}, title and published in TOML, and another line {_FENCE}")
    end = stripped.index(_FENCE) + 1
    try:
        values = tomllib.loads("\n".join(lines[1:end]))
        head = msgspec.convert({name: _plain(value) for name, value in values.items()}, Head)
    except (tomllib.TOMLDecodeError, msgspec.MsgspecError) as error:
        raise NotAnArticle(slug, f"its head: {error}") from None
    published = head.published
    return Article(
        slug=slug,
        title=head.title,
        summary=head.summary,
        published=published,
        updated=max(published, head.updated or published),
        author=head.author,
        tags=head.tags,
        members=head.members,
        text="\n".join(lines[end + 1 :]).strip("\n"),
        origin=origin,
    )


def writable(text: str) -> str:
    """Return a text without the characters that no feed can hold."""
    return _UNWRITABLE.sub("", text)


def _plain(value: Any) -> Any:
    """Return a value of TOML as a head holds it: times in UTC, texts without what can be written in escapes only."""
    if isinstance(value, str):
        return writable(value).strip()
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return datetime.combine(value, time(), UTC) if isinstance(value, date) else value
