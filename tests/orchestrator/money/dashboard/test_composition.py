from __future__ import annotations

import sqlite3
from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from orchestrator.money.dashboard.composition import Wishes, compose
from orchestrator.money.dashboard.figures import read_figures
from orchestrator.money.dashboard.fleet import FleetNow, Member
from orchestrator.money.dashboard.report import RevenueReport
from orchestrator.money.store import Store
from streams.booking import Posting
from streams.money import AmountError, UnknownAssetError
from tests.orchestrator.money.bookings import NOON, api_call, book, commission, usd, write

ONE, TWO = "api_services-001", "api_services-002"
PAPER = Wishes("paper")


def report(reading: sqlite3.Connection, fleet: FleetNow | None = None, wishes: Wishes = PAPER) -> RevenueReport:
    return compose(read_figures(reading, NOON + timedelta(minutes=30)), fleet, wishes)


def cost(n: int, what: str, units: int, instance: str = ONE) -> Posting:
    return usd(f"cost:{what}:api_services:{instance}", units)


def test_the_founding_reports_fields_stay(store: Store, reading: sqlite3.Connection) -> None:
    book(store, api_call(1, units=1_500_000))
    fleet = FleetNow({ONE: Member("api_services", "ready"), TWO: Member("api_services", "failed")})
    document = msgspec.json.decode(msgspec.json.encode(report(reading, fleet)))
    assert document["generated_at"] == "2026-01-31T12:30:00Z"
    assert document["summary"].items() >= {
        ("total_revenue", "1.50"),
        ("active_instances", 1),
        ("total_instances", 2),
    }
    assert document["growth_metrics"].keys() >= {"hour", "day"}
    assert [instance["instance"] for instance in document["instance_breakdown"]] == [ONE, TWO]
    assert document["revenue_history"] == [{"day": "2026-01-31", "income": "1.50", "cost": "0.00", "net": "1.50"}]


def test_books_are_never_added_together(store: Store, reading: sqlite3.Connection) -> None:
    write(store, api_call(1, units=1_000_000), api_call(2, units=5_000_000, book="live"))
    paper, live = report(reading), report(reading, wishes=Wishes("live"))
    assert (paper.summary.total_revenue, live.summary.total_revenue) == ("1.00", "5.00")
    assert (paper.summary.book, live.summary.book) == ("paper", "live")
    assert paper.books == live.books
    assert [totals.income for totals in paper.books["live"].totals] == ["5.00"]


def test_assets_are_never_added_together(store: Store, reading: sqlite3.Connection) -> None:
    legs = (Posting("asset:a", "BTC", 5), Posting("income:api_services:x", "BTC", -5))
    write(store, api_call(1, units=1_000_000), api_call(2, postings=legs))
    summary = report(reading).summary
    assert (summary.asset, summary.total_revenue, summary.other_assets) == ("USD", "1.00", {"BTC": "0.00000005"})
    summary = report(reading, wishes=Wishes("paper", "BTC")).summary
    assert (summary.total_revenue, summary.other_assets) == ("0.00000005", {"USD": "1.00"})


def test_what_was_spent_is_related_to_what_was_earned(store: Store, reading: sqlite3.Connection) -> None:
    book(store, api_call(1, units=1_000_000))
    for n, what, units in ((2, "cpu", 150_000), (3, "bandwidth", 50_000)):
        book(store, api_call(n, postings=(cost(n, what, units), usd("asset:a", -units))))
    made = report(reading)
    assert (made.summary.total_cost, made.summary.net, made.summary.roi) == ("0.20", "0.80", "4.0000")
    (stream,) = made.books["paper"].by_stream
    assert [(each.resource, each.cost, each.net_per_unit) for each in stream.resources] == [
        ("bandwidth", "0.05", "16.0000"),
        ("cpu", "0.15", "5.3333"),
    ]
    assert (stream.instances, stream.assets[0].roi) == (1, "4.0000")


