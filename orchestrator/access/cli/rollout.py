"""`rollout`: how deployments go, and what a person decides of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from orchestrator.access.cli.arguments import complete_rollouts
from orchestrator.access.cli.commands import group, json_option, member
from orchestrator.access.cli.failures import FAILED
from orchestrator.access.cli.output import (
    Cell,
    Column,
    coloured,
    print_json,
    print_json_lines,
    print_table,
    say,
    state_cell,
    visible,
)
from orchestrator.access.cli.pages import decoded, every
from orchestrator.access.cli.progress import Progress
from orchestrator.access.cli.target import Target

if TYPE_CHECKING:
    from orchestrator.access.client import Client

STRATEGIES = ("full", "staged", "canary")

_FIRST_LOOK_S = 0.02
_LAST_LOOK_S = 0.5

rollout_argument = click.argument("rollout_id", metavar="ROLLOUT", shell_complete=complete_rollouts)


@group("rollout")
def rollout() -> None:
    """See how deployments go, and decide of them."""


@member(rollout, "list", examples=["automate rollout list", "automate rollout list --json | jq -r .id"])
@click.option("-n", "--limit", type=click.IntRange(1), default=20, show_default=True, help="The newest so many.")
@json_option
@click.pass_obj
def list_rollouts(target: Target, limit: int, as_json: bool) -> None:
    """List the rollouts, the newest first."""
    with target.client() as client:
        items = every(client, "rollout.list", {}, limit)
    if as_json:
        print_json_lines(items)
    elif not items:
        say("there have been no rollouts")
    else:
        print_table(_COLUMNS, map(_row, decoded(items)))


_COLUMNS = (
    Column("rollout"),
    Column("stream"),
    Column("strategy"),
    Column("state"),
    Column("stage", right=True),
    Column("done", right=True),
    Column("reason", yields=True),
)


def _row(item: Any) -> list[Cell]:
    stage, done = f"{item['stage']}/{item['stages']}", f"{item['done']}/{item['total']}"
    state = state_cell(item["state"])
    return [item["id"], item["stream"], item["strategy"], state, stage, done, item["reason"]]


@member(
    rollout, "status", examples=["automate rollout status rollout-0002", "automate rollout status rollout-0002 --watch"]
)
@rollout_argument
@click.option("-w", "--watch", is_flag=True, help="Wait for its end; 1 is the exit status if it is not completed.")
@json_option
@click.pass_obj
def status(target: Target, rollout_id: str, watch: bool, as_json: bool) -> int:
    """Tell how a rollout goes, and how its batch compares with the instances beside it."""
    with target.client() as client:
        if watch:
            return follow(client, rollout_id, wait=True, as_json=as_json, through_pauses=True)
        told = client.call("rollout.status", {"rollout": rollout_id})
    _tell(told, as_json=as_json, figures=True)
    return 0


@member(rollout, "watch", examples=["automate rollout watch rollout-0002"])
@rollout_argument
@json_option
@click.pass_obj
def watch_rollout(target: Target, rollout_id: str, as_json: bool) -> int:
    """Wait for a rollout's end, through its pauses; 1 is the exit status if it is not completed."""
    with target.client() as client:
        return follow(client, rollout_id, wait=True, as_json=as_json, through_pauses=True)


def _add_decision(name: str, description: str) -> None:
    def decide(target: Target, rollout_id: str, as_json: bool) -> None:
        _tell(target.call(f"rollout.{name}", {"rollout": rollout_id}), as_json=as_json)

    decide.__doc__ = description
    function: Callable[..., Any] = click.pass_obj(decide)
    function = rollout_argument(json_option(function))
    member(rollout, name, examples=[f"automate rollout {name} rollout-0002"])(function)


_add_decision("promote", "Have a rollout go on to its next batch, whatever is known of the present one.")
_add_decision("abort", "Take a rollout back: its instances get their former settings, or go if they were added.")


def follow(client: Client, rollout_id: str, *, wait: bool, as_json: bool, through_pauses: bool = False) -> int:
    """Show how a rollout goes until it ends, or its id alone; return the exit status.

    Args:
        client: Where to ask.
        rollout_id: Which rollout.
        wait: Whether to wait at all.
        as_json: Whether for programs.
        through_pauses: Whether to go on waiting where it needs a person or data.
    """
    if not wait:
        if as_json:
            print_json({"rollout": rollout_id})
        else:
            click.echo(rollout_id)
        return 0
    pause_s = _FIRST_LOOK_S
    with Progress() as progress:
        while (told := client.call("rollout.status", {"rollout": rollout_id}))["ended_at"] is None:
            if told["state"] == "paused" and not through_pauses:
                break
            progress.show(_line(told))
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, _LAST_LOOK_S)
    _tell(told, as_json=as_json)
    if told["state"] == "paused":
        say(f"`automate rollout promote {rollout_id}` goes on all the same, `abort` takes it back; data may do either")
    return 0 if told["state"] == "completed" else FAILED


def _tell(told: Any, *, as_json: bool, figures: bool = False) -> None:
    if as_json:
        print_json(told)
        return
    click.echo(_line(told, coloured(told["state"])))
    if told["reason"]:
        click.echo(f"  {visible(told['reason'])}")
    for instance, reason in told["failed"].items():
        click.echo(f"  {instance}: {visible(reason)}")
    if figures and told["figures"]:
        print_table(_FIGURES, _figure_rows(told["figures"]))


_FIGURES = (
    Column("measure"),
    Column("batch", right=True),
    Column("of", right=True),
    Column("others", right=True),
    Column("of", right=True),
    Column("wager on worse", right=True),
    Column("wager on as good", right=True),
)


def _figure_rows(figures: Any) -> Iterator[list[Cell]]:
    for measure, figure in figures.items():
        good = "" if figure["good"] is None else f"{figure['good']:g}"
        yield [
            measure,
            _share(figure["candidate"]),
            figure["candidate_of"],
            _share(figure["baseline"]),
            figure["baseline_of"],
            f"{figure['worse']:g}",
            good,
        ]


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _line(told: Any, state: str | None = None) -> str:
    stage = f", batch {told['stage']} of {told['stages']} {told['phase']}" if told["stages"] > 1 else ""
    if told["ended_at"] is not None:
        stage = ""
    done = f"{told['done']} of {told['total']} done"
    return f"{told['id']} of {told['stream']} {state or told['state']}: {done}{stage}"
