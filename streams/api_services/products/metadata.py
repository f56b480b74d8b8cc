"""What a web page says of itself: title, canonical address, Open Graph, feeds, JSON-LD."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from streams.api_services.product import Input, Output, Product
from streams.api_services.products.html_bounds import bounded_html

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser

_MAX_VALUE_CHARS: Final = 1000
_MAX_ENTRIES: Final = 50
_FEED_TYPES: Final = {"application/rss+xml", "application/atom+xml", "application/feed+json"}


class MetadataRequest(Input, frozen=True):
    """A page, as it was fetched."""

    html: Annotated[
        str, msgspec.Meta(min_length=1, max_length=120_000, description="The page's HTML, up to 10,000 tags.")
    ]


class Feed(Output, frozen=True):
    """A feed that the page links to."""

    href: str
    type: str
    title: str | None


class MetadataResponse(Output, frozen=True):
    """As the page gives them: addresses are not resolved, values are cut at 1,000 characters.

    `open_graph` and `twitter` hold the first value of each property, without prefix; `schema_types` the
    `@type` of every JSON-LD item.
    """

    title: str | None
    description: str | None
    language: str | None
    canonical: str | None
    image: str | None
    icon: str | None
    site_name: str | None
    author: str | None
    published: str | None
    robots: str | None
    open_graph: dict[str, str]
    twitter: dict[str, str]
    feeds: tuple[Feed, ...]
    schema_types: tuple[str, ...]


def _run(request: MetadataRequest, now: datetime) -> MetadataResponse:
    from selectolax.lexbor import LexborHTMLParser

    page = LexborHTMLParser(bounded_html(request.html, "html"))
    named = _named(page)
    links = _links(page)
    open_graph = _prefixed(named, "og:")
    twitter = _prefixed(named, "twitter:")
    title = page.css_first("title")
    root = page.root
    return MetadataResponse(
        title=_clean(title.text()) if title is not None else open_graph.get("title"),
        description=named.get("description") or open_graph.get("description"),
        language=_clean(root.attributes.get("lang")) if root is not None else None,
        canonical=next((href for rel, href, _, _ in links if "canonical" in rel), None) or open_graph.get("url"),
        image=open_graph.get("image") or twitter.get("image"),
        icon=next((href for rel, href, _, _ in links if "icon" in rel), None),
        site_name=open_graph.get("site_name"),
        author=named.get("author") or named.get("article:author"),
        published=named.get("article:published_time") or named.get("date"),
        robots=named.get("robots"),
        open_graph=open_graph,
        twitter=twitter,
        feeds=tuple(
            Feed(href=href, type=kind, title=title)
            for rel, href, kind, title in links
            if "alternate" in rel and kind in _FEED_TYPES
        )[:_MAX_ENTRIES],
        schema_types=_schema_types(page),
    )


def _clean(text: str | None) -> str | None:
    return " ".join(text[: 4 * _MAX_VALUE_CHARS].split())[:_MAX_VALUE_CHARS] or None if text else None


def _named(page: LexborHTMLParser) -> dict[str, str]:
    """Return the first content of each `<meta>` by its name or property."""
    found: dict[str, str] = {}
    for element in page.css("meta"):
        attributes = element.attributes
        name = (attributes.get("property") or attributes.get("name") or "")[:100].strip().lower()
        content = _clean(attributes.get("content"))
        if name and content:
            found.setdefault(name, content)
    return found


def _prefixed(named: dict[str, str], prefix: str) -> dict[str, str]:
    matching = [(name.removeprefix(prefix), value) for name, value in named.items() if name.startswith(prefix)]
    return dict(matching[:_MAX_ENTRIES])


def _links(page: LexborHTMLParser) -> list[tuple[set[str], str, str, str | None]]:
    """Return relations, address, media type and title of each `<link>`."""
    found = []
    for element in page.css("link"):
        attributes = element.attributes
        if href := _clean(attributes.get("href")):
            relations = set((attributes.get("rel") or "").lower().split())
            kind = (attributes.get("type") or "").strip().lower()
            found.append((relations, href, kind, _clean(attributes.get("title"))))
    return found


def _schema_types(page: LexborHTMLParser) -> tuple[str, ...]:
    types: dict[str, None] = {}
    for element in page.css('script[type="application/ld+json"]')[:_MAX_ENTRIES]:
        try:
            content = msgspec.json.decode(element.text())
        except (msgspec.DecodeError, RecursionError):
            continue  # a broken block is as good as none, as it is for search engines
        items = content if isinstance(content, list) else [content]
        for item in items[:_MAX_ENTRIES]:
            graph = item.get("@graph") if isinstance(item, dict) else None
            for part in [item, *(graph[:_MAX_ENTRIES] if isinstance(graph, list) else [])]:
                kind = part.get("@type") if isinstance(part, dict) else None
                for each in kind[:_MAX_ENTRIES] if isinstance(kind, list) else [kind]:
                    if isinstance(each, str):
                        types[each[:100]] = None
    return tuple(types)[:_MAX_ENTRIES]


METADATA_PRODUCT = Product(
    name="metadata",
    title="Page metadata",
    summary="Read title, preview image, canonical address, feeds and schema.org types of a page.",
    description=(
        "What link previews and search engines read: title, description, language, canonical address, icon, "
        "Open Graph and Twitter properties, feeds, robots directives, JSON-LD types. The page is sent, not "
        "fetched."
    ),
    request=MetadataRequest,
    response=MetadataResponse,
    run=_run,
    example=MetadataRequest(
        html=(
            "<html lang='en'><head><title>On bridges</title><meta property='og:image' content='/arch.jpg'>"
            "<link rel='canonical' href='https://example.com/bridges'></head><body></body></html>"
        )
    ),
    heavy=True,
)
