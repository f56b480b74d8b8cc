"""`fleet` and `scale`: instances, one by one and by number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import click

from orchestrator.access.cli.arguments import complete_instances, json_argument, named_arguments
from orchestrator.access.cli.commands import command, group, json_option, member
from orchestrator.access.cli.output import (
    Cell,
    Column,
    coloured,
    duration,
    print_fields,
    print_json,
    print_json_lines,
    print_table,
    say,
    state_cell,
    visible,
)
from orchestrator.access.cli.pages import decoded, every
from orchestrator.access.cli.rollout import STRATEGIES, follow
from orchestrator.access.cli.target import Target

STATES = ("starting", "ready", "paused", "stopped", "restarting", "failed", "standby")
ISOLATIONS = ("actor", "process")

no_wait_option = click.option("--no-wait", is_flag=True, help="Print the rollout's id, and let it go on by itself.")


@group("fleet")
def fleet() -> None:
    """List, deploy and command instances."""


@member(
    fleet,
    "list",
    examples=["automate fleet list", "automate fleet list --state failed", "automate fleet list --json | jq -r .id"],
)
@click.option("--stream", help="Only of this stream.")
@click.option("--state", type=click.Choice(STATES), help="Only in this state.")
@json_option
@click.pass_obj
def list_instances(target: Target, stream: str | None, state: str | None, as_json: bool) -> None:
    """List the instances, in order of their ports."""
    with target.client() as client:
        items = every(client, "fleet.list", {"stream": stream, "state": state})
    if as_json:
        print_json_lines(items)
    elif not items:
        say("no such instances" if stream or state else "the fleet has no instances; `automate fleet deploy` adds some")
    else:
        print_table(_COLUMNS, map(_row, decoded(items)))


_COLUMNS = (
    Column("instance"),
    Column("stream"),
    Column("state"),
    Column("address"),
    Column("restarts", right=True),
    Column("last failure", yields=True),
)


def _row(item: Any) -> list[Cell]:
    address = f"{item['host']}:{item['port']}" if item["port"] else None  # a standby listens nowhere
    return [
        item["id"],
        item["stream"],
        state_cell(item["state"]),
        address,
        item["restarts"],
        item["last_failure"],
    ]


@member(fleet, "get", examples=["automate fleet get api_services-001", "automate fleet get api_services-001 --json"])
@click.argument("instance", shell_complete=complete_instances)
@json_option
@click.pass_obj
def get(target: Target, instance: str, as_json: bool) -> None:
    """Show all of an instance."""
    view = target.call("fleet.get", {"id": instance})
    if as_json:
        print_json(view)
    else:
        print_fields(_view_lines(view))


@member(fleet, "standbys", examples=["automate fleet standbys", "automate fleet standbys --json | jq .ready"])
@json_option
@click.pass_obj
def standbys(target: Target, as_json: bool) -> None:
    """Show the pool that takes over from instances that fail again and again.

    What failed cools down in the seat of the standby that carries its work, and is a standby again after retry_delay.
    """
    pool = target.call("fleet.standbys")
    if as_json:
        print_json(pool)
        return
    if not pool["wanted"]:
        say("there are no standbys; recovery_config.json says how many there are from the daemon's next start on")
        return
    print_table(_STANDBY_COLUMNS, map(_standby_row, pool["items"]))
    say(f"{pool['ready']} of {pool['wanted']} are ready to take over")


_STANDBY_COLUMNS = (
    Column("standby"),
    Column("state"),
    Column("cools down for", right=True),
    Column("carried"),
    Column("restarts", right=True),
    Column("reason", yields=True),
)


def _standby_row(item: Any) -> list[Cell]:
    left_s = item["cools_down_s"]
    return [
        item["id"],
        state_cell(item["state"]),
        None if left_s is None else duration(left_s),
        item["carried"],
        item["restarts"],
        item["reason"],
    ]


@member(fleet, "address", examples=["curl $(automate fleet address api_services-001)/healthz"])
@click.argument("instance", shell_complete=complete_instances)
@click.pass_obj
def address(target: Target, instance: str) -> None:
    """Print where an instance listens."""
    from streams.addresses import address_of

    view = target.call("fleet.get", {"id": instance})
    click.echo(address_of(view["host"], view["port"]))


def _view_lines(view: Any) -> Iterator[tuple[str, str]]:
    import msgspec

    state = coloured(view["state"])
    yield "instance", view["id"]
    yield "state", f"{state} for {duration(view['up_s'])}" if view["up_s"] else state
    yield "serves", "yes" if view["ready"] else "no"
    if view["health"]:
        yield "health", visible(view["health"])
    if view["port"]:  # a standby listens nowhere, and has nothing of its own
        yield "address", f"http://{view['host']}:{view['port']}"
        yield "directory", visible(view["directory"])
    yield "isolation", view["isolation"]
    left = "" if view["restarts_left"] is None else f", {view['restarts_left']} left"
    yield "restarts", f"{view['restarts']}{left}"
    if view["last_failure"] is not None:
        yield "last failure", visible(f"{view['last_failure']['kind']}: {view['last_failure']['text']}")
    yield "funnel", ", ".join(f"{name} {count}" for name, count in view["funnel"].items()) or "-"
    for part in ("settings", "details"):
        yield part, msgspec.json.format(msgspec.json.encode(view[part]), indent=2).decode()


@member(
    fleet,
    "deploy",
    examples=[
        "automate fleet deploy api_services 5",
        """automate fleet deploy api_services 1 --settings '{"title": "Paperline"}'""",
        "automate fleet deploy api_services 20 --strategy canary",
        "automate fleet deploy api_services 1 --isolation process",
        "automate fleet deploy api_services 20 --no-wait",
    ],
)
@click.argument("stream")
@click.argument("count", type=click.IntRange(min=1))
@click.option("--settings", metavar="JSON", help="Settings that differ from the stream's own.")
@click.option("--strategy", type=click.Choice(STRATEGIES), default="full", show_default=True, help="In what steps.")
@click.option(
    "--isolation",
    type=click.Choice(ISOLATIONS),
    help="On the daemon's loop, or in processes with limits; by default as fleet_config.json has it for the stream.",
)
@no_wait_option
@json_option
@click.pass_obj
def deploy(
    target: Target,
    stream: str,
    count: int,
    settings: str | None,
    strategy: str,
    isolation: str | None,
    no_wait: bool,
    as_json: bool,
) -> int:
    """Add instances of a stream, and wait until they are ready.

    With `staged` and `canary` they come in batches. Each is compared with the stream's other instances, and all that
    came go again where one is worse.
    """
    asked: dict[str, Any] = {"stream": stream, "count": count, "strategy": strategy}
    if isolation is not None:
        asked["isolation"] = isolation
    if settings is not None:
        asked["settings"] = json_argument(settings, "--settings")
    with target.client() as client:
        started = client.call("fleet.deploy", asked, result=str)
        return follow(client, started, wait=not no_wait, as_json=as_json)


@member(
    fleet,
    "configure",
    examples=[
        """automate fleet configure api_services '{"title": "Paperline"}'""",
        """automate fleet configure api_services '{"title": "Paperline"}' --strategy staged --no-wait""",
    ],
)
@click.argument("stream")
@click.argument("settings", metavar="JSON")
@click.option("--strategy", type=click.Choice(STRATEGIES), default="canary", show_default=True, help="In what steps.")
@no_wait_option
@json_option
@click.pass_obj
def configure(target: Target, stream: str, settings: str, strategy: str, no_wait: bool, as_json: bool) -> int:
    """Give all instances of a stream other settings.

    JSON is what differs from their present settings. With `canary` a few instances get them first, and all others when
    those have been shown to be as good; with `staged` they go batch by batch; with `full` all at once. Where a batch is
    worse, all get their former settings back; where there is too little to compare, the rollout pauses.
    """
    asked = {"stream": stream, "settings": json_argument(settings, "JSON"), "strategy": strategy}
    with target.client() as client:
        started = client.call("fleet.configure", asked, result=str)
        return follow(client, started, wait=not no_wait, as_json=as_json)


@command("scale", examples=["automate scale api_services 40", "automate scale api_services 0 --no-wait"])
@click.argument("stream")
@click.argument("to", type=click.IntRange(0, 10_000), metavar="N")
@no_wait_option
@json_option
@click.pass_obj
def scale(target: Target, stream: str, to: int, no_wait: bool, as_json: bool) -> int:
    """Bring a stream to N instances.

    The number is kept, so that it holds for the daemon's next start, too.
    """
    with target.client() as client:
        started = client.call("fleet.scale", {"stream": stream, "to": to}, result=str)
        return follow(client, started, wait=not no_wait, as_json=as_json)


@member(
    fleet,
    "act",
    examples=[
        "automate fleet act crypto_arbitrage-001",
        "automate fleet act crypto_arbitrage-001 halt reason='venue maintenance'",
        "automate fleet act affiliate_marketing-001 import_statement network=acme csv=@statement.csv",
    ],
)
@click.argument("instance", shell_complete=complete_instances)
@click.argument("action", required=False)
@click.argument("arguments", nargs=-1, metavar="[NAME=VALUE | NAME=@FILE]...")
@click.pass_obj
def act(target: Target, instance: str, action: str | None, arguments: tuple[str, ...]) -> None:
    """Have an instance do one of its stream's own actions; without one, list them.

    A value that is JSON is taken as such, anything else as text. `@FILE` stands for the text of a file.
    """
    if action is None:
        known = target.call("fleet.get", {"id": instance})["actions"]
        for name in known:
            click.echo(name)
        if not known:
            say(f"{instance} has no actions of its own")
        return
    asked = {"id": instance, "action": action, "arguments": named_arguments(arguments)}
    print_json(target.call("fleet.act", asked))


def _add_action(name: str, description: str) -> None:
    def act(target: Target, instances: tuple[str, ...], as_json: bool) -> None:
        with target.client() as client:
            for instance in instances:
                view = client.call(f"fleet.{name}", {"id": instance})
                if as_json:
                    print_json_lines([view])
                else:
                    click.echo(f"{view['id']} is {coloured(view['state'])}")

    act.__doc__ = description
    function: Callable[..., Any] = click.pass_obj(act)
    function = click.argument("instances", nargs=-1, required=True, shell_complete=complete_instances)(function)
    examples = [f"automate fleet {name} api_services-001", f"automate fleet {name} api_services-001 api_services-002"]
    member(fleet, name, examples=examples)(json_option(function))


_add_action("stop", "Stop instances; they stay stopped until they are started by hand.")
_add_action("start", "Start instances that were stopped, or that gave up.")
_add_action("restart", "Restart instances, each with a fresh restart budget.")
_add_action("pause", "Have instances take no new work.")
_add_action("resume", "Have instances take work again.")
