"""What people and the journal see on standard error."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

import structlog

from orchestrator.logs.brief import brief_fields, plain
from orchestrator.logs.exceptions import as_text
from orchestrator.logs.line import Line

Console: TypeAlias = Literal["auto", "journal", "colour", "plain", "json", "off"]
"""How lines are written to standard error; `auto` finds out who reads it."""

_HEAD: Final = ("timestamp", "level", "event", "logger", "exception")

# systemd's sd-daemon(3): the priority of syslog(3) in front of each line.
_PRIORITIES: Final = {
    logging.DEBUG: b"<7>",
    logging.INFO: b"<6>",
    logging.WARNING: b"<4>",
    logging.ERROR: b"<3>",
    logging.CRITICAL: b"<2>",
}


def journal_listens(fd: int, environ: Mapping[str, str]) -> bool:
    """Return whether the descriptor goes to systemd's journal: `JOURNAL_STREAM` is its device and inode."""
    device, _, inode = environ.get("JOURNAL_STREAM", "").partition(":")
    if not (device.isdecimal() and inode.isdecimal()):
        return False
    try:
        status = os.fstat(fd)
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == (int(device), int(inode))


def choose(console: Console, fd: int, environ: Mapping[str, str]) -> Console:
    """Return what `auto` means for this descriptor: what reads it, and what the user wants of colours."""
    if console != "auto":
        return console
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        return "off"
    if journal_listens(fd, environ):
        return "journal"
    if not (stat.S_ISCHR(mode) and os.isatty(fd)):
        return "json"
    return "plain" if environ.get("NO_COLOR") or environ.get("TERM") == "dumb" else "colour"


def renderer(console: Console) -> Callable[[Line], bytes]:
    """Return what turns a line into the bytes for a console of that kind."""
    if console == "journal":
        return for_journal
    if console == "json":
        return lambda line: line.encoded
    human = structlog.dev.ConsoleRenderer(
        colors=console == "colour",
        sort_keys=False,
        pad_event_to=24,
        exception_formatter=structlog.dev.plain_traceback,
    )

    def for_people(line: Line) -> bytes:
        told = {name: value for name, value in line.fields.items() if name not in _HEAD}
        # Which instance it is about stands in one place, to be found by eye; its stream and actor go without saying.
        first = ("instance",) if "instance" in told else ("logger",)
        head = {name: line.fields[name] for name in ("level", "event") if name in line.fields}
        moment = datetime.fromisoformat(line.fields["timestamp"]).astimezone()
        fields: dict[str, Any] = {
            "timestamp": moment.strftime("%H:%M:%S.") + f"{moment.microsecond // 1000:03}",
            **{name: plain(str(value)) for name, value in head.items()},
            **{name: plain(str(line.fields[name])) for name in first if name in line.fields},
        }
        fields |= {name: value for name, value in brief_fields(told, whole_ids=True).items() if name not in first}
        if "exception" in line.fields:
            lines = as_text(line.fields["exception"]).split("\n")
            fields["exception"] = "\n".join(map(plain, lines))
        return f"{human(None, '', fields)}\n".encode()

    return for_people


def for_journal(line: Line) -> bytes:
    """Return the JSON line behind its priority."""
    return _PRIORITIES[line.level] + line.encoded
