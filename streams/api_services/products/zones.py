"""Time zones by their IANA names."""

from __future__ import annotations

import difflib
import functools
from datetime import datetime
from importlib import resources
from typing import Annotated, Final, TypeAlias
from zoneinfo import ZoneInfo

import msgspec

from streams.api_services.product import ProductError

# Before 1973 some zones had offsets with seconds (Liberia, -0:44:30), which ISO 8601 cannot write.
FIRST_YEAR: Final = 1973
LAST_YEAR: Final = 2200

ZoneName: TypeAlias = Annotated[
    str, msgspec.Meta(min_length=1, max_length=64, description="An IANA time zone, Europe/Berlin.")
]


@functools.cache
def load_zones() -> dict[str, ZoneInfo]:
    """Return every zone by name. The first call reads them all, 600 small files."""
    names = resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8").split()
    return {name: ZoneInfo(name) for name in names}


def bounded_time(moment: datetime, field: str) -> datetime:
    """Return the time.

    Raises:
        ProductError: It is outside the years that are told exactly.
    """
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ProductError(f"must be between {FIRST_YEAR} and {LAST_YEAR}", field)
    return moment


def zone(name: str, field: str) -> ZoneInfo:
    """Return the zone.

    Raises:
        ProductError: There is none of that name; the nearest name is told.
    """
    zones = load_zones()
    if (found := zones.get(name)) is not None:
        return found
    nearest = difflib.get_close_matches(name, zones, n=1)
    hint = f"; did you mean {nearest[0]}?" if nearest else "; names look like Europe/Berlin"
    raise ProductError(f"is not an IANA time zone{hint}", field)
