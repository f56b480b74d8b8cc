from __future__ import annotations

import pytest

from streams.data_harvesting.parsing.documents import decoded, is_light
from streams.data_harvesting.parsing.fingerprint import content_digest


@pytest.mark.parametrize(
    ("media_type", "one", "other"),
    [
        ("text/html", b"<title>T</title><p>a  b</p>", b"<title>T</title>\n<script>1</script><div><p>a\nb</p></div>"),
        ("text/html", b"<p class=x>a", b"<!-- made at 12:00 --><p id=y>a"),
        ("application/json", b'{"a": 1, "b": [2]}', b'{"b":[2],"a":1}'),
        ("application/ld+json", b'{"a": 1, "b": [2]}', b'{"b":[2],"a":1}'),
        ("text/plain", b"a b", b" a\r\nb "),
        ("application/rss+xml", b"<lastBuildDate>1</lastBuildDate><a/>", b"<lastBuildDate>2</lastBuildDate><a/>"),
    ],
)  # fmt: skip
def test_what_a_reader_sees_as_the_same_is_the_same(media_type: str, one: bytes, other: bytes) -> None:
    assert content_digest(one, media_type) == content_digest(other, media_type)


@pytest.mark.parametrize(
    ("media_type", "one", "other"),
    [
        ("text/html", b"<p>a", b"<p>b"),
        ("text/html", b"<a href=/1>a</a>", b"<a href=/2>a</a>"),
        ("text/html", b"<title>a</title>", b"<title>b</title>"),
        ("application/json", b"[1,2]", b"[2,1]"),
        ("image/png", b"a b", b"a  b"),
    ],
)
def test_what_a_reader_sees_as_another_is_another(media_type: str, one: bytes, other: bytes) -> None:
    assert content_digest(one, media_type) != content_digest(other, media_type)


def test_broken_content_has_a_digest_too() -> None:
    for body in (b"", b"{", b"[" * 100_000, b"\xff\xfe\0", b"<div>" * 50_000):
        for media_type in ("text/html", "application/json", "text/xml", ""):
            assert len(content_digest(body, media_type)) == 64


def test_a_page_in_another_encoding_is_the_same_page() -> None:
    page = "<p>Zürich – “ok”</p>"
    assert content_digest(page.encode("cp1252"), "text/html", "iso-8859-1") == content_digest(
        page.encode(), "text/html"
    )


def test_only_what_is_parsed_in_a_moment_is_light() -> None:
    assert is_light(b"<p>hello</p>" * 300)
    assert not is_light(b"<p>" * 2000)
    assert not is_light(b"<a " + b"x " * 5000)
    assert not is_light(b"<a/" + b"x/" * 5000)
    assert not is_light(b"x" * 20_000)


@pytest.mark.parametrize("charset", ["", "utf-7", "zip", "rot13", "punycode", "idna", "x" * 50, "utf-16"])
def test_no_charset_makes_decoding_fail(charset: str) -> None:
    assert decoded(b"<p>plain</p>", charset) == "<p>plain</p>"
