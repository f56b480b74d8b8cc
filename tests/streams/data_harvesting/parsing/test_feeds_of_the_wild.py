"""About a thousand feeds written by nobody here."""

from __future__ import annotations

import ast
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from streams.data_harvesting.fetching.urls import canonical_url
from streams.data_harvesting.parsing.dates import EARLIEST, from_fields
from streams.data_harvesting.parsing.feeds import Feed, FeedEntry, FeedRejected, parse_feed
from streams.data_harvesting.parsing.text import plain_text, text_of_html

FEEDS = Path(__file__).resolve().parents[5] / "shared" / "data" / "feeds"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
BASE = "http://127.0.0.1:8097/"

pytestmark = pytest.mark.skipif(not FEEDS.is_dir(), reason="needs ../shared/data/feeds")

EXPECTATION = re.compile(
    r"Expect:\s*not bozo and (entries\[0\]\['(\w+)'\](?:\['value'\]|\[0\]\['href'\])?) == (.+?)\s*$"
)


@pytest.fixture(scope="module")
def parsed() -> dict[Path, Feed | FeedRejected]:
    feeds: dict[Path, Feed | FeedRejected] = {}
    for file in sorted(FEEDS.rglob("*")):
        if file.suffix in (".xml", ".rss", ".atom", ".json"):
            try:
                feeds[file] = parse_feed(file.read_bytes(), url=BASE, now=NOW)
            except FeedRejected as rejected:
                feeds[file] = rejected
    return feeds


def test_each_is_parsed_or_rejected_with_a_reason(parsed: dict[Path, Feed | FeedRejected]) -> None:
    rejected = Counter(feed.reason for feed in parsed.values() if isinstance(feed, FeedRejected))
    assert len(parsed) > 900
    assert set(rejected) <= {"not_a_feed", "malformed"}
    # Those of a format that died in 1999 and have no entries, and one that says itself that it is none.
    assert sorted(
        file.name for file, feed in parsed.items() if isinstance(feed, FeedRejected) and file.suffix != ".json"
    ) == [
        "channel_abstract_map_description.xml",
        "channel_href_map_link.xml",
        "channel_href_map_links.xml",
        "channel_title.xml",
        "unrecognized.rss",
    ]


def test_none_is_parsed_to_nonsense(parsed: dict[Path, Feed | FeedRejected]) -> None:
    entries = [(file, entry) for file, feed in parsed.items() if isinstance(feed, Feed) for entry in feed.entries]
    assert len(entries) > 900
    for file, entry in entries:
        assert 0 < len(entry.id) <= 500, file
        assert entry.link or entry.title or entry.summary, file
        assert not entry.link or canonical_url(entry.link) == entry.link, file
        assert (entry.published is None) == bool(entry.published_problem), file
        if entry.published is not None:
            assert entry.published.utcoffset() == timedelta(0), file
            assert EARLIEST <= entry.published <= NOW + timedelta(hours=26), file
        for text in (entry.title, entry.summary, entry.author, entry.id):
            assert text == text.strip(), file
            assert not re.search("[\x00-\x1f\x7f-\x9f]", text), file
        assert all(enclosure.url.startswith("http") for enclosure in entry.enclosures), file


def test_ids_are_unique_within_a_feed_and_the_same_the_next_time(parsed: dict[Path, Feed | FeedRejected]) -> None:
    for file, feed in list(parsed.items())[::7]:
        if isinstance(feed, Feed):
            ids = [entry.id for entry in feed.entries]
            assert len(set(ids)) == len(ids), file
            again = parse_feed(file.read_bytes(), url=BASE, now=NOW + timedelta(days=30))
            assert [entry.id for entry in again.entries] == ids, file


def test_what_their_authors_expect_of_the_fields_that_we_take_is_found(parsed: dict[Path, Feed | FeedRejected]) -> None:
    checked: Counter[str] = Counter()
    differing = []
    for file, feed in parsed.items():
        if not (isinstance(feed, Feed) and feed.entries and "feedparser" in file.parts):
            continue
        source = file.read_text("utf-8", "replace")
        found = re.search(EXPECTATION.pattern, source[:4000], re.MULTILINE)
        if found is None or "Header:" in source[:500]:  # headers that are told in a comment are not there
            continue
        field = found[2]
        try:
            expected = ast.literal_eval(found[3])
        except (ValueError, SyntaxError):
            continue
        verdict = agrees(feed.entries[0], field, expected, found[1])
        if verdict is not None:
            checked[field] += 1
            if not verdict:
                differing.append((file.name, field, expected, feed.entries[0]))
    # Unclosed frames hide what follows, as they do in a browser.
    assert {name for name, *_ in differing} <= {"item_content_encoded_iframe.xml", "item_fullitem_iframe.xml"}
    assert checked["title"] + checked["title_detail"] >= 50
    assert checked["description"] + checked["summary"] >= 90
    assert checked["id"] + checked["guid"] >= 8
    assert checked["link"] >= 5


def test_the_dates_that_their_authors_expect_are_found() -> None:
    dates = re.compile(r"Expect:.*entries\[0\]\['(?:published|updated|created)_parsed'\] == (\([\d, ]+\))")
    checked = 0
    for file in sorted(FEEDS.glob("feedparser/**/*.xml")):
        source = file.read_text("utf-8", "replace")
        if (expected := dates.search(source)) is not None and "cdf" not in file.parts:
            # With a title, as an entry that has but a date is none here.
            titled = re.sub(r"<((?:rss:)?item|entry)([^>]*)>", r"<\1\2><title>x</title>", source).encode()
            (entry,) = parse_feed(titled, url=BASE, now=NOW).entries
            assert entry.published == from_fields(ast.literal_eval(expected[1])), file
            checked += 1
    assert checked == 5


def agrees(entry: FeedEntry, field: str, expected: Any, path: str) -> bool | None:
    """Return whether an entry has what is expected; None where that says nothing of the fields that we take."""
    if field in ("id", "guid"):
        return expected in (entry.id, urljoin(BASE, entry.id))  # an id is taken as it stands there
    if field == "link":
        return entry.original_link == urljoin(BASE, expected)
    if field in ("title", "title_detail", "summary", "description") and isinstance(expected, str):
        if field == "title_detail" and not path.endswith("['value']"):
            return None
        ours = entry.title if field.startswith("title") else entry.summary
        # Text of type text/plain is text; the rest is markup, of which a reader sees the text.
        return ours in (text_of_html(expected, 20_000), plain_text(expected, 20_000))
    return None
