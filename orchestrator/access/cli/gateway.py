"""`open` and `token`: the way into the HTTP gateway."""

from __future__ import annotations

import click

from orchestrator.access.cli.commands import command
from orchestrator.access.cli.failures import NOT_ALLOWED, UNAVAILABLE, CommandFailed
from orchestrator.access.cli.output import say
from orchestrator.access.cli.target import Target


@command("open", examples=["automate open", "automate open --print"])
@click.option("--print", "only_print", is_flag=True, help="Print the address; open nothing.")
@click.pass_obj
def open_gateway(target: Target, only_print: bool) -> None:
    """Open the gateway in a browser. Log in with what `automate token` shows."""
    gateway = target.call("system.status")["gateway"]
    if gateway is None:
        raise CommandFailed("the gateway is off: gateway_enabled is false in fleet_config.json", UNAVAILABLE)
    if not gateway["listening"]:
        raise CommandFailed(f"the gateway is not at {gateway['url']}: {gateway['detail']}", UNAVAILABLE)
    click.echo(gateway["url"])
    if not only_print:
        import webbrowser

        if not webbrowser.open(gateway["url"]):
            say("no browser could be opened here; open the address yourself")


@command(
    "token", examples=["automate token", 'curl -H "Authorization: Bearer $(automate token)" 127.0.0.1:7800/metrics']
)
@click.pass_obj
def token(target: Target) -> None:
    """Show the token that the gateway asks for. Whoever has it may do everything."""
    from orchestrator.access.gateway.whereabouts import TOKEN_NAME

    file = target.paths().secrets / TOKEN_NAME
    try:
        click.echo(file.read_text().strip())
    except FileNotFoundError as error:
        raise CommandFailed(
            f"there is no {file} yet: the daemon makes it when its gateway first starts", UNAVAILABLE
        ) from error
    except OSError as error:
        raise CommandFailed(
            f"{file} cannot be read: {error.strerror}; ask as the daemon's user", NOT_ALLOWED
        ) from error
