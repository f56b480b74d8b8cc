from __future__ import annotations

import re

import pytest

from streams.api_services.product import ProductError
from tests.streams.api_services.conftest import Call

DANGEROUS = re.compile(
    r"<\s*(script|iframe|object|embed|svg|style|form|base|meta|link)|\son\w+\s*=|javascript:", re.IGNORECASE
)

# From the OWASP XSS Filter Evasion Cheat Sheet.
EVASIONS = [
    "<SCRIPT SRC=https://xss.example/xss.js></SCRIPT>",
    "<IMG SRC=\"javascript:alert('XSS');\">",
    '<IMG SRC=JaVaScRiPt:alert("XSS")>',
    '<a href="jav&#x09;ascript:alert(1)">x</a>',
    '<IMG """><SCRIPT>alert("XSS")</SCRIPT>"\\>',
    '<IMG SRC=# onmouseover="alert(1)">',
    '<IMG SRC=/ onerror="alert(1)"></img>',
    "<<SCRIPT>alert(1);//\\<</SCRIPT>",
    "<BODY ONLOAD=alert(1)>",
    "<svg/onload=alert(1)>",
    '<IFRAME SRC="javascript:alert(1);"></IFRAME>',
    '<META HTTP-EQUIV="refresh" CONTENT="0;url=javascript:alert(1);">',
    '<DIV STYLE="background-image: url(javascript:alert(1))">',
    "<math><mi><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    '<a href="data:text/html;base64,PHNjcmlwdD4=">x</a>',
]


@pytest.mark.parametrize("profile", ["article", "comment", "text"])
@pytest.mark.parametrize("html", EVASIONS)
def test_no_known_evasion_survives(call: Call, html: str, profile: str) -> None:
    clean = call("sanitize", html=html, profile=profile).html
    without_text = re.sub(r"(?<=>)[^<]*|^[^<]*", "", clean)

    assert not DANGEROUS.search(without_text)
    assert "data:" not in without_text


@pytest.mark.parametrize("html", EVASIONS)
def test_what_is_clean_stays_as_it_is(call: Call, html: str) -> None:
    once = call("sanitize", html=html).html or "-"
    again = call("sanitize", html=once)

    assert again.html == once
    assert not again.changed


def test_profiles_keep_what_they_promise(call: Call) -> None:
    html = '<h1>T</h1><p><b>b</b> <a href="https://e.org/">l</a></p><img src="https://e.org/i.png" alt="i">'

    article = call("sanitize", html=html).html
    comment = call("sanitize", html=html, profile="comment").html

    assert "<h1>T</h1>" in article
    assert '<img src="https://e.org/i.png" alt="i">' in article
    assert "<h1>" not in comment
    assert "<img" not in comment
    assert '<a href="https://e.org/" rel="nofollow noopener noreferrer ugc">' in comment
    assert call("sanitize", html="<b>1 &lt; 2</b>", profile="text").html == "1 &lt; 2"


def test_elements_that_would_multiply_are_refused_before_parsing(call: Call) -> None:
    bomb = "<p>" + "".join(f"<b id={number}>" for number in range(1500)) + "</p><p>x" * 1500

    with pytest.raises(ProductError, match="formatting tags") as caught:
        call("sanitize", html=bomb)

    assert caught.value.field == "html"


def test_a_result_that_grows_too_large_is_refused(call: Call) -> None:
    with pytest.raises(ProductError, match="larger than 160 KiB"):
        call("sanitize", html="&" * 120_000)
