"""Time zones by their IANA names."""

from __future__ import annotations

import difflib
import functools
from importlib import resources
from typing import Annotated, TypeAlias
from zoneinfo import ZoneInfo

import msgspec

from streams.api_services.product import ProductError

ZoneName: TypeAlias = Annotated[
    str, msgspec.Meta(min_length=1, max_length=64, description="An IANA time zone, Europe/Berlin.")
]


@functools.cache
def _names() -> frozenset[str]:
    return frozenset(resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


def zone(name: str, field: str) -> ZoneInfo:
    """Return the zone.

    Raises:
        ProductError: There is none of that name; the nearest name is told.
    """
    names = _names()
    if name not in names:
        nearest = difflib.get_close_matches(name, names, n=1)
        hint = f"; did you mean {nearest[0]}?" if nearest else "; names look like Europe/Berlin"
        raise ProductError(f"is not an IANA time zone{hint}", field)
    return ZoneInfo(name)
