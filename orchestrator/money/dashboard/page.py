"""The report as a page: one file with everything in it, drawings included, that needs no script and no network."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestrator.money.dashboard import charts
from orchestrator.money.dashboard.charts import Chart, stacked_bars
from orchestrator.money.dashboard.report import AssetFigures, PeriodFigures, RevenueReport
from streams.money import asset_of

if TYPE_CHECKING:
    import jinja2

DAYS_DRAWN: Final = 30
HOURS_DRAWN: Final = 48
INSTANCES_SHOWN: Final = 200

_TEMPLATE: Final = "page.html.j2"
_SHORT_PLACES: Final = 6


def render(report: RevenueReport) -> str:
    """Return the page of a report. Takes some dozens of milliseconds: not on the loop."""
    book = report.books[report.summary.book]
    asset = report.summary.asset
    streams = [stream.stream for stream in book.by_stream]
    return (
        _environment()
        .get_template(_TEMPLATE)
        .render(
            report=report,
            book=book,
            other_books={name: other for name, other in report.books.items() if other is not book and other.totals},
            streams=streams,
            geometry=charts,
            daily=_chart(book.by_day, _days(report.generated_at), streams, asset),
            hourly=_chart(book.by_hour, _hours(report.generated_at), streams, asset),
            widest={stream: max(funnel.values(), default=0) for stream, funnel in report.funnel.items()},
            of=_of,
            instances=report.instance_breakdown[:INSTANCES_SHOWN],
            hidden=max(len(report.instance_breakdown) - INSTANCES_SHOWN, 0) + report.instances_left_out,
        )
    )


def people_amount(amount: str, asset: str) -> str:
    """Return an amount as people read it: `1,234.56`; of less than one, all places that say something."""
    value = Decimal(amount)
    digits = asset_of(asset).minor_digits
    if abs(value) >= 1:
        return f"{value:,.{min(digits, _SHORT_PLACES)}f}"
    places = min(digits, 2)
    if value:
        value = value.quantize(Decimal(1).scaleb(value.adjusted() - 2), ROUND_HALF_EVEN)
        places = max(-int(value.normalize().as_tuple().exponent), places)
    return f"{value:,.{places}f}"


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["money"] = people_amount
    environment.filters["moment"] = lambda moment: f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    environment.filters["words"] = lambda name: name.replace("_", " ").replace(".", " ")
    return environment


def _chart(periods: tuple[PeriodFigures, ...], starts: list[str], streams: list[str], asset: str) -> Chart:
    values: dict[tuple[str, str], Decimal] = {
        (period.starts, period.stream): Decimal(period.income) for period in periods if period.asset == asset
    }
    return stacked_bars(starts, streams, values, asset)


def _days(now: datetime) -> list[str]:
    today: date = now.astimezone(UTC).date()
    return [(today - timedelta(days=back)).isoformat() for back in reversed(range(DAYS_DRAWN))]


def _hours(now: datetime) -> list[str]:
    hour = now.astimezone(UTC)
    return [f"{hour - timedelta(hours=back):%Y-%m-%dT%H}" for back in reversed(range(HOURS_DRAWN))]


def _of(assets: tuple[AssetFigures, ...], asset: str) -> Mapping[str, Any]:
    """Return the figures in one asset, zeros where there are none."""
    for figures in assets:
        if figures.asset == asset:
            return {name: getattr(figures, name) for name in ("income", "cost", "net", "pending", "roi")}
    return {"income": "0", "cost": "0", "net": "0", "pending": "0", "roi": None}
