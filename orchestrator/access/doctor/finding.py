"""What an examination finds, and what it is given to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    from config.paths import Paths
    from config.sections import Settings

Level: TypeAlias = Literal["ok", "note", "problem"]
"""`note`: it works so, but a person may want to know. `problem`: something does not, or will not for long."""


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at.

    Attributes:
        check: What was looked at.
        level: How it is.
        what: What was found.
        remedy: What to do about it; empty where all is well.
    """

    check: str
    level: Level
    what: str
    remedy: str = ""


class Case:
    """The daemon that is examined.

    Attributes:
        paths: Where it keeps everything.
        status: What `system.status` says; None where no daemon answers.
        report: What `health.report` says; None where that cannot be asked.
        unreachable: Why a daemon that is there cannot be asked.
        settings: Its configuration, as its next start would have it; None where that is wrong.
        verifies: Whether the whole ledger is to be verified, however long that takes.
    """

    def __init__(self, paths: Paths, *, verifies: bool = False) -> None:
        self.paths = paths
        self.status: Any = None
        self.report: Any = None
        self.unreachable: str | None = None
        self.settings: Settings | None = None
        self.verifies = verifies


def ok(check: str, what: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(check, "ok", what)


def note(check: str, what: str, remedy: str) -> Finding:
    """Return a finding that a person may want to know of."""
    return Finding(check, "note", what, remedy)


def problem(check: str, what: str, remedy: str) -> Finding:
    """Return a finding that something is wrong."""
    return Finding(check, "problem", what, remedy)
