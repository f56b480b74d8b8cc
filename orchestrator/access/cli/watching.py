"""`logs` and `events`: what happened, and what happens now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.access.cli.arguments import complete_instances
from orchestrator.access.cli.commands import command, json_option
from orchestrator.access.cli.failures import UNAVAILABLE, CommandFailed
from orchestrator.access.cli.lines import printer
from orchestrator.access.cli.target import Target

if TYPE_CHECKING:
    from orchestrator.access.client import Stream

LEVELS = ("debug", "info", "warning", "error", "critical")
MAX_LINES = 10_000


@command(
    "logs",
    examples=[
        "automate logs -n 200",
        "automate logs -f --level warning",
        "automate logs -f --instance api_services-007",
        "automate logs --json | jq 'select(.event == \"instance.crashed\")'",
    ],
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is logged from now on.")
@click.option("-n", "--lines", type=click.IntRange(0, MAX_LINES), default=50, show_default=True, help="The last lines.")
@click.option("--level", type=click.Choice(LEVELS), help="Only this level, and what is worse.")
@click.option("--instance", shell_complete=complete_instances, help="Only of this instance.")
@json_option
@click.pass_obj
def logs(target: Target, follow: bool, lines: int, level: str | None, instance: str | None, as_json: bool) -> None:
    """Show the daemon's log.

    It is coloured on a terminal, and JSON lines elsewhere. Where no daemon runs, the log is read from its file.
    """
    show = printer(as_json=as_json)
    asked = {"lines": lines, "follow": follow, "level": level, "instance": instance}
    client = target.reach()
    if client is None:
        import asyncio

        with asyncio.Runner() as runner:
            runner.run(_from_file(target.paths().log_file, show, asked))
        return
    with client:
        stream = client.stream("logs.tail", asked)
        for line in stream.result["items"]:
            show(line)
        if follow:
            for line in _said(stream, "logs.line"):
                show(line)


async def _from_file(file: Path, show: Callable[[Any], None], asked: dict[str, Any]) -> None:
    from orchestrator.logs import tail

    async for line in tail(file, **asked):
        show(line)


@command(
    "events",
    examples=[
        "automate events",
        "automate events 'instance.*' rollout.completed",
        "automate events ledger.booked --json | jq .amounts",
        "automate events instance.ready --count 1",
    ],
)
@click.argument("topics", nargs=-1, metavar="[TOPIC]...")
@click.option("-n", "--count", type=click.IntRange(min=1), help="End after so many events.")
@json_option
@click.pass_obj
def events(target: Target, topics: tuple[str, ...], count: int | None, as_json: bool) -> None:
    """Show what happens while it happens, until Ctrl-C.

    A topic is an event's name or a pattern such as "instance.*"; without one, everything is shown.
    """
    show = printer(as_json=as_json)
    with target.client() as client:
        stream = client.stream("events.subscribe", {"topics": topics or ("*",)})
        for number, event in enumerate(_said(stream, "events.event"), 1):
            show(event)
            if number == count:
                return


def _said(stream: Stream, method: str) -> Iterator[Any]:
    from orchestrator.access.client import DaemonUnreachable

    try:
        for notification in stream:
            if notification.method == method:
                yield notification.params
    except DaemonUnreachable as error:
        raise CommandFailed("the daemon has stopped, or cut this off for reading too slowly", UNAVAILABLE) from error
