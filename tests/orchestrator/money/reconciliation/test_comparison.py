from __future__ import annotations

from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.money.reconciliation.account import Movement, UnknownAccount, read_movements
from orchestrator.money.reconciliation.comparison import AssetSums, Reconciliation, compare, period_of
from orchestrator.money.reconciliation.statement import StatementLine
from orchestrator.money.schema import open_reader
from orchestrator.money.store import Store
from streams.booking import Evidence, Posting
from tests.orchestrator.money.bookings import BANK, NOON, api_call, book, commission, earned, ledger_with, paid, step

DAY = date(2026, 1, 31)


def line(number: int, id_: str, units: int, day: date | None = DAY, asset: str = "USD") -> StatementLine:
    return StatementLine(number, id_, asset, units, day)


def moved(sequence: int, id_: str, units: int, day: date = DAY, asset: str = "USD") -> Movement:
    return Movement(sequence, f"tx_{sequence}", id_, asset, units, day)


def reconciled(
    lines: list[StatementLine], movements: list[Movement], days_apart: int = 3, since: date | None = DAY
) -> Reconciliation:
    until = None if since is None else since + timedelta(days=10)
    return compare(lines, movements, account="asset:a", book="paper", since=since, until=until, days_apart=days_apart)


def findings(result: Reconciliation) -> list[tuple[str, str, str | None, str | None, str]]:
    return [(item.finding, item.id, item.statement, item.ledger, item.difference) for item in result.items]


def test_what_has_the_same_name_and_amount_matches() -> None:
    result = reconciled([line(2, "a", 5_000_000)], [moved(1, "a", 5_000_000)])
    assert findings(result) == [("matched", "a", "5.00", "5.00", "0.00")]
    assert result.agrees
    assert result.sums == (AssetSums("USD", "5.00", "5.00", "0.00"),)


def test_another_amount_is_a_difference() -> None:
    result = reconciled([line(2, "a", 4_000_000)], [moved(1, "a", 5_000_000)])
    assert findings(result) == [("differs", "a", "4.00", "5.00", "-1.00")]
    assert not result.agrees


def test_what_one_side_lacks_is_told_from_its_side() -> None:
    result = reconciled([line(2, "a", 1_000_000)], [moved(1, "b", 2_000_000)])
    assert findings(result) == [
        ("not_in_ledger", "a", "1.00", None, "1.00"),
        ("not_in_statement", "b", None, "2.00", "-2.00"),
    ]
    assert result.counts == {"not_in_ledger": 1, "not_in_statement": 1}
    assert (result.items[0].lines, result.items[1].transactions) == ((2,), ("tx_1",))


def test_parts_of_the_same_name_are_added_up() -> None:
    result = reconciled([line(2, "a", 3), line(3, "a", 4)], [moved(1, "a", 5), moved(2, "a", 2)])
    assert [item.finding for item in result.items] == ["matched"]
    assert (result.items[0].lines, result.items[0].transactions) == ((2, 3), ("tx_1", "tx_2"))


def test_assets_are_never_mixed() -> None:
    result = reconciled([line(2, "a", 5, asset="BTC")], [moved(1, "a", 5)])
    assert {item.finding for item in result.items} == {"not_in_ledger", "not_in_statement"}


def test_without_a_common_name_the_amount_and_a_near_day_match_nearest_first() -> None:
    result = reconciled(
        [line(2, "bank-1", 7, DAY + timedelta(days=2)), line(3, "bank-2", 7, DAY + timedelta(days=3))],
        [moved(1, "pb-1", 7, DAY), moved(2, "pb-2", 7, DAY + timedelta(days=3))],
    )
    assert [(item.finding, item.id, item.transactions) for item in result.items] == [
        ("matched_by_amount", "bank-1", ("tx_1",)),
        ("matched_by_amount", "bank-2", ("tx_2",)),
    ]
    assert result.agrees


def test_a_day_too_far_is_no_match() -> None:
    result = reconciled([line(2, "x", 7, DAY + timedelta(days=4))], [moved(1, "y", 7)])
    assert not result.agrees


