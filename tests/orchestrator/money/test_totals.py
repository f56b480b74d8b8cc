from __future__ import annotations

import sqlite3
from datetime import timedelta

import msgspec

from orchestrator.money.report import Totals, TotalsItem
from orchestrator.money.store import Store
from orchestrator.money.totals import read_totals
from streams.booking import Posting
from streams.money import MAX_UNITS
from tests.orchestrator.money.bookings import NOON, api_call, book, commission, earned, step, write


def earn_and_spend(n: int, instance: str) -> dict[str, object]:
    return {
        "instance": instance,
        "postings": (
            Posting("asset:clearing", "USD", 900_000),
            Posting("cost:fees", "USD", 100_000),
            Posting(f"income:s:{instance}", "USD", -1_000_000),
        ),
        "occurred_at": NOON + timedelta(days=n),
    }


def test_income_and_cost_are_told_apart_and_both_positive(store: Store, reading: sqlite3.Connection) -> None:
    write(store, *(api_call(n, **earn_and_spend(n, f"i-{n}")) for n in range(2)))  # type: ignore[arg-type]
    assert read_totals(reading, "paper") == Totals(
        "paper",
        (TotalsItem("USD", "cost", "posted", "0.20"), TotalsItem("USD", "income", "posted", "2.00")),
    )
    assert read_totals(reading, "live") == Totals("live", ())


def test_totals_by_stream_instance_and_day(store: Store, reading: sqlite3.Connection) -> None:
    write(store, *(api_call(n, **earn_and_spend(n, f"i-{n}")) for n in range(2)))  # type: ignore[arg-type]
    income = {
        by: [item for item in read_totals(reading, "paper", by).items if item.kind == "income"]
        for by in ("stream", "instance", "day")
    }
    assert income["stream"] == [TotalsItem("USD", "income", "posted", "2.00", stream="api_services")]
    assert income["instance"] == [
        TotalsItem("USD", "income", "posted", "1.00", stream="api_services", instance=f"i-{n}") for n in range(2)
    ]
    assert income["day"] == [
        TotalsItem("USD", "income", "posted", "1.00", day=day) for day in ("2026-01-31", "2026-02-01")
    ]


def test_totals_on_the_wire_have_only_the_names_that_were_asked_for() -> None:
    item = TotalsItem("USD", "cost", "posted", "0.20", day="2026-01-31")
    assert msgspec.to_builtins(item) == {
        "asset": "USD",
        "kind": "cost",
        "state": "posted",
        "amount": "0.20",
        "day": "2026-01-31",
    }


def test_a_total_past_64_bits_is_exact(store: Store, reading: sqlite3.Connection) -> None:
    def huge(n: int, sign: int) -> dict[str, object]:
        units = sign * (MAX_UNITS - n)
        return {
            "instance": f"i-{n}",
            "postings": (Posting("asset:a", "BTC", units), Posting(f"income:{n}", "BTC", -units)),
        }

    write(store, *(api_call(n, **huge(n, 1)) for n in range(5)))  # type: ignore[arg-type]
    write(store, *(api_call(n, **huge(n, -1), book="live") for n in range(5)))  # type: ignore[arg-type]
    total = f"{5 * MAX_UNITS - 10:d}"
    amount = f"{total[:-8]}.{total[-8:]}"
    assert [item.amount for item in read_totals(reading, "paper").items] == [amount]
    assert [item.amount for item in read_totals(reading, "live").items] == [f"-{amount}"]


def test_what_earns_nothing_is_not_in_the_totals(store: Store, reading: sqlite3.Connection) -> None:
    write(store, api_call(1, postings=(Posting("asset:a", "USD", 5), Posting("equity:b", "USD", -5))))
    assert read_totals(reading, "paper").items == ()


def test_what_is_pending_stands_apart_until_it_is_resolved(store: Store, reading: sqlite3.Connection) -> None:
    first, _ = (book(store, commission(n, 1_000_000)) for n in (1, 2))
    write(store, step(first, "posted", *earned(900_000)))
    assert read_totals(reading, "paper", "stream").items == (
        TotalsItem("USD", "income", "pending", "1.00", stream="affiliate_marketing"),
        TotalsItem("USD", "income", "posted", "0.90", stream="affiliate_marketing"),
    )


def test_totals_on_the_wire_say_nothing_of_transfers_where_none_is_in_transit(reading: sqlite3.Connection) -> None:
    assert msgspec.json.encode(read_totals(reading, "live")) == b'{"book":"live","items":[]}'
