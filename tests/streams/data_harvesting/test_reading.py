"""Documents become records and links, or are rejected with reasons; broken ones take nothing away."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from streams.data_harvesting.fetching.outcome import Page, RobotsTerms, Validators
from streams.data_harvesting.field import Field
from streams.data_harvesting.reading import DocumentRejected, Reading, check_selectors, read_document
from streams.data_harvesting.recipe import LicenceRule, Recipe, Role
from streams.data_harvesting.record import Terms

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SITE = "http://site.example"
BY = "https://creativecommons.org/licenses/by/4.0/"
PRICES = Recipe(
    title="Prices",
    price="0.05",
    pages=(f"{SITE}/prices",),
    follow=(r"^/prices\?page=\d+$", r"^/goods/"),
    records_on=r"^/prices",
    item="tr",
    fields={
        "id": Field(attribute="data-id"),
        "price": Field("decimal", select=".price"),
        "link": Field("url", select="a", attribute="href", required=False),
        "tags": Field("list", select=".tag", required=False),
    },
    key=("id",),
)
NEWS = Recipe(
    title="News",
    price="0.05",
    feeds=(f"{SITE}/feed",),
    records="feed",
    fields={
        "title": Field(select="title"),
        "link": Field("url", select="link"),
        "at": Field("time", select="published"),
    },
    key=("link",),
)


def read(
    body: str | bytes,
    recipe: Recipe = PRICES,
    role: Role = "page",
    path: str = "/prices",
    *,
    media_type: str = "text/html",
    headers: dict[str, str] | None = None,
    terms: RobotsTerms | None = None,
) -> Reading:
    url = SITE + path
    page = Page(
        url=url,
        final_url=url,
        status=200,
        unchanged=False,
        media_type=media_type,
        charset="",
        headers=headers or {},
        body=body.encode() if isinstance(body, str) else body,
        validators=Validators(url),
        fetched_at=NOW,
        terms=terms or RobotsTerms(),
    )
    return read_document(recipe, role, page, frozenset({"site.example:80"}), NOW, "OurBot")


def row(id_: str, price: str = "1.50", more: str = "") -> str:
    return f'<tr data-id="{id_}"><td class="price">{price}</td><td>{more}</td></tr>'


def html(*rows: str, head: str = f'<link rel="license" href="{BY}">', after: str = "") -> str:
    return f"<html><head>{head}</head><body><table>{''.join(rows)}</table>{after}</body></html>"


def test_a_record_has_values_source_time_digest_and_licence() -> None:
    reading = read(html(row("a", more='<a href="/goods/a#x">A</a><b class="tag">new</b><b class="tag">red</b>')))
    (record,) = reading.records
    assert record.values == {"id": "a", "price": "1.50", "link": f"{SITE}/goods/a", "tags": ["new", "red"]}
    assert (record.key, record.source, record.fetched_at) == ('["a"]', f"{SITE}/prices", "2026-11-25T12:00:00Z")
    assert record.terms == Terms("CC-BY-4.0")
    assert len(record.digest) == 64
    assert reading.complete


def test_wrong_records_are_rejected_and_counted_by_reason() -> None:
    reading = read(html(row("a"), row("b", "on request"), row("", "1"), row("a", "9")))
    assert [record.values["id"] for record in reading.records] == ["a"]
    assert reading.rejected == {"type": 1, "missing": 1, "duplicate": 1}
    assert any("'on request' is no number" in sample for sample in reading.samples)


def test_a_rejected_row_whose_key_is_known_is_still_there() -> None:
    reading = read(html(row("a"), row("b", "on request")))
    assert reading.complete
    assert reading.still_there == ('["b"]',)


@pytest.mark.parametrize(
    "body",
    [
        html(row("a"))[:-14],  # cut short
        html(row("a"), row("", "2.00")),  # a row that could be any
        html(),  # nothing that looks like a record
    ],
)
def test_a_page_that_may_not_show_all_takes_nothing_away(body: str) -> None:
    assert not read(body).complete


def test_links_are_followed_by_pattern_on_the_recipes_hosts_only() -> None:
    after = (
        '<a href="?page=2">2</a><a href="/goods/7?utm_source=x">7</a><a href="/cart">no</a>'
        '<a href="http://other.example/goods/1">no</a><a href="javascript:alert(1)">no</a>'
        f'<a rel="nofollow" href="/goods/8">no</a><a href="/goods/{"9" * 3_000}">no</a>'
    )
    reading = read(html(row("a"), after=after))
    assert [(link.url, link.role) for link in reading.links] == [
        (f"{SITE}/prices?page=2", "page"),
        (f"{SITE}/goods/7?utm_source=x", "page"),
    ]
    nofollow = read(html(row("a"), after=after), headers={"x-robots-tag": "nofollow"})
    assert nofollow.links == ()


@pytest.mark.parametrize(
    ("head", "headers", "terms", "withheld"),
    [
        (f'<link rel="license" href="{BY}">', {}, RobotsTerms(), ""),
        ("", {}, RobotsTerms(), "unknown_licence"),
        ("", {}, RobotsTerms(licenses=(BY,)), ""),
        (f'<link rel="license" href="{BY}"><meta name="robots" content="noindex">', {}, RobotsTerms(), "noindex"),
        (f'<link rel="license" href="{BY}"><meta name="robots" content="noai">', {}, RobotsTerms(), "noai"),
        (f'<link rel="license" href="{BY}">', {"x-robots-tag": "OurBot: noai"}, RobotsTerms(), "noai"),
        (f'<link rel="license" href="{BY}">', {"x-robots-tag": "otherbot: noai"}, RobotsTerms(), ""),
        (
            f'<link rel="license" href="{BY}">',
            {},
            RobotsTerms(content_signals={"ai-train": "no"}),
            "content_signal",
        ),
    ],
)
def test_page_header_and_site_say_whether_a_record_is_sold(
    head: str, headers: dict[str, str], terms: RobotsTerms, withheld: str
) -> None:
    (record,) = read(html(row("a"), head=head), headers=headers, terms=terms).records
    assert record.terms.withheld == withheld


@pytest.mark.parametrize(
    "beside",
    [
        f'<p>Photo: J. Doe, <a href="{BY}">CC BY 4.0</a></p>',
        f'<div itemscope itemtype="https://schema.org/ImageObject"><a itemprop="license" href="{BY}">CC BY</a></div>',
        f'<script type="application/ld+json">{{"@type": "ImageObject", "license": "{BY}"}}</script>',
        f'<script type="application/ld+json">{{"@type": "Article", "image": [{{"@type": ["ImageObject"],'
        f' "license": "{BY}"}}]}}</script>',
    ],
    ids=["credit", "microdata", "structured data", "structured data within"],
)
def test_the_licence_of_a_picture_is_not_that_of_the_page(beside: str) -> None:
    (record,) = read(html(row("a"), head="", after=beside)).records
    assert record.terms == Terms("", "unknown_licence")


def test_a_mere_link_to_a_licence_that_forbids_is_heeded() -> None:
    credit = '<a href="https://creativecommons.org/licenses/by-nc/4.0/">CC BY-NC</a>'
    (record,) = read(html(row("a"), head="", after=credit), terms=RobotsTerms(licenses=(BY,))).records
    assert record.terms == Terms("CC-BY-NC-4.0", "licence")


def test_a_page_without_records_only_leads_on() -> None:
    reading = read(html(row("a"), after='<a href="/goods/1">1</a>'), path="/goods/")
    assert reading.records == ()
    assert len(reading.links) == 1


RSS = """<?xml version="1.0"?><rss version="2.0" xmlns:c="http://backend.userland.com/creativeCommonsRssModule">
<channel><title>News</title><link>http://site.example/</link>{licence}
<item><title>One</title><link>/news/1</link><pubDate>Wed, 25 Nov 2026 10:00:00 GMT</pubDate></item>
<item><title>Two</title><link>/news/2</link><pubDate>yesterday, late</pubDate></item>
<item><title>One</title><link>/news/1</link><guid>http://site.example/news/1</guid></item>
</channel></rss>"""


def test_entries_of_a_feed_become_records_and_bad_ones_are_counted() -> None:
    licence = f"<c:license>{BY}</c:license>"
    reading = read(RSS.format(licence=licence), NEWS, "feed", "/feed", media_type="application/rss+xml")
    assert [record.values for record in reading.records] == [
        {"title": "One", "link": f"{SITE}/news/1", "at": "2026-11-25T10:00:00Z"}
    ]
    assert reading.records[0].terms == Terms("CC-BY-4.0")
    assert reading.rejected["missing"] >= 1
    assert not reading.complete


def test_a_feed_that_says_nothing_is_not_sold_unless_its_owner_agreed() -> None:
    feed = RSS.format(licence="")
    assert read(feed, NEWS, "feed", "/feed").records[0].terms == Terms("", "unknown_licence")
    agreed = Recipe(
        title="News", price="0", feeds=NEWS.feeds, records="feed", fields=NEWS.fields, key=NEWS.key,
        licence=LicenceRule(granted="Agreement 7"),
    )  # fmt: skip
    assert read(feed, agreed, "feed", "/feed").records[0].terms == Terms("Agreement 7")


def test_a_sitemap_leads_to_pages_and_further_sitemaps() -> None:
    index = (
        '<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
        f"<sitemap><loc>{SITE}/more.xml</loc></sitemap><sitemap><loc>http://other.example/x.xml</loc></sitemap>"
        "</sitemapindex>"
    )
    assert [(link.url, link.role) for link in read(index, role="sitemap").links] == [(f"{SITE}/more.xml", "sitemap")]
    urls = (
        '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
        f"<url><loc>{SITE}/goods/1</loc></url><url><loc>{SITE}/cart</loc></url></urlset>"
    )
    assert [link.url for link in read(urls, role="sitemap").links] == [f"{SITE}/goods/1"]


@pytest.mark.parametrize(
    ("role", "body", "code"),
    [("feed", "hello", "feed_"), ("feed", "", "feed_empty"), ("sitemap", "hello", "sitemap_")],
)
def test_a_document_that_is_not_what_it_should_be_is_rejected(role: Role, body: str, code: str) -> None:
    with pytest.raises(DocumentRejected) as rejected:
        read(body, NEWS if role == "feed" else PRICES, role)
    assert rejected.value.code.startswith(code)


def test_a_malformed_selector_is_named() -> None:
    check_selectors(PRICES)
    check_selectors(NEWS)
    broken = Recipe(title="x", price="0", pages=(SITE,), item="tr[", fields=PRICES.fields, key=("id",))
    with pytest.raises(ValueError, match="item: 'tr\\['"):
        check_selectors(broken)
