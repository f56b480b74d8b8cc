"""What a reader sees of a page: articles to go to, sponsors to look at, links that are advertised."""

from __future__ import annotations

import re
from html import unescape
from typing import Final

import msgspec

_TOKEN: Final = re.compile(r'data-token="([^"]{1,512})"')
_ARTICLE: Final = re.compile(r'href="/articles/([a-z0-9-]{1,80})"')
_MEMBERS: Final = re.compile(r'action="/members/([a-z0-9-]{1,80})"')
_ADVERTISED: Final = re.compile(r'rel="sponsored nofollow noopener" href="(http[^"]{1,500})"')


class Seen(msgspec.Struct, frozen=True):
    """A page, as far as it matters to a reader.

    Attributes:
        articles: The slugs of the articles that it leads to.
        tokens: The tokens of its sponsors.
        for_members: The slug of the article that it sells; empty where it sells none.
        advertised: Affiliate links.
    """

    articles: tuple[str, ...]
    tokens: tuple[str, ...]
    for_members: str
    advertised: tuple[str, ...]


def look_at(html: str) -> Seen:
    """Return what a reader sees."""
    members = _MEMBERS.search(html)
    return Seen(
        articles=tuple(dict.fromkeys(_ARTICLE.findall(html))),
        tokens=tuple(_TOKEN.findall(html)),
        for_members=members[1] if members else "",
        advertised=tuple(map(unescape, _ADVERTISED.findall(html))),
    )
