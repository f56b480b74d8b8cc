"""Markdown as HTML that is safe to show, in two parts, so that something can stand between them."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

import msgspec

from streams.content_monetization.article import NotAnArticle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_MAX_CELLS: Final = 100_000
_MAX_HTML_CHARS: Final = 1_000_000
_BLOCKS_BEFORE: Final = 2
_BLOCKS_AFTER: Final = 2

_TAGS: Final = frozenset(
    {"a", "abbr", "b", "blockquote", "br", "caption", "code", "del", "em", "h2", "h3", "h4", "h5", "h6", "hr", "i"}
    | {"img", "li", "ol", "p", "pre", "s", "strong", "sub", "sup", "table", "tbody", "td", "th", "thead", "tr", "ul"}
)
_ATTRIBUTES: Final = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title", "width", "height"},
    "ol": {"start"},
    "th": {"align", "scope"},
    "td": {"align"},
}
_SCHEMES: Final = {"http", "https", "mailto"}


class RenderedText(msgspec.Struct, frozen=True):
    """An article's text.

    Attributes:
        beginning: The HTML of its first blocks.
        rest: The HTML of the others; empty where the text is too short to be parted.
    """

    beginning: str
    rest: str

    @property
    def html(self) -> str:
        """The whole of it."""
        return self.beginning + self.rest


def render(slug: str, text: str) -> RenderedText:
    """Return an article's text as HTML. Slow; for a thread.

    Raises:
        NotAnArticle: It is far larger as HTML than as text.
    """
    lines = text.split("\n")
    if len(lines) * max(line.count("|") for line in lines) > _MAX_CELLS:
        raise NotAnArticle(slug, "its tables have too many columns for their length")
    parser = _parser()
    tokens = parser.parse(text)
    for token in tokens:
        # The page has its own h1, the title.
        if token.tag == "h1":
            token.tag = "h2"
    part = _middle(tokens)
    return RenderedText(_safe(slug, parser, tokens[:part]), _safe(slug, parser, tokens[part:]))


def _middle(tokens: Sequence[Token]) -> int:
    """Return where the text can be parted: behind its second paragraph, with as much behind it."""
    ends = [index + 1 for index, token in enumerate(tokens) if token.level == 0 and token.nesting <= 0]
    paragraphs = [
        index + 1 for index, token in enumerate(tokens) if token.level == 0 and token.type == "paragraph_close"
    ]
    if len(paragraphs) < _BLOCKS_BEFORE:
        return len(tokens)
    part = paragraphs[_BLOCKS_BEFORE - 1]
    return part if sum(end > part for end in ends) >= _BLOCKS_AFTER else len(tokens)


def _safe(slug: str, parser: MarkdownIt, tokens: Sequence[Token]) -> str:
    import nh3

    rendered = parser.renderer.render(tokens, parser.options, {})
    if len(rendered) > _MAX_HTML_CHARS:
        raise NotAnArticle(slug, f"it is more than {_MAX_HTML_CHARS} characters as HTML")
    return nh3.clean(
        rendered, tags=set(_TAGS), attributes=_ATTRIBUTES, url_schemes=_SCHEMES, link_rel="noopener noreferrer"
    )


@functools.cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
