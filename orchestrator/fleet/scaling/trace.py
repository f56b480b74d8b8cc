"""Traces of metrics: what was measured round after round, as a file that can be replayed.

The format is told in docs/scaling.md. JSON lines are what `automate scaling trace` writes; CSV is what people and
monitoring systems have.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import msgspec

from config.fleet import Isolation
from orchestrator.fleet.scaling.decision import Round
from orchestrator.fleet.scaling.figures import Figures

MOST_BYTES: Final = 64 * 1024 * 1024
ONLY_STREAM: Final = "fleet"
"""What the stream is called of a trace that has one column `count` and no names."""

_LONGEST_LINE: Final = 256 * 1024
_PAUSE_S: Final = 86_400.0

TracedShare: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=1)]
Amount: TypeAlias = Annotated[float, msgspec.Meta(ge=0)]
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=10_000)]


class TracedStream(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A stream at that time.

    Attributes:
        count: Its instances.
        by_hand: The count that a person had set last; the count itself where it is left out.
        weight: What one instance earns, in any unit that all streams have in common.
        rolling: Whether a rollout of it ran.
        isolation: Where its instances run.
    """

    count: Count | None = None
    by_hand: Count | None = None
    weight: Amount | None = None
    rolling: bool = False
    isolation: Isolation | None = None


class TraceLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One look; the fields are those of `Figures`, and what is left out or null is not known."""

    t_s: float
    cpu: TracedShare | None = None
    memory: TracedShare | None = None
    loop: TracedShare | None = None
    lag_s: Amount | None = None
    cores: Amount | None = None
    fleet_cores: Amount | None = None
    other_cores: Amount | None = None
    memory_limit_bytes: Annotated[int, msgspec.Meta(ge=0)] | None = None
    fleet_memory_bytes: Annotated[int, msgspec.Meta(ge=0)] | None = None
    instances: Annotated[int, msgspec.Meta(ge=0)] | None = None
    streams: dict[str, TracedStream] = {}

    def figures(self) -> Figures:
        """Return what was measured."""
        return Figures(**{name: getattr(self, name) for name in Figures.__struct_fields__})


_OF_A_LINE: Final = tuple(name for name in TraceLine.__struct_fields__ if name != "streams")
_OF_A_STREAM: Final = TracedStream.__struct_fields__
_DECODER: Final = msgspec.json.Decoder(TraceLine)


class BadTrace(ValueError):
    """A file that is no trace; the text says where, and what was expected there."""


def read_trace(file: Path) -> list[TraceLine]:
    """Read a trace, by its name's ending: `.csv`, or else JSON lines.

    Raises:
        BadTrace: It is none, or has no line.
        OSError: It cannot be read.
    """
    if (size := file.stat().st_size) > MOST_BYTES:
        raise BadTrace(f"{file}: it has {size} bytes, more than {MOST_BYTES}; replay it in parts")
    try:
        text = file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadTrace(f"{file}: it is no UTF-8 text: {error.reason} at byte {error.start}") from None
    lines = list(_csv_lines(file, text) if file.suffix.lower() == ".csv" else _json_lines(file, text))
    if not lines:
        raise BadTrace(f"{file}: there is no line in it; docs/scaling.md tells what a trace is")
    return lines


def _json_lines(file: Path, text: str) -> Iterator[TraceLine]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if len(line) > _LONGEST_LINE:
            raise BadTrace(f"{file}, line {number}: it is longer than {_LONGEST_LINE} characters")
        try:
            yield _DECODER.decode(line)
        except msgspec.DecodeError as error:
            raise BadTrace(f"{file}, line {number}: {error}{_hint(str(error))}") from None


def _csv_lines(file: Path, text: str) -> Iterator[TraceLine]:
    rows = csv.reader(line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    try:
        heading = [name.strip() for name in next(rows)]
        places = [_place(file, name) for name in heading]
        for number, row in enumerate(rows, 2):
            if len(row) != len(heading):
                raise BadTrace(
                    f"{file}, row {number}: {len(heading)} cells expected, as in the heading; {len(row)} found"
                )
            yield _line(file, number, places, row)
    except StopIteration:
        return
    except csv.Error as error:
        raise BadTrace(f"{file}: {error}") from None


def _place(file: Path, name: str) -> tuple[str | None, str]:
    """Return the stream, None for the whole fleet, and the field that a column is of."""
    if name in _OF_A_LINE:
        return None, name
    if name in ("count", "weight"):
        return ONLY_STREAM, name
    stream, dot, field = name.rpartition(".")
    if dot and stream and field in _OF_A_STREAM:
        return stream, field
    near = get_close_matches(name, (*_OF_A_LINE, "count"), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    known = f"{', '.join(_OF_A_LINE)}, count, or STREAM.{{{'|'.join(_OF_A_STREAM)}}}"
    raise BadTrace(f"{file}: no column is called {name!r}{hint}\n  columns are {known}")


def _line(file: Path, number: int, places: list[tuple[str | None, str]], row: list[str]) -> TraceLine:
    document: dict[str, Any] = {}
    streams: dict[str, dict[str, Any]] = {}
    for (stream, field), cell in zip(places, row, strict=True):
        text = cell.strip()
        if not text:
            continue
        of = document if stream is None else streams.setdefault(stream, {})
        try:
            # Cells are written as JSON has numbers and booleans; a word is itself.
            of[field] = json.loads(text, parse_constant=lambda name: name)
        except ValueError:
            of[field] = text
    try:
        return msgspec.convert({**document, "streams": streams}, TraceLine)
    except msgspec.ValidationError as error:
        raise BadTrace(f"{file}, row {number}: {error}{_hint(str(error))}") from None


def _hint(message: str) -> str:
    return "; shares are parts of one: 85 % is 0.85" if "<= 1" in message else ""


def trace_of(rounds: Iterable[Round]) -> Iterator[TraceLine]:
    """Return the trace of what the auto-scaler itself measured.

    Args:
        rounds: The oldest first. Where the machine was booted between two of them, its clock began anew; the trace
            goes on after a pause.
    """
    offset_s = last_s = 0.0
    first = True
    for each in rounds:
        measured_s = each.figures.t_s
        if first:
            offset_s, first = -measured_s, False
        elif measured_s + offset_s <= last_s:
            offset_s = last_s + _PAUSE_S - measured_s
        last_s = measured_s + offset_s
        streams = {
            now.stream: TracedStream(now.count, now.by_hand, now.weight, now.rolling, now.isolation)
            for now in each.streams
        }
        known = msgspec.structs.asdict(each.figures)
        yield TraceLine(**{**known, "t_s": round(last_s, 3)}, streams=streams)
