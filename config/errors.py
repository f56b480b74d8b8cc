"""What can be wrong with the configuration, told so that a person can mend it."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

import msgspec

MAX_FAULTS = 100
"""Faults that are told of in one file: a larger number helps nobody, and finding them takes time."""

_LONGEST_EXCERPT = 60


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong inside a file.

    Attributes:
        path: Where, as a JSON path (`$.streams.api_services.count`).
        expected: What may stand there.
        found: What stands there.
        nearest: The known key or value that comes nearest to what was found.
        line: Where the text breaks off being JSON, from 1.
        column: The same, in characters, from 1.
    """

    path: str
    expected: str
    found: str
    nearest: str | None = None
    line: int | None = None
    column: int | None = None


class Problem(msgspec.Struct, frozen=True):
    """A fault and the file that it is in; its text is one line."""

    file: str
    fault: Fault

    def __str__(self) -> str:
        fault = self.fault
        place = fault.path
        if fault.line is not None:
            place += f" (line {fault.line}, column {fault.column})"
        nearest = "" if fault.nearest is None else f"; nearest known: {quoted(fault.nearest)}"
        return f"{self.file}: {place}: expected {fault.expected}, found {fault.found}{nearest}"


class ConfigError(Exception):
    """The configuration cannot be used as it stands. Nothing was written.

    Attributes:
        problems: Everything that was found, over all files.
        exit_code: What a command ends with (EX_CONFIG of sysexits.h).
    """

    exit_code: ClassVar[int] = 78

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))

    @classmethod
    def of(cls, file: Path, faults: Iterable[Fault]) -> ConfigError:
        """Make the error of one file."""
        return cls(Problem(str(file), fault) for fault in faults)


class SaveError(Exception):
    """A file could not be stored; its former version stands.

    Attributes:
        exit_code: What a command ends with (EX_IOERR of sysexits.h).
    """

    exit_code: ClassVar[int] = 74

    def __init__(self, file: Path, cause: OSError) -> None:
        super().__init__(
            f"cannot save {file}: {cause.strerror or cause}; its former version stands. "
            f"Make {file.parent} writable, with free space, and try again"
        )
        self.file = file


class HomeError(Exception):
    """The daemon's directories cannot be used; the text says what to do.

    Attributes:
        exit_code: What a command ends with (EX_CONFIG of sysexits.h).
    """

    exit_code: ClassVar[int] = 78


class UnknownSection(ValueError):
    """There is no configuration section of that name."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(
            f"there is no section {quoted(name)}; nearest: {quoted(nearest(name, known) or '')}, of {', '.join(known)}"
        )
        self.name = name


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is most like this one; None where nothing is known."""
    folded = {name.casefold(): name for name in known}
    matches = difflib.get_close_matches(word.casefold()[:200], folded, n=1, cutoff=0.0)
    return folded[matches[0]] if matches else None


def quoted(value: object) -> str:
    """Return a value as JSON on one line, cut to a length that fits into a message."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= _LONGEST_EXCERPT else f"{text[:_LONGEST_EXCERPT]}…"


def child_path(path: str, key: str | int) -> str:
    """Return the JSON path of a member or an element."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    short = len(key) <= _LONGEST_EXCERPT
    return f"{path}.{key}" if short and key.isidentifier() else f"{path}[{quoted(key)}]"
