"""Beancount itself reads the export: its parser, its checks, its sums."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from contextlib import closing
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from beancount.core import data
from beancount.loader import load_file
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.money.export.account_names import ledger_account
from orchestrator.money.export.beancount import NotForBeancount
from orchestrator.money.export.formats import export
from orchestrator.money.export.selection import Selection
from orchestrator.money.queries import read_entries, walk_entries
from orchestrator.money.schema import open_reader
from orchestrator.money.totals import read_totals
from orchestrator.money.verify import verify
from streams.transfers import is_internal
from tests.orchestrator.money.bookings import NOON, api_call, commission, earned, ledger_with, step
from tests.orchestrator.money.busy_hour import ledger_of_an_hour

Balances = Counter[tuple[str, str, str, str]]
"""Amounts by book, state, account of the ledger, and asset."""


def write(ledger: Path, target: Path, selection: Selection | None = None) -> Path:
    with closing(open_reader(ledger)) as connection, target.open("wb") as file:
        file.writelines(export(connection, "beancount", selection or Selection()))
    return target


def load(file: Path) -> list[Any]:
    entries, errors, _ = load_file(str(file))
    assert [error.message for error in errors] == []
    return list(entries)


def balances(entries: list[Any]) -> dict[tuple[str, str, str, str], Decimal]:
    sums: dict[tuple[str, str, str, str], Decimal] = {}
    for entry in entries:
        if isinstance(entry, data.Transaction):
            for posting in entry.postings:
                account = ledger_account(posting.account)
                place = (account.book, account.state, account.name, posting.units.currency)
                sums[place] = sums.get(place, Decimal(0)) + posting.units.number
    return sums


def earned_and_spent(entries: list[Any], book: str, *, consolidated: bool) -> dict[tuple[str, str, str], Decimal]:
    """Return what `ledger totals` tells: amounts by asset, kind and state."""
    totals: dict[tuple[str, str, str], Decimal] = {}
    for (its_book, state, account, asset), amount in balances(entries).items():
        kind = account.partition(":")[0]
        if its_book == book and kind in {"income", "cost"} and not (consolidated and is_internal(account)):
            place = (asset, kind, state)
            totals[place] = totals.get(place, Decimal(0)) + (-amount if kind == "income" else amount)
    return totals


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hour") / "ledger.sqlite3"
    ledger_of_an_hour(path)
    return path


@pytest.fixture(scope="module")
def exported(hour: Path) -> Path:
    return write(hour, hour.with_name("books.beancount"))


def test_the_hour_has_what_an_hour_can_have(hour: Path) -> None:
    assert verify(hour).ok
    with closing(open_reader(hour)) as connection:
        entries = list(walk_entries(connection))
    assert {entry.state for entry in entries} == {"pending", "posted", "voided", "expired", "settled", "reversed"}
    assert {posting.asset for entry in entries for posting in entry.postings} == {"USD", "EUR", "BTC", "USDT"}
    assert any(entry.corrects for entry in entries)
    assert {entry.book for entry in entries} == {"paper", "live"}


def test_bean_check_accepts_the_export(exported: Path) -> None:
    command = Path(sys.executable).with_name("bean-check")
    assert command.exists(), "beancount, of the extra `books`, belongs to the development extra too"
    done = subprocess.run([command, exported], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("book", ["paper", "live"])
@pytest.mark.parametrize("consolidated", [True, False])
def test_its_balances_are_the_totals(hour: Path, exported: Path, book: Any, consolidated: bool) -> None:
    with closing(open_reader(hour)) as connection:
        totals = read_totals(connection, book, consolidated=consolidated)
    told = {(item.asset, item.kind, item.state): Decimal(item.amount) for item in totals.items}
    found = earned_and_spent(load(exported), book, consolidated=consolidated)
    assert {place: amount for place, amount in found.items() if amount or place[2] == "posted"} == told
    assert told


def test_it_ends_with_the_balances_that_the_ledger_keeps(hour: Path, exported: Path) -> None:
    entries = load(exported)
    asserted = {
        (*_place(entry.account), entry.amount.currency): entry.amount.number
        for entry in entries
        if isinstance(entry, data.Balance)
    }
    assert asserted == balances(entries)


def _place(written: str) -> tuple[str, str, str]:
    account = ledger_account(written)
    return account.book, account.state, account.name


def test_a_balance_that_differs_is_found_by_beancount_itself(exported: Path, tmp_path: Path) -> None:
    *before, last = exported.read_text().splitlines()
    account, amount = last.split()[2:4]
    changed = tmp_path / "changed.beancount"
    changed.write_text("\n".join([*before, last.replace(amount, str(Decimal(amount) + Decimal("0.000001")))]) + "\n")
    _, errors, _ = load_file(str(changed))
    assert [type(error).__name__ for error in errors] == ["BalanceError"]
    assert account in errors[0].message


def test_what_is_pending_is_flagged_and_in_no_balance_of_what_was_earned(hour: Path, exported: Path) -> None:
    with closing(open_reader(hour)) as connection:
        booked = {entry.id: entry for entry in walk_entries(connection)}
    transactions = [entry for entry in load(exported) if isinstance(entry, data.Transaction)]
    assert {entry.meta["id"] for entry in transactions} == set(booked)
    for entry in transactions:
        was_pending = booked[entry.meta["id"]].counts_as != "posted"
        assert entry.flag == ("!" if was_pending else "*")
        assert entry.meta["state"] == booked[entry.meta["id"]].state
        if was_pending:
            assert {ledger_account(posting.account).state for posting in entry.postings} == {"pending"}
    assert any(entry.flag == "!" for entry in transactions)


def test_every_text_and_link_comes_through_as_it_is(hour: Path, exported: Path) -> None:
    with closing(open_reader(hour)) as connection:
        booked = {entry.id: entry for entry in walk_entries(connection)}
    for entry in load(exported):
        if isinstance(entry, data.Transaction):
            source = booked[entry.meta["id"]]
            step_with = source.resolves.transaction if source.resolves else source.corrects
            assert entry.date == source.occurred_at.date()
            assert (entry.payee, entry.narration) == (source.kind, source.memo)
            assert entry.links == {source.id} | ({step_with} if step_with else set())
            assert entry.meta["external-id"] == source.evidence.external_id
            assert entry.meta["digest"] == source.evidence.digest
            assert entry.meta["hash"] == source.hash


printable = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=30)


@settings(max_examples=30, deadline=None)
@given(memo=printable, external_id=printable.filter(bool))
def test_any_text_that_can_be_booked_comes_through(
    memo: str, external_id: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("text")
    call = api_call(memo=memo)
    evidence = type(call.evidence)("api.response", external_id, b"x")
    ledger_with(place / "ledger.sqlite3", api_call(memo=memo, evidence=evidence))
    (entry,) = (e for e in load(write(place / "ledger.sqlite3", place / "b")) if isinstance(e, data.Transaction))
    assert (entry.narration, entry.meta["external-id"]) == (memo, external_id)
    shutil.rmtree(place)


def test_one_book_alone(hour: Path, tmp_path: Path) -> None:
    entries = load(write(hour, tmp_path / "live.beancount", Selection("live")))
    assert {place[0] for place in balances(entries)} == {"live"}
    assert sum(isinstance(entry, data.Balance) for entry in entries) > 0


def test_days_can_be_chosen_and_what_was_pending_then_is(path: Path, tmp_path: Path) -> None:
    first, second = commission(1, 1000), commission(2, 500, occurred_at=NOON + timedelta(days=1))
    ledger_with(path, first, second, api_call(3))
    with closing(open_reader(path)) as connection:
        ids = [entry.id for entry in read_entries(connection).items]
    later = NOON + timedelta(days=2)
    ledger_with(
        path, step(ids[0], "posted", *earned(900), occurred_at=later), step(ids[1], "voided", occurred_at=later)
    )
    income = "income:affiliate_marketing:affiliate_marketing-001"

    def amounts(selection: Selection) -> dict[str, Decimal]:
        loaded = balances(load(write(path, tmp_path / "part.beancount", selection)))
        return {state: loaded.get(("paper", state, income, "USD"), Decimal(0)) for state in ("pending", "posted")}

    day = date(2026, 1, 31)
    assert amounts(Selection(until=day)) == {"pending": Decimal("-0.001"), "posted": 0}
    assert amounts(Selection(until=day + timedelta(days=1))) == {"pending": Decimal("-0.0015"), "posted": 0}
    assert amounts(Selection(since=day + timedelta(days=1))) == {"pending": 0, "posted": Decimal("-0.0009")}
    assert amounts(Selection(since=day + timedelta(days=2))) == {"pending": 0, "posted": Decimal("-0.0009")}
    assert amounts(Selection()) == {"pending": 0, "posted": Decimal("-0.0009")}
    with pytest.raises(ValueError, match="ends on 2026-01-30, before it begins on 2026-01-31"):
        Selection(since=day, until=day - timedelta(days=1))


def test_an_empty_ledger_is_a_file_that_beancount_accepts(path: Path, tmp_path: Path) -> None:
    ledger_with(path)
    assert load(write(path, tmp_path / "empty.beancount")) == []


def test_a_year_that_beancount_does_not_know_is_said(path: Path, tmp_path: Path) -> None:
    ledger_with(path, api_call(occurred_at=NOON.replace(year=2100)))
    with pytest.raises(NotForBeancount, match="something happened on 2100-01-31"):
        write(path, tmp_path / "late.beancount")
