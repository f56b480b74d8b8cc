"""Working days: deadlines, and how many lie between two dates."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Final

import msgspec

from streams.api_services.product import Input, Output, Product, ProductError
from streams.api_services.products.holiday_calendar import (
    FIRST_YEAR,
    LAST_YEAR,
    CountryCode,
    SubdivisionCode,
    calendar,
)

_MAX_DAYS: Final = 1000
_LONGEST: Final = timedelta(days=3653)
_ONE: Final = timedelta(days=1)


class WorkdaysRequest(Input, frozen=True):
    """Either `days`, to count on from the start, or `end`, to count the days between."""

    country: CountryCode
    start: Annotated[date, msgspec.Meta(description="ISO 8601; today (UTC) if not given.")] | None = None
    days: (
        Annotated[
            int,
            msgspec.Meta(ge=-_MAX_DAYS, le=_MAX_DAYS, description="Working days to go on, or back where negative."),
        ]
        | None
    ) = None
    end: Annotated[date, msgspec.Meta(description="Count the working days up to this date.")] | None = None
    subdivision: SubdivisionCode | None = None


class WorkdaysResponse(Output, frozen=True):
    """Both dates, and the working days from the one to the other, negative going back.

    The start itself does not count, the end does. `holidays` are those that took a working day away.
    """

    start: date
    end: date
    workdays: int
    calendar_days: int
    holidays: tuple[date, ...]


def _run(request: WorkdaysRequest, now: datetime) -> WorkdaysResponse:
    start = request.start if request.start is not None else now.date()
    if not FIRST_YEAR + 10 <= start.year <= LAST_YEAR - 10:
        raise ProductError(f"must be between {FIRST_YEAR + 10} and {LAST_YEAR - 10}", "start")
    if (request.days is None) == (request.end is None):
        raise ProductError("give either days or end", "days")
    if request.end is not None and abs(request.end - start) > _LONGEST:
        raise ProductError("is more than ten years from start", "end")
    forward = request.days >= 0 if request.days is not None else request.end is None or request.end >= start
    # Ten years hold more than the most days that may be asked for, whatever the country.
    years = range(start.year, start.year + 11) if forward else range(start.year - 10, start.year + 1)
    days_off = calendar(request.country, request.subdivision, years)
    step = _ONE if forward else -_ONE
    end, count = start, 0
    skipped: list[date] = []
    while (end != request.end) if request.days is None else (count < abs(request.days)):
        end += step
        if days_off.is_working_day(end):
            count += 1
        elif end in days_off and not days_off.is_weekend(end):
            skipped.append(end)
    return WorkdaysResponse(
        start=start,
        end=end,
        workdays=count if forward else -count,
        calendar_days=(end - start).days,
        holidays=tuple(sorted(skipped)),
    )


WORKDAYS_PRODUCT = Product(
    name="workdays",
    title="Working days",
    summary="Add working days to a date, or count them between two dates.",
    description=(
        "Leaves out the weekend of the country and the public holidays of country and state. Counting starts on "
        "the day after `start` (or before it, going back) and includes the last day."
    ),
    request=WorkdaysRequest,
    response=WorkdaysResponse,
    run=_run,
    example=WorkdaysRequest(country="DE", start=date(2026, 4, 1), days=10, subdivision="BY"),
    heavy=True,
)
