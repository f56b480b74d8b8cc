"""When a cron expression fires next."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Final

import msgspec

from streams.api_services.product import Input, Output, Product
from streams.api_services.products.zones import ZoneName, bounded_time, zone

_HORIZON: Final = timedelta(days=36_525)


class CronRequest(Input, frozen=True):
    """An expression to look ahead with."""

    expression: Annotated[
        str,
        msgspec.Meta(
            min_length=9,
            max_length=100,
            description="Five fields (minute to weekday), or six with seconds first; as Debian, and L, #.",
        ),
    ]
    timezone: ZoneName = "UTC"
    after: Annotated[datetime, msgspec.Meta(tz=True, description="Start here; now where not given.")] | None = None
    count: Annotated[int, msgspec.Meta(ge=1, le=100, description="How many times to give.")] = 5


class CronResponse(Output, frozen=True):
    """The next times in the zone, in order; `reason` says why the expression is not valid.

    Fewer than asked for where a hundred years hold no more.
    """

    valid: bool
    explanation: str | None = None
    times: tuple[datetime, ...] = ()
    reason: str | None = None


def _run(request: CronRequest, now: datetime) -> CronResponse:
    from cronsim import CronSim, CronSimError

    after = bounded_time(request.after if request.after is not None else now, "after")
    start = after.astimezone(zone(request.timezone, "timezone"))
    try:
        schedule = CronSim(request.expression, start)
        explanation = schedule.explain()
    except CronSimError as error:
        return CronResponse(valid=False, reason=str(error).lower())
    times: list[datetime] = []
    for time in schedule:
        if time - start > _HORIZON:
            break
        times.append(time)
        if len(times) == request.count:
            break
    return CronResponse(valid=True, explanation=explanation, times=tuple(times))


CRON_PRODUCT = Product(
    name="cron",
    title="Cron preview",
    summary="List the next times of a cron expression, and say it in words.",
    description=(
        "Follows Debian's cron to the letter, daylight saving included: a job at a time that is skipped runs "
        "right after, one at a time that comes twice runs once. Gives the times with their UTC offsets."
    ),
    request=CronRequest,
    response=CronResponse,
    run=_run,
    example=CronRequest(expression="30 2 * * MON-FRI", timezone="Europe/Berlin"),
)
