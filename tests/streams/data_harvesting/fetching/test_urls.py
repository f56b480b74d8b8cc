from __future__ import annotations

import re
from contextlib import suppress
from urllib.parse import urljoin

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from streams.data_harvesting.fetching import urls
from streams.data_harvesting.fetching.urls import UrlError, absolute_url, authority_of, canonical_url

HOSTS = st.sampled_from(
    ["example.com", "EXAMPLE.com.", "bücher.de", "127.0.0.1", "[::1]", "[2001:DB8::1]", "xn--bcher-kva.de", "a_b.com"]
)
PORTS = st.sampled_from(["", "?", ":80", ":443", ":8080", ":00080"])
TEXTS = st.text(alphabet="aZ09-._~%/;?&=+#:@!$'()*, \\é日\u0301\x00\"<>[]{}|", max_size=30)
WORDS = st.text(alphabet="abcxyz019", min_size=1, max_size=5)


@settings(max_examples=150)
@given(st.sampled_from(["http", "https", "HTTP"]), HOSTS, PORTS, TEXTS, TEXTS)
def test_what_is_canonical_stays_so(scheme: str, host: str, port: str, path: str, query: str) -> None:
    try:
        canonical = canonical_url(f"{scheme}://{host}{port}/{path}?{query}")
    except UrlError:
        return
    assert canonical_url(canonical) == canonical


@settings(max_examples=150)
@given(
    st.sampled_from(["http", "https"]),
    st.lists(st.text("az09-", min_size=1, max_size=5), min_size=1, max_size=3).map(".".join),
    st.sampled_from(["", ":1", ":79", ":81", ":442", ":444", ":8080", ":59999"]),
    st.lists(st.text("aZ09._~-", max_size=6), max_size=4).map("/".join),
)
def test_the_short_way_says_what_the_long_way_says(scheme: str, host: str, port: str, path: str) -> None:
    url = f"{scheme}://{host}{port}/{path}"
    assume(urls._PLAIN.fullmatch(url) is not None)
    assert canonical_url(url) == url
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(urls, "_PLAIN", re.compile(r"(?!)"))
        with suppress(UrlError):  # a host that only looks like one; nothing is found there anyway
            assert canonical_url.__wrapped__(url) == url


@settings(max_examples=100)
@given(st.lists(st.tuples(WORDS, WORDS), max_size=5), st.randoms(), WORDS)
def test_equivalent_forms_meet(pairs: list[tuple[str, str]], random: object, word: str) -> None:
    query = "&".join(f"{name}={value}" for name, value in pairs)
    shuffled = [*pairs, ("utm_source", word), ("fbclid", word)]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    other = "&".join(f"{name}={value}" for name, value in shuffled)
    one = canonical_url(f"http://example.com/{word}?{query}")
    assert canonical_url(f"HTTP://EXAMPLE.COM:80/x/../{word}?{other}#{word}") == one


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("http://a.com", "http://a.com/"),
        ("http://a.com:80/./b/../c?z=1&a=2&utm_source=x#f", "http://a.com/c?a=2&z=1"),
        ("https://a.com:443/", "https://a.com/"),
        ("http://a.com/%7euser?b=%2f&a", "http://a.com/~user?a=&b=%2F"),
        ("http://a.com/a//b", "http://a.com/a//b"),
        ("http://bücher.de/ü", "http://xn--bcher-kva.de/%C3%BC"),
        ("http://a.com/?gclid=1", "http://a.com/"),
        ("http://a.com/x?UTM_Medium=1&k=", "http://a.com/x?k="),
    ],
)
def test_canonical_forms(url: str, canonical: str) -> None:
    assert canonical_url(url) == canonical


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "/x",
        "ftp://a.com/",
        "javascript:alert(1)",
        "http://",
        "http://u:p@a.com/",
        "http://a.com:x/",
        "http://[::1/",
    ],
)
def test_what_is_no_url_of_a_page_is_refused(url: str) -> None:
    with pytest.raises(UrlError):
        canonical_url(url)


@settings(max_examples=200)
@given(st.sampled_from(["http://a.com/x/y?z", "https://b.com:81", "http://[::1]:8/"]), TEXTS)
def test_links_are_joined_as_the_standard_library_joins_them(base: str, text: str) -> None:
    link = f"/{text}"
    joined = absolute_url(base, link)
    if joined is not None:
        assert joined == urljoin(base, link.strip(urls._STRIPPED)).partition("#")[0]


@pytest.mark.parametrize(
    ("link", "absolute"),
    [
        ("b", "http://a.com/x/b"),
        (" ../b#c ", "http://a.com/b"),
        ("//b.com/", "http://b.com/"),
        ("?q=1", "http://a.com/x/y?q=1"),
        ("#here", None),
        ("mailto:a@b.com", None),
        ("javascript:void(0)", None),
        ("data:text/html,x", None),
        ("http://[::1", None),
        ("", None),
        ("x" * 20_000, None),
    ],
)
def test_links_are_made_absolute_or_left_out(link: str, absolute: str | None) -> None:
    assert absolute_url("http://a.com/x/y", link) == absolute


def test_an_authority_has_its_port_written() -> None:
    assert authority_of("http://Example.com/x") == "example.com:80"
    assert authority_of("https://[::1]/") == "[::1]:443"
    with pytest.raises(UrlError):
        authority_of("mailto:x")
