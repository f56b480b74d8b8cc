"""Bounds for HTML of strangers, within which every parser here stays under a second and 150 MB.

Two shapes are dangerous. Deep nesting costs parsers the square of the number of tags. And by the HTML standard
an unclosed formatting element (`<b id=1>`) is opened anew in every later block, so that a few kilobytes become
millions of elements; elements without attributes are limited by the standard itself (at most three of a kind).
"""

from __future__ import annotations

import re
from typing import Final

from streams.api_services.product import ProductError

MAX_TAGS: Final = 10_000
MAX_ELEMENTS: Final = 500_000

# Three of each of the formatting elements is what the standard's "Noah's Ark clause" leaves open.
_OPEN_WITHOUT_ATTRIBUTES: Final = 3 * 13
_FORMATTING_WITH_ATTRIBUTES: Final = re.compile(
    r"<(?:b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)(?=[\s/])", re.IGNORECASE
)


def bounded_html(html: str, field: str) -> str:
    """Return the document.

    Raises:
        ProductError: It has more tags, or could grow to more elements, than a parser should be given.
    """
    tags = html.count("<")
    if tags > MAX_TAGS:
        raise ProductError(f"has more than {MAX_TAGS} tags; send a part of the document", field)
    reopened = _OPEN_WITHOUT_ATTRIBUTES + len(_FORMATTING_WITH_ATTRIBUTES.findall(html))
    if tags * reopened > MAX_ELEMENTS:
        raise ProductError("has too many formatting tags with attributes; send a part of the document", field)
    return html
