from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

from orchestrator.money.dashboard.figures import HISTORY_DAYS, HISTORY_HOURS, Earner, Units, read_figures
from orchestrator.money.schema import open_reader
from orchestrator.money.store import Store
from orchestrator.money.totals import read_totals
from streams.booking import Evidence, Posting
from streams.money import MAX_UNITS, format_amount
from streams.transfers import Party, transfer
from tests.orchestrator.money.bookings import AFFILIATE, NOON, api_call, book, commission, earned, step, usd, write
from tests.orchestrator.money.busy_hour import ledger_of_an_hour

ONE = "api_services-001"


def plain(sums: Any) -> dict[Any, dict[str, Units]]:
    return {key: dict(assets) for key, assets in sums.items()}


def test_sums_are_told_by_stream_and_instance(store: Store, reading: sqlite3.Connection) -> None:
    write(store, api_call(1), api_call(2, instance="api_services-002"), api_call(3, book="live", units=7))
    paper = read_figures(reading, NOON).books["paper"]
    assert dict(paper.totals) == {"USD": Units(income=4000)}
    assert plain(paper.streams) == {"api_services": {"USD": Units(income=4000)}}
    assert plain(paper.earners)[Earner("api_services", ONE)] == {"USD": Units(income=2000)}
    assert dict(read_figures(reading, NOON).books["live"].totals) == {"USD": Units(income=7)}


def test_costs_are_told_by_what_they_were_for(store: Store, reading: sqlite3.Connection) -> None:
    for what, units in (("cpu", 30), ("fee", 12), ("cpu", 5)):
        legs = (usd(f"cost:{what}:api_services:{ONE}", units), usd("asset:a", -units))
        book(store, api_call(units, postings=legs))
    paper = read_figures(reading, NOON).books["paper"]
    assert dict(paper.resources) == {("api_services", "cpu", "USD"): 35, ("api_services", "fee", "USD"): 12}
    assert dict(paper.totals) == {"USD": Units(cost=47)}


def test_what_is_pending_stands_apart(store: Store, reading: sqlite3.Connection) -> None:
    pending = book(store, commission(1, 1000))
    book(store, commission(2, 50))
    book(store, step(pending, "posted", *earned(900)))
    paper = read_figures(reading, NOON).books["paper"]
    assert dict(paper.totals) == {"USD": Units(income=900, pending=50)}


def test_days_hours_and_today_are_those_of_the_events(store: Store, reading: sqlite3.Connection) -> None:
    for hours in (0, 1, 30):
        book(store, api_call(hours, occurred_at=NOON - timedelta(hours=hours), units=100 + hours))
    figures = read_figures(reading, NOON + timedelta(minutes=5))
    paper = figures.books["paper"]
    assert plain(paper.days) == {
        ("2026-01-30", "api_services"): {"USD": Units(income=130)},
        ("2026-01-31", "api_services"): {"USD": Units(income=201)},
    }
    assert sorted(paper.hours) == [(f"2026-01-{hour}", "api_services") for hour in ("30T06", "31T11", "31T12")]
    assert plain(paper.today) == {ONE: {"USD": Units(income=201)}}
    assert figures.first_day == "2026-01-30"


def test_only_the_last_months_and_weeks_are_told(store: Store, reading: sqlite3.Connection) -> None:
    for days in (HISTORY_DAYS, HISTORY_DAYS - 1, HISTORY_HOURS // 24 + 1, 0):
        book(store, api_call(days, occurred_at=NOON - timedelta(days=days)))
    paper = read_figures(reading, NOON).books["paper"]
    assert (len(paper.days), len(paper.hours)) == (3, 1)
    assert dict(paper.totals) == {"USD": Units(income=8000)}


def test_what_instances_earn_of_each_other_is_theirs_and_not_the_fleets(
    store: Store, reading: sqlite3.Connection
) -> None:
    seller, buyer = Party("data_harvesting", "data_harvesting-001"), Party("content_monetization", "c-1")
    sides = transfer(
        "t", kind="dataset.sold", book="paper", seller=seller, buyer=buyer, asset="USD", units=70,
        occurred_at=NOON, evidence=Evidence("order", "o", b"x"),
    )  # fmt: skip
    book(store, sides[0])
    paper = read_figures(reading, NOON).books["paper"]
    assert (dict(paper.totals), dict(paper.days), dict(paper.today)) == ({}, {}, {})
    assert plain(paper.internal) == {"data_harvesting-001": {"USD": Units(income=70)}}
    assert [due.amount for due in paper.in_transit] == ["0.00007"]
    book(store, sides[1])
    paper = read_figures(reading, NOON).books["paper"]
    assert plain(paper.internal)["c-1"] == {"USD": Units(cost=70)}
    assert paper.in_transit == ()


def test_sums_past_64_bits_are_exact(store: Store, reading: sqlite3.Connection) -> None:
    for n in range(3):
        legs = (Posting("asset:a", "BTC", MAX_UNITS), Posting(f"income:s:{n}", "BTC", -MAX_UNITS))
        book(store, api_call(n, postings=legs, instance=f"i-{n}"))
    paper = read_figures(reading, NOON).books["paper"]
    assert paper.totals["BTC"].income == 3 * MAX_UNITS
    assert paper.days["2026-01-31", "api_services"]["BTC"].income == 3 * MAX_UNITS


def test_an_empty_ledger_has_nothing_to_say(reading: sqlite3.Connection) -> None:
    figures = read_figures(reading, NOON)
    assert figures.first_day is None
    assert not figures.books["paper"].totals
    assert not reading.in_transaction


def test_all_agree_with_the_totals_after_a_busy_hour(path: Path) -> None:
    ledger_of_an_hour(path)
    with closing(open_reader(path)) as connection:
        figures = read_figures(connection, NOON)
        for name in ("paper", "live"):
            told = {
                (item.asset, item.kind, item.state): item.amount
                for item in read_totals(connection, name).items  # type: ignore[arg-type]
            }
            book_figures = figures.books[name]  # type: ignore[index]
            for asset, units in book_figures.totals.items():
                assert told.get((asset, "income", "posted"), format_amount(0, asset)) == format_amount(
                    units.income, asset
                )
                assert told.get((asset, "cost", "posted"), format_amount(0, asset)) == format_amount(units.cost, asset)
                assert told.get((asset, "income", "pending"), format_amount(0, asset)) == format_amount(
                    units.pending, asset
                )
            for parts in (book_figures.streams, book_figures.earners, book_figures.days, book_figures.hours):
                sums: dict[str, Units] = {}
                for assets in parts.values():  # type: ignore[attr-defined]
                    for asset, units in assets.items():
                        sums.setdefault(asset, Units()).add_all(units)
                assert sums == dict(book_figures.totals)
    assert AFFILIATE in {earner.instance for earner in figures.books["paper"].earners}
