"""`config`: the six files; through the daemon where that is what counts, from the files elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from orchestrator.access.cli.arguments import json_argument
from orchestrator.access.cli.commands import group, json_option, member
from orchestrator.access.cli.failures import CONFIGURATION, USAGE, CommandFailed, WrongConfiguration
from orchestrator.access.cli.output import print_fields, print_json, say
from orchestrator.access.cli.target import Target

if TYPE_CHECKING:
    from config.paths import Paths
    from config.store import ConfigStore

_INVALID_PARAMS = -32602


def _known(ctx: click.Context, _: click.Parameter, section: str | None) -> str | None:
    """Return a section's name, if there is one of that name."""
    from config.errors import UnknownSection
    from config.sections import section_named

    try:
        return None if section is None else section_named(section).name
    except UnknownSection as error:
        raise click.UsageError(str(error), ctx) from None


def _complete(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    from config.sections import SECTIONS

    return [section.name for section in SECTIONS if section.name.startswith(incomplete)]


def section_argument(*, required: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the argument SECTION."""
    metavar = "SECTION" if required else "[SECTION]"
    return click.argument("section", required=required, metavar=metavar, callback=_known, shell_complete=_complete)


@group("config")
def config() -> None:
    """Show, check and change the configuration."""


@member(config, "show", examples=["automate config show", "automate config show fleet | jq .streams"])
@section_argument(required=False)
@json_option
@click.pass_obj
def show(target: Target, section: str | None, as_json: bool) -> None:
    """Show the configuration, or a section of it, as JSON, with all that the files leave open.

    While the daemon runs, that is what is in force; otherwise what its next start will make of the files.
    """
    client = target.reach()
    if client is not None:
        with client:
            print_json(client.call("config.get", {"section": section}))
        return
    import msgspec

    settings = msgspec.to_builtins(store_of(target.paths()).validate())
    print_json(settings if section is None else settings[section])


@member(config, "validate", examples=["automate config validate", "automate config validate --json"])
@json_option
@click.pass_obj
def validate(target: Target, as_json: bool) -> int:
    """Check the files, without changing anything; 78 is the exit status if something is wrong."""
    from config.errors import ConfigError

    paths = target.paths()
    try:
        store_of(paths).validate()
    except ConfigError as error:
        if as_json:
            print_json({"valid": False, "problems": error.problems})
        else:
            click.echo(str(error), err=True)
        return CONFIGURATION
    if as_json:
        print_json({"valid": True, "problems": []})
    else:
        click.echo(f"{paths.config}: the configuration is valid")
    return 0


@member(
    config,
    "schema",
    examples=["automate config schema", "automate config schema fleet > fleet_config.schema.json"],
)
@section_argument(required=False)
def schema(section: str | None) -> None:
    """Print the JSON Schema of the files, or of one of them."""
    from config.schema import schema as schema_of_all
    from config.schema import section_schema

    print_json(schema_of_all() if section is None else section_schema(section))


@member(
    config,
    "set",
    examples=[
        """automate config set fleet '{"chaos": true}'""",
        """automate config set fleet '{"streams": {"api_services": {"count": 40}}}'""",
        "automate config set recovery - < recovery.json",
    ],
)
@section_argument(required=True)
@click.argument("values", metavar="JSON")
@json_option
@click.pass_obj
def set_section(target: Target, section: str, values: str, as_json: bool) -> None:
    """Change a section by a JSON merge patch: objects are merged, null brings a default back.

    The former file is kept in config/backups. A daemon that runs puts the change in force.
    """
    patch = json_argument(values, "JSON")
    client = target.reach()
    if client is not None:
        with client:
            changed = _set_through(client, section, patch)
        where = "stored, and in force; the log says what waits for the next start"
    else:
        import msgspec

        paths = target.paths()
        paths.create()
        changed = msgspec.to_builtins(getattr(store_of(paths).set_section(section, patch), section))
        where = f"stored in {paths.config}"
    if as_json:
        print_json(changed)
    else:
        say(f"{section} is {where}")


def _set_through(client: Any, section: str, patch: Any) -> Any:
    from orchestrator.access.client import RpcFailure

    try:
        return client.call("config.set", {"section": section, "values": patch})
    except RpcFailure as failure:
        if failure.code == _INVALID_PARAMS:
            raise WrongConfiguration(failure.message) from failure
        raise


@member(
    config,
    "path",
    examples=["automate config path", "cd $(automate config path config)", "automate config path log_file"],
)
@click.argument("place", required=False)
@json_option
@click.pass_obj
def path(target: Target, place: str | None, as_json: bool) -> None:
    """Show where everything of the daemon is kept, or one of the places."""
    import msgspec

    paths = target.paths()
    places = {name: str(getattr(paths, name)) for name in msgspec.structs.asdict(paths)}
    if place is None:
        print_fields(places.items()) if not as_json else print_json(places)
    elif place in places:
        print_json(places[place]) if as_json else click.echo(places[place])
    else:
        raise CommandFailed(f"there is no place {place!r}; there are {', '.join(places)}", USAGE)


def store_of(paths: Paths) -> ConfigStore:
    """Return the configuration's files of a home, for the streams of this installation."""
    from config.fleet import multipliers_of
    from config.store import ConfigStore
    from streams.catalog import Catalog

    return ConfigStore(paths, multipliers_of(Catalog()))
