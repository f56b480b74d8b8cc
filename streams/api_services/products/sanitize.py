"""HTML of strangers, made safe to show."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from streams.api_services.product import Input, Output, Product, within_answer
from streams.api_services.products.html_bounds import bounded_html

Profile: TypeAlias = Literal["article", "comment", "text"]

SAFE_SCHEMES: Final = frozenset({"http", "https", "mailto"})

_COMMENT_TAGS: Final = frozenset(
    {"a", "b", "blockquote", "br", "code", "em", "i", "li", "ol", "p", "pre", "s", "strong", "ul"}
)
_ARTICLE_TAGS: Final = _COMMENT_TAGS | frozenset(
    {"abbr", "cite", "dd", "del", "details", "div", "dl", "dt", "figcaption", "figure", "h1", "h2", "h3", "h4"}
    | {"h5", "h6", "hr", "img", "ins", "kbd", "mark", "q", "samp", "small", "span", "sub", "summary", "sup"}
    | {"table", "tbody", "td", "tfoot", "th", "thead", "time", "tr", "var"}
)
_COMMENT_ATTRIBUTES: Final = {"a": {"href", "title"}}
_ARTICLE_ATTRIBUTES: Final = _COMMENT_ATTRIBUTES | {
    "img": {"src", "alt", "title", "width", "height"},
    "ol": {"start"},
    "td": {"colspan", "rowspan", "align"},
    "th": {"colspan", "rowspan", "align", "scope"},
    "time": {"datetime"},
}


class SanitizeRequest(Input, frozen=True):
    """A fragment to clean."""

    html: Annotated[
        str, msgspec.Meta(min_length=1, max_length=120_000, description="An HTML fragment, up to 10,000 tags.")
    ]
    profile: Annotated[
        Profile,
        msgspec.Meta(description="What stays: article (text, tables, images), comment (inline only), or text."),
    ] = "article"


class SanitizeResponse(Output, frozen=True):
    """The clean fragment, and whether anything was changed (repairs of broken markup count)."""

    html: str
    changed: bool


def sanitized(html: str, profile: Profile) -> str:
    """Return HTML that runs no script and loads nothing but the images of the `article` profile."""
    import nh3

    if profile == "text":
        return nh3.clean(html, tags=set(), attributes={}, link_rel=None)
    return nh3.clean(
        html,
        tags=_ARTICLE_TAGS if profile == "article" else _COMMENT_TAGS,
        attributes=_ARTICLE_ATTRIBUTES if profile == "article" else _COMMENT_ATTRIBUTES,
        url_schemes=SAFE_SCHEMES,
        link_rel="nofollow noopener noreferrer ugc",
    )


def _run(request: SanitizeRequest, now: datetime) -> SanitizeResponse:
    clean = within_answer(sanitized(bounded_html(request.html, "html"), request.profile), "html")
    return SanitizeResponse(html=clean, changed=clean != request.html)


SANITIZE_PRODUCT = Product(
    name="sanitize",
    title="HTML sanitiser",
    summary="Make HTML of strangers safe to show.",
    description=(
        "Parses a fragment as browsers do and keeps an allow-list of tags, attributes and address schemes: no "
        "scripts, styles, event handlers, forms or frames; links get rel=nofollow. Three profiles."
    ),
    request=SanitizeRequest,
    response=SanitizeResponse,
    run=_run,
    example=SanitizeRequest(html='<p onclick="steal()">Hello <script>alert(1)</script><b>world</b></p>'),
    heavy=True,
)
