from __future__ import annotations

import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest

from tests.orchestrator.access.cli.conftest import BOOKED_BEFORE, Automate, book_before

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
