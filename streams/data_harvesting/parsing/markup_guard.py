"""Finds tags with so many attributes that parsers, which look for each among those before, take minutes.

Python's `re` cannot be interrupted, so it is given one tag at a time.
"""

from __future__ import annotations

import re
from typing import Final

MAX_ATTRIBUTES: Final = 1_000

_TAG: Final = re.compile(r"<[A-Za-z_:]")
# A tag as the HTML standard reads it, up to one attribute more than a tag may have. Possessive: no way back.
_CROWDED: Final = re.compile(
    r"[^\s/>]*+(?:[\s/]++[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s>]*+))?+)"
    rf"{{{MAX_ATTRIBUTES + 1}}}"
)
_LEAST_BYTES: Final = 2 * MAX_ATTRIBUTES


def has_crowded_tag(document: str) -> bool:
    """Return whether a tag has more than 1,000 attributes, wherever it stands."""
    if len(document) < _LEAST_BYTES:
        return False
    return any(_CROWDED.match(document, start.start() + 1) is not None for start in _TAG.finditer(document))
