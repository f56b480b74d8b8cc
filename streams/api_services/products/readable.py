"""The readable text of a web page: the article without navigation, advertising and footers."""

from __future__ import annotations

import functools
import logging
from datetime import datetime
from types import ModuleType
from typing import Annotated, Literal

import msgspec

from streams.api_services.product import Input, Output, Product, within_answer
from streams.api_services.products.html_bounds import bounded_html


class ReadableRequest(Input, frozen=True):
    """A page, as it was fetched."""

    html: Annotated[
        str, msgspec.Meta(min_length=1, max_length=200_000, description="The page's HTML, up to 10,000 tags.")
    ]
    format: Annotated[Literal["text", "markdown"], msgspec.Meta(description="Plain paragraphs, or Markdown.")] = "text"


class ReadableResponse(Output, frozen=True):
    """The article; `found` is false where the page has none. `date` is the day of publication, ISO 8601."""

    found: bool
    title: str | None = None
    author: str | None = None
    date: str | None = None
    site: str | None = None
    description: str | None = None
    text: str = ""
    words: int = 0


@functools.cache
def _trafilatura() -> ModuleType:
    import trafilatura

    # A page without an article is an answer here, not an event for the operator's log.
    for name in ("trafilatura", "htmldate", "courlan"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return trafilatura


def _run(request: ReadableRequest, now: datetime) -> ReadableResponse:
    html = bounded_html(request.html, "html")
    document = _trafilatura().bare_extraction(
        html,
        fast=True,
        with_metadata=True,
        include_comments=False,
        include_formatting=request.format == "markdown",
        date_extraction_params={
            "original_date": True,
            "extensive_search": False,
            "max_date": now.date().isoformat(),
        },
    )
    if document is None or not (document.text or "").strip():
        return ReadableResponse(found=False)
    text = within_answer(document.text.strip(), "html")
    return ReadableResponse(
        found=True,
        title=_line(document.title),
        author=_line(document.author),
        date=_line(document.date),
        site=_line(document.sitename),
        description=_line(document.description),
        text=text,
        words=len(text.split()),
    )


def _line(text: str | None) -> str | None:
    return (text[:1000].strip() or None) if text else None


READABLE_PRODUCT = Product(
    name="readable",
    title="Readable text from HTML",
    summary="Take the article out of a web page, with title, author and date.",
    description=(
        "Finds the main text of a page and leaves out navigation, advertising and footers; gives it as plain "
        "text or Markdown with title, author, day of publication and site. The page is sent, not fetched."
    ),
    request=ReadableRequest,
    response=ReadableResponse,
    run=_run,
    example=ReadableRequest(
        html=(
            "<html><head><title>On bridges</title><meta name='author' content='Ada Example'></head><body>"
            "<nav><a href='/'>Home</a></nav><article><h1>On bridges</h1><p>A bridge is judged by the load that "
            "it carries on an ordinary day, and by how it behaves on the one day that is not.</p><p>Engineers "
            "who built the old stone arches knew nothing of steel, and their arches still stand.</p></article>"
            "<footer>Imprint</footer></body></html>"
        )
    ),
    heavy=True,
)
