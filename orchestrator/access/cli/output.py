"""What commands print: JSON for programs, tables and lines for people."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Sequence
from typing import IO, Any, Final, NamedTuple, TypeAlias

import click

# A terminal obeys these, and labels and reasons quote what strangers sent.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

_UNBOUNDED: Final = 100_000
"""Columns of a pipe: nothing is cut for a program."""

_GAP: Final = 2
_LEAST_YIELDING: Final = 12


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        heading: Its heading.
        right: Whether it stands at the right, as numbers do.
        yields: Whether it is cut where the terminal is too narrow; others are never, so that they can be copied.
    """

    heading: str
    right: bool = False
    yields: bool = False


class Styled(NamedTuple):
    """A cell with a colour."""

    text: str
    style: str


Cell: TypeAlias = str | int | Styled | None

STATE_COLOURS: Final = {
    "ready": "green",
    "running": "green",
    "up": "green",
    "starting": "yellow",
    "restarting": "yellow",
    "reloading": "yellow",
    "stopping": "yellow",
    "paused": "yellow",
    "incomplete": "yellow",
    "rolled_back": "red",
    "aborted": "yellow",
    "stopped": "bright_black",
    "standby": "cyan",
    "completed": "green",
    "failed": "red",
    "gave_up": "red",
}
"""The colour of what an instance, an actor, a rollout or the daemon is doing."""


def is_terminal(stream: IO[str] | None = None) -> bool:
    """Whether a person reads along, on standard output unless another stream is named."""
    stream = sys.stdout if stream is None else stream
    return stream is not None and stream.isatty()


def colours_wanted() -> bool:
    """Whether the user minds no colours (https://no-color.org)."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def visible(text: object) -> str:
    """Return a text with what a terminal would obey written out."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), str(text))


def coloured(state: str) -> str:
    """Return what something is doing, in its colour."""
    return click.style(state, fg=STATE_COLOURS.get(state))


def say(text: str) -> None:
    """Tell a person something that is not the command's result."""
    click.echo(text, err=True)


def print_json(document: Any) -> None:
    """Print one JSON document: on one line for programs, indented for people."""
    import msgspec

    encoded = msgspec.json.encode(document)
    click.echo((msgspec.json.format(encoded, indent=2) if is_terminal() else encoded).decode())


def print_json_lines(documents: Iterable[Any]) -> None:
    """Print JSON documents, one a line."""
    import msgspec

    lines = b"\n".join(map(msgspec.json.encode, documents))
    if lines:
        click.echo(lines.decode())


def print_fields(fields: Iterable[tuple[str, str]]) -> None:
    """Print names and values below each other."""
    fields = list(fields)
    width = max(len(name) for name, _ in fields)
    for name, value in fields:
        text = value.replace("\n", f"\n{'':{width + 2}}")
        click.echo(f"{name:{width}}  {text}".rstrip())


def print_table(columns: Sequence[Column], rows: Iterable[Sequence[Cell]]) -> None:
    """Print a table: fitted to the terminal; in a pipe as wide as it is, and plain."""
    import shutil
    from io import StringIO

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = [[Text(*_cell(value)) for value in row] for row in rows]
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, _GAP, 0, 0))
    least = 0
    for place, column in enumerate(columns):
        widest = max(
            len(column.heading),
            _LEAST_YIELDING if column.yields else max((row[place].cell_len for row in cells), default=0),
        )
        least += widest + _GAP
        table.add_column(
            column.heading,
            justify="right" if column.right else "left",
            no_wrap=True,
            overflow="ellipsis",
            min_width=None if column.yields else widest,
        )
    for row in cells:
        table.add_row(*row)
    terminal = is_terminal()
    text = StringIO()
    console = Console(
        file=text,
        width=max(shutil.get_terminal_size().columns, least) if terminal else _UNBOUNDED,
        force_terminal=terminal,
        no_color=not colours_wanted(),
        highlight=False,
        emoji=False,
    )
    console.print(table)
    click.echo("\n".join(line.rstrip() for line in text.getvalue().splitlines()))


def _cell(value: Cell) -> tuple[str, str]:
    if isinstance(value, Styled):
        return visible(value.text), value.style
    return ("" if value is None else visible(value)), ""


def state_cell(state: str) -> Styled:
    """Return the cell of what something is doing."""
    return Styled(state, STATE_COLOURS.get(state, ""))


def duration(seconds: float) -> str:
    """Return a duration as people say it: `2 d 3 h`, `5 min 12 s`, `0.4 s`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    rest = round(seconds)
    parts = []
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, length)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def megabytes(size_bytes: int) -> str:
    """Return a size in megabytes."""
    return f"{size_bytes / 1e6:.0f} MB"
