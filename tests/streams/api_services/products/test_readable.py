from __future__ import annotations

from datetime import UTC, datetime

import pytest

from streams.api_services.product import ProductError
from streams.api_services.products import PRODUCTS
from tests.streams.api_services.conftest import Call

PAGE = """<!doctype html><html lang="en"><head><title>Tides - The Harbour Post</title>
<meta property="og:site_name" content="The Harbour Post"><meta name="author" content="Ada Example">
<meta property="article:published_time" content="2025-03-04T10:00:00Z">
<meta name="description" content="Why the water comes back."></head><body>
<nav><a href="/">Home</a> <a href="/login">Log in</a></nav>
<article><h1>Tides</h1><p>The water leaves twice a day,
and <b>twice a day</b> it comes back, a little later each time.</p>
<p>Fishermen knew the hour long before anyone could say what the moon had to do with it.</p></article>
<aside>Subscribe to our newsletter</aside><footer>Imprint and privacy</footer></body></html>"""


def test_the_article_is_found_without_what_surrounds_it(call: Call) -> None:
    answer = call("readable", html=PAGE)

    assert answer.found
    assert "a little later each time" in answer.text
    assert "Fishermen knew" in answer.text
    for surrounding in ("Log in", "newsletter", "Imprint"):
        assert surrounding not in answer.text
    assert answer.words == len(answer.text.split())


def test_title_author_date_and_site_are_read(call: Call) -> None:
    answer = call("readable", html=PAGE)

    assert answer.title == "Tides"
    assert answer.author == "Ada Example"
    assert answer.date == "2025-03-04"
    assert answer.site == "The Harbour Post"
    assert answer.description == "Why the water comes back."


def test_markdown_keeps_the_emphasis(call: Call) -> None:
    assert "**twice a day**" in call("readable", html=PAGE, format="markdown").text


def test_a_date_after_the_call_is_not_believed() -> None:
    product = PRODUCTS["readable"]

    answer = product.run(product.request(html=PAGE), datetime(2025, 1, 1, tzinfo=UTC))

    assert answer.date is None


@pytest.mark.parametrize("html", ["x", "<", "<html></html>", "\x00", "<p></p>" * 100, "]]>", "<?xml version='1.0'?>"])
def test_a_page_without_article_is_answered_as_such(call: Call, html: str) -> None:
    answer = call("readable", html=html)

    assert not answer.found
    assert answer.text == ""


def test_a_page_with_too_many_tags_is_refused(call: Call) -> None:
    with pytest.raises(ProductError, match="10000 tags") as caught:
        call("readable", html="<p>" * 10_001)

    assert caught.value.field == "html"
