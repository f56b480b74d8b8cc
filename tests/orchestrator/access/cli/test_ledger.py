from __future__ import annotations

import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest

from orchestrator.money.store import Store
from streams.booking import Book, Evidence
from streams.transfers import Party, transfer
from tests.orchestrator.access.cli.conftest import BOOKED_BEFORE, Automate, book_before
from tests.orchestrator.money.bookings import NOON, book, commission, earned, paid, step

INSTANCE = "api_services-001"


@pytest.fixture
def resting(tmp_path: Path) -> Path:
    """A home in which no daemon runs, with books."""
    (tmp_path / "state").mkdir()
    book_before(tmp_path / "state" / "ledger.sqlite3", BOOKED_BEFORE)
    return tmp_path


@pytest.fixture(params=["running", "resting"])
def books(request: pytest.FixtureRequest) -> Path:
    """A home with books, whether a daemon runs in it or not."""
    found: Path = request.getfixturevalue("home" if request.param == "running" else "resting")
    return found


def test_all_entries_are_printed_an_object_a_line_across_pages(automate: Automate, books: Path) -> None:
    told = automate("ledger", "entries", "--json", "--all", home=books)
    assert told.status == 0
    entries = told.lines
    assert len(entries) >= BOOKED_BEFORE
    assert [entry["sequence"] for entry in entries] == list(range(1, len(entries) + 1))
    assert len({entry["id"] for entry in entries}) == len(entries)
    assert entries[0]["id"].startswith("tx_")
    assert entries[0].keys() >= {"book", "stream", "instance", "postings", "evidence", "amount", "asset"}


def test_without_all_the_last_ones_are_shown_the_newest_first(automate: Automate, books: Path) -> None:
    told = automate("ledger", "entries", "--json", "--limit", "1500", home=books).lines
    sequences = [entry["sequence"] for entry in told]
    assert sequences == list(range(sequences[0], sequences[0] - 1500, -1))
    assert len(automate("ledger", "entries", "--json", home=books).lines) == 20


def test_entries_can_be_narrowed(automate: Automate, books: Path) -> None:
    def found(*narrowed: str) -> int:
        return len(automate("ledger", "entries", "--json", *narrowed, home=books).lines)

    assert found("--instance", INSTANCE, "--stream", "api_services", "--book", "paper") == 20
    assert found("--instance", "nobody") == found("--stream", "none") == found("--book", "live") == 0
    told = automate("ledger", "entries", "--book", "live", home=books)
    assert "nothing of that kind is booked yet" in told.err


def test_entries_are_a_table_for_people(automate: Automate, books: Path) -> None:
    heading, *rows = automate("ledger", "entries", "--limit", "2", home=books).out.splitlines()
    assert heading.startswith("booked (UTC)")
    assert len(rows) == 2
    assert all("paper" in row and "USD" in row and "tx_" in row for row in rows)


def test_all_and_a_limit_exclude_each_other(automate: Automate, books: Path) -> None:
    assert automate("ledger", "entries", "--all", "--limit", "5", home=books).status == 64


def test_totals_keep_the_books_apart(automate: Automate, books: Path) -> None:
    both = automate("ledger", "totals", "--json", home=books).lines
    assert [told["book"] for told in both] == ["paper", "live"]
    assert both[1]["items"] == []
    (item,) = both[0]["items"]
    assert (item["asset"], item["kind"], item["state"]) == ("USD", "income", "posted")
    assert Decimal(item["amount"]) >= BOOKED_BEFORE * Decimal("0.002")
    one = automate("ledger", "totals", "--book", "paper", "--by", "instance", "--json", home=books).document
    assert one["items"][0]["instance"] == INSTANCE


def test_totals_are_a_table_for_people(automate: Automate, books: Path) -> None:
    heading, first, *_ = automate("ledger", "totals", "--by", "stream", home=books).out.splitlines()
    assert heading.split() == ["book", "stream", "kind", "state", "amount", "asset"]
    assert first.split()[:4] == ["paper", "api_services", "income", "posted"]
    assert "nothing is booked yet" in automate("ledger", "totals", "--book", "live", home=books).err


def test_a_sound_ledger_verifies(automate: Automate, books: Path) -> None:
    told = automate("ledger", "verify", home=books)
    assert told.status == 0
    assert told.out.startswith("the ledger is as it was booked: ")
    report = automate("ledger", "verify", "--json", home=books).document
    assert report["ok"] is True
    assert report["transactions"] >= BOOKED_BEFORE


def test_a_changed_ledger_does_not_verify(automate: Automate, resting: Path) -> None:
    with sqlite3.connect(resting / "state" / "ledger.sqlite3") as tampering:
        tampering.execute("DROP TRIGGER postings_no_update")
        tampering.execute("UPDATE postings SET units = units * 1000 WHERE sequence = 7")
    tampering.close()
    told = automate("ledger", "verify", home=resting)
    assert told.status == 1
    assert "NOT as it was booked" in told.out
    assert "transaction 7: " in told.out
    assert automate("ledger", "verify", "--json", home=resting).document["ok"] is False


