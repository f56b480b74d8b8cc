"""Markdown of strangers as safe HTML: CommonMark with tables and strikethrough."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from streams.api_services.product import MAX_TEXT_BYTES, Input, Output, Product, ProductError, within_answer
from streams.api_services.products.sanitize import sanitized

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_MAX_CELLS: Final = 20_000


class MarkdownRequest(Input, frozen=True):
    """A text to render."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=32_000, description="CommonMark, with GitHub's tables.")]


class Heading(Output, frozen=True):
    """A heading of the text, for a table of contents."""

    level: int
    text: str


class MarkdownResponse(Output, frozen=True):
    """The rendered text, and its headings in order (the first 200)."""

    html: str
    headings: tuple[Heading, ...]


@functools.cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def _attribute_chars(tokens: Iterable[Token]) -> int:
    return sum(
        sum(len(str(value)) for value in token.attrs.values()) + _attribute_chars(token.children or ())
        for token in tokens
    )


def _cells(text: str) -> int:
    """Return how many cells a table over the whole text would have; short rows are filled up when rendered."""
    lines = text.split("\n")
    return len(lines) * max(line.count("|") for line in lines)


def _run(request: MarkdownRequest, now: datetime) -> MarkdownResponse:
    if _cells(request.text) > _MAX_CELLS:
        raise ProductError("has too many table columns for its length", "text")
    parser = _parser()
    tokens = parser.parse(request.text)
    # One long reference, used a thousand times, is short as tokens and megabytes as text.
    if _attribute_chars(tokens) > MAX_TEXT_BYTES:
        raise ProductError("repeats its link targets too often", "text")
    rendered = parser.renderer.render(tokens, parser.options, {})
    headings = tuple(
        Heading(level=int(opening.tag[1]), text=content.content[:200])
        for opening, content in itertools.pairwise(tokens)
        if opening.type == "heading_open"
    )[:200]
    html = within_answer(sanitized(within_answer(rendered, "text"), "article"), "text")
    return MarkdownResponse(html=html, headings=headings)


MARKDOWN_PRODUCT = Product(
    name="markdown",
    title="Markdown to safe HTML",
    summary="Render Markdown to HTML that is safe to show.",
    description=(
        "Renders CommonMark with tables and strikethrough, then keeps an allow-list of tags and address schemes, "
        "so that a stranger's text can stand on your page. Raw HTML in the text is shown, not interpreted."
    ),
    request=MarkdownRequest,
    response=MarkdownResponse,
    run=_run,
    example=MarkdownRequest(text="# Hello\n\nSome **bold** text and a [link](https://example.com/)."),
    heavy=True,
)
