"""Requests made to cost more than they pay: each is answered or refused within a small bound of CPU time.

The limit is several times what they take, and a fraction of what they would take without the products' bounds.
"""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from streams.api_services.product import ProductError
from streams.api_services.products import PRODUCTS

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMIT_S = 3.0

# Within the bound on tags, as bad as they come.
HTML = {
    "nested blocks": "<div>" * 9_999,
    "nested lists": "<ul><li>" * 4_999,
    "open paragraphs": "<p>x" * 9_999,
    "distinct formatting": "".join(f"<b id={number}>" for number in range(600)) + "<p>x" * 150,
    "reopened formatting": "<p>" + "<b><i><u><s><tt><em>" * 3 + "</p><p>x" * 4_900,
    "many attributes": "<p " + " ".join(f"a{number}=b" for number in range(16_000)) + ">",
    "misnested": "<b><p></b>" * 3_333,
    "nested tables": "<table><tr><td>" * 3_333,
    "entities": "&" * 119_999,
}
MARKDOWN = {
    "images": "![",
    "brackets": "[",
    "emphasis": "*_",
    "links": "[a](",
    "backticks": "`a``",
    "quotes": "> ",
    "lists": "1. a\n",
    "comments": "<!--",
}
CALLS: list[tuple[str, str, dict[str, Any]]] = [
    *(("sanitize", name, {"html": html[:120_000]}) for name, html in HTML.items()),
    *(("metadata", name, {"html": html[:120_000]}) for name, html in HTML.items()),
    *(("readable", name, {"html": html[:120_000]}) for name, html in HTML.items()),
    *(("markdown", name, {"text": (part * 32_000)[:32_000]}) for name, part in MARKDOWN.items()),
    ("diff", "shuffled lines", {"before": "a\nb\n" * 2500, "after": "b\na\nc\n" * 1600}),
    ("similarity", "no common text", {"a": "ab " * 166, "b": "ba" * 250}),
    ("qr", "largest image", {"value": "é" * 900, "error_correction": "L", "format": "png", "scale": 20}),
    ("cron", "five Mondays in February", {"expression": "0 0 * 2 1#5", "count": 100, "timezone": "Europe/Berlin"}),
    ("useragent", "repeated tokens", {"value": "Linux; U; Android 1.1; xx-xx; ; " * 32}),
    ("email", "quoted local part", {"value": '"' + 'a\\"' * 150 + '"@x.de'}),
    ("domain", "many labels", {"value": "ⓐ." * 250 + "de"}),
    ("phone", "many extensions", {"value": "ext 1 " * 10, "region": "US"}),
    ("slug", "long expansions", {"value": "ﷺ" * 2000}),
    ("workdays", "longest count", {"country": "JP", "days": -1000}),
    (
        "jsonschema",
        "automaton that explodes",
        {
            "schema": {"allOf": [{"pattern": f"[01]*1[01]{{{1800 + number}}}2"} for number in range(19)]},
            "instance": "".join(random.Random(7).choices("01", k=1000)),
        },
    ),
    (
        "jsonschema",
        "violations in violations",
        {
            "schema": {
                "anyOf": [
                    {"items": {"anyOf": [{"properties": {"a": {"const": n}}, "required": ["a"]} for n in range(60)]}}
                ]
            },
            "instance": [{"a": -1}] * 90,
        },
    ),
]


@pytest.mark.parametrize(
    ("product", "fields"),
    [(product, fields) for product, _, fields in CALLS],
    ids=[f"{product}: {name}" for product, name, _ in CALLS],
)
def test_it_costs_little(product: str, fields: dict[str, Any]) -> None:
    sold = PRODUCTS[product]
    sold.prepare()
    request = msgspec.convert(fields, sold.request)

    started = time.thread_time()
    try:
        answer = msgspec.json.encode(sold.run(request, NOW))
    except ProductError as error:
        answer = error.detail.encode()
    spent_s = time.thread_time() - started

    assert answer
    assert spent_s < LIMIT_S
