"""The revenue report: what `reports/revenue_analytics_report.json` holds.

Amounts are exact decimal text. The books are never added together: what stands at the top is of the book that the
fleet books in, and `books` has both in full. Amounts of different assets are never added either: what stands at the
top is in the asset that the owner reports in, beside those in others.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from orchestrator.money.report import InTransit
from streams.booking import BookName


class AssetFigures(msgspec.Struct, frozen=True):
    """What was earned and spent in one asset.

    Attributes:
        asset: The asset's code.
        income: Earned for good.
        cost: Spent for good.
        net: Income less cost.
        pending: Expected, and not in the others.
        roi: Net per unit of cost, `3.2500`; None where nothing was spent.
    """

    asset: str
    income: str
    cost: str
    net: str
    pending: str
    roi: str | None


class ResourceFigures(msgspec.Struct, frozen=True):
    """What one kind of resource cost, and what was left for each unit of it.

    Attributes:
        resource: What it was: `fee`, `cpu`, `bandwidth` and so on.
        asset: The asset's code.
        cost: What was spent on it.
        net_per_unit: The stream's income less all its cost, per unit of this cost.
    """

    resource: str
    asset: str
    cost: str
    net_per_unit: str | None


class StreamFigures(msgspec.Struct, frozen=True):
    """What a stream earned and spent.

    Attributes:
        stream: The stream.
        assets: By asset.
        resources: What its costs were for.
        instances: How many of its instances have booked anything.
    """

    stream: str
    assets: tuple[AssetFigures, ...]
    resources: tuple[ResourceFigures, ...]
    instances: int


class InstanceFigures(msgspec.Struct, frozen=True):
    """What an instance earned and spent.

    Attributes:
        instance: Its id.
        stream: Its stream.
        state: What it is doing; None where it is no longer in the fleet, or nobody was there to be asked.
        assets: By asset, without what instances earned of each other.
        today: The same on this UTC day.
        internal: What it earned of other instances less what it paid to them, by asset.
    """

    instance: str
    stream: str
    state: str | None
    assets: tuple[AssetFigures, ...]
    today: tuple[AssetFigures, ...]
    internal: dict[str, str]


class PeriodFigures(msgspec.Struct, frozen=True):
    """What a stream earned and spent in an hour or on a day.

    Attributes:
        starts: The UTC day, `2026-01-31`, or hour, `2026-01-31T14`.
        stream: The stream.
        asset: The asset's code.
        income: Earned for good.
        cost: Spent for good.
        net: Income less cost.
        pending: Expected.
    """

    starts: str
    stream: str
    asset: str
    income: str
    cost: str
    net: str
    pending: str


class Change(msgspec.Struct, frozen=True):
    """Income of a period beside that of the one before.

    Attributes:
        current: The later one's.
        previous: The earlier one's.
        percent: By how much the later one is more; None where the earlier one earned nothing.
    """

    current: str
    previous: str
    percent: str | None


class GrowthMetrics(msgspec.Struct, frozen=True):
    """How income grows, in whole hours.

    Attributes:
        asset: The asset's code.
        hour: The last hour beside the one before.
        day: The last 24 hours beside the 24 before.
        week: The last seven days beside the seven before.
        today: Since midnight, UTC, beside the same hours of yesterday.
    """

    asset: str
    hour: Change
    day: Change
    week: Change
    today: Change


class Target(msgspec.Struct, frozen=True):
    """What is to be earned in a day.

    Attributes:
        amount: The target.
        asset: Its asset.
        earned: Today's income so far.
        percent: How much of it is reached.
        reached: Whether it is.
    """

    amount: str
    asset: str
    earned: str
    percent: str
    reached: bool


class BookReport(msgspec.Struct, frozen=True):
    """One book in full.

    Attributes:
        totals: By asset.
        today: On this UTC day, by asset.
        growth: By asset.
        by_stream: By stream, what earns most first.
        by_day: The last 90 days, as far as anything happened.
        by_hour: The last two weeks, as far as anything happened.
        in_transit: Transfers between instances that are booked on one side only.
    """

    totals: tuple[AssetFigures, ...]
    today: tuple[AssetFigures, ...]
    growth: tuple[GrowthMetrics, ...]
    by_stream: tuple[StreamFigures, ...]
    by_day: tuple[PeriodFigures, ...]
    by_hour: tuple[PeriodFigures, ...]
    in_transit: tuple[InTransit, ...]


class Summary(msgspec.Struct, frozen=True):
    """The most important in a few lines.

    Attributes:
        book: Whose figures these are.
        asset: What they are in.
        total_revenue: Income, earned for good.
        total_cost: Cost.
        net: Income less cost.
        pending: Expected.
        roi: Net per unit of cost; None where nothing was spent.
        today: Income of this UTC day.
        other_assets: Income in other assets, by asset.
        active_instances: Instances that are ready now.
        total_instances: Instances of the fleet; without a daemon, those that have booked anything.
        daily_target: What is to be earned in a day; None where nobody has said.
    """

    book: BookName
    asset: str
    total_revenue: str
    total_cost: str
    net: str
    pending: str
    roi: str | None
    today: str
    other_assets: dict[str, str]
    active_instances: int
    total_instances: int
    daily_target: Target | None


class HistoryDay(msgspec.Struct, frozen=True):
    """A day of the book and asset of the summary; one on which nothing happened is there, too."""

    day: str
    income: str
    cost: str
    net: str


class RevenueReport(msgspec.Struct, frozen=True):
    """The report.

    Attributes:
        generated_at: When it was made, UTC.
        summary: The most important.
        growth_metrics: How income grows, in the book and asset of the summary.
        instance_breakdown: By instance, what has the highest net first, of the book of the summary.
        revenue_history: By day, of the book and asset of the summary.
        funnel: By stream, counts from seen to earned since the instances' last start.
        funnel_instances: How many instances the funnel is of.
        instances_left_out: How many instances are not in `instance_breakdown`, where only the first were asked for.
        books: Each book in full.
    """

    generated_at: datetime
    summary: Summary
    growth_metrics: GrowthMetrics
    instance_breakdown: tuple[InstanceFigures, ...]
    revenue_history: tuple[HistoryDay, ...]
    funnel: dict[str, dict[str, int]]
    funnel_instances: int
    instances_left_out: int
    books: dict[BookName, BookReport]
