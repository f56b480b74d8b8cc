"""Feeds of all formats."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from streams.data_harvesting.parsing.documents import decoded
from streams.data_harvesting.parsing.feed_entry import Enclosure, Feed, FeedEntry, FeedRejected, RejectedEntry
from streams.data_harvesting.parsing.json_feed import parse_json_feed
from streams.data_harvesting.parsing.xml_feed import parse_xml_feed

__all__ = ["MAX_FEED_BYTES", "Enclosure", "Feed", "FeedEntry", "FeedRejected", "RejectedEntry", "parse_feed"]

MAX_FEED_BYTES: Final = 8 * 1024 * 1024


def parse_feed(body: bytes, *, url: str, media_type: str = "", charset: str = "", now: datetime) -> Feed:
    """Read a feed. Blocks: milliseconds for a small one, a second for the largest; belongs in a thread.

    Args:
        body: The document.
        url: Its address.
        media_type: Of its header; what it looks like counts for more.
        charset: Of its header.
        now: The time, aware UTC; dates are measured by it.

    Raises:
        FeedRejected: It is not a feed, or one that is not taken; says why.
    """
    if len(body) > MAX_FEED_BYTES:
        raise FeedRejected("too_large", f"larger than {MAX_FEED_BYTES} bytes")
    text = decoded(body, charset)
    start = text.lstrip("\ufeff \t\r\n")[:1]
    if not start:
        raise FeedRejected("empty", "has nothing in it")
    if start in "{[" and "xml" not in media_type:
        return parse_json_feed(text, url=url, now=now)
    return parse_xml_feed(text, url=url, now=now)
