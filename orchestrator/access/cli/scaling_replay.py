"""`scaling trace` and `scaling simulate`: what was measured as a file, and what would have been decided by it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from orchestrator.access.cli.commands import command, json_option
from orchestrator.access.cli.failures import CONFIGURATION, NO_INPUT, CommandFailed
from orchestrator.access.cli.output import Cell, Column, Styled, print_json_lines, print_table
from orchestrator.access.cli.target import Target

if TYPE_CHECKING:
    from orchestrator.fleet.scaling.simulation import Simulated, SimulationSettings

_EX_DATAERR = 65

_PAGE = 100
"""Rounds are long: more of them would not be one line of the control socket."""

COLOURS = {"scale_up": "green", "scale_down": "yellow", "hold": "bright_black"}
"""The colour of what was decided."""


def rounds_of(target: Target, limit: int, *, acted: bool = False, cursor: str | None = None) -> Iterator[Any]:
    """Yield former rounds of a daemon, the newest first.

    Args:
        target: The daemon.
        limit: How many at most.
        acted: Only those that changed a count.
        cursor: Only those before the round of this number.
    """
    left = limit
    with target.client() as client:
        while left > 0:
            page = client.call("scaling.history", {"limit": min(left, _PAGE), "cursor": cursor, "acted": acted})
            yield from page["items"]
            left -= len(page["items"])
            cursor = page["next_cursor"]
            if cursor is None:
                return


@command(
    "trace",
    examples=["automate scaling trace -o load.jsonl", "automate scaling trace -n 1440 | jq -c '[.t_s, .loop]'"],
)
@click.option("-n", "--rounds", type=click.IntRange(1), default=10_000, show_default=True, help="How many rounds.")
@click.option("-o", "--output", type=click.File("w", lazy=True), default="-", help="Where to; standard output else.")
@click.pass_obj
def trace(target: Target, rounds: int, output: IO[str]) -> None:
    """Write what the auto-scaler measured, round after round, as a trace for `scaling simulate`."""
    import msgspec

    from orchestrator.fleet.scaling.decision import Round
    from orchestrator.fleet.scaling.trace import trace_of

    found = list(rounds_of(target, rounds))
    for line in trace_of(msgspec.convert(each, Round) for each in reversed(found)):
        output.write(msgspec.json.encode(line).decode() + "\n")


@command(
    "simulate",
    examples=[
        "automate scaling simulate load.jsonl",
        "automate scaling simulate load.csv --min 5 --max 40",
        'automate scaling simulate load.csv --settings \'{"scaling": {"high": 0.7}}\' --json',
    ],
)
@click.argument("file", metavar="TRACE", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--settings",
    "written",
    metavar="FILE | JSON",
    help="Settings as in fleet_config.json; those of the daemon's home else, or the defaults.",
)
@click.option("--min", "lowest", type=click.IntRange(0), help="The scale_min of streams that have none.")
@click.option("--max", "highest", type=click.IntRange(0), help="The scale_max of streams that have none.")
@click.option("-a", "--all", "everything", is_flag=True, help="Show decisions that repeat the one before, too.")
@json_option
@click.pass_obj
def simulate(
    target: Target,
    file: Path,
    written: str | None,
    lowest: int | None,
    highest: int | None,
    everything: bool,
    as_json: bool,
) -> None:
    """Replay a trace (CSV or JSON lines), and print what the auto-scaler would have done.

    Needs no daemon. docs/scaling.md tells the format; `automate scaling trace` writes it.
    """
    from orchestrator.fleet.scaling.simulation import simulate as replay
    from orchestrator.fleet.scaling.trace import BadTrace, read_trace

    settings = _settings(target, written)
    try:
        lines = read_trace(file)
    except BadTrace as error:
        raise CommandFailed(str(error), _EX_DATAERR) from None
    names = {name for line in lines for name in line.streams}
    if not names:
        raise CommandFailed(f"{file}: it names no stream; give it a column `count`, or `STREAM.count`", _EX_DATAERR)
    settings = _bounded(settings, names, lowest, highest)
    told = list(replay(settings, lines))
    if as_json:
        print_json_lines(told)
        return
    _show_replay(told, everything=everything)


def _settings(target: Target, written: str | None) -> SimulationSettings:
    from config.reading import read_regular
    from orchestrator.fleet.scaling.simulation import read_settings

    source = "--settings"
    if written is not None and written.lstrip().startswith("{"):
        document: bytes | None = written.encode()
    else:
        place = Path(written) if written is not None else target.own_paths().config / "fleet_config.json"
        source, document = str(place), read_regular(place)
        if document is None and written is not None:
            raise CommandFailed(f"{place}: there is no such file", NO_INPUT)
    try:
        return read_settings(document if document is not None else b"{}")
    except ValueError as error:
        raise CommandFailed(f"{source}: {error}", CONFIGURATION) from None


def _bounded(
    settings: SimulationSettings, names: set[str], lowest: int | None, highest: int | None
) -> SimulationSettings:
    """Return settings in which all streams of a trace have bounds, as far as they were given."""
    import msgspec

    from config.fleet import StreamPlan, bound_faults, default_fleet, multipliers_of

    plans = {**default_fleet(multipliers_of(names)).streams, **settings.streams}
    for name in names:
        plan: StreamPlan = plans[name]
        plans[name] = msgspec.structs.replace(
            plan,
            scale_min=lowest if plan.scale_min is None else plan.scale_min,
            scale_max=highest if plan.scale_max is None else plan.scale_max,
        )
    for fault in bound_faults({name: plans[name] for name in names}):
        raise CommandFailed(f"{fault.path}: expected {fault.expected}, found {fault.found}", CONFIGURATION)
    return msgspec.structs.replace(settings, streams=plans)


def _show_replay(told: list[Simulated], *, everything: bool) -> None:
    rows: list[list[Cell]] = []
    former: dict[str, tuple[str, str]] = {}
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    changes = 0
    for each in told:
        for decision in each.decisions:
            first.setdefault(decision.stream, decision.count)
            last[decision.stream] = decision.to
            changes += decision.action != "hold"
            if everything or decision.action != "hold" or former.get(decision.stream) != decision.news:
                action = decision.action.replace("_", " ")
                count = f"{decision.count}" if decision.to == decision.count else f"{decision.count} → {decision.to}"
                colour = COLOURS[decision.action]
                rows.append([f"{each.t_s:g}", decision.stream, Styled(action, colour), count, decision.reason])
            former[decision.stream] = decision.news
    print_table(_REPLAY_COLUMNS, rows)
    click.echo()
    for stream, final in sorted(last.items()):
        click.echo(f"{stream}: {first[stream]} → {final}")
    click.echo(f"{len(told)} looks, {changes} changes")


_REPLAY_COLUMNS = (
    Column("t (s)", right=True),
    Column("stream"),
    Column("decided"),
    Column("count", right=True),
    Column("reason", yields=True),
)
