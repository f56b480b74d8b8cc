"""`profit`: how what instances share is divided by what they earn, why, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from orchestrator.access.cli.commands import Group, json_option, member
from orchestrator.access.cli.output import (
    Cell,
    Column,
    Styled,
    duration,
    print_fields,
    print_json,
    print_json_lines,
    print_table,
    say,
    visible,
)
from orchestrator.access.cli.target import Target

_SHOWN = 20
_PAGE = 100
_MOST_LISTED = 1000
_COLOURS = {"reallocated": "green", "held": "bright_black", "prior": "yellow"}
_LIMITS = {None: "", "stream_min": "stream's minimum", "stream_max": "stream's maximum"}


@click.group("profit", cls=Group)
def profit() -> None:
    """See and steer how what instances share is divided by what they earn."""


@member(
    profit,
    "plan",
    examples=[
        "automate profit plan",
        "automate profit plan --stream api_services --instances 20",
        "automate profit plan --json | jq .decision.streams",
    ],
)
@click.option("-s", "--stream", help="List only instances of this stream.")
@click.option(
    "-n", "--instances", type=click.IntRange(0, _MOST_LISTED), default=_SHOWN, show_default=True, help="List so many."
)
@json_option
@click.pass_obj
def plan(target: Target, stream: str | None, instances: int, as_json: bool) -> None:
    """Show how shares would be divided now, and why. Changes nothing.

    A share is given in equal ones: 2 is twice what each would have if all had the same.
    """
    told = target.call("profit.plan", {"stream": stream, "limit": max(instances, 1)})
    if as_json:
        print_json(told)
        return
    _show(told["decision"])
    if instances:
        click.echo()
        print_table(_INSTANCE_COLUMNS, map(_instance_row, told["items"]))
        if told["next_cursor"] is not None:
            say("there are more; -n lists them")
    if told["problem"] is not None:
        say(f"decisions are not kept: {visible(told['problem'])}")


@member(profit, "run", examples=["automate profit run", "automate profit run --json | jq .movers"])
@json_option
@click.pass_obj
def run(target: Target, as_json: bool) -> None:
    """Divide shares now, not only when the period is over."""
    decision = target.call("profit.run")
    if as_json:
        print_json(decision)
    else:
        _show(decision)


def _show(decision: Any) -> None:
    """Print a decision: its sentence, and its streams."""
    click.echo(f"{_verdict(decision)}: {visible(decision['reason'])}")
    asset, every = decision["asset"], duration(decision["interval_s"])
    click.echo(
        f"{decision['instances']} instances share {decision['slots']} slots by what they earn in {asset}"
        f" ({decision['book']} book), each {every}; {decision['waited']} times work waited in the last period"
    )
    print_table(_STREAM_COLUMNS, (_stream_row(part) for part in decision["streams"]))


def _verdict(decision: Any) -> str:
    return click.style(decision["verdict"], fg=_COLOURS[decision["verdict"]])


_STREAM_COLUMNS = (
    Column("stream"),
    Column("instances", right=True),
    Column("multiplier", right=True),
    Column("share", right=True),
    Column("then", right=True),
    Column("expected", right=True),
    Column(""),
)


def _stream_row(part: Any) -> list[Cell]:
    return [
        part["stream"],
        part["instances"],
        f"{part['multiplier']:g}",
        f"{100 * part['before']:.1f} %",
        f"{100 * part['after']:.1f} %",
        part["expected"] or "",
        "" if part["measured"] else "earns in other assets",
    ]


_INSTANCE_COLUMNS = (
    Column("instance"),
    Column("share", right=True),
    Column("then", right=True),
    Column("expected", right=True),
    Column("a share more", right=True),
    Column("evidence", right=True),
    Column("limited by"),
)


def _instance_row(part: Any) -> list[Cell]:
    return [
        part["instance"],
        "new" if part["before"] is None else f"{part['before']:.2f}",
        f"{part['after']:.2f}",
        part["expected"],
        part["marginal"],
        f"{part['evidence']:.1f}",
        _LIMITS.get(part["limit"], str(part["limit"]).replace("_", " ")),
    ]


@member(
    profit,
    "history",
    examples=["automate profit history", "automate profit history -n 500 --json | jq '[.expected, .outcome.net]'"],
)
@click.option("-n", "--decisions", type=click.IntRange(1), default=_SHOWN, show_default=True, help="How many.")
@json_option
@click.pass_obj
def history(target: Target, decisions: int, as_json: bool) -> None:
    """Show decisions: what each was expected to bring, and what it brought.

    The newest is last; with --json each is a line, the newest first.
    """
    found = _decisions(target, decisions)
    if as_json:
        print_json_lines(found)
        return
    rows = [_decision_row(each) for each in reversed(list(found))]
    if rows:
        print_table(_HISTORY_COLUMNS, rows)
    else:
        say("nothing was decided yet; the first decision comes when the first period is over")


def _decisions(target: Target, limit: int) -> Iterator[Any]:
    cursor: str | None = None
    with target.client() as client:
        while limit > 0:
            page = client.call("profit.history", {"limit": min(limit, _PAGE), "cursor": cursor})
            yield from page["items"]
            limit -= len(page["items"])
            cursor = page["next_cursor"]
            if cursor is None:
                return


_HISTORY_COLUMNS = (
    Column("decision", right=True),
    Column("at (UTC)"),
    Column("verdict"),
    Column("moved", right=True),
    Column("expected", right=True),
    Column("came", right=True),
    Column("reason", yields=True),
)


def _decision_row(decision: Any) -> list[Cell]:
    return [
        decision["id"],
        decision["at"][:19].replace("T", " "),
        Styled(decision["verdict"], _COLOURS[decision["verdict"]]),
        f"{100 * decision['moved']:.1f} %",
        "" if decision["verdict"] == "prior" else f"{decision['expected']} {decision['asset']}",
        _came(decision),
        decision["reason"],
    ]


def _came(decision: Any) -> str:
    outcome = decision["outcome"]
    if outcome is None:
        return ""
    return f"{outcome['net']} {decision['asset']}" + ("" if outcome["complete"] else " so far")


@member(
    profit,
    "explain",
    examples=["automate profit explain api_services-007", "automate profit explain api_services-007 --json"],
)
@click.argument("instance")
@json_option
@click.pass_obj
def explain(target: Target, instance: str, as_json: bool) -> None:
    """Tell why an instance has its share: evidence, expectation, marginal profit, and what limits it."""
    told = target.call("profit.explain", {"instance": instance})
    if as_json:
        print_json(told)
        return
    for sentence in told["sentences"]:
        click.echo(visible(sentence))
    click.echo()
    part, asset = told["instance"], told["asset"]
    now = "not yet" if told["share"] is None else f"{told['share']:.3f}"
    print_fields(
        (
            ("share", f"{now}; by the plan as of now {part['after']:.3f}"),
            ("expected", f"{part['expected']} {asset} in {duration(told['interval_s'])}"),
            ("a share more", f"{part['marginal']} {asset}"),
            ("at most", f"{part['most']} {asset}, give or take {part['uncertainty']}"),
            ("half of it at", f"{part['half_at']:.2f}"),
            ("evidence", f"{part['evidence']:.2f} full periods; multiplier {part['multiplier']:g}"),
            ("limited by", str(part["limit"] or "nothing").replace("_", " ")),
        )
    )
