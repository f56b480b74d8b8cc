"""`chaos`: failures on request, to see that nothing comes of them."""

from __future__ import annotations

import click

from orchestrator.access.cli.arguments import complete_instances
from orchestrator.access.cli.commands import group, member
from orchestrator.access.cli.output import say
from orchestrator.access.cli.target import Target


@group("chaos")
def chaos() -> None:
    """Make instances fail, to see what follows.

    Only where fleet_config.json says "chaos": true.
    """


@member(chaos, "crash", examples=["automate chaos crash api_services-001 && automate events -n 3 'instance.*'"])
@click.argument("instance", shell_complete=complete_instances)
@click.pass_obj
def crash(target: Target, instance: str) -> None:
    """Crash an instance; its supervisor restarts it."""
    target.call("chaos.crash", {"id": instance})
    say(f"{instance} was made to crash")


@member(chaos, "freeze", examples=["automate chaos freeze api_services-001"])
@click.argument("instance", shell_complete=complete_instances)
@click.pass_obj
def freeze(target: Target, instance: str) -> None:
    """Freeze an instance; it is found, and restarted."""
    target.call("chaos.freeze", {"id": instance})
    say(f"{instance} was made to freeze")
