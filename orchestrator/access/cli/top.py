"""`top`: the daemon and its fleet on the terminal, live."""

from __future__ import annotations

import sys

import click

from orchestrator.access.cli.arguments import complete_instances
from orchestrator.access.cli.commands import command
from orchestrator.access.cli.failures import USAGE, CommandFailed
from orchestrator.access.cli.fleet import STATES
from orchestrator.access.cli.output import is_terminal
from orchestrator.access.cli.target import Target


@command(
    "top",
    examples=["automate top", "automate top --state failed", "automate top --stream api_services", "automate top iban"],
)
@click.argument("words", nargs=-1, shell_complete=complete_instances)
@click.option("--stream", help="At first, only of this stream.")
@click.option("--state", type=click.Choice(STATES), help="At first, only in this state.")
@click.pass_obj
def top(target: Target, words: tuple[str, ...], stream: str | None, state: str | None) -> int:
    """Watch and steer the fleet on the terminal, live.

    Words narrow the list to the instances that have them. The key "?" explains the others.
    """
    if not all(map(is_terminal, (sys.stdin, sys.stdout, sys.stderr))):
        raise CommandFailed("top needs a terminal; in a pipe, `automate status --json` tells the same once", USAGE)
    socket = target.paths().control_socket
    with target.client() as client:
        client.call("system.ping")  # where there is no daemon, that is said as everywhere else

    # It takes a third of a second to import, and no other command has a use for it.
    from orchestrator.access.top.app import Top
    from orchestrator.access.top.rows import Selection

    app = Top(socket, Selection(text=" ".join(words), stream=stream, state=state))
    app.run()
    return app.return_code or 0
