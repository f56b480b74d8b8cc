"""Public holidays of countries and their parts, from the `holidays` library."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, TypeAlias

import msgspec

from streams.api_services.product import ProductError

if TYPE_CHECKING:
    from holidays import HolidayBase

CountryCode: TypeAlias = Annotated[
    str, msgspec.Meta(max_length=2, pattern="^[A-Za-z]{2}$", description="ISO 3166 code of the country, DE.")
]
SubdivisionCode: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        max_length=8,
        pattern="^[A-Za-z0-9]{1,8}$",
        description="ISO 3166-2 code of a state or province, without country: BY.",
    ),
]
FIRST_YEAR = 1970
LAST_YEAR = 2100


def calendar(country: str, subdivision: str | None, years: Iterable[int]) -> HolidayBase:
    """Return the public holidays of the years, with English names where there are such.

    Raises:
        ProductError: The country or subdivision is not known.
    """
    import holidays

    country = country.upper()
    try:
        return holidays.country_holidays(
            country,
            subdiv=subdivision.upper() if subdivision is not None else None,
            years=years,
            expand=False,
            language="en_US",
        )
    except NotImplementedError:
        known = holidays.list_supported_countries(include_aliases=False).get(country)
        if known is None:
            raise ProductError("is not a country with a known calendar", "country") from None
        hint = f"; known are {', '.join(known)}"[:300] if known else "; it has none"
        raise ProductError(f"is not a subdivision of {country}{hint}", "subdivision") from None
