"""`run`: the daemon, in the foreground."""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from orchestrator.access.cli.commands import command
from orchestrator.access.cli.failures import CONFIGURATION, FAILED, INTERRUPTED, CommandFailed
from orchestrator.access.cli.output import Cell, Column, print_table, say
from orchestrator.access.cli.target import Target
from orchestrator.access.cli.watching import LEVELS

if TYPE_CHECKING:
    from config.paths import Paths
    from orchestrator.trial import Result

PROFILES = ("full", "test", "custom")
_MOST = 10_000
_LEVEL_VARIABLE = "AUTOMATE_LOG_LEVEL"


def _counts(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, int]:
    """Return what `--stream` says: instances by stream."""
    counts: dict[str, int] = {}
    for value in values:
        name, _, count = value.partition("=")
        if not (name and count.isascii() and count.isdigit() and int(count) <= _MOST):
            raise click.BadParameter(f"{value!r} is no NAME=COUNT, such as api_services=5", ctx, param)
        counts[name] = int(count)
    return counts


@command(
    "run",
    examples=[
        "automate run",
        "automate run --home /srv/automate --log-level debug",
        "automate run --profile test",
        "automate run --profile custom",
        "automate run --profile custom --stream api_services=5 --mode sandbox --port-base 9000 --yes",
    ],
)
@click.option(
    "--profile",
    type=click.Choice(PROFILES),
    default="full",
    show_default=True,
    help="full: as configured. test: five instances until each has booked something, at most 60 s. "
    "custom: choose what runs, from now on.",
)
@click.option("--log-level", type=click.Choice(LEVELS), help="The lowest level that is logged.  [default: info]")
@click.option("--stream", "streams", callback=_counts, multiple=True, metavar="NAME=COUNT",
              help="custom: instances of a stream; those that are not named get none.")  # fmt: skip
@click.option("--mode", type=click.Choice(("sandbox", "live")), help="custom: the paper world, or the real one.")
@click.option("--port-base", type=click.IntRange(1, 65_535), help="custom: instance n listens on this port plus n.")
@click.option("--service", "services", multiple=True, metavar="NAME", help="custom: the daemon's services.")
@click.option("--yes", is_flag=True, help="custom: ask nothing; what is not said stays as it is.")
@click.pass_obj
def run(
    target: Target,
    profile: str,
    log_level: str | None,
    streams: dict[str, int],
    mode: str | None,
    port_base: int | None,
    services: tuple[str, ...],
    yes: bool,
) -> int:
    """Run the daemon in the foreground, until Ctrl-C."""
    chosen = {"--stream": streams, "--mode": mode, "--port-base": port_base, "--service": services, "--yes": yes}
    given = [flag for flag, value in chosen.items() if value]
    if given and profile != "custom":
        raise click.UsageError(f"{', '.join(given)} only with --profile custom")
    if log_level is not None:
        os.environ[_LEVEL_VARIABLE] = log_level
    paths = target.own_paths()
    if profile == "test":
        return _try_out(paths)
    if profile == "custom":
        from orchestrator.access.cli.custom import Choices, choose

        choose(target, Choices(streams or None, mode, port_base, services or None), asks=_may_ask(given, yes=yes))
    return _run(paths)


def _may_ask(given: list[str], *, yes: bool) -> bool:
    if yes:
        return False
    if sys.stdin.isatty() and sys.stderr.isatty():
        return True
    if not given:
        raise click.UsageError(
            "without a terminal to ask on, say what is to run: --stream, --mode, --port-base, --service, or --yes"
        )
    return False


def _run(paths: Paths) -> int:
    # What is imported and built at the start stays: looking through it again and again takes a fifth of the start.
    gc.disable()
    from orchestrator.daemon import run as run_daemon
    from orchestrator.logs import UnknownLevelError

    try:
        return run_daemon(paths)
    except UnknownLevelError as error:
        raise CommandFailed(str(error), CONFIGURATION) from error


def _try_out(paths: Paths) -> int:
    from orchestrator.logs import UnknownLevelError
    from orchestrator.trial import conduct

    try:
        result = conduct(paths)
    except UnknownLevelError as error:
        raise CommandFailed(str(error), CONFIGURATION) from error
    _tell(result)
    if result.interrupted:
        say("interrupted")
        return INTERRUPTED
    if result.problem is not None:
        raise CommandFailed(f"the test failed: {result.problem}", FAILED)
    click.echo(f"every instance has booked, and the ledger holds: {result.transactions:,} transactions verified")
    return 0


def _tell(result: Result) -> None:
    if result.rows:
        print_table(_COLUMNS, [_row(each) for each in result.rows])


_COLUMNS = (
    Column("instance"),
    Column("stream"),
    Column("port", right=True),
    Column("bookings", right=True),
    Column("booked (paper)", right=True),
    Column("first after", right=True),
)


def _row(row: Any) -> list[Cell]:
    amounts = ", ".join(f"{amount} {asset}" for asset, amount in row.amounts.items())
    first = "never" if row.first_after_s is None else f"{row.first_after_s:.1f} s"
    return [row.instance, row.stream, row.port, row.bookings, amounts or "-", first]
