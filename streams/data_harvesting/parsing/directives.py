"""What a page says about its use by machines: `<meta name="robots">` and X-Robots-Tag."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import msgspec

_MAX_LENGTH: Final = 2000
_SEPARATOR: Final = re.compile(r"[,\s;]+")
_AGENT: Final = re.compile(r"([a-z0-9_-]{2,60})\s*:\s*", re.IGNORECASE | re.ASCII)
# These have a value after a colon, and are no names of robots.
_WITH_VALUE: Final = frozenset(("unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"))


class Directives(msgspec.Struct, frozen=True):
    """What a page asks for.

    Attributes:
        noindex: Not to be kept for others to find.
        nofollow: Its links are not to be followed.
        noarchive: No copy is to be shown.
        noai: Not to be used for machine learning.
        noimageai: Nor its images.
    """

    noindex: bool = False
    nofollow: bool = False
    noarchive: bool = False
    noai: bool = False
    noimageai: bool = False

    def __or__(self, other: Directives) -> Directives:
        """Return what either asks for."""
        return Directives(*(mine or theirs for mine, theirs in zip(_values(self), _values(other), strict=True)))


def directives_of(text: str, product_token: str = "") -> Directives:
    """Read a header or a meta element's content.

    Args:
        text: As it stands there; of repeated headers all of them, joined by `, `.
        product_token: Our name. What is said to other robots (`googlebot: noindex`) is not said to us.
    """
    words: set[str] = set()
    ours = True
    for part in text[:_MAX_LENGTH].lower().split(","):
        agent = _AGENT.match(part.strip())
        if agent is not None and agent[1] not in _WITH_VALUE:
            ours = agent[1] in ("robots", "*", product_token.lower())
            part = part.strip()[agent.end() :]
        if ours:
            words.update(_SEPARATOR.split(part.strip()))
    none = "none" in words
    return Directives(
        noindex=none or "noindex" in words,
        nofollow=none or "nofollow" in words,
        noarchive="noarchive" in words,
        noai="noai" in words,
        noimageai="noimageai" in words,
    )


def all_of(found: Iterable[Directives]) -> Directives:
    """Return what any of them asks for."""
    together = Directives()
    for each in found:
        together |= each
    return together


def _values(directives: Directives) -> tuple[bool, ...]:
    return tuple(getattr(directives, name) for name in Directives.__struct_fields__)
