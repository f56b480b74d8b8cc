"""What contracts owe, to the last thousandth of a unit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.content_monetization.contract import Kind
from streams.content_monetization.contract_account import MAX_STATED, ContractAccount
from streams.content_monetization.delivery_events import Carried, Delivered, Ended, Entered, Stated
from streams.content_monetization.delivery_journal import append_events, read_events
from streams.content_monetization.terms import MILLI, Terms, terms_of
from tests.streams.content_monetization.sites import contract

STARTS = datetime(2026, 1, 31, 10, tzinfo=UTC)


def terms(kind: Kind = "cpm", rate: int = 4_000_000, **values: Any) -> Terms:
    return Terms("acme", "Acme", kind, "USD", rate, **({"period": "month", "starts": STARTS} | values))


def view(number: int, account: ContractAccount, at: datetime = STARTS, *, click: bool = False) -> Delivered:
    milli = account.terms.click_milli if click else account.terms.view_milli
    return Delivered("acme", f"{number:020x}", at, milli, click)


def test_four_dollars_per_thousand_are_four_thousand_units_a_view() -> None:
    assert terms_of(contract(rate="4.00"), "USD").view_milli == 4_000 * MILLI
    assert terms_of(contract(kind="cpc", rate="0.25"), "USD").click_milli == 250_000 * MILLI
    assert terms_of(contract(kind="fixed", rate="9.00"), "USD").view_milli == 0


@given(rate=st.integers(1, 10**9), groups=st.lists(st.integers(0, 60), max_size=12))
def test_however_views_fall_into_statements_their_sum_is_exact(rate: int, groups: list[int]) -> None:
    account = ContractAccount(terms(rate=rate))
    units = number = 0
    for group in groups:
        for _ in range(group):
            account.apply(view(number, account))
            number += 1
        while (statement := account.next_statement("j", STARTS)) is not None:
            account.apply(Stated(statement))
            assert statement.carried_in_milli + statement.milli == statement.units * MILLI + statement.carried_out_milli
            units += statement.units
    assert units == number * rate // MILLI
    assert units * MILLI + account.open_milli == number * rate == account.spent_milli


@given(
    events=st.lists(st.sampled_from(["view", "click", "state", "carry"]), max_size=60),
    kind=st.sampled_from(["cpm", "cpc", "fixed"]),
)
def test_an_account_taken_up_from_its_carried_state_goes_on_as_if_nothing_had_happened(
    events: list[str], kind: Kind
) -> None:
    one = ContractAccount(terms(kind, 1_234_567, period="hour"))
    other = ContractAccount(one.terms)
    for number, event in enumerate(events):
        at = STARTS + timedelta(minutes=7 * number)
        if event == "carry":
            carried = other.carried(())
            other = ContractAccount(carried.terms)
            other.apply(carried)
            continue
        for account in (one, other):
            if event == "state":
                if (statement := account.next_statement("j", at)) is not None:
                    account.apply(Stated(statement))
            else:
                account.apply(view(number, account, at, click=event == "click"))
    assert one.carried(()) == other.carried(())


def test_a_statement_lists_a_bounded_number_of_tokens() -> None:
    account = ContractAccount(terms())
    for number in range(MAX_STATED + 1):
        account.apply(view(number, account))
    sizes = []
    while (statement := account.next_statement("j", STARTS)) is not None:
        account.apply(Stated(statement))
        sizes.append((statement.number, len(statement.tokens)))
    assert sizes == [(1, MAX_STATED), (2, 1)]


def test_less_than_a_unit_waits_for_the_next_statement_unless_the_terms_change() -> None:
    account = ContractAccount(terms(rate=400))
    account.apply(view(1, account))
    assert account.next_statement("j", STARTS) is None
    forced = account.next_statement("j", STARTS, force=True)
    assert forced is not None
    account.apply(Stated(forced))
    assert (forced.units, account.carry_milli, account.unbooked) == (0, 400, {})
    for number in (2, 3):
        account.apply(view(number, account))
    statement = account.next_statement("j", STARTS)
    assert statement is not None
    assert (statement.units, statement.carried_in_milli, statement.carried_out_milli) == (1, 400, 200)


def test_a_statement_is_owed_until_it_is_booked_and_only_once() -> None:
    account = ContractAccount(terms())
    account.apply(view(1, account))
    statement = account.next_statement("j", STARTS)
    assert statement is not None
    account.apply(Stated(statement))
    assert list(account.unbooked) == [1]
    account.apply(Entered("acme", 1, "tx_1"))
    account.apply(Entered("acme", 1, "tx_1"))
    assert (account.unbooked, account.booked_units) == ({}, 4_000)


@pytest.mark.parametrize(
    ("period", "moment", "number"),
    [
        ("hour", STARTS, 0),
        ("hour", STARTS + timedelta(minutes=59, seconds=59), 0),
        ("hour", STARTS + timedelta(hours=1), 1),
        ("day", STARTS + timedelta(hours=24), 1),
        ("week", STARTS + timedelta(days=13), 1),
        ("month", datetime(2026, 2, 28, 9, 59, tzinfo=UTC), 0),
        ("month", datetime(2026, 2, 28, 10, tzinfo=UTC), 1),
        ("month", datetime(2026, 3, 31, 10, tzinfo=UTC), 2),
        ("month", datetime(2027, 1, 31, 10, tzinfo=UTC), 12),
    ],
)
def test_a_moment_falls_into_one_period(period: Any, moment: datetime, number: int) -> None:
    held = terms("fixed", period=period)
    assert held.period_of(moment) == number
    assert held.period_start(number) <= moment < held.period_start(number + 1)


def test_months_begin_on_the_last_day_where_they_have_no_thirty_first() -> None:
    starts = [terms("fixed").period_start(number).strftime("%m-%d") for number in range(4)]
    assert starts == ["01-31", "02-28", "03-31", "04-30"]


@given(st.timedeltas(timedelta(0), timedelta(days=20_000)), st.sampled_from(["hour", "day", "week", "month"]))
def test_every_moment_lies_within_the_period_that_it_is_said_to_be_of(passed: timedelta, period: Any) -> None:
    held = terms("fixed", period=period)
    aware = STARTS + passed
    number = held.period_of(aware)
    assert held.period_start(number) <= aware < held.period_start(number + 1)


def test_a_period_that_is_cut_short_owes_its_share() -> None:
    account = ContractAccount(terms("fixed", 3_000_001, period="hour"))
    account.apply(view(1, account))
    account.apply(Ended("acme", STARTS + timedelta(minutes=20)))
    statement = account.next_statement("j", STARTS + timedelta(minutes=20))
    assert statement is not None
    assert (statement.milli, statement.units, statement.carried_out_milli) == (1_000_000_333, 1_000_000, 333)


def test_a_period_ended_by_a_clock_that_went_back_behind_its_beginning_owes_nothing() -> None:
    account = ContractAccount(terms("fixed", 3_000_000, period="hour"))
    account.apply(view(1, account, STARTS + timedelta(hours=2, minutes=1)))
    account.apply(Ended("acme", STARTS + timedelta(minutes=59)))
    statement = account.next_statement("j", STARTS + timedelta(hours=3))
    assert statement is not None
    assert (statement.milli, statement.units) == (0, 0)
    account.apply(Stated(statement))
    assert not account.has_open


def test_a_period_in_which_nobody_saw_it_is_not_owed() -> None:
    account = ContractAccount(terms("fixed", period="hour"))
    account.apply(view(1, account))
    account.apply(view(2, account, STARTS + timedelta(hours=5)))
    account.apply(view(3, account, STARTS + timedelta(hours=7), click=True))
    stated = []
    while (statement := account.next_statement("j", STARTS + timedelta(days=9))) is not None:
        account.apply(Stated(statement))
        stated.append((statement.since - STARTS, statement.views))
    assert stated == [(timedelta(), 1), (timedelta(hours=5), 1)]


def test_a_period_keeps_the_price_that_it_began_at() -> None:
    from streams.content_monetization.delivery_events import Signed

    account = ContractAccount(terms("fixed", 1_000_000, period="hour"))
    account.apply(view(1, account))
    former = account.terms.digest
    account.apply(Signed("acme", terms("fixed", 9_000_000, period="hour"), STARTS))
    account.apply(view(2, account, STARTS + timedelta(minutes=1)))
    statement = account.next_statement("j", STARTS + timedelta(hours=1))
    assert statement is not None
    assert (statement.units, statement.views, statement.terms_digest) == (1_000_000, 2, former)


@pytest.mark.parametrize("limit", ["budget", "daily_budget"])
@given(rate=st.integers(1, 5_000_000), budget=st.integers(1, 100_000))
def test_a_budget_is_used_up_and_never_passed(limit: str, rate: int, budget: int) -> None:
    account = ContractAccount(terms(rate=rate, **{limit: budget}))
    number = 0
    while number < 50 and account.affords(account.terms.view_milli, STARTS):
        account.apply(view(number, account))
        number += 1
    assert account.spent_milli <= budget * MILLI
    assert number == 50 or account.spent_milli + rate > budget * MILLI


def test_a_clock_that_goes_back_does_not_begin_the_day_anew() -> None:
    account = ContractAccount(terms(daily_budget=4_000))
    account.apply(view(1, account))
    assert not account.affords(account.terms.view_milli, STARTS - timedelta(days=1))
    assert account.affords(account.terms.view_milli, STARTS + timedelta(days=1))


def test_carried_state_survives_its_file(tmp_path: Any) -> None:
    account = ContractAccount(terms("fixed", period="hour"))
    account.apply(view(1, account))
    account.noted["gross"] += 3
    carried = account.carried(())
    append_events(tmp_path / "journal", [carried])
    (read,) = read_events(tmp_path / "journal")
    assert isinstance(read, Carried)
    assert read == carried
