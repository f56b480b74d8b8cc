from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from orchestrator.money.reconciliation import statement
from orchestrator.money.reconciliation.statement import StatementError, StatementLine, read_statement


def read(text: str, asset: str | None = None, **columns: Any) -> list[StatementLine]:
    return list(read_statement(text.splitlines(keepends=True), columns, asset))


def test_usual_headings_are_known() -> None:
    text = "Date,Reference,Amount,Currency\n2026-01-31,pb-1,12.50,usd\n2026-02-01T10:00:00Z,pb-2,-0.5,BTC\n"
    assert read(text) == [
        StatementLine(2, "pb-1", "USD", 12_500_000, date(2026, 1, 31)),
        StatementLine(3, "pb-2", "BTC", -50_000_000, date(2026, 2, 1)),
    ]


def test_other_headings_are_named() -> None:
    text = "Buchung;Umsatz;Wann\nx;1.00;2026-01-31\n"
    lines = read(text, "EUR", id="buchung", amount="Umsatz", day="Wann")
    assert lines == [StatementLine(2, "x", "EUR", 1_000_000, date(2026, 1, 31))]


def test_byte_order_marks_empty_lines_and_quotes_do_no_harm() -> None:
    assert read('\ufeffid,amount\n\n"a, ""b""",1\n,2\n , \n', "USD") == [
        StatementLine(3, 'a, "b"', "USD", 1_000_000, None),
        StatementLine(4, "", "USD", 2_000_000, None),
    ]


@pytest.mark.parametrize(
    ("text", "asset", "columns", "problem"),
    [
        ("", "USD", {}, "no column is called id or .*There are none"),
        ("id,what\n", "USD", {}, "no column is called amount or .* name the one with the amount. There are id, what"),
        ("id,amount\n", "USD", {"id": "ref"}, "there is no column 'ref'; there are id, amount"),
        ("id,amount\n", None, {}, "name the asset"),
        ("id,amount\na,1\nb\n", "USD", {}, "line 3: it has 1 columns only"),
        ("id,amount\na,1.234,56\na,x\n", "USD", {}, "line 3: 'x' is not a decimal amount of USD"),
        ("id,amount\na,1.0000001\n", "USD", {}, "line 2: .* more than the 6 decimal places"),
        ("id,amount,currency\na,1,XYZ\n", None, {}, "line 2: no asset 'XYZ' is declared"),
        ("id,amount,date\na,1,31.01.2026\n", "USD", {}, "line 2: .*days are written as 2026-01-31"),
    ],
)
def test_what_cannot_be_understood_is_named_with_its_line(text: str, asset: Any, columns: Any, problem: str) -> None:
    with pytest.raises(StatementError, match=problem):
        read(text, asset, **columns)


def test_a_statement_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statement, "MAX_LINES", 3)
    with pytest.raises(StatementError, match="more than 3 lines"):
        read("id,amount\na,1\nb,1\nc,1\n", "USD")
