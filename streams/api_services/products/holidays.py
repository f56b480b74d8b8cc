"""The public holidays of a year."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import msgspec

from streams.api_services.product import Input, Output, Product
from streams.api_services.products.holiday_calendar import (
    FIRST_YEAR,
    LAST_YEAR,
    CountryCode,
    SubdivisionCode,
    calendar,
)


class HolidaysRequest(Input, frozen=True):
    """A country and a year."""

    country: CountryCode
    year: Annotated[int, msgspec.Meta(ge=FIRST_YEAR, le=LAST_YEAR, description="This year if not given.")] | None = None
    subdivision: SubdivisionCode | None = None


class Holiday(Output, frozen=True):
    """A day off. `weekday` counts from Monday, 1, as ISO 8601 does."""

    date: date
    name: str
    weekday: int


class HolidaysResponse(Output, frozen=True):
    """The days in order."""

    country: str
    subdivision: str | None
    year: int
    holidays: tuple[Holiday, ...]


def _run(request: HolidaysRequest, now: datetime) -> HolidaysResponse:
    year = request.year if request.year is not None else now.year
    days = calendar(request.country, request.subdivision, [year])
    return HolidaysResponse(
        country=request.country.upper(),
        subdivision=request.subdivision.upper() if request.subdivision is not None else None,
        year=year,
        holidays=tuple(
            Holiday(date=day, name=name, weekday=day.isoweekday())
            for day, name in sorted(days.items())
            if day.year == year
        ),
    )


HOLIDAYS_PRODUCT = Product(
    name="holidays",
    title="Public holidays",
    summary="List the public holidays of a country or state.",
    description=(
        "The statutory holidays of a year in more than 200 countries and their states or provinces, observed "
        "days included, with English names where there are such. Years to come follow today's law; lunar "
        "calendars are estimates."
    ),
    request=HolidaysRequest,
    response=HolidaysResponse,
    run=_run,
    example=HolidaysRequest(country="DE", year=2026, subdivision="BY"),
    heavy=True,
)
