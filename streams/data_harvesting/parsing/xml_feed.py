"""RSS of all kinds and Atom, through feedparser, which has seen them all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from io import BytesIO
from typing import Any, Final

from streams.data_harvesting.fetching.urls import absolute_url
from streams.data_harvesting.parsing.dates import from_fields
from streams.data_harvesting.parsing.feed_draft import MAX_NAME, MAX_SUMMARY, MAX_TITLE, Draft, Entries
from streams.data_harvesting.parsing.feed_entry import Feed, FeedRejected
from streams.data_harvesting.parsing.text import plain_text, text_of_html
from streams.data_harvesting.parsing.xml_guard import XmlWeapon, guard

_DECLARATION: Final = re.compile(r"<\?xml[^>]{0,500}\?>")
_FIRST_ELEMENT: Final = re.compile(r"<[A-Za-z_:]")
_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)
_SPACE: Final = re.compile(r"\s{2,}")
_DATES: Final = ("published", "updated", "created")


def parse_xml_feed(text: str, *, url: str, now: datetime) -> Feed:
    """Read an RSS or Atom feed.

    Args:
        text: The document, decoded.
        url: Its address.
        now: The time, aware UTC.

    Raises:
        FeedRejected: It is not one, or a weapon.
    """
    import feedparser  # type: ignore[import-untyped]

    try:
        guard(text)
    except XmlWeapon as weapon:
        raise FeedRejected(weapon.reason, str(weapon)) from None
    try:
        parsed = feedparser.parse(
            BytesIO(_prepared(text).encode("utf-8", "replace")),
            response_headers={"content-type": "application/xml; charset=utf-8"},
            sanitize_html=False,  # all texts are made plain
            resolve_relative_uris=False,  # links are made absolute here
        )
    except Exception as error:
        raise FeedRejected("malformed", f"cannot be parsed: {type(error).__name__}") from error
    head, items = parsed["feed"], parsed["entries"]
    if not items and not parsed["version"]:
        raise FeedRejected("not_a_feed", "is neither RSS nor Atom")
    if not items and parsed["bozo"] and not head:
        raise FeedRejected("malformed", f"is broken: {parsed['bozo_exception']}"[:300])
    license_ = absolute_url(url, _license(head)) or ""
    rights = plain_text(_string(head, "rights"), MAX_TITLE)
    language = plain_text(_string(head, "language"), MAX_NAME)
    entries = Entries(url, now, license=license_, rights=rights, language=language)
    # RSS has no types: its texts are HTML, as all of its readers take them. Atom says what its texts are.
    says_types = str(parsed["version"]).startswith("atom")
    entries.take(_draft(item, says_types=says_types) for item in items)
    return Feed(
        kind=str(parsed["version"]),
        title=_readable(head, "title", MAX_TITLE),
        link=absolute_url(url, _string(head, "link")) or "",
        license=license_,
        rights=rights,
        language=language,
        entries=tuple(entries.taken),
        rejected=tuple(entries.rejected),
    )


def _prepared(text: str) -> str:
    """Return the document as its parser reads it best.

    Without its declaration, as it is UTF-8 from here on whatever it says; and what comes before its first element
    without comments, with each declaration at the beginning of a line, and no space that takes long to skip.
    """
    text = text.lstrip("\ufeff \t\r\n")
    declaration = _DECLARATION.match(text)
    if declaration is not None:
        text = text[declaration.end() :]
    start = _FIRST_ELEMENT.search(text)
    if start is None or start.start() == 0:
        return text
    prolog = _SPACE.sub("\n", _COMMENT.sub("", text[: start.start()]).replace("<!", "\n<!"))
    return prolog + text[start.start() :]


def _draft(item: Any, *, says_types: bool) -> Draft:
    date, raw_date = None, ""
    for name in _DATES:
        raw = _string(item, name)
        if raw and (date is None):
            date, raw_date = from_fields(dict.get(item, f"{name}_parsed")), raw_date or raw
    detail, contents = dict.get(item, "summary_detail"), dict.get(item, "content")
    summary = _shown(detail, MAX_SUMMARY, says_types=says_types) if isinstance(detail, dict) else ""
    if not summary and isinstance(contents, list) and contents:
        summary = _shown(contents[0], MAX_SUMMARY, says_types=says_types)
    return Draft(
        id=_string(item, "id"),
        link=_string(item, "link"),
        title=_readable(item, "title", MAX_TITLE),
        summary=summary,
        author=plain_text(_string(item, "author"), MAX_NAME),
        date=date,
        raw_date=raw_date,
        license=_license(item),
        rights=plain_text(_string(item, "rights"), MAX_TITLE),
        enclosures=list(_enclosures(item)),
    )


def _readable(item: Any, name: str, limit: int) -> str:
    detail = dict.get(item, f"{name}_detail")
    return _shown(detail, limit) if isinstance(detail, dict) else plain_text(_string(item, name), limit)


def _shown(detail: Any, limit: int, *, says_types: bool = True) -> str:
    value = _string(detail, "value")
    is_element = value.startswith("<") and value.endswith(">")  # such as MathML, whose type is its own
    if says_types and not is_element and _string(detail, "type") == "text/plain":
        return plain_text(value, limit)
    return text_of_html(value, limit)


def _license(item: Any) -> str:
    for link in _links(item):
        if link.get("rel") == "license":
            return _string(link, "href")
    return ""


def _enclosures(item: Any) -> Iterator[tuple[str, str, str]]:
    for link in _links(item):
        if link.get("rel") == "enclosure":
            yield _string(link, "href"), _string(link, "type"), _string(link, "length").strip()


def _links(item: Any) -> list[Any]:
    links = dict.get(item, "links")
    return links if isinstance(links, list) else []


def _string(item: Any, name: str) -> str:
    # Past feedparser's own `get`, which takes one field for another and warns of it.
    value = dict.get(item, name)
    return value if isinstance(value, str) else ""
