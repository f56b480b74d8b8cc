"""What is sold, and in which form."""

from __future__ import annotations

import csv
import io

import msgspec
import pytest

from streams.data_harvesting.datasets.manifest import Changes
from streams.data_harvesting.datasets.rendering import as_csv, changes_between, digests_in, render
from tests.streams.data_harvesting.datasets.records import PAGE, RECIPE, SOLD, WITHHELD, record


def test_only_what_may_be_sold_is_in_a_version() -> None:
    rendering = render([record("a"), record("b", terms=WITHHELD), record("c")], 10_000)
    lines = [msgspec.json.decode(line) for line in rendering.lines.splitlines()]
    assert [line["id"] for line in lines] == ["a", "c"]
    assert lines[0] | {"_digest": ""} == {
        "id": "a",
        "price": "1.00",
        "on": None,
        "_source": PAGE,
        "_fetched_at": "2026-11-25T12:00:00Z",
        "_digest": "",
        "_licence": "CC-BY-4.0",
    }
    assert (rendering.withheld, rendering.licences) == ({"unknown_licence": 1}, {"CC-BY-4.0": 2})
    assert rendering.sources == {"site.example": 2}


def test_what_finds_no_room_is_counted() -> None:
    one = len(record("a").line())
    rendering = render([record("a"), record("b"), record("c")], 2 * one)
    assert len(rendering.lines) == 2 * one
    assert rendering.withheld == {"no_room": 1}


def test_changes_are_told_by_digest() -> None:
    before = render([record("a"), record("b"), record("c")], 10_000)
    after = render([record("a", at=9), record("b", "2.00"), record("d")], 10_000)
    assert changes_between(before.digests, after.digests) == Changes(added=1, changed=1, removed=1)
    assert digests_in(after.lines, RECIPE.key) == after.digests
    assert digests_in(after.lines, ("ean",)) == {}


@pytest.mark.parametrize("text", ['=HYPERLINK("http://evil.example")', "+1+1", "-2+3", "@SUM(A1)"])
def test_a_spreadsheet_takes_no_text_for_a_formula(text: str) -> None:
    schema = RECIPE.json_schema()
    (heading, row) = csv.reader(io.StringIO(as_csv(render([record(text)], 9_999).lines, schema).decode()))
    assert heading == ["id", "price", "on", "_source", "_fetched_at", "_digest", "_licence"]
    assert row[0] == f"'{text}"


def test_csv_keeps_numbers_lists_and_awkward_texts() -> None:
    records = [record('a, "b"', "-1.50", on="yes", terms=SOLD), record("c", None)]
    rows = list(csv.reader(io.StringIO(as_csv(render(records, 9_999).lines, RECIPE.json_schema()).decode())))
    assert [row[:3] for row in rows[1:]] == [['a, "b"', "-1.50", "true"], ["c", "", ""]]