def test_reading_the_file_is_said_and_leaves_it_as_it_is(automate: Automate, resting: Path) -> None:
    told = automate("ledger", "totals", home=resting)
    assert told.err == f"no daemon runs; reading {resting}/state/ledger.sqlite3\n"
    assert {file.name for file in (resting / "state").iterdir()} <= {
        "ledger.sqlite3",
        "ledger.sqlite3.lock",
        "ledger.sqlite3-pages",
        "ledger.sqlite3-wal",
        "ledger.sqlite3-shm",
    }


def test_a_file_that_is_no_ledger_ends_with_65(automate: Automate, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    file = tmp_path / "state" / "ledger.sqlite3"
    file.write_bytes(b"no database at all, but longer than its header " * 100)
    for command in ("totals", "entries", "verify"):
        told = automate("ledger", command, home=tmp_path)
        assert told.status == 65
        assert str(file) in told.err


def sale(units: int = 2_000_000) -> tuple[Book, Book]:
    return transfer(
        f"sale:{units}",
        kind="dataset.sold",
        book="paper",
        seller=Party("data_harvesting", "data_harvesting-001"),
        buyer=Party("content_monetization", "content_monetization-001"),
        asset="USD",
        units=units,
        occurred_at=NOON,
        evidence=Evidence("dataset.delivered", "d", b"x"),
    )


@pytest.fixture
def eventful(tmp_path: Path) -> Path:
    """A home without a daemon: a commission that was paid, one that is pending, a transfer, and half of another."""
    (tmp_path / "state").mkdir()
    store = Store(tmp_path / "state" / "ledger.sqlite3")
    store.open()
    posted = book(store, step(book(store, commission(1, 1_000_000)), "posted", *earned(900_000)))
    book(store, step(posted, "settled", *paid(900_000)))
    book(store, commission(2, 5_000_000))
    for side in (*sale(), sale(700_000)[0]):
        book(store, side)
    store.close()
    return tmp_path


def test_entries_tell_what_has_become_of_them(automate: Automate, eventful: Path) -> None:
    entries = automate("ledger", "entries", "--json", "--all", home=eventful).lines
    assert [entry["state"] for entry in entries[:4]] == ["posted", "settled", "posted", "pending"]
    assert [entry["counts_as"] for entry in entries[:4]] == [None, "posted", "posted", "pending"]
    assert entries[1]["resolves"] == {
        "transaction": entries[0]["id"],
        "outcome": "posted",
        "reason": "the network says posted",
    }
    assert entries[0]["steps"][0]["transaction"] == entries[1]["id"]
    table = automate("ledger", "entries", "--stream", "affiliate_marketing", home=eventful).out.splitlines()
    assert "pending → posted" in table[4]
    assert "settled" in table[3]


def test_entries_can_be_narrowed_to_a_state(automate: Automate, eventful: Path) -> None:
    (entry,) = automate("ledger", "entries", "--state", "pending", "--json", home=eventful).lines
    assert (entry["state"], entry["amount"]) == ("pending", "5.00")
    assert automate("ledger", "entries", "--state", "lost", home=eventful).status == 64


def test_totals_keep_what_is_pending_apart_and_transfers_out(automate: Automate, eventful: Path) -> None:
    def told(*options: str) -> list[tuple[str, str, str]]:
        (paper,) = automate("ledger", "totals", "--book", "paper", "--json", *options, home=eventful).lines
        return [(item["kind"], item["state"], item["amount"]) for item in paper["items"]]

    fleet = [("income", "pending", "5.00"), ("income", "posted", "0.90")]
    assert told() == fleet
    assert told("--standalone") == [("cost", "posted", "2.00"), fleet[0], ("income", "posted", "3.60")]
    said = automate("ledger", "totals", home=eventful).err
    assert "in transit between instances, paper: 0.70 USD on asset:internal:due:data_harvesting-001:content_mon" in said


def test_a_transfer_in_transit_is_noted_and_no_problem(automate: Automate, eventful: Path) -> None:
    told = automate("ledger", "verify", home=eventful)
    assert told.status == 0
    assert "in transit between instances, paper: 0.70 USD on asset:internal:due:" in told.out


def test_a_daemon_takes_the_same_options(automate: Automate, home: Path) -> None:
    assert automate("ledger", "entries", "--state", "reversed", "--json", home=home).lines == []
    assert len(automate("ledger", "entries", "--state", "posted", "--json", home=home).lines) == 20
    options = ("ledger", "totals", "--book", "paper", "--json")
    alone = automate(*options, "--standalone", home=home).document
    assert alone["items"] == automate(*options, home=home).document["items"]
