"""A time in one zone, told in another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec

from streams.api_services.product import Input, Output, Product
from streams.api_services.products.zones import ZoneName, bounded_time, zone


class TimezoneRequest(Input, frozen=True):
    """A time to convert."""

    target: ZoneName
    source: ZoneName = "UTC"
    at: (
        Annotated[
            datetime,
            msgspec.Meta(description="ISO 8601; without offset, local time in `source`. Now if not given."),
        ]
        | None
    ) = None


class ZonedTime(Output, frozen=True):
    """A moment as clocks of a zone show it."""

    time: datetime
    timezone: str
    abbreviation: str
    utc_offset_s: int
    daylight_saving: bool


class TimezoneResponse(Output, frozen=True):
    """The same moment in both zones.

    `local_time` tells whether the time given exists once, twice (clocks go back: the first is taken) or never
    (clocks go forward: the time is moved on by the gap).
    """

    source: ZonedTime
    target: ZonedTime
    utc: datetime
    unix_s: float
    local_time: Literal["exact", "ambiguous", "skipped"]


def _shown(moment: datetime, timezone: ZoneInfo) -> ZonedTime:
    time = moment.astimezone(timezone)
    return ZonedTime(
        time=time,
        timezone=timezone.key,
        abbreviation=time.tzname() or "",
        utc_offset_s=round((time.utcoffset() or timedelta()).total_seconds()),
        daylight_saving=bool(time.dst()),
    )


def _existence(local: datetime) -> Literal["exact", "ambiguous", "skipped"]:
    if local.utcoffset() == local.replace(fold=1).utcoffset():
        return "exact"
    back = local.astimezone(UTC).astimezone(local.tzinfo)
    return "ambiguous" if back.replace(tzinfo=None) == local.replace(tzinfo=None) else "skipped"


def _run(request: TimezoneRequest, now: datetime) -> TimezoneResponse:
    source, target = zone(request.source, "source"), zone(request.target, "target")
    at = bounded_time(request.at if request.at is not None else now, "at")
    local_time = _existence(at.replace(tzinfo=source)) if at.tzinfo is None else "exact"
    utc = (at if at.tzinfo is not None else at.replace(tzinfo=source)).astimezone(UTC)
    return TimezoneResponse(
        source=_shown(utc, source),
        target=_shown(utc, target),
        utc=utc,
        unix_s=utc.timestamp(),
        local_time=local_time,
    )


TIMEZONE_PRODUCT = Product(
    name="timezone",
    title="Time zone conversion",
    summary="Convert a time between zones, daylight saving included.",
    description=(
        "Converts by the IANA time zone database, from 1973 to 2200. Tells offset and abbreviation, whether "
        "daylight saving is in force, and whether a local time comes twice or never."
    ),
    request=TimezoneRequest,
    response=TimezoneResponse,
    run=_run,
    example=TimezoneRequest(target="America/New_York", source="Europe/Berlin", at=datetime(2026, 7, 1, 9, 30)),  # noqa: DTZ001
)
