"""`report`: what was earned, on one screen, and as files to keep or to open."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from orchestrator.access.cli.books import explained, ledger_file
from orchestrator.access.cli.commands import command, json_option
from orchestrator.access.cli.configuration import store_of
from orchestrator.access.cli.failures import CONFIGURATION, CommandFailed
from orchestrator.access.cli.output import Cell, Column, print_fields, print_json, print_table, say
from orchestrator.access.cli.progress import Progress
from orchestrator.access.cli.target import Target

_REPORT_S = 65.0
_INSTANCES = 1000


@command(
    "report",
    examples=[
        "automate report",
        'xdg-open "$(automate report --open-path)"',
        "automate report --json | jq .summary",
    ],
)
@click.option("--open-path", is_flag=True, help="Print only where the page is.")
@json_option
@click.pass_obj
def report(target: Target, open_path: bool, as_json: bool) -> None:
    """Make the report of revenue now, write it as JSON and as a page, and show the most important of it.

    Without a daemon it is made of the ledger's file: nothing is active then. The books are never added together, and
    neither are assets.
    """
    with Progress() as progress:
        progress.show("adding up…")
        made, page = _made(target)
    if open_path:
        click.echo(page)
    elif as_json:
        print_json(made)
    else:
        _tell(made)
        say(f"the whole report: {page}")


def _made(target: Target) -> tuple[Any, Path]:
    from orchestrator.money.dashboard.files import HTML_FILE

    client = target.reach(_REPORT_S)
    page = target.paths().reports / HTML_FILE
    if client is not None:
        with client:
            return client.call("revenue.report", {"write": True, "instances": _INSTANCES}), page
    path = ledger_file(target)
    say(f"no daemon runs; reading {path}")
    return _made_of_file(target, path), page


def _made_of_file(target: Target, path: Path) -> Any:
    import msgspec

    from orchestrator.money.dashboard.composition import Wishes, compose
    from orchestrator.money.dashboard.figures import read_figures
    from orchestrator.money.dashboard.files import write_report
    from orchestrator.money.schema import open_reader
    from streams.money import AmountError, UnknownAssetError

    settings = store_of(target.paths()).validate()
    wanted = settings.fleet.report
    book: Any = "paper" if settings.fleet.mode == "sandbox" else "live"
    with explained(path), closing(open_reader(path)) as connection:
        figures = read_figures(connection, datetime.now(UTC))
    try:
        made = compose(figures, None, Wishes(book, wanted.asset, wanted.daily_target))
    except (UnknownAssetError, AmountError) as error:
        raise CommandFailed(f"fleet_config.json, report: {error}", CONFIGURATION) from error
    reports = target.paths().reports
    reports.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_report(made, reports)
    return msgspec.to_builtins(made)


def _tell(made: Any) -> None:
    summary, growth = made["summary"], made["growth_metrics"]
    asset = summary["asset"]
    target = summary["daily_target"]
    others = "".join(f", {amount} {other}" for other, amount in summary["other_assets"].items())
    today = f"{summary['today']} {asset}{_change(growth['today'], 'the same hours of yesterday')}"
    if target is not None:
        today += f"; {target['percent']} % of {target['amount']} {asset}"
    print_fields(
        [
            ("book", click.style(summary["book"], bold=True, fg="green" if summary["book"] == "live" else "yellow")),
            ("revenue", f"{summary['total_revenue']} {asset}{others}"),
            ("cost", f"{summary['total_cost']} {asset}"),
            ("net", f"{summary['net']} {asset}" + (f", {summary['roi']} for each spent" if summary["roi"] else "")),
            ("pending", f"{summary['pending']} {asset}"),
            ("today", today),
            ("last hour", f"{growth['hour']['current']} {asset}{_change(growth['hour'], 'the hour before')}"),
            ("last day", f"{growth['day']['current']} {asset}{_change(growth['day'], 'the day before')}"),
            ("instances", f"{summary['active_instances']} active of {summary['total_instances']}"),
        ]
    )
    rows: list[list[Cell]] = [
        [stream["stream"], stream["instances"], *(figures[name] for name in _FIGURES), figures["roi"], figures["asset"]]
        for stream in made["books"][summary["book"]]["by_stream"]
        for figures in stream["assets"]
    ]
    if rows:
        click.echo()
        headings = [Column(name, right=True) for name in ("instances", *_FIGURES, "return")]
        print_table([Column("stream"), *headings, Column("asset")], rows)


_FIGURES = ("income", "cost", "net", "pending")


def _change(change: Any, beside: str) -> str:
    if change["percent"] is None:
        return ""
    sign = "" if change["percent"].startswith("-") else "+"
    return f", {sign}{change['percent']} % beside {beside}"
