"""`rollout`: how a deployment goes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from orchestrator.access.cli.commands import group, json_option, member
from orchestrator.access.cli.failures import FAILED
from orchestrator.access.cli.output import coloured, print_json, visible
from orchestrator.access.cli.progress import Progress
from orchestrator.access.cli.target import Target

if TYPE_CHECKING:
    from orchestrator.access.client import Client

_FIRST_LOOK_S = 0.02
_LAST_LOOK_S = 0.5


@group("rollout")
def rollout() -> None:
    """See how deployments go."""


@member(
    rollout, "status", examples=["automate rollout status rollout-0002", "automate rollout status rollout-0002 --watch"]
)
@click.argument("rollout_id", metavar="ROLLOUT")
@click.option("-w", "--watch", is_flag=True, help="Wait for its end; 1 is the exit status if it is incomplete.")
@json_option
@click.pass_obj
def status(target: Target, rollout_id: str, watch: bool, as_json: bool) -> int:
    """Tell how a rollout goes."""
    with target.client() as client:
        if watch:
            return follow(client, rollout_id, wait=True, as_json=as_json)
        told = client.call("rollout.status", {"rollout": rollout_id})
    _tell(told, as_json=as_json)
    return 0


def follow(client: Client, rollout_id: str, *, wait: bool, as_json: bool) -> int:
    """Show how a rollout goes until it ends, or its id alone; return the exit status."""
    if not wait:
        if as_json:
            print_json({"rollout": rollout_id})
        else:
            click.echo(rollout_id)
        return 0
    pause_s = _FIRST_LOOK_S
    with Progress() as progress:
        while (told := client.call("rollout.status", {"rollout": rollout_id}))["state"] == "running":
            progress.show(_line(told))
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, _LAST_LOOK_S)
    _tell(told, as_json=as_json)
    return 0 if told["state"] == "completed" else FAILED


def _tell(told: Any, *, as_json: bool) -> None:
    if as_json:
        print_json(told)
        return
    click.echo(_line(told, coloured(told["state"])))
    for instance, reason in told["failed"].items():
        click.echo(f"  {instance}: {visible(reason)}")


def _line(told: Any, state: str | None = None) -> str:
    return f"{told['id']} of {told['stream']} {state or told['state']}: {told['done']} of {told['total']} done"
