"""The daemon as a whole: `status`, `ping`, `tree`, `reload`, `version`, and `call` for everything else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import click

from orchestrator.access.cli.commands import command, json_option
from orchestrator.access.cli.failures import WrongConfiguration
from orchestrator.access.cli.output import (
    coloured,
    print_fields,
    print_json,
    say,
    visible,
)
from orchestrator.access.cli.target import Target

_REFUSED = -32002


@command("status", examples=["automate status", "automate status --json | jq .instances.active"])
@json_option
@click.pass_obj
def status(target: Target, as_json: bool) -> None:
    """Show what the daemon does, and what it has earned."""
    if as_json:
        print_json(target.call("system.status"))
        return
    from orchestrator.access.cli.summary import summary

    with target.client() as client:
        print_fields(summary(client))


@command("ping", examples=["automate ping", "automate ping --json"])
@json_option
@click.pass_obj
def ping(target: Target, as_json: bool) -> None:
    """Ask whether the daemon is there."""
    with target.client() as client:
        client.call("system.ping")  # connects
        began = time.perf_counter()
        told = client.call("system.ping")
        took_ms = (time.perf_counter() - began) * 1000
    if as_json:
        print_json(told)
    else:
        click.echo(f"the daemon {told['version']} answered in {took_ms:.1f} ms")


@command("tree", examples=["automate tree", "automate tree --json | jq '.children[].path'"])
@json_option
@click.pass_obj
def tree(target: Target, as_json: bool) -> None:
    """Show the supervision tree, with the vitals of each actor."""
    root = target.call("system.tree")
    if as_json:
        print_json(root)
        return
    for line in _branches(root, "", ""):
        click.echo(line)


def _branches(actor: Any, before: str, below: str) -> Iterator[str]:
    name = actor["path"].rpartition("/")[2] or "/"
    line = f"{before}{visible(name)} {coloured(actor['condition'])} {actor['kind']}"
    facts = [f"{actor['handled']} handled"] if actor["handled"] else []
    facts += [f"{actor[fact]} {word}" for fact, word in _FACTS.items() if actor[fact]]
    if facts:
        line += click.style(f" ({', '.join(facts)})", dim=True)
    if actor["last_failure"] is not None:
        failure = actor["last_failure"]
        line += click.style(f" {visible(failure['kind'])}: {visible(failure['text'])}", fg="red")
    yield line
    children = actor["children"]
    for child in children[:-1]:
        yield from _branches(child, f"{below}├── ", f"{below}│   ")
    for child in children[-1:]:
        yield from _branches(child, f"{below}└── ", f"{below}    ")


_FACTS = {"mailbox_depth": "waiting", "dropped": "dropped", "restarts": "restarts"}


@command("reload", examples=["automate reload"])
@click.pass_obj
def reload(target: Target) -> None:
    """Have the daemon reread its configuration.

    What is wrong in the files is told, and changes nothing.
    """
    from orchestrator.access.client import RpcFailure

    try:
        target.call("system.reload")
    except RpcFailure as failure:
        if failure.code == _REFUSED:
            raise WrongConfiguration(failure.message) from failure
        raise
    say("the configuration was reread")


@command("version", examples=["automate version", "automate version --json"])
@json_option
def version(as_json: bool) -> None:
    """Show the version of this command."""
    import platform
    from importlib import metadata

    told = {"version": metadata.version("automate-everything"), "python": platform.python_version()}
    if as_json:
        print_json(told)
    else:
        click.echo(f"automate {told['version']} (Python {told['python']})")


@command(
    "call",
    examples=[
        "automate call system.ping",
        """automate call fleet.get '{"id": "api_services-001"}'""",
        "automate call rpc.discover | jq '.methods[].name'",
        "echo '[\"fleet\"]' | automate call config.get -",
    ],
)
@click.argument("method")
@click.argument("params", required=False, metavar="[JSON]")
@click.option("--timeout", "timeout_s", type=click.FloatRange(min=0.001), default=35.0, show_default=True)
@click.pass_obj
def call(target: Target, method: str, params: str | None, timeout_s: float) -> None:
    """Call a method of the control socket.

    Its result is printed as JSON. The parameters are an object or an array; "-" reads them from standard input.
    """
    from orchestrator.access.cli.arguments import json_argument

    arguments = None if params is None else json_argument(params, "JSON")
    if arguments is not None and not isinstance(arguments, (dict, list)):
        raise click.BadParameter("parameters are an object or an array", param_hint="'[JSON]'")
    with target.client(timeout_s) as client:
        print_json(client.call(method, arguments))
