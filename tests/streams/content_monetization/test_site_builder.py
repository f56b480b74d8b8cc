"""A built site: feeds that validators accept, pages that parse, and nothing built twice."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import feedparser
import jsonschema_rs
import msgspec
import protego
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree, html

from streams.content_monetization.article import Article, NotAnArticle, parse_article
from streams.content_monetization.article_files import starters
from streams.content_monetization.blueprint import SITES
from streams.content_monetization.rendered_text import render
from streams.content_monetization.site_builder import Build, SiteSource, build
from streams.content_monetization.site_source import AffiliateLink, SiteInfo
from tests.streams.content_monetization.schemas import ATOM_RNG, SITEMAP_XSD

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
INFO = SiteInfo(
    title="Cups & <Beans>",
    tagline="Coffee, plainly — “really”.",
    author="Ann Ōta",
    language="en",
    base_url="https://cups.example",
    accent_hue=20,
    page_size=2,
    article_price="0.05 USD",
    ads_txt=(),
)
LINKS = {"grind-first": (AffiliateLink("https://shop.example/c/a?x=1&y=2", "A <grinder>", "Shop & Co"),)}
JSON_FEED = {
    "type": "object",
    "required": ["version", "title", "items"],
    "properties": {
        "version": {"const": "https://jsonfeed.org/version/1.1"},
        "title": {"type": "string"},
        "home_page_url": {"type": "string", "format": "uri"},
        "feed_url": {"type": "string", "format": "uri"},
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id"],
                "anyOf": [{"required": ["content_html"]}, {"required": ["content_text"]}],
                "properties": {
                    "id": {"type": "string"},
                    "url": {"type": "string", "format": "uri"},
                    "date_published": {"type": "string", "format": "date-time"},
                    "date_modified": {"type": "string", "format": "date-time"},
                    "authors": {"type": "array", "items": {"type": "object", "minProperties": 1}},
                    "tags": {"type": "array", "items": {"type": "string"}},
                },
            },
        },
    },
}


def article(slug: str = "a", title: str = "A", text: str = "text", **values: Any) -> Article:
    made = {"summary": "s", "published": NOW - timedelta(days=1), "updated": NOW - timedelta(days=1)} | values
    return Article(slug=slug, title=title, text=text, **made)


def site(*articles: Article, now: datetime = NOW, former: Build | None = None, **values: Any) -> Build:
    return build(SiteSource(**({"info": INFO, "articles": articles, "has_sponsors": True} | values)), now, former)


@pytest.fixture(scope="module")
def coffee() -> Build:
    return site(*starters("home-coffee"), links=LINKS)


def body(build: Build, path: str) -> str:
    return build.pages[path].filled({}).decode()


@pytest.mark.parametrize("path", ["/feed.xml", "/atom.xml"])
def test_a_feed_parser_has_nothing_to_complain_of(coffee: Build, path: str) -> None:
    parsed = feedparser.parse(coffee.pages[path].parts[0])
    assert parsed.bozo == 0
    assert parsed.version == ("rss20" if path == "/feed.xml" else "atom10")
    assert parsed.feed.title == "Cups &amp; &lt;Beans&gt;" or parsed.feed.title == "Cups & <Beans>"
    assert [entry.title for entry in parsed.entries] == [
        "The three cups test: find your taste in one morning",
        "Water, weight, and the two numbers worth knowing",
        "Change the grind before you change the beans",
    ]
    for entry in parsed.entries:
        assert entry.link.startswith("https://cups.example/articles/")
        assert entry.id == entry.link
        assert entry.published_parsed is not None
        assert ("content" in entry) == ("three-cups-test" not in entry.link)


def test_the_rss_feed_keeps_the_rules_of_rss(coffee: Build) -> None:
    root = etree.fromstring(coffee.pages["/feed.xml"].parts[0])
    assert (root.tag, root.get("version")) == ("rss", "2.0")
    (channel,) = root
    for required in ("title", "link", "description"):
        assert len(channel.findall(required)) == 1
    assert parsedate_to_datetime(channel.findtext("lastBuildDate")).tzinfo is not None
    (own,) = channel.findall("{http://www.w3.org/2005/Atom}link")
    assert dict(own.attrib) == {"href": "https://cups.example/feed.xml", "rel": "self", "type": "application/rss+xml"}
    items = channel.findall("item")
    assert len({item.findtext("guid") for item in items}) == len(items) == 3
    for item in items:
        assert item.find("guid").get("isPermaLink") == "true"
        assert item.findtext("title")
        assert item.findtext("description")
        assert parsedate_to_datetime(item.findtext("pubDate")) <= NOW
        allowed = {"title", "link", "description", "category", "guid", "pubDate"}
        assert {child.tag for child in item if not child.tag.startswith("{")} <= allowed


def test_the_atom_feed_is_valid(coffee: Build) -> None:
    schema = etree.RelaxNG(etree.fromstring(ATOM_RNG))
    schema.assertValid(etree.fromstring(coffee.pages["/atom.xml"].parts[0]))
    schema.assertValid(etree.fromstring(site().pages["/atom.xml"].parts[0]))


def test_the_json_feed_is_valid(coffee: Build) -> None:
    feed = json.loads(coffee.pages["/feed.json"].parts[0])
    jsonschema_rs.validator_for(JSON_FEED, validate_formats=True).validate(feed)
    assert len(feed["items"]) == 3


def test_the_sitemap_is_valid_and_lists_every_page(coffee: Build) -> None:
    root = etree.fromstring(coffee.pages["/sitemap.xml"].parts[0])
    etree.XMLSchema(etree.fromstring(SITEMAP_XSD)).assertValid(root)
    locations = {loc.text for loc in root.iter("{*}loc")}
    assert locations == {
        f"https://cups.example{path}" for path, page in coffee.pages.items() if page.media_type.startswith(b"text/html")
    }
    assert {"https://cups.example/", "https://cups.example/page/2"} <= locations


def test_crawlers_may_read_everything_but_links_of_sponsors_and_members(coffee: Build) -> None:
    rules = protego.Protego.parse(body(coffee, "/robots.txt"))
    assert rules.can_fetch("https://cups.example/articles/grind-first", "Googlebot")
    assert not rules.can_fetch("https://cups.example/go/abc", "Googlebot")
    assert not rules.can_fetch("https://cups.example/members/three-cups-test", "Googlebot")
    assert list(rules.sitemaps) == ["https://cups.example/sitemap.xml"]


def test_ads_txt_says_who_may_sell_the_space() -> None:
    record = re.compile(r"(#.*|OWNERDOMAIN=[\w.-]+|[\w.-]+, \S+, (DIRECT|RESELLER)(, \S+)?)")
    for lines in ((), ("greenadexchange.com, XF7342, DIRECT, 5jyxf8k54",)):
        source = SiteSource(info=msgspec.structs.replace(INFO, ads_txt=lines), articles=())
        text = body(build(source, NOW), "/ads.txt")
        assert all(record.fullmatch(line) for line in text.splitlines())
        assert ("placeholder" in text) == (not lines)


@pytest.mark.parametrize("path", ["/", "/page/2", "/about", "/articles/grind-first", "/articles/three-cups-test"])
def test_a_page_parses_and_can_be_found_and_shared(coffee: Build, path: str) -> None:
    text = body(coffee, path)
    assert "\x00" not in text
    page = html.document_fromstring(text)
    assert page.get("lang") == "en"
    assert len(page.findall(".//h1")) == len(page.findall(".//main")) == len(page.findall(".//title")) == 1
    assert [link.get("href") for link in page.iterfind('.//link[@rel="canonical"]')] == [f"https://cups.example{path}"]
    og = {meta.get("property"): meta.get("content") for meta in page.iterfind(".//meta[@property]")}
    assert og["og:url"] == f"https://cups.example{path}"
    assert og["og:title"]
    assert og["og:type"] in ("website", "article")
    assert page.xpath("//input[not(@id = //label/@for)]") == []
    assert page.xpath("//img[not(@alt)]") == []
    # No script but the site's own file; no style but the site's own sheet; nothing from elsewhere.
    assert all(
        script.get("src") == "/beacon.js" or script.get("type") == "application/ld+json"
        for script in page.iterfind(".//script")
    )
    assert page.xpath("//@style | //style | //@*[starts-with(name(), 'on')]") == []
    levels = [int(heading.tag[1]) for heading in page.iter("h1", "h2", "h3", "h4")]
    assert levels[0] == 1


def test_structured_data_says_what_the_page_says(coffee: Build) -> None:
    for slug, free in (("grind-first", True), ("three-cups-test", False)):
        page = html.document_fromstring(body(coffee, f"/articles/{slug}"))
        data = json.loads(page.findtext('.//script[@type="application/ld+json"]'))
        assert data["@type"] == "Article"
        assert data["headline"] == page.findtext(".//h1")
        assert data["isAccessibleForFree"] is free
        assert datetime.fromisoformat(data["datePublished"]).tzinfo is not None
        if not free:
            assert page.find_class(data["hasPart"]["cssSelector"].removeprefix("."))


def test_affiliate_links_are_disclosed_and_marked(coffee: Build) -> None:
    page = html.document_fromstring(body(coffee, "/articles/grind-first"))
    (link,) = page.xpath('//a[contains(@href, "shop.example")]')
    assert link.get("rel") == "sponsored nofollow noopener"
    assert link.text == "A <grinder>"
    assert page.find_class("disclosure")
    assert "shop.example" not in body(coffee, "/articles/water-and-ratio")


def test_slots_stand_above_within_and_below_a_text_and_nowhere_else(coffee: Build) -> None:
    assert coffee.pages["/articles/grind-first"].slots == ("lead", "inline", "foot")
    assert coffee.pages["/"].slots == ("lead", "foot")
    for path in ("/about", "/articles/three-cups-test", "/feed.xml"):
        assert coffee.pages[path].slots == ()
    assert site(*starters("home-coffee"), has_sponsors=False).pages["/"].slots == ()
    assert coffee.members["three-cups-test"].slots == ()


def test_what_has_not_changed_is_not_made_again_and_keeps_its_date(coffee: Build) -> None:
    later = NOW + timedelta(days=1)
    new = article(slug="new", published=later, updated=later)
    after = site(*starters("home-coffee"), new, now=later, former=coffee, links=LINKS)
    assert all(after.texts[digest] is text for digest, text in coffee.texts.items())
    assert after.pages["/articles/water-and-ratio"] == coffee.pages["/articles/water-and-ratio"]
    assert after.pages["/about"].modified == coffee.pages["/about"].modified
    for changed in ("/", "/feed.xml", "/sitemap.xml"):
        assert after.pages[changed].etag != coffee.pages[changed].etag
        assert after.pages[changed].modified == later


def test_an_article_appears_when_it_is_due() -> None:
    due = NOW + timedelta(hours=1)
    source = article(published=due, updated=due)
    before = site(source)
    assert ("/articles/a" in before.pages, before.next_at) == (False, due)
    after = site(source, now=due, former=before)
    assert ("/articles/a" in after.pages, after.next_at) == (True, None)


def test_of_two_articles_with_one_name_the_later_source_counts() -> None:
    made = site(article(title="Old"), article(title="New"))
    assert "New" in body(made, "/articles/a")
    assert feedparser.parse(made.pages["/feed.xml"].parts[0]).entries[0].title == "New"


def test_an_article_that_cannot_be_rendered_is_left_out_and_told() -> None:
    made = site(article(text="|" * 400 + "\n" + "a\n" * 400), article(slug="b"))
    assert list(made.rejected) == ["a"]
    assert "/articles/b" in made.pages


HOSTILE = ["</script><script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", "]]>", "&amp;", "‮"]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_an_article_says_becomes_markup(text: str) -> None:
    made = site(article(title=text, summary=text, author=text, tags=(text,), text=f"# {text}\n\n{text}\n"), links={})
    for path in ("/", "/articles/a"):
        page = html.document_fromstring(body(made, path))
        assert page.xpath("//script[contains(., 'alert') and not(@type)]") == []
        assert page.xpath("//img | //@onerror") == []
        json.loads(page.findtext('.//script[@type="application/ld+json"]'))
    assert text in html.document_fromstring(body(made, "/articles/a")).findtext(".//h1")
    for path in ("/feed.xml", "/atom.xml"):
        parsed = feedparser.parse(made.pages[path].parts[0])
        assert parsed.bozo == 0
        content = parsed.entries[0].content[0].value
        assert "<script>alert" not in content
        assert "<img" not in content
    assert json.loads(made.pages["/feed.json"].parts[0])["items"][0]["title"] == text


@settings(max_examples=25, deadline=None)
@given(title=st.text(min_size=1, max_size=40), text=st.text(max_size=200))
def test_whatever_an_article_says_feeds_are_well_formed(title: str, text: str) -> None:
    head = f"title = {json.dumps(title, ensure_ascii=False)}\npublished = 2026-11-01"
    try:
        parsed = parse_article("a", f"+++\n{head}\n+++\n{text}")
    except NotAnArticle:
        return
    made = site(parsed)
    for path in ("/feed.xml", "/atom.xml", "/sitemap.xml"):
        etree.fromstring(made.pages[path].parts[0])
    html.document_fromstring(body(made, "/articles/a"))


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("", "begin with a line"),
        ("+++\ntitle = 'x'\n", "begin with a line"),
        ("+++\ntitle = \n+++\n", "its head"),
        ("+++\ntitle = 'x'\n+++\n", "published"),
        ("+++\ntitle = 'x'\npublished = 'soon'\n+++\n", "published"),
        ("+++\ntitle = 'x'\npublished = 2026-01-01\ncolour = 1\n+++\n", "colour"),
        ("+++\ntitle = 'x'\npublished = 2026-01-01\n+++\n" + "x" * 300_000, "at most"),
    ],
)
def test_a_text_that_is_no_article_is_refused_with_what_is_wrong(source: str, reason: str) -> None:
    with pytest.raises(NotAnArticle, match=reason):
        parse_article("x", source)


def test_an_article_never_was_updated_before_it_was_published() -> None:
    source = "+++\ntitle = 'x'\npublished = 2026-03-01T10:00:00+02:00\nupdated = 2026-01-01\n+++\n"
    parsed = parse_article("x", source)
    assert parsed.published == parsed.updated == datetime(2026, 3, 1, 8, tzinfo=UTC)


def test_text_is_parted_behind_its_second_paragraph_if_there_is_enough_of_it() -> None:
    assert render("x", "one\n\ntwo\n\nthree\n\nfour").rest == "<p>three</p>\n<p>four</p>\n"
    assert render("x", "one\n\ntwo\n\nthree").rest == ""
    assert "<p>one</p>" in render("x", "> one\n>\n> two\n\nthree\n\n- four\n\n- five\n").beginning
    assert render("x", "# Title\n\ntext").html.startswith("<h2>")


def test_every_topic_of_the_blueprint_ships_articles_that_are_in_order() -> None:
    titles = set()
    for each in SITES:
        made = starters(each.topic)
        assert len(made) == 3
        assert sum(one.members for one in made) == 1
        for one in made:
            assert one.summary
            assert one.tags
            assert len(one.text.split()) > 100
            assert one.published < datetime(2026, 8, 1, tzinfo=UTC)
            render(one.slug, one.text)
            titles.add(one.title)
    assert len(titles) == 60
