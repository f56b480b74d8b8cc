"""Markup of strangers to plain, bounded text."""

from __future__ import annotations

import re
from typing import Final

_SPACE: Final = re.compile(r"\s+")
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_UNSEEN: Final = ["script", "style", "noscript", "template", "iframe", "svg", "math"]


def plain_text(text: str, limit: int) -> str:
    """Return text in one line: white space collapsed, without control characters and lone surrogates.

    Args:
        text: Not markup.
        limit: The most characters; what is longer is cut and ends in an ellipsis.
    """
    # Collapsing costs by the length; nothing needs more than this to fill the limit.
    text = _SPACE.sub(" ", _CONTROL.sub("", text[: limit * 4])).strip()
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def text_of_html(fragment: str, limit: int) -> str:
    """Return what a reader sees of an HTML fragment, in one line; see `plain_text`. Nothing of one made to harm."""
    if "<" not in fragment and "&" not in fragment:
        return plain_text(fragment, limit)
    from streams.data_harvesting.parsing.pages import PageRejected, parse_html

    try:
        tree = parse_html(fragment.encode("utf-8", "replace"), "utf-8")
    except PageRejected:
        return ""
    if tree.body is None:
        return ""
    tree.strip_tags(_UNSEEN)
    return plain_text(tree.body.text(separator=" "), limit)
