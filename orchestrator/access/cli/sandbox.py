"""`sandbox`: who is on the other side in the paper world."""

from __future__ import annotations

import click

from orchestrator.access.cli.commands import command, json_option
from orchestrator.access.cli.output import Column, print_json_lines, print_table, say
from orchestrator.access.cli.target import Target

_COLUMNS = (Column("far side"), Column("address"), Column("credentials", yields=True))


@command("sandbox", examples=["automate sandbox", "automate sandbox --json | jq -r .url"])
@json_option
@click.pass_obj
def sandbox(target: Target, as_json: bool) -> None:
    """List the paper world's venues, sites and networks.

    They are servers on this machine that speak real protocols. With --json, the credentials that one is known by
    there are told, too; they are worth nothing anywhere else.
    """
    items = target.call("sandbox.list")
    if as_json:
        print_json_lines(items)
    elif not items:
        say("the paper world has no servers now: no stream that runs needs one")
    else:
        print_table(_COLUMNS, ([item["name"], item["url"], ", ".join(item["credentials"])] for item in items))
