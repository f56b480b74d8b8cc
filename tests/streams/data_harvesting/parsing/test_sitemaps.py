from __future__ import annotations

import gzip
from datetime import UTC, datetime

import pytest

from streams.data_harvesting.parsing.sitemaps import MAX_SITEMAP_BYTES, SitemapRejected, parse_sitemap

NOW = datetime(2026, 3, 1, tzinfo=UTC)
URL = "https://a.com/sitemap.xml"
NAMESPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'


def urlset(*entries: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?><urlset {NAMESPACE}>{"".join(entries)}</urlset>'.encode()


def reason(body: bytes) -> str:
    with pytest.raises(SitemapRejected) as caught:
        parse_sitemap(body, url=URL, now=NOW)
    return caught.value.reason


def test_pages_are_listed_once_with_the_time_of_their_last_change() -> None:
    body = urlset(
        "<url><loc> https://a.com/1?x=1&amp;y=2 </loc><lastmod>2026-02-01</lastmod></url>",
        "<url><loc>/2</loc><lastmod>2026-02-01T10:00:00+02:00</lastmod></url>",
        "<url><loc>https://a.com/3</loc><image:image xmlns:image='x'><image:loc>https://a.com/i.png</image:loc></image:image></url>",
        "<url><loc>/2</loc></url>",
        "<url><loc>mailto:x</loc></url>",
        "<url><lastmod>2026-02-01</lastmod></url>",
        "<url><loc>/4</loc><lastmod>2099-01-01</lastmod></url>",
        "<url><loc>/5</loc><lastmod>gestern</lastmod></url>",
    )
    for form in (body, gzip.compress(body), body.decode().encode("utf-16")):
        sitemap = parse_sitemap(form, url=URL, now=NOW)
        assert [(page.url, page.lastmod, page.lastmod_problem) for page in sitemap.pages] == [
            ("https://a.com/1?x=1&y=2", datetime(2026, 2, 1, tzinfo=UTC), ""),
            ("https://a.com/2", datetime(2026, 2, 1, 8, tzinfo=UTC), ""),
            ("https://a.com/3", None, "missing"),
            ("https://a.com/4", None, "far_future"),
            ("https://a.com/5", None, "unreadable"),
        ]
        assert sitemap.rejected == {"duplicate": 1, "malformed_url": 2}


def test_an_index_lists_further_sitemaps() -> None:
    body = f"<sitemapindex {NAMESPACE}><sitemap><loc>/a.xml.gz</loc></sitemap></sitemapindex>".encode()
    sitemap = parse_sitemap(body, url=URL, now=NOW)
    assert [each.url for each in sitemap.sitemaps] == ["https://a.com/a.xml.gz"]
    assert sitemap.pages == ()


def test_a_plain_list_is_a_sitemap_too() -> None:
    sitemap = parse_sitemap(b"https://a.com/1\r\n\r\nhttps://a.com/2\nnonsense:x\n", url=URL, now=NOW)
    assert [page.url for page in sitemap.pages] == ["https://a.com/1", "https://a.com/2"]
    assert sitemap.rejected == {"malformed_url": 1}


def test_what_comes_before_a_break_counts() -> None:
    body = urlset(*(f"<url><loc>/{number}</loc></url>" for number in range(5)))[:-45]
    assert len(parse_sitemap(body, url=URL, now=NOW).pages) >= 3


def test_there_is_an_end_to_its_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.data_harvesting.parsing.sitemaps.MAX_URLS", 500)
    sitemap = parse_sitemap("\n".join(f"http://a.com/{number}" for number in range(600)).encode(), url=URL, now=NOW)
    assert len(sitemap.pages) == 500
    assert sitemap.rejected == {"too_many": 100}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "not_a_sitemap"),
        (b"words", "not_a_sitemap"),
        (b"<html><body>no</body></html>", "not_a_sitemap"),
        (gzip.compress(b"\0" * (MAX_SITEMAP_BYTES + 1), 1, mtime=0), "too_large"),
        (gzip.compress(b"x" * 1000, mtime=0)[:-20], "encoding"),
        (b'<!DOCTYPE u [<!ENTITY x SYSTEM "file:///etc/passwd">]><urlset><url><loc>&x;</loc></url></urlset>',
         "external_entity"),
        (b'<!DOCTYPE u [<!ENTITY a "b"><!ENTITY b "&a;&a;">]><urlset/>', "entity_bomb"),
    ],
)  # fmt: skip
def test_what_is_no_sitemap_is_rejected_with_a_reason(body: bytes, why: str) -> None:
    assert reason(body) == why
