from __future__ import annotations

import time

import pytest

from streams.data_harvesting.parsing.directives import Directives, directives_of
from streams.data_harvesting.parsing.licenses import known_license
from streams.data_harvesting.parsing.pages import PageLink, PageRejected, parse_page

URL = "https://a.com/dir/page"


def test_where_a_page_leads() -> None:
    page = parse_page(
        b"""<html lang=de><head><title> A  page </title><base href="/base/">
        <link rel="canonical" href="/x?utm_source=y&b=1&a=2">
        </head><body><a href="one#part">1</a><a href="one">1</a><a rel="NoFollow ugc" href="https://b.com/">2</a>
        <a href="javascript:x">3</a><a href="mailto:x@y.z">4</a><a>5</a><area href="/map"></body></html>""",
        url=URL,
    )
    assert (page.title, page.language, page.canonical) == ("A page", "de", "https://a.com/x?a=2&b=1")
    assert page.links == (
        PageLink("https://a.com/base/one"),
        PageLink("https://b.com/", ("nofollow", "ugc"), nofollow=True),
        PageLink("https://a.com/map"),
    )
    assert page.tree.css_first("title").text() == " A  page "


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("", Directives()),
        ("noindex, nofollow", Directives(noindex=True, nofollow=True)),
        ("NONE", Directives(noindex=True, nofollow=True)),
        ("noai,noimageai", Directives(noai=True, noimageai=True)),
        ("googlebot: noindex", Directives()),
        ("googlebot: noindex, harvester: noai", Directives(noai=True)),
        ("noarchive, googlebot: nofollow, noindex", Directives(noarchive=True)),
        ("unavailable_after: 25 Jun 2010 15:00:00 PST, noindex", Directives(noindex=True)),
        ("max-snippet: 10, noai", Directives(noai=True)),
        ("index, follow, all", Directives()),
    ],
)
def test_directives_are_those_for_us(text: str, asked: Directives) -> None:
    assert directives_of(text, "Harvester") == asked


def test_directives_of_header_and_page_are_all_kept() -> None:
    page = parse_page(
        b"<meta name='ROBOTS' content='noindex'><meta name=harvester content=nofollow>"
        b"<meta name=other content=noarchive>",
        url=URL,
        headers={"x-robots-tag": "noai"},
        product_token="Harvester",
    )
    assert page.directives == Directives(noindex=True, nofollow=True, noai=True)


def test_the_licences_that_a_page_states_come_with_their_source_the_explicit_first() -> None:
    page = parse_page(
        b"""<script type="application/ld+json">{"@graph": [{"@type": "Article", "license": "https://a.com/terms"},
        {"license": {"@id": "https://creativecommons.org/licenses/by-sa/4.0/"}}]}</script>
        <script type="application/ld+json">{broken</script><script type="application/ld+json">"""
        + b'{"license":' * 5000
        + b"""</script><span itemprop="license"><a itemprop="license" href="/own">x</a></span>
        <a href="https://opendatacommons.org/licenses/odbl/1-0/">data</a>
        <a rel="license" href="https://creativecommons.org/licenses/by/4.0/">x</a><a href="/licence">ours</a>""",
        url=URL,
    )
    assert [(found.url, found.source) for found in page.licenses] == [
        ("https://creativecommons.org/licenses/by/4.0/", "rel"),
        ("https://a.com/own", "schema.org"),
        ("https://a.com/terms", "schema.org"),
        ("https://creativecommons.org/licenses/by-sa/4.0/", "schema.org"),
        ("https://opendatacommons.org/licenses/odbl/1-0/", "link"),
    ]


@pytest.mark.parametrize(
    ("url", "name", "may_sell"),
    [
        ("https://creativecommons.org/licenses/by/4.0/", "CC-BY-4.0", True),
        ("http://www.creativecommons.org/licenses/by-nc/1.0", "CC-BY-NC-1.0", False),
        ("//creativecommons.org/licenses/by-nc-sa/3.0/de/", "CC-BY-NC-SA-3.0", False),
        ("https://creativecommons.org/licenses/by-nd/4.0/deed.en", "CC-BY-ND-4.0", True),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0", True),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "CC-PDM-1.0", True),
        ("https://opendatacommons.org/licenses/by/1-0/", "ODC-By-1.0", True),
        ("https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/", "OGL-UK-3.0", True),
        ("https://www.govdata.de/dl-de/by-2-0", "DL-DE-BY-2.0", True),
    ],
)
def test_licences_that_are_known_say_whether_copies_may_be_sold(url: str, name: str, may_sell: bool) -> None:
    found = known_license(url)
    assert found is not None
    assert (found.id, found.may_sell) == (name, may_sell)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/creativecommons.org/licenses/by/4.0/",
        "https://creativecommons.org.evil.example/licenses/by/4.0/",
        "https://creativecommons.org/licenses/by/9.9x/",
        "https://a.com/license",
        "https://opendatacommons.org/licenses/bypass",
        "",
    ],
)
def test_what_only_looks_like_a_licence_is_none(url: str) -> None:
    assert known_license(url) is None


@pytest.mark.parametrize(
    "body",
    [
        b"<div>" * 40_000,
        b"<a " + b" ".join(b"a%d" % number for number in range(5000)) + b">",
        b"<a " + b" ".join(b"a%d='>'" % number for number in range(5000)) + b">",
        b"<p>" * 2_000_000,
    ],
    ids=["many tags", "many attributes", "many with ends in them", "large"],
)
def test_a_page_that_is_made_to_take_long_is_refused(body: bytes) -> None:
    with pytest.raises(PageRejected):
        parse_page(body, url=URL)


def test_formatting_that_is_opened_again_and_again_does_not_unfold() -> None:
    body = b"".join(b"<p><b id=%d>x" % number for number in range(3000))
    begun = time.perf_counter()
    page = parse_page(body, url=URL)
    assert time.perf_counter() - begun < 5
    assert len(page.tree.css("b")) < 20_000


def test_links_are_bounded() -> None:
    page = parse_page(b"".join(b"<a href=/%d>" % number for number in range(5000)), url=URL)
    assert len(page.links) == 2000


@pytest.mark.parametrize("body", [b"", b"\0\0\0", b"<", b"\xff\xfe<", b"<a href=http://[>x", b"<title>"])
def test_nonsense_is_a_page_without_anything(body: bytes) -> None:
    assert parse_page(body, url=URL).links == ()