def test_lines_without_names_stand_by_themselves() -> None:
    result = reconciled([line(2, "", 7), line(3, "", 8)], [moved(1, "a", 7), moved(2, "b", 8)])
    assert [item.finding for item in result.items] == ["matched_by_amount"] * 2


def test_what_the_ledger_has_outside_the_statements_days_is_no_difference() -> None:
    result = reconciled([line(2, "a", 5)], [moved(1, "a", 5), moved(2, "b", 9, DAY - timedelta(days=1))])
    assert [item.finding for item in result.items] == ["matched"]


def test_what_the_source_booked_a_day_later_is_found_beyond_the_edge() -> None:
    result = reconciled([line(2, "a", 5)], [moved(1, "a", 5, DAY - timedelta(days=1))])
    assert [item.finding for item in result.items] == ["matched"]


def test_the_period_is_the_statements_where_all_its_lines_have_days() -> None:
    assert period_of([line(2, "a", 1), line(3, "b", 1, DAY + timedelta(days=5))]) == (DAY, DAY + timedelta(days=5))
    assert period_of([line(2, "a", 1), line(3, "b", 1, None)]) == (None, None)
    assert period_of([]) == (None, None)


ids = st.sampled_from(["", "a", "b", "c"])
amounts = st.integers(-3, 3)
days = st.integers(0, 8).map(lambda n: DAY + timedelta(days=n))


@given(st.lists(st.tuples(ids, amounts, days)), st.lists(st.tuples(ids.filter(bool), amounts, days)))
def test_nothing_is_lost_and_nothing_counts_twice(
    said: list[tuple[str, int, date]], booked: list[tuple[str, int, date]]
) -> None:
    lines = [line(n, *row) for n, row in enumerate(said, 2)]
    movements = [moved(n, *row) for n, row in enumerate(booked, 1)]
    result = reconciled(lines, movements)
    assert sorted(number for item in result.items for number in item.lines) == [each.number for each in lines]
    assert sorted(id_ for item in result.items for id_ in item.transactions) == sorted(m.transaction for m in movements)
    total = sum(each.units for each in lines) - sum(movement.units for movement in movements)
    assert not result.agrees or total == 0


def test_movements_of_an_account_are_those_that_are_posted(store: Store, path: Path) -> None:
    pending = book(store, commission(1, 1000))
    posted = book(store, step(pending, "posted", *earned(900)))
    payout = Evidence("network.payout", "payout-7", b"{}")
    book(store, step(posted, "settled", *paid(900, fee=25), evidence=payout))
    book(store, commission(2, 400))
    book(store, api_call(1, book="live", postings=(Posting(BANK, "USD", 1), Posting("income:x", "USD", -1))))
    with closing(open_reader(path)) as connection:
        bank = list(read_movements(connection, BANK, "paper", None, None))
        due = list(read_movements(connection, DUE, "paper", None, None))
    assert [(m.id, m.units, m.day) for m in bank] == [("payout-7", 875, DAY + timedelta(days=1))]
    assert [m.units for m in due] == [900, -900]
    with closing(open_reader(path)) as connection:
        assert list(read_movements(connection, BANK, "paper", DAY, DAY)) == []


DUE = "asset:receivable:affiliate_marketing:affiliate_marketing-001"


def test_legs_of_one_transaction_on_the_account_are_one_movement(path: Path) -> None:
    legs = (Posting("asset:a", "USD", 5), Posting("asset:a", "USD", -2), Posting("income:b", "USD", -3))
    through = (Posting("asset:a", "USD", 5), Posting("asset:a", "USD", -5))
    ledger_with(path, api_call(1, postings=legs), api_call(2, postings=through))
    with closing(open_reader(path)) as connection:
        assert [(m.sequence, m.units) for m in read_movements(connection, "asset:a", "paper", None, None)] == [(1, 3)]


def test_an_account_that_is_not_there_is_named_with_one_that_is(path: Path) -> None:
    ledger_with(path, api_call(occurred_at=NOON))
    with (
        closing(open_reader(path)) as connection,
        pytest.raises(UnknownAccount, match="no account asset:clearing:sandbx; did you mean asset:clearing:sandbox"),
    ):
        list(read_movements(connection, "asset:clearing:sandbx", "paper", None, None))
