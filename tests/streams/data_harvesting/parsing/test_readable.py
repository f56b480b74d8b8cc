from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from streams.data_harvesting.parsing.pages import PageRejected
from streams.data_harvesting.parsing.readable import readable_text

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ARTICLE = b"""<html><head><title>On bridges</title><meta name="author" content="Ada Example">
<meta property="article:published_time" content="2026-02-01"></head><body><nav><a href="/">Home</a></nav><article>
<h1>On bridges</h1><p>A bridge is judged by the load that it carries on an ordinary day, and by how it behaves on the
one day that is not.</p><p>Engineers who built the old stone arches knew nothing of steel, and their arches still
stand.</p></article><footer>Imprint</footer></body></html>"""


async def test_the_article_of_a_page_is_found_without_what_stands_around_it() -> None:
    found = await asyncio.to_thread(readable_text, ARTICLE, url="https://a.com/bridges", now=NOW)
    assert found is not None
    assert (found.title, found.author) == ("On bridges", "Ada Example")
    assert found.published == datetime(2026, 2, 1, tzinfo=UTC)
    assert "ordinary day" in found.text
    assert "Imprint" not in found.text


def test_a_page_without_an_article_has_none() -> None:
    assert readable_text(b"<html><body></body></html>", url="https://a.com/", now=NOW) is None
    assert readable_text(b"", url="https://a.com/", now=NOW) is None


def test_a_page_that_is_made_to_take_long_is_refused() -> None:
    with pytest.raises(PageRejected):
        readable_text(b"<div>" * 40_000, url="https://a.com/", now=NOW)
