"""`ledger reconcile`: an account beside the statement of whom it is with."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from orchestrator.access.cli.books import EX_DATAERR, explained, ledger_file
from orchestrator.access.cli.commands import json_option, member
from orchestrator.access.cli.failures import FAILED, NO_INPUT, CommandFailed
from orchestrator.access.cli.ledger.root import BOOKS, ledger
from orchestrator.access.cli.output import Cell, Column, Styled, print_json, print_table, say
from orchestrator.access.cli.target import Target

_FINDINGS = {
    "matched": ("matched", "green"),
    "matched_by_amount": ("matched by amount and day", "green"),
    "differs": ("differs", "red"),
    "not_in_ledger": ("not in the ledger", "red"),
    "not_in_statement": ("not in the statement", "yellow"),
}


@member(
    ledger,
    "reconcile",
    examples=[
        "automate ledger reconcile asset:clearing:sandbox statement.csv --asset USD",
        "automate ledger reconcile asset:bank january.csv --book live --id-column Reference --amount-column Net",
        "automate ledger reconcile asset:bank january.csv --json | jq '.items[] | select(.finding == \"differs\")'",
    ],
)
@click.argument("account")
@click.argument("statement", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--book", type=click.Choice(BOOKS), default="paper", show_default=True, help="The book.")
@click.option("--asset", help="What the amounts are in, where no column says so.")
@click.option("--from", "since", type=click.DateTime(["%Y-%m-%d"]), help="The statement's first day; else read off it.")
@click.option("--to", "until", type=click.DateTime(["%Y-%m-%d"]), help="Its last day, included.")
@click.option("--days", type=click.IntRange(0, 60), default=3, show_default=True, help="How far days may be apart.")
@click.option("--id-column", help="The heading of what the source calls things.")
@click.option("--amount-column", help="The heading of the amounts.")
@click.option("--asset-column", help="The heading of the assets.")
@click.option("--day-column", help="The heading of the days.")
@click.option("--negate", is_flag=True, help="The statement is written from the other side: turn its signs round.")
@click.option("--all", "everything", is_flag=True, help="Show what matches, too.")
@json_option
@click.pass_obj
def reconcile(
    target: Target,
    account: str,
    statement: Path,
    book: Any,
    asset: str | None,
    since: datetime | None,
    until: datetime | None,
    days: int,
    id_column: str | None,
    amount_column: str | None,
    asset_column: str | None,
    day_column: str | None,
    negate: bool,
    everything: bool,
    as_json: bool,
) -> int:
    """Compare an ACCOUNT with a STATEMENT (CSV with headings), and list what differs; 1 if anything does.

    Lines match by name: the statement's and the evidence's. What is left matches by amount, where the days are near.
    Nothing is booked: what is missing is for a stream to book on evidence, or for a correction.
    """
    import msgspec

    from orchestrator.money.reconciliation.account import UnknownAccount, read_movements, widened
    from orchestrator.money.reconciliation.comparison import compare, period_of
    from orchestrator.money.reconciliation.statement import StatementError, read_statement
    from orchestrator.money.schema import open_reader

    columns = {"id": id_column, "amount": amount_column, "asset": asset_column, "day": day_column}
    try:
        with statement.open(encoding="utf-8-sig", newline="") as file:
            lines = list(read_statement(file, columns, asset and asset.upper()))
    except (StatementError, UnicodeDecodeError) as error:
        raise CommandFailed(f"{statement}: {error}", EX_DATAERR) from error
    if negate:
        lines = [msgspec.structs.replace(line, units=-line.units) for line in lines]
    first, last = period_of(lines)
    first, last = since.date() if since else first, until.date() if until else last
    path = ledger_file(target)
    with explained(path), closing(open_reader(path)) as connection:
        try:
            moved = list(read_movements(connection, account, book, *widened(first, last, days)))
        except UnknownAccount as error:
            raise CommandFailed(str(error), NO_INPUT) from error
    result = compare(lines, moved, account=account, book=book, since=first, until=last, days_apart=days)
    if as_json:
        print_json(msgspec.to_builtins(result))
    else:
        _tell(result, everything)
    return 0 if result.agrees else FAILED


def _tell(result: Any, everything: bool) -> None:
    from orchestrator.money.reconciliation.comparison import DIFFERENCES

    items = [item for item in result.items if everything or item.finding in DIFFERENCES]
    if items:
        headings = [Column("finding"), Column("day"), Column("id", yields=True)]
        amounts = [Column(name, right=True) for name in ("statement", "ledger", "difference")]
        print_table([*headings, *amounts, Column("asset"), Column("transaction")], map(_row, items))
    for sums in result.sums:
        click.echo(
            f"{sums.asset}: the statement has {sums.statement}, the ledger {sums.ledger}, "
            f"the difference is {sums.difference}"
        )
    counts = ", ".join(f"{count:,} {_FINDINGS[finding][0]}" for finding, count in result.counts.items())
    period = f" from {result.since} to {result.until}" if result.since and result.until else ""
    say(f"{result.account}, {result.book}{period}: {counts or 'nothing to compare'}")


def _row(item: Any) -> list[Cell]:
    text, colour = _FINDINGS[item.finding]
    day = str(item.day) if item.day else None
    transaction = item.transactions[0] if item.transactions else None
    return [Styled(text, colour), day, item.id, item.statement, item.ledger, item.difference, item.asset, transaction]
