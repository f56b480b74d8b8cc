"""The article of a page, through trafilatura. It takes 10 to 140 ms: only ever in a thread."""

from __future__ import annotations

import functools
import logging
from datetime import datetime
from types import ModuleType

import msgspec

from streams.data_harvesting.parsing.dates import checked, from_iso
from streams.data_harvesting.parsing.pages import parse_html
from streams.data_harvesting.parsing.text import plain_text

_MAX_TEXT: int = 200_000


class ReadableText(msgspec.Struct, frozen=True):
    """An article.

    Attributes:
        title: Plain text; empty without, as the others are.
        author: Plain text.
        published: The day of publication, its beginning, UTC; None where it is not known.
        description: Plain text.
        text: Its paragraphs, a line each.
    """

    title: str
    author: str
    published: datetime | None
    description: str
    text: str


def readable_text(body: bytes, *, url: str, charset: str = "", now: datetime) -> ReadableText | None:
    """Return the article of a page; None where it has none. Blocks.

    Args:
        body: The page.
        url: Its address.
        charset: Of its header.
        now: The time, aware UTC; nothing was published later.

    Raises:
        PageRejected: It is too large, or made to be.
    """
    html = parse_html(body, charset).html or ""
    document = _trafilatura().bare_extraction(
        html,
        url=url,
        fast=True,
        with_metadata=True,
        include_comments=False,
        date_extraction_params={
            "original_date": True,
            "extensive_search": False,
            "max_date": now.date().isoformat(),
        },
    )
    text = (document.text or "").strip()[:_MAX_TEXT] if document is not None else ""
    if not text:
        return None
    published, _ = checked(from_iso(document.date or ""), document.date or "", now)
    return ReadableText(
        title=plain_text(document.title or "", 500),
        author=plain_text(document.author or "", 200),
        published=published,
        description=plain_text(document.description or "", 2000),
        text=text,
    )


@functools.cache
def _trafilatura() -> ModuleType:
    import trafilatura

    # A page without an article is an answer here, not an event for the operator's log.
    for name in ("trafilatura", "htmldate", "courlan"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return trafilatura
