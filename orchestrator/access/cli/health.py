"""`health`: how everything is, what is wrong now, and what was."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import click

from orchestrator.access.cli.arguments import complete_instances
from orchestrator.access.cli.commands import command, json_option
from orchestrator.access.cli.failures import FAILED
from orchestrator.access.cli.output import (
    Cell,
    Column,
    Styled,
    duration,
    print_json,
    print_table,
    say,
    state_cell,
    visible,
)
from orchestrator.access.cli.target import Target

_PAGE = 500
_HISTORY = 20


@command(
    "health",
    examples=[
        "automate health",
        "automate health --all",
        "automate health api_services-001",
        "automate health --json | jq '.items[] | select(.verdict == \"ill\")'",
        "automate health --check && echo all is well",
    ],
)
@click.argument("name", required=False, metavar="[INSTANCE | SERVICE]", shell_complete=complete_instances)
@click.option("-a", "--all", "everything", is_flag=True, help="Show what is well, too.")
@click.option("--check", is_flag=True, help="1 is the exit status while an incident is open.")
@json_option
@click.pass_obj
def health(target: Target, name: str | None, everything: bool, check: bool, as_json: bool) -> int:
    """Show what is not well, with response times and errors of the last 15 minutes; or the past of one.

    The daemon asks every instance and every service how it is, each half minute unless it is told otherwise: the
    first figures are of those questions. What its customers met is on the right: how many requests were served,
    in what time 95 of 100, and which share failed.
    """
    ask: dict[str, Any] = {"limit": _PAGE, "history": _HISTORY, "name": name}
    if not (everything or as_json or name):
        ask["verdict"] = "ill"
    with target.client() as client:
        report = client.call("health.report", ask)
        cursor = report["next_cursor"]
        while cursor is not None:
            page = client.call("health.report", {**ask, "history": 0, "cursor": cursor})
            report["items"] += page["items"]
            cursor = page["next_cursor"]
        standbys = client.call("fleet.standbys")
    report["next_cursor"] = None
    if name is not None:
        _keep_only(report, name)
    if as_json:
        print_json(report)
    else:
        _show(report, name, everything=everything)
        if name is None and standbys["ready"] < standbys["wanted"]:
            say(
                f"{standbys['ready']} of {standbys['wanted']} standbys are ready to take over;"
                " `automate fleet standbys` says why"
            )
    return FAILED if check and report["open_incidents"] else 0


def _keep_only(report: Any, name: str) -> None:
    for part in ("items", "services", "incidents"):
        report[part] = [each for each in report[part] if each["name"] == name]
    report["open_incidents"] = len(report["incidents"])
    if not report["items"] and not report["services"] and not report["failures"] and not report["past_incidents"]:
        raise click.UsageError(f"nothing is known of {name!r}; `automate health --all` shows all there are")


def _show(report: Any, name: str | None, *, everything: bool) -> None:
    if name is None:
        click.echo(
            f"{report['well']} well, {_red(report['ill'], 'ill')}, open incidents: {_red(report['open_incidents'])};"
            f" each is looked at every {duration(report['interval_s'])}"
        )
    rows = [*report["services"], *report["items"]]
    shown = rows if everything or name is not None else [row for row in rows if row["verdict"] == "ill"]
    if shown:
        print_table(_COLUMNS, map(_row, shown))
    if report["incidents"]:
        click.echo()
        print_table(_INCIDENT_COLUMNS, map(_incident_row, report["incidents"]))
        if unsaid := report["open_incidents"] - len(report["incidents"]):
            say(f"and {unsaid} more")
    if name is not None:
        _show_past(report)
    webhook = report["webhook"]
    if webhook["problem"] is not None:
        say(f"alerts do not arrive: {visible(webhook['problem'])}; {webhook['waiting']} wait")


def _red(count: int, what: str = "") -> str:
    return click.style(f"{count} {what}".strip(), fg="red" if count else None)


_COLUMNS = (
    Column("name"),
    Column("state"),
    Column("found"),
    Column("p50 ms", right=True),
    Column("p95 ms", right=True),
    Column("errors", right=True),
    Column("served", right=True),
    Column("in p95 ms", right=True),
    Column("failed", right=True),
    Column("detail", yields=True),
)


def _row(row: Any) -> list[Cell]:
    verdict = row["symptom"] or row["verdict"]
    served = row["served"] or {"requests": None, "p95_ms": None, "error_rate": None}
    return [
        row["name"],
        state_cell(row["state"]),
        Styled(
            verdict, {"well": "green", "unknown": "bright_black", "down_by_hand": "bright_black"}.get(verdict, "red")
        ),
        _number(row["p50_ms"]),
        _number(row["p95_ms"]),
        _share(row["error_rate"]),
        served["requests"],
        _number(served["p95_ms"]),
        _share(served["error_rate"]),
        row["detail"],
    ]


def _share(value: float | None) -> str | None:
    return None if value is None else f"{100 * value:.1f} %" if 0 < value < 0.1 else f"{100 * value:.0f} %"


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.2f}"


_INCIDENT_COLUMNS = (
    Column("incident"),
    Column("of"),
    Column("symptom"),
    Column("since (UTC)"),
    Column("alerts", right=True),
    Column("detail", yields=True),
)


def _incident_row(incident: Any) -> list[Cell]:
    return [
        incident["id"],
        incident["name"],
        Styled(incident["symptom"], "red"),
        _time(incident["began_at"]),
        incident["alerts"],
        incident["detail"],
    ]


def _time(text: str) -> str:
    return text[:19].replace("T", " ")


def _show_past(report: Any) -> None:
    past = list(_past_lines(report["past_incidents"], report["failures"]))
    if past:
        click.echo()
    for _, line in sorted(past, reverse=True):
        click.echo(line)


def _past_lines(incidents: Iterable[Any], failures: Iterable[Any]) -> Iterator[tuple[str, str]]:
    for each in incidents:
        if each["closed_at"] is not None:
            end = _time(each["closed_at"])
            text = f"{each['symptom']} until {end} ({each['outcome']}): {visible(each['detail'])}"
            yield each["began_at"], f"{_time(each['began_at'])}  incident {each['id']}: {text}"
    for each in failures:
        yield each["at"], f"{_time(each['at'])}  {each['what']}: {visible(each['detail'])}"
