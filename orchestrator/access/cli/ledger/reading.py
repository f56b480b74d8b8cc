"""`ledger totals` and `ledger entries`: what was earned and spent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from orchestrator.access.cli.arguments import complete_instances
from orchestrator.access.cli.books import open_books
from orchestrator.access.cli.commands import json_option, member
from orchestrator.access.cli.ledger.root import BOOKS, book_option, ledger
from orchestrator.access.cli.output import Cell, Column, print_json_lines, print_table, say
from orchestrator.access.cli.pages import decoded
from orchestrator.access.cli.target import Target

STATES = ("pending", "posted", "voided", "expired", "settled", "reversed")

_LAST = 20
"""Transactions that are shown where nobody says how many."""


@member(
    ledger,
    "totals",
    examples=[
        "automate ledger totals",
        "automate ledger totals --book paper --by instance",
        "automate ledger totals --by instance --standalone",
        "automate ledger totals --book live --by day --json | jq '.items[]'",
    ],
)
@book_option
@click.option("--by", type=click.Choice(("stream", "instance", "day")), help="How finely.")
@click.option("--standalone", is_flag=True, help="Each instance by itself: with what they earned of each other.")
@json_option
@click.pass_obj
def totals(target: Target, book: str | None, by: str | None, standalone: bool, as_json: bool) -> None:
    """Show income and cost; of both books where none is named, and never added together.

    What is pending is expected, not earned. What instances of the fleet earned of each other is left out, for the
    fleet as a whole did not earn it.
    """
    with open_books(target) as books:
        told = [books.totals(name, by, consolidated=not standalone) for name in ([book] if book else BOOKS)]
    if as_json:
        print_json_lines(told)
        return
    grouped = {"stream": ["stream"], "instance": ["stream", "instance"], "day": ["day"]}.get(by or "", [])
    rows = [_totals_row(each["book"], item, grouped) for each in told for item in each["items"]]
    if not rows:
        say("nothing is booked yet")
        return
    headings = ["book", *grouped, "kind", "state"]
    print_table([*map(Column, headings), Column("amount", right=True), Column("asset")], rows)
    for each in told:
        for due in each.get("in_transit", ()):
            say(f"in transit between instances, {each['book']}: {due['amount']} {due['asset']} on {due['account']}")


def _totals_row(book: str, item: Any, grouped: Iterable[str]) -> list[Cell]:
    return [book, *(item[name] for name in grouped), item["kind"], item["state"], item["amount"], item["asset"]]


@member(
    ledger,
    "entries",
    examples=[
        "automate ledger entries",
        "automate ledger entries --instance api_services-001 --limit 100",
        "automate ledger entries --state pending",
        "automate ledger entries --json --all | jq -r .id",
    ],
)
@click.option("--instance", shell_complete=complete_instances, help="Only of this instance.")
@click.option("--stream", help="Only of this stream.")
@book_option
@click.option("--state", type=click.Choice(STATES), help="Only what has become this by now.")
@click.option("--limit", type=click.IntRange(min=1), help=f"So many of the last ones.  [default: {_LAST}]")
@click.option("--all", "everything", is_flag=True, help="All there are, from the first one on.")
@json_option
@click.pass_obj
def entries(
    target: Target,
    instance: str | None,
    stream: str | None,
    book: str | None,
    state: str | None,
    limit: int | None,
    everything: bool,
    as_json: bool,
) -> None:
    """Show transactions: the last ones, the newest first, or all, in the order they were booked."""
    if everything and limit is not None:
        raise click.UsageError("--all and --limit exclude each other")
    wanted = {
        "book": book,
        "stream": stream,
        "instance": instance,
        "state": state,
        "newest_first": not everything,
    }
    found = False
    with open_books(target) as books:
        for page in books.entries(wanted, None if everything else limit or _LAST):
            if as_json:
                print_json_lines(page.items)
            elif page.items:
                print_table(_COLUMNS, map(_entry_row, decoded(page.items)))
            found = found or bool(page.items)
    if not found and not as_json:
        say("nothing of that kind is booked yet")


_COLUMNS = (
    Column("booked (UTC)"),
    Column("book"),
    Column("instance"),
    Column("kind"),
    Column("state"),
    Column("amount", right=True),
    Column("asset"),
    Column("id"),
)


def _entry_row(entry: Any) -> list[Cell]:
    return [
        entry["booked_at"][:19].replace("T", " "),
        entry["book"],
        entry["instance"],
        entry["kind"],
        # What was pending counts no longer once it is resolved: what was posted of it stands on a line of its own.
        entry["state"] if entry["counts_as"] else f"pending → {entry['state']}",
        entry["amount"],
        entry["asset"],
        entry["id"],
    ]
