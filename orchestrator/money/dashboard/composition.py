"""The report made of what ledger and fleet have to say. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

import msgspec

from orchestrator.money.dashboard.figures import HISTORY_DAYS, BookFigures, ByAsset, Figures, Units, by_asset
from orchestrator.money.dashboard.fleet import FleetNow
from orchestrator.money.dashboard.growth import UnitChange, growth_of
from orchestrator.money.dashboard.report import (
    AssetFigures,
    BookReport,
    Change,
    GrowthMetrics,
    HistoryDay,
    InstanceFigures,
    PeriodFigures,
    ResourceFigures,
    RevenueReport,
    StreamFigures,
    Summary,
    Target,
)
from orchestrator.money.instants import day_of, to_us
from streams.booking import BookName
from streams.money import format_amount, parse_amount

_FIRST_ASSETS: Final = ("USD", "EUR", "GBP", "USDT", "USDC", "BTC", "ETH")
_PLACES: Final = {asset: place for place, asset in enumerate(_FIRST_ASSETS)}
_RATIO: Final = Decimal("0.0001")
_TENTH: Final = Decimal("0.1")


class Wishes(msgspec.Struct, frozen=True):
    """What the owner wants of the report.

    Attributes:
        book: The book that stands at the top: the one that the fleet books in.
        asset: The asset that stands at the top.
        daily_target: What is to be earned in a day, in that asset, decimal text; None for no target.
    """

    book: BookName
    asset: str = "USD"
    daily_target: str | None = None


def compose(figures: Figures, fleet: FleetNow | None, wishes: Wishes) -> RevenueReport:
    """Return the report.

    Args:
        figures: What the ledger says.
        fleet: What the fleet says; None where there is nobody to be asked.
        wishes: What the owner wants.

    Raises:
        UnknownAssetError, AmountError: The asset is not declared, or the target is no amount of it.
    """
    book = figures.books[wishes.book]
    instances = _instances(book, fleet or FleetNow())
    return RevenueReport(
        generated_at=figures.now,
        summary=_summary(figures, fleet, wishes, len(instances)),
        growth_metrics=_growth(book, figures, wishes.asset),
        instance_breakdown=tuple(instances),
        revenue_history=_history(figures, wishes),
        funnel=fleet.funnels if fleet is not None else {},
        funnel_instances=fleet.asked if fleet is not None else 0,
        instances_left_out=0,
        books={name: _book(its, figures) for name, its in figures.books.items()},
    )


def _summary(figures: Figures, fleet: FleetNow | None, wishes: Wishes, booked: int) -> Summary:
    book, asset = figures.books[wishes.book], wishes.asset
    total = book.totals.get(asset, Units())
    today = _today(book).get(asset, Units())
    return Summary(
        book=wishes.book,
        asset=asset,
        total_revenue=format_amount(total.income, asset),
        total_cost=format_amount(total.cost, asset),
        net=format_amount(total.net, asset),
        pending=format_amount(total.pending, asset),
        roi=_ratio(total.net, total.cost),
        today=format_amount(today.income, asset),
        other_assets={
            other: format_amount(book.totals[other].income, other) for other in _in_order(book.totals) if other != asset
        },
        active_instances=fleet.active if fleet is not None else 0,
        total_instances=len(fleet.members) if fleet is not None else booked,
        daily_target=_target(wishes, today),
    )


def _target(wishes: Wishes, today: Units) -> Target | None:
    if wishes.daily_target is None:
        return None
    wanted = parse_amount(wishes.daily_target, wishes.asset)
    percent = (Decimal(100 * today.income) / wanted).quantize(_TENTH, ROUND_HALF_EVEN) if wanted > 0 else Decimal(100)
    return Target(
        format_amount(wanted, wishes.asset),
        wishes.asset,
        format_amount(today.income, wishes.asset),
        str(percent),
        today.income >= wanted,
    )


def _book(book: BookFigures, figures: Figures) -> BookReport:
    counts: defaultdict[str, int] = defaultdict(int)
    for earner in book.earners:
        counts[earner.stream] += 1
    streams = [
        StreamFigures(stream, _assets(assets), _resources(book, stream, assets), counts[stream])
        for stream, assets in sorted(book.streams.items(), key=lambda item: _rank(item[1], item[0]))
    ]
    return BookReport(
        totals=_assets(book.totals),
        today=_assets(_today(book)),
        growth=tuple(_growth(book, figures, asset) for asset in _in_order(book.totals)),
        by_stream=tuple(streams),
        by_day=tuple(_periods(book.days)),
        by_hour=tuple(_periods(book.hours)),
        in_transit=book.in_transit,
    )


def _instances(book: BookFigures, fleet: FleetNow) -> list[InstanceFigures]:
    earners = {earner.instance: (earner.stream, assets) for earner, assets in book.earners.items()}
    for instance, member in fleet.members.items():
        earners.setdefault(instance, (member.stream, by_asset()))
    found = []
    for instance, (stream, assets) in sorted(earners.items(), key=lambda item: _rank(item[1][1], item[0])):
        known = fleet.members.get(instance)
        found.append(
            InstanceFigures(
                instance,
                stream,
                known.state if known is not None else None,
                _assets(assets),
                _assets(book.today.get(instance, {})),
                {
                    asset: format_amount(units.net, asset)
                    for asset, units in sorted(book.internal.get(instance, by_asset()).items())
                },
            )
        )
    return found


def _rank(assets: Mapping[str, Units], name: str) -> tuple[tuple[int, ...], str]:
    """Return what sorts the highest net first. Assets are not comparable: one goes before the other."""
    return tuple(-assets[asset].net if asset in assets else 0 for asset in _FIRST_ASSETS), name


def _in_order(assets: Iterable[str]) -> list[str]:
    return sorted(assets, key=lambda asset: (_PLACES.get(asset, len(_PLACES)), asset))


def _resources(book: BookFigures, stream: str, assets: Mapping[str, Units]) -> tuple[ResourceFigures, ...]:
    return tuple(
        ResourceFigures(what, asset, format_amount(cost, asset), _ratio(assets[asset].net, cost))
        for (its_stream, what, asset), cost in sorted(book.resources.items())
        if its_stream == stream
    )


def _today(book: BookFigures) -> ByAsset:
    sums = by_asset()
    for assets in book.today.values():
        for asset, units in assets.items():
            sums[asset].add_all(units)
    return sums


def _growth(book: BookFigures, figures: Figures, asset: str) -> GrowthMetrics:
    income: defaultdict[str, int] = defaultdict(int)
    for (hour, _), assets in book.hours.items():
        if asset in assets:
            income[hour] += assets[asset].income
    growth = growth_of(income, figures.now)

    def told(change: UnitChange) -> Change:
        return Change(format_amount(change.current, asset), format_amount(change.previous, asset), change.percent)

    return GrowthMetrics(asset, told(growth.hour), told(growth.day), told(growth.week), told(growth.today))


def _history(figures: Figures, wishes: Wishes) -> tuple[HistoryDay, ...]:
    """Return every day from the first one with money, or 90 days ago, to today."""
    today = date.fromisoformat(day_of(to_us(figures.now)))
    sums: defaultdict[str, Units] = defaultdict(Units)
    for (day, _), assets in figures.books[wishes.book].days.items():
        if wishes.asset in assets:
            sums[day].add_all(assets[wishes.asset])
    first = max(today - timedelta(days=HISTORY_DAYS - 1), date.fromisoformat(min(sums, default=today.isoformat())))
    days = [(first + timedelta(days=n)).isoformat() for n in range((today - first).days + 1)]
    return tuple(
        HistoryDay(day, *(format_amount(units, wishes.asset) for units in (its.income, its.cost, its.net)))
        for day, its in ((day, sums.get(day, Units())) for day in days)
    )


def _periods(periods: Mapping[tuple[str, str], ByAsset]) -> Iterable[PeriodFigures]:
    for (starts, stream), assets in sorted(periods.items()):
        for asset, units in sorted(assets.items()):
            income, cost, net, pending = (
                format_amount(each, asset) for each in (units.income, units.cost, units.net, units.pending)
            )
            yield PeriodFigures(starts, stream, asset, income, cost, net, pending)


def _assets(assets: Mapping[str, Units]) -> tuple[AssetFigures, ...]:
    return tuple(
        AssetFigures(
            asset,
            format_amount(units.income, asset),
            format_amount(units.cost, asset),
            format_amount(units.net, asset),
            format_amount(units.pending, asset),
            _ratio(units.net, units.cost),
        )
        for asset, units in ((asset, assets[asset]) for asset in _in_order(assets))
    )


def _ratio(net: int, cost: int) -> str | None:
    return str((Decimal(net) / cost).quantize(_RATIO, ROUND_HALF_EVEN)) if cost > 0 else None
