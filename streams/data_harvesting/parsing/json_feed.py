"""JSON Feed (jsonfeed.org), versions 1 and 1.1, and what calls itself so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import msgspec

from streams.data_harvesting.fetching.urls import absolute_url
from streams.data_harvesting.parsing.dates import from_iso
from streams.data_harvesting.parsing.feed_draft import MAX_NAME, MAX_SUMMARY, MAX_TITLE, Draft, Entries
from streams.data_harvesting.parsing.feed_entry import Feed, FeedRejected
from streams.data_harvesting.parsing.text import plain_text, text_of_html

_VERSION: Final = re.compile(r"(?:https?://(?:www\.)?jsonfeed\.org/version/)?(1(?:\.[01])?)/?")


def parse_json_feed(text: str, *, url: str, now: datetime) -> Feed:
    """Read a JSON Feed. Members of a wrong type are as if they were not there.

    Raises:
        FeedRejected: It is not one.
    """
    try:
        document = msgspec.json.decode(text.encode("utf-8", "replace"))
    except (msgspec.DecodeError, RecursionError) as error:
        raise FeedRejected("malformed", f"is not JSON: {error}") from None
    version = _VERSION.fullmatch(_text(document, "version", MAX_NAME))
    if version is None or not isinstance(document.get("items"), list):
        raise FeedRejected("not_a_feed", "is JSON, but not a JSON Feed")
    language = _text(document, "language", MAX_NAME)
    home = absolute_url(url, _text(document, "home_page_url", MAX_SUMMARY)) or ""
    author = _author(document)
    entries = Entries(url, now, license="", rights="", language=language)
    entries.take(_draft(item, author) for item in document["items"])
    return Feed(
        kind="json11" if version[1] == "1.1" else "json1",
        title=_text(document, "title", MAX_TITLE),
        link=home,
        language=language,
        entries=tuple(entries.taken),
        rejected=tuple(entries.rejected),
    )


def _draft(item: Any, author: str) -> Draft | None:
    if not isinstance(item, dict):
        return None
    summary = _text(item, "summary", MAX_SUMMARY) or _text(item, "content_text", MAX_SUMMARY)
    if not summary and isinstance(html := item.get("content_html"), str):
        summary = text_of_html(html, MAX_SUMMARY)
    raw_date = _text(item, "date_published", MAX_NAME) or _text(item, "date_modified", MAX_NAME)
    return Draft(
        id=_text(item, "id", MAX_SUMMARY),
        link=_text(item, "url", MAX_SUMMARY) or _text(item, "external_url", MAX_SUMMARY),
        title=_text(item, "title", MAX_TITLE),
        summary=summary,
        author=_author(item) or author,
        date=from_iso(raw_date),
        raw_date=raw_date,
        language=_text(item, "language", MAX_NAME),
        enclosures=list(_enclosures(item)),
    )


def _enclosures(item: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    attachments = item.get("attachments")
    for each in attachments if isinstance(attachments, list) else ():
        if isinstance(each, dict):
            yield (
                _text(each, "url", MAX_SUMMARY),
                _text(each, "mime_type", MAX_NAME),
                _text(each, "size_in_bytes", MAX_NAME),
            )


def _author(holder: dict[str, Any]) -> str:
    authors = holder.get("authors")
    first = authors[0] if isinstance(authors, list) and authors else holder.get("author")
    return _text(first, "name", MAX_NAME)


def _text(holder: Any, name: str, limit: int) -> str:
    value = holder.get(name) if isinstance(holder, dict) else None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = f"{value:.0f}" if value == value // 1 else str(value)  # ids that are numbers, as the standard tells
    return plain_text(value, limit) if isinstance(value, str) else ""
