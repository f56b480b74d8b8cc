"""`run --profile custom`: what is to run from now on, asked or told by flags, and stored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click
import msgspec

from config.fleet import MULTIPLIERS, UNKNOWN_MULTIPLIER, StreamPlan
from config.sections import Settings
from config.store import ConfigStore
from orchestrator.access.cli.configuration import store_of
from orchestrator.access.cli.failures import FAILED, TEMPORARY, CommandFailed
from orchestrator.access.cli.output import say
from orchestrator.access.cli.target import Target


class Choices(msgspec.Struct, frozen=True):
    """What was chosen; None where that is open.

    Attributes:
        streams: Instances by stream; a stream that is not named gets none.
        mode: The paper world, or the real one.
        port_base: Where the ports begin.
        services: The daemon's services.
    """

    streams: dict[str, int] | None = None
    mode: str | None = None
    port_base: int | None = None
    services: tuple[str, ...] | None = None


def choose(target: Target, choices: Choices, *, asks: bool) -> None:
    """Ask for what is open, and store what was chosen in the configuration.

    Raises:
        CommandFailed: A daemon runs in this home already, or the choice was taken back. Nothing was changed.
        click.UsageError: A stream is not installed.
        ConfigError: The files, or the choices, are not valid. Nothing was changed.
    """
    from streams.catalog import Catalog

    paths = target.own_paths()
    if (client := target.reach(paths=paths)) is not None:
        client.close()
        raise CommandFailed(
            f"a daemon already runs in {paths.home}; stop it first with `automate stop`, or change what it does "
            "with `automate scale` and `automate config set`",
            TEMPORARY,
        )
    store: ConfigStore = store_of(paths)
    settings = store.validate()
    installed = tuple(Catalog())
    for name in choices.streams or ():
        if name not in installed:
            raise click.UsageError(_unknown(name, installed))
    if asks:
        choices = _ask(settings, choices, installed)
    changed = applied(settings, choices)
    paths.create()
    store.save(changed)


def applied(settings: Settings, choices: Choices) -> Settings:
    """Return the settings with what was chosen."""
    fleet = settings.fleet
    if choices.streams is not None:
        plans = {name: msgspec.structs.replace(plan, count=0) for name, plan in fleet.streams.items()}
        for name, count in choices.streams.items():
            fresh = StreamPlan(multiplier=MULTIPLIERS.get(name, UNKNOWN_MULTIPLIER))
            plans[name] = msgspec.structs.replace(plans.get(name, fresh), count=count)
        fleet = msgspec.structs.replace(fleet, streams=plans)
    said: dict[str, Any] = {"mode": choices.mode, "port_base": choices.port_base}
    fleet = msgspec.structs.replace(fleet, **{name: value for name, value in said.items() if value is not None})
    dashboard = settings.unified_dashboard
    if choices.services is not None:
        dashboard = msgspec.structs.replace(dashboard, services=choices.services)
    return msgspec.structs.replace(settings, fleet=fleet, unified_dashboard=dashboard)


def _ask(settings: Settings, choices: Choices, installed: Iterable[str]) -> Choices:
    fleet = settings.fleet
    streams = choices.streams
    if streams is None:
        plans = fleet.streams
        streams = {
            name: click.prompt(
                f"Instances of {name}",
                default=plans[name].count if name in plans else 0,
                type=click.IntRange(0, 10_000),
                err=True,
            )
            for name in installed
        }
    mode = choices.mode or click.prompt("Mode", default=fleet.mode, type=click.Choice(("sandbox", "live")), err=True)
    port_base = choices.port_base or click.prompt(
        "Ports from", default=fleet.port_base, type=click.IntRange(1, 65_535), err=True
    )
    services = choices.services
    if services is None:
        told = click.prompt("Services", default=" ".join(settings.unified_dashboard.services), err=True)
        services = tuple(told.replace(",", " ").split())
    total = sum(streams.values())
    say(f"{total} instances in mode {mode}; new ones listen from port {port_base + 1} on")
    if not click.confirm("Store this, and start?", default=True, err=True):
        raise CommandFailed("nothing was changed", FAILED)
    return Choices(streams, mode, port_base, services)


def _unknown(name: str, installed: tuple[str, ...]) -> str:
    from config.errors import nearest

    return f"no stream {name!r} is installed; nearest is {nearest(name, installed)!r}, of {', '.join(installed)}"
