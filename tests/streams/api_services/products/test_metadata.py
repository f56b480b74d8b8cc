from __future__ import annotations

from tests.streams.api_services.conftest import Call

# The example of ogp.me, with what else a head holds.
PAGE = """<html prefix="og: https://ogp.me/ns#" lang="en"><head><title>The Rock (1996)</title>
<meta property="og:title" content="The Rock"><meta property="og:type" content="video.movie">
<meta property="og:url" content="https://www.imdb.com/title/tt0117500/">
<meta property="og:image" content="https://ia.media-imdb.com/images/rock.jpg">
<meta property="og:image" content="https://second.example/ignored.jpg">
<meta name="twitter:card" content="summary"><meta name="description" content="A  film
about a rock."><meta name="robots" content="noai">
<link rel="alternate" type="application/rss+xml" title="News" href="/feed.xml">
<link rel="alternate" hreflang="de" href="/de"><link rel="shortcut icon" href="/favicon.ico">
<script type="application/ld+json">{"@context":"https://schema.org","@type":["Movie","CreativeWork"]}</script>
<script type="application/ld+json">{"@graph":[{"@type":"Organization"},{"name":"no type"}]}</script>
<script type="application/ld+json">{broken</script></head><body></body></html>"""


def test_a_page_says_what_it_is(call: Call) -> None:
    answer = call("metadata", html=PAGE)

    assert answer.title == "The Rock (1996)"
    assert answer.description == "A film about a rock."
    assert answer.language == "en"
    assert answer.canonical == "https://www.imdb.com/title/tt0117500/"
    assert answer.image == "https://ia.media-imdb.com/images/rock.jpg"
    assert answer.icon == "/favicon.ico"
    assert answer.robots == "noai"
    assert answer.open_graph["type"] == "video.movie"
    assert answer.twitter == {"card": "summary"}


def test_feeds_are_told_from_other_alternates(call: Call) -> None:
    (feed,) = call("metadata", html=PAGE).feeds

    assert (feed.href, feed.type, feed.title) == ("/feed.xml", "application/rss+xml", "News")


def test_json_ld_types_are_gathered_and_broken_blocks_left_out(call: Call) -> None:
    assert call("metadata", html=PAGE).schema_types == ("Movie", "CreativeWork", "Organization")


def test_a_page_that_says_nothing_is_answered_with_nulls(call: Call) -> None:
    answer = call("metadata", html="hello")

    assert answer.title is None
    assert answer.open_graph == {}
    assert answer.feeds == ()


def test_deeply_nested_json_ld_is_left_out(call: Call) -> None:
    html = '<script type="application/ld+json">' + "[" * 50_000 + "</script>"

    assert call("metadata", html=html).schema_types == ()
