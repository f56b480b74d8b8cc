"""Slugs and transliteration: any script in plain ASCII."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec

from streams.api_services.product import Input, Output, Product

_NOT_WORD: Final = re.compile(r"[^0-9A-Za-z]+")
# Marks inside a word: "don't" is one word, "dont".
_APOSTROPHES: Final = re.compile("['’ʼ]")


class SlugRequest(Input, frozen=True):
    """A title to make a slug of."""

    value: Annotated[str, msgspec.Meta(min_length=1, max_length=2000, description="The text, in any script.")]
    separator: Annotated[Literal["-", "_", "."], msgspec.Meta(description="What stands between words.")] = "-"
    lowercase: Annotated[bool, msgspec.Meta(description="Whether to write small letters only.")] = True
    max_length: Annotated[
        int, msgspec.Meta(ge=1, le=500, description="Longest slug; cut between words where possible.")
    ] = 80


class SlugResponse(Output, frozen=True):
    """The slug (empty where the text has no letters or digits) and the whole text in ASCII."""

    slug: str
    ascii: str
    truncated: bool


def _load_scripts() -> None:
    from anyascii import anyascii

    # The library reads a block of 256 characters when the first of them is met.
    anyascii("".join(chr(block << 8) for block in range(0x1100) if not 0xD8 <= block <= 0xDF))


def _run(request: SlugRequest, now: datetime) -> SlugResponse:
    from anyascii import anyascii

    plain = anyascii(_APOSTROPHES.sub("", request.value))
    words = [word for word in _NOT_WORD.split(plain.lower() if request.lowercase else plain) if word]
    slug = words[0][: request.max_length] if words else ""
    for word in words[1:]:
        if len(slug) + 1 + len(word) > request.max_length:
            break
        slug = f"{slug}{request.separator}{word}"
    return SlugResponse(
        slug=slug,
        ascii=anyascii(request.value)[:20_000],
        truncated=slug != request.separator.join(words),
    )


SLUG_PRODUCT = Product(
    name="slug",
    title="Slug and transliteration",
    summary="Turn a title in any script into a URL slug.",
    description=(
        "Transliterates Unicode text of more than a hundred scripts to ASCII, and makes a slug of its words for "
        "addresses and file names, cut between words."
    ),
    request=SlugRequest,
    response=SlugResponse,
    run=_run,
    example=SlugRequest(value="Ærøskøbing: πόλις & 北京"),
    load=_load_scripts,
)
