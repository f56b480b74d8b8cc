from __future__ import annotations

import re
import shlex
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from streams.api_services.blueprint import blueprint
from streams.api_services.decoding import decode_request
from streams.api_services.docs_page import docs_page
from streams.api_services.products import PRODUCTS
from streams.api_services.settings import ApiServicesSettings

BASE = "http://127.0.0.1:7800"
VOID = {"meta", "link", "br"}


class Page(HTMLParser):
    """The page's text, its commands, what it links to, and whether its tags are balanced."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.commands: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        attributes = dict(attrs)
        self.links += [value for name, value in attributes.items() if name in {"href", "src"} and value]
        if identifier := attributes.get("id"):
            self.ids.add(identifier)
        if tag == "pre":
            self.commands.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if "pre" in self.open:
            self.commands[-1] += data


@pytest.fixture
def everything() -> ApiServicesSettings:
    return msgspec.structs.replace(blueprint(1)[0], products=dict.fromkeys(PRODUCTS, "0.0021"))


def test_the_page_is_well_formed_and_shows_products_prices_and_plans(everything: ApiServicesSettings) -> None:
    page = Page(docs_page(everything, BASE))

    assert page.open == []
    assert set(PRODUCTS) <= page.ids
    for product in PRODUCTS.values():
        assert product.title in page.text
        assert product.summary in page.text
    assert page.text.count("0.0021") >= 2 * len(PRODUCTS)
    for plan in everything.plans:
        assert plan in page.text


def test_the_page_loads_nothing_from_elsewhere(everything: ApiServicesSettings) -> None:
    html = docs_page(everything, BASE)

    assert all(link.startswith(("#", "/", "data:,")) for link in Page(html).links)
    assert "@import" not in html
    assert "url(" not in html
    assert "<script" not in html


def test_links_inside_the_page_lead_somewhere(everything: ApiServicesSettings) -> None:
    page = Page(docs_page(everything, BASE))

    assert {link[1:] for link in page.links if link.startswith("#")} <= page.ids


def test_every_command_is_a_request_that_the_product_accepts(everything: ApiServicesSettings) -> None:
    page = Page(docs_page(everything, BASE))

    _, *commands = page.commands  # the first one is shown twice
    assert len(commands) == len(PRODUCTS)
    for product, command in zip(PRODUCTS.values(), commands, strict=True):
        words = shlex.split(command.replace("\\\n", " "))
        url = urlsplit(words[-1])
        assert url.path == f"/v1/{product.name}"
        body = words[words.index("-d") + 1].encode() if "-d" in words else None
        assert decode_request(product, parse_qsl(url.query), body) == product.example


def test_settings_are_escaped() -> None:
    hostile = msgspec.structs.replace(
        blueprint(1)[0], title='<script>alert("x")</script>', tagline="\"><img src=x onerror='x'>"
    )

    html = docs_page(hostile, 'http://x/"><script>')

    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;alert" in html


def test_the_page_fits_both_colour_schemes_and_small_screens(everything: ApiServicesSettings) -> None:
    html = docs_page(everything, BASE)

    assert "prefers-color-scheme: dark" in html
    assert re.search(r'<meta name="viewport" content="width=device-width', html)
