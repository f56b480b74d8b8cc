from __future__ import annotations

import csv
import io
import json
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import msgspec

from orchestrator.money.export.formats import Format, export
from orchestrator.money.export.selection import Selection
from orchestrator.money.queries import read_entries
from orchestrator.money.schema import open_reader
from orchestrator.money.store import Store
from streams.booking import Evidence
from tests.orchestrator.money.bookings import NOON, api_call, book, commission, ledger_with, step, write


def exported(path: Path, written_as: Format, selection: Selection | None = None) -> str:
    with closing(open_reader(path)) as connection:
        return b"".join(export(connection, written_as, selection or Selection())).decode()


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_table_has_a_row_for_each_posting(path: Path) -> None:
    ledger_with(path, api_call(1, memo='a, "b"'), api_call(2, book="live"))
    table = rows(exported(path, "csv"))
    assert [(row["sequence"], row["account"], row["amount"], row["asset"], row["memo"]) for row in table] == [
        ("1", "asset:clearing:sandbox", "0.002", "USD", 'a, "b"'),
        ("1", "income:api_services:api_services-001", "-0.002", "USD", 'a, "b"'),
        ("2", "asset:clearing:sandbox", "0.002", "USD", ""),
        ("2", "income:api_services:api_services-001", "-0.002", "USD", ""),
    ]
    assert [row["book"] for row in table] == ["paper", "paper", "live", "live"]
    assert sum(Decimal(row["amount"]) for row in table) == 0


def test_a_transaction_without_postings_has_a_row_too(store: Store, path: Path) -> None:
    pending = book(store, commission())
    book(store, step(pending, "voided"))
    *_, last = rows(exported(path, "csv"))
    assert (last["resolves"], last["outcome"], last["reason"]) == (pending.id, "voided", "the network says voided")
    assert (last["account"], last["amount"]) == ("", "")


def test_no_text_is_run_by_a_spreadsheet(path: Path) -> None:
    evil = '=HYPERLINK("http://evil.example","pay")'
    ledger_with(path, api_call(memo=evil, key="@k", evidence=Evidence("api.response", "+1", b"x")))
    row = rows(exported(path, "csv"))[0]
    assert (row["memo"], row["key"], row["evidence_id"]) == ("'" + evil, "'@k", "'+1")
    (entry,) = map(json.loads, exported(path, "jsonl").splitlines())
    assert (entry["memo"], entry["key"], entry["evidence"]["external_id"]) == (evil, "@k", "+1")


def test_objects_are_the_entries_as_they_are_listed(path: Path) -> None:
    ledger_with(path, *(api_call(n) for n in range(5)))
    with closing(open_reader(path)) as connection:
        entries = json.loads(msgspec.json.encode(read_entries(connection).items))
    assert [json.loads(line) for line in exported(path, "jsonl").splitlines()] == entries


def test_days_and_books_are_chosen_by_when_it_happened(path: Path) -> None:
    ledger_with(
        path, *(api_call(n, occurred_at=NOON + timedelta(days=n), book="live" if n == 3 else "paper") for n in range(5))
    )
    day = NOON.date()
    chosen = Selection("paper", day + timedelta(days=1), day + timedelta(days=3))
    assert [json.loads(line)["sequence"] for line in exported(path, "jsonl", chosen).splitlines()] == [2, 3]


def test_an_export_is_of_one_moment(store: Store, path: Path) -> None:
    write(store, *(api_call(n) for n in range(600)))
    with closing(open_reader(path)) as connection:
        lines = export(connection, "jsonl", Selection())
        first = next(lines)
        write(store, *(api_call(n) for n in range(600, 1300)))
        assert len([first, *lines]) == 600


def test_an_export_that_is_broken_off_lets_go_of_its_moment(store: Store, path: Path) -> None:
    write(store, *(api_call(n) for n in range(5)))
    with closing(open_reader(path)) as connection:
        lines = export(connection, "csv", Selection())
        next(lines)
        assert connection.in_transaction
        lines.close()
        assert not connection.in_transaction


def test_entries_are_walked_without_sorting_them_first(path: Path) -> None:
    from orchestrator.money import queries

    ledger_with(path, api_call())
    with closing(open_reader(path)) as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {queries._WALK}", ("paper", 0, 1))]
    assert plan[0].startswith("SCAN entry"), plan
    assert not [line for line in plan if "TEMP B-TREE" in line], plan
