"""Log lines and events: JSON for programs, colours for people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
import msgspec

from orchestrator.access.cli.output import colours_wanted, is_terminal


def printer(*, as_json: bool) -> Callable[[Any], None]:
    """Return what prints a log line or an event, each a JSON object or its text."""
    if as_json or not is_terminal():
        return _print_json
    from orchestrator.logs.console import renderer
    from orchestrator.logs.line import LEVELS, Line

    render = renderer("colour" if colours_wanted() else "plain")

    def print_for_people(line: Any) -> None:
        fields = msgspec.json.decode(line) if isinstance(line, (bytes, msgspec.Raw)) else line
        fields = {"level": "info", **fields}
        shown = Line(LEVELS.get(fields["level"], 0), None, b"", fields)
        click.echo(render(shown).decode(), nl=False)

    return print_for_people


def _print_json(line: Any) -> None:
    click.echo((line if isinstance(line, bytes) else msgspec.json.encode(line)).decode())
