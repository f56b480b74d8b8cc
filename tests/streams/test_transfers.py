from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import permutations
from pathlib import Path

import pytest

from orchestrator.money.report import InTransit
from orchestrator.money.schema import open_reader
from orchestrator.money.store import Store
from orchestrator.money.totals import read_totals
from orchestrator.money.verify import verify
from streams.booking import Book, Evidence
from streams.transfers import Party, is_internal, transfer
from tests.orchestrator.money.bookings import NOON, api_call, book, write

HARVESTER = Party("data_harvesting", "data_harvesting-003")
WRITER = Party("content_monetization", "content_monetization-007")
PROOF = Evidence("dataset.delivered", "feeds@12", b"sha256:1234")


def sold(key: str = "feeds@12", units: int = 2_500_000, seller: Party = HARVESTER, buyer: Party = WRITER) -> list[Book]:
    pair = transfer(
        key,
        kind="dataset.sold",
        book="paper",
        seller=seller,
        buyer=buyer,
        asset="USD",
        units=units,
        occurred_at=NOON,
        evidence=PROOF,
    )
    return list(pair)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(path)
    store.open()
    yield store
    store.close()
    assert verify(path).ok


@pytest.fixture
def reading(store: Store, path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_reader(path)) as connection:
        yield connection


def by_instance(connection: sqlite3.Connection, *, consolidated: bool) -> dict[tuple[str | None, str], str]:
    totals = read_totals(connection, "paper", "instance", consolidated=consolidated)
    return {(item.instance, item.kind): item.amount for item in totals.items}


def test_the_seller_earns_and_the_buyer_spends_and_the_fleet_does_neither(
    store: Store, reading: sqlite3.Connection
) -> None:
    write(store, *sold(), api_call(1))
    fleet = by_instance(reading, consolidated=True)
    assert fleet == {("api_services-001", "income"): "0.002"}
    alone = by_instance(reading, consolidated=False)
    assert alone == fleet | {
        (HARVESTER.instance, "income"): "2.50",
        (WRITER.instance, "cost"): "2.50",
    }


@pytest.mark.parametrize("by", [None, "stream", "instance", "day"])
def test_transfers_are_left_out_of_every_total(store: Store, reading: sqlite3.Connection, by: None) -> None:
    book(store, api_call(1))
    before = read_totals(reading, "paper", by)
    write(store, *sold())
    assert read_totals(reading, "paper", by) == before


@pytest.mark.parametrize("done", [0, 1])
def test_a_crash_between_the_two_is_told_and_healed_by_booking_both_again(
    store: Store, path: Path, reading: sqlite3.Connection, done: int
) -> None:
    pair = sold()
    book(store, pair[done])
    due = f"asset:internal:due:{HARVESTER.instance}:{WRITER.instance}"
    amount = ("2.50", "-2.50")[done]
    totals = read_totals(reading, "paper")
    assert (totals.items, totals.in_transit) == ((), (InTransit(due, "USD", amount),))
    assert read_totals(reading, "live").in_transit == ()
    report = verify(path)
    assert report.ok
    assert f"in transit between instances, paper: {amount} USD on {due}" in report.notes
    first, second = (book(store, side) for side in pair)
    assert (first.replayed, second.replayed) == (done == 0, done == 1)
    assert read_totals(reading, "paper").in_transit == ()
    assert not [note for note in verify(path).notes if "in transit" in note]


def test_one_in_transit_does_not_hide_another(store: Store, reading: sqlite3.Connection) -> None:
    there, back = sold("a"), sold("b", seller=WRITER, buyer=HARVESTER)
    write(store, there[0], back[1])
    assert [due.amount for due in read_totals(reading, "paper").in_transit] == ["-2.50", "2.50"]


def test_any_order_and_any_repetition_give_the_same_books(tmp_path: Path) -> None:
    seen = set()
    for number, order in enumerate(permutations([*sold("a"), *sold("b", 1)])):
        with closing(Store(tmp_path / f"{number}.sqlite3")) as store:
            store.open()
            write(store, *order, *reversed(order))
            seen.add(tuple(sorted(by_instance(store.connection, consolidated=False).items())))
    assert seen == {(((WRITER.instance, "cost"), "2.500001"), ((HARVESTER.instance, "income"), "2.500001"))}


def test_a_transfer_has_an_amount_and_two_sides() -> None:
    with pytest.raises(ValueError, match="moves at least 1 unit, not 0: swap seller and buyer"):
        sold(units=0)
    with pytest.raises(ValueError, match="data_harvesting-003 cannot sell to itself"):
        sold(buyer=HARVESTER)


def test_what_is_between_instances_is_known_by_its_account() -> None:
    for side in sold():
        assert all(is_internal(posting.account) for posting in side.postings)
    for account in ("income:api_services:internal", "asset:internals:x", "asset:due:internal", "internal:asset", "x"):
        assert not is_internal(account)