def test_without_cost_no_return_on_it_is_told(store: Store, reading: sqlite3.Connection) -> None:
    book(store, api_call(1))
    assert report(reading).summary.roi is None


def test_what_is_pending_is_in_no_other_figure(store: Store, reading: sqlite3.Connection) -> None:
    book(store, commission(1, 3_000_000))
    summary = report(reading).summary
    assert (summary.total_revenue, summary.net, summary.pending, summary.today) == ("0.00", "0.00", "3.00", "0.00")


def test_instances_stand_by_what_they_earned_and_those_that_are_gone_stay(
    store: Store, reading: sqlite3.Connection
) -> None:
    write(store, api_call(1, units=5), api_call(2, instance=TWO, units=9), api_call(3, instance="gone-001", units=7))
    fleet = FleetNow({name: Member("api_services", "ready") for name in (ONE, TWO, "new-001")})
    found = [
        (each.instance, each.state, each.assets[0].net if each.assets else None)
        for each in report(reading, fleet).instance_breakdown
    ]
    assert found == [
        (TWO, "ready", "0.000009"),
        ("gone-001", None, "0.000007"),
        (ONE, "ready", "0.000005"),
        ("new-001", "ready", None),
    ]


def test_without_a_daemon_nothing_is_active(store: Store, reading: sqlite3.Connection) -> None:
    write(store, api_call(1), api_call(2, instance=TWO))
    summary = report(reading).summary
    assert (summary.active_instances, summary.total_instances) == (0, 2)


def test_days_without_income_are_part_of_history(store: Store, reading: sqlite3.Connection) -> None:
    for days in (0, 3):
        book(store, api_call(days, occurred_at=NOON - timedelta(days=days), units=1_000_000 * (days + 1)))
    history = [(day.day, day.income) for day in report(reading).revenue_history]
    assert history == [("2026-01-28", "4.00"), ("2026-01-29", "0.00"), ("2026-01-30", "0.00"), ("2026-01-31", "1.00")]


def test_an_empty_ledger_has_a_report(reading: sqlite3.Connection) -> None:
    made = report(reading)
    assert made.summary.total_revenue == "0.00"
    assert [day.day for day in made.revenue_history] == ["2026-01-31"]
    assert made.instance_breakdown == ()


@pytest.mark.parametrize(
    ("target", "percent", "reached"),
    [("4", "50.0", False), ("2", "100.0", True), ("1.5", "133.3", True), ("0", "100", True)],
)
def test_the_daily_target_is_measured_by_todays_income(
    store: Store, reading: sqlite3.Connection, target: str, percent: str, reached: bool
) -> None:
    book(store, api_call(1, units=2_000_000))
    book(store, api_call(2, units=9_000_000, occurred_at=NOON - timedelta(days=1)))
    told = report(reading, wishes=Wishes("paper", "USD", target)).summary.daily_target
    assert told is not None
    assert (Decimal(told.amount), told.earned, told.percent, told.reached) == (
        Decimal(target),
        "2.00",
        percent,
        reached,
    )


def test_a_wish_that_is_no_money_is_said(reading: sqlite3.Connection) -> None:
    with pytest.raises(UnknownAssetError, match="'XYZ'"):
        report(reading, wishes=Wishes("paper", "XYZ"))
    with pytest.raises(AmountError, match="decimal places"):
        report(reading, wishes=Wishes("paper", "USD", "0.0000001"))


def test_growth_is_of_the_book_and_asset_at_the_top(store: Store, reading: sqlite3.Connection) -> None:
    for hours, units in ((1, 3_000_000), (2, 2_000_000)):
        at = NOON - timedelta(hours=hours)
        book(store, api_call(hours, occurred_at=at, units=units))
        book(store, api_call(hours, occurred_at=at, units=1, book="live"))
    growth = report(reading).growth_metrics
    assert (growth.hour.current, growth.hour.previous, growth.hour.percent) == ("3.00", "2.00", "50.0")
    assert [each.asset for each in report(reading).books["live"].growth] == ["USD"]
