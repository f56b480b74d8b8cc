"""Digests of content, the same for as long as what a reader sees is the same."""

from __future__ import annotations

import asyncio
import hashlib
import re
from typing import TYPE_CHECKING, Final

import msgspec

from streams.data_harvesting.parsing.documents import HTML_TYPES, decoded, is_light

if TYPE_CHECKING:
    from streams.data_harvesting.fetching.outcome import Page

_SPACE: Final = re.compile(r"\s+")
_TEXT: Final = ("text/", "application/xml", "application/rss+xml", "application/atom+xml", "application/rdf+xml")
_JSON: Final = re.compile(r"application/(?:[\w.-]+\+)?json")
# When a feed was made says nothing of what is in it.
_FEED_BUILT: Final = re.compile(
    r"<lastBuildDate>[^<]*</lastBuildDate>|<generator[^>]*>[^<]*</generator>", re.IGNORECASE
)
_UNSEEN: Final = ["script", "style", "noscript", "template", "iframe", "svg"]


async def page_digest(page: Page) -> str:
    """Return the digest of a fetched page; where that takes longer it is computed in a thread."""
    if is_light(page.body):
        return content_digest(page.body, page.media_type, page.charset)
    return await asyncio.to_thread(content_digest, page.body, page.media_type, page.charset)


def content_digest(body: bytes, media_type: str, charset: str = "") -> str:
    """Return the SHA-256 of normalised content, hexadecimal.

    Of HTML that is title and visible text with the targets of links; of JSON its value, whatever the order of
    members; of other text its words; of anything else its bytes.

    Args:
        body: The content.
        media_type: Lower case, without parameters.
        charset: Of the Content-Type header; empty without.
    """
    return hashlib.sha256(_normalised(body, media_type, charset)).hexdigest()


def _normalised(body: bytes, media_type: str, charset: str) -> bytes:
    if media_type in HTML_TYPES:
        return _visible(body, charset).encode("utf-8", "replace")
    if _JSON.fullmatch(media_type):
        try:
            return msgspec.json.encode(msgspec.json.decode(body), order="sorted")
        except (msgspec.DecodeError, RecursionError):
            return body
    if media_type.startswith(_TEXT):
        return _SPACE.sub(" ", _FEED_BUILT.sub("", decoded(body, charset))).strip().encode("utf-8", "surrogatepass")
    return body


def _visible(body: bytes, charset: str) -> str:
    from streams.data_harvesting.parsing.pages import PageRejected, parse_html

    try:
        tree = parse_html(body, charset)
    except PageRejected:
        return decoded(body, charset)
    tree.strip_tags(_UNSEEN)
    title = tree.css_first("title")
    text = tree.body.text(separator=" ") if tree.body is not None else ""
    targets = (node.attributes.get("href") or "" for node in tree.css("a[href]"))
    return _SPACE.sub(" ", "\n".join((title.text() if title is not None else "", text, *targets))).strip()
