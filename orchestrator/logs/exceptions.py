"""Exceptions as data: what was raised, because of what, and where; without locals, of bounded size.

The names are structlog's (`structlog.tracebacks`), so that what reads its output reads this.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from traceback import walk_tb
from types import FrameType, TracebackType
from typing import Any, Final

from orchestrator.logs.redaction import described, redact_text

MAX_CHAIN: Final = 8
MAX_GROUP: Final = 8
MAX_GROUP_DEPTH: Final = 3
MAX_NOTES: Final = 8
OUTER_FRAMES: Final = 10
INNER_FRAMES: Final = 25


def exception_of(exc_info: object) -> BaseException | None:
    """Return the exception that a logger's `exc_info` argument stands for, None where there is none."""
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple) and len(exc_info) == 3 and isinstance(exc_info[1], BaseException):
        return exc_info[1]
    return None


def structured(exception: BaseException, group_depth: int = 0) -> list[dict[str, Any]]:
    """Return the exception and what led to it, newest first.

    Each has `exc_type`, `exc_value`, `exc_notes` and `exceptions` (of a group) where there are any,
    `is_cause` (raised `from` it, rather than while handling it) and `frames`, outermost first; at most
    `OUTER_FRAMES` and `INNER_FRAMES` of them, for the middle of a deep recursion says nothing.
    """
    chain: list[dict[str, Any]] = []
    seen: set[int] = set()
    current: BaseException | None = exception
    is_cause = False
    while current is not None and id(current) not in seen and len(chain) < MAX_CHAIN:
        seen.add(id(current))
        entry: dict[str, Any] = {
            "exc_type": type(current).__qualname__,
            "exc_value": redact_text(described(current, str)),
            "is_cause": is_cause,
        }
        notes = getattr(current, "__notes__", None)
        if isinstance(notes, list) and notes:
            entry["exc_notes"] = [redact_text(described(note, str)) for note in notes[:MAX_NOTES]]
        if isinstance(current, BaseExceptionGroup) and group_depth < MAX_GROUP_DEPTH:
            entry["exceptions"] = [structured(member, group_depth + 1) for member in current.exceptions[:MAX_GROUP]]
            if len(current.exceptions) > MAX_GROUP:
                entry["exceptions_omitted"] = len(current.exceptions) - MAX_GROUP
        entry["frames"] = _frames(current.__traceback__)
        chain.append(entry)
        is_cause = current.__cause__ is not None
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return chain


def as_text(chain: list[dict[str, Any]], indent: str = "") -> str:
    """Return what `structured` gave as lines for people, outermost frame first, as Python prints it."""
    lines: list[str] = []
    for entry in chain:
        if lines:
            lines.append(f"{indent}because of" if entry["is_cause"] else f"{indent}while handling")
        lines.append(f"{indent}{entry['exc_type']}: {entry['exc_value']}")
        lines.extend(f"{indent}  note: {note}" for note in entry.get("exc_notes", ()))
        for frame in entry["frames"]:
            if "skipped" in frame:
                lines.append(f"{indent}  … {frame['skipped']} more frames")
            else:
                lines.append(f"{indent}  at {frame['filename']}:{frame['lineno']} in {frame['name']}")
        lines.extend(as_text(member, indent + "    ") for member in entry.get("exceptions", ()))
        if "exceptions_omitted" in entry:
            lines.append(f"{indent}    … {entry['exceptions_omitted']} more exceptions")
    return "\n".join(lines)


def _frames(traceback: TracebackType | None) -> list[dict[str, Any]]:
    walk = walk_tb(traceback)
    frames = [_frame(*step) for step in islice(walk, OUTER_FRAMES)]
    inner: deque[tuple[FrameType, int]] = deque(maxlen=INNER_FRAMES)
    skipped = -INNER_FRAMES
    for step in walk:
        inner.append(step)
        skipped += 1
    if skipped > 0:
        frames.append({"skipped": skipped})
    frames.extend(_frame(*step) for step in inner)
    return frames


def _frame(frame: FrameType, line_number: int) -> dict[str, Any]:
    return {"filename": frame.f_code.co_filename, "lineno": line_number, "name": frame.f_code.co_qualname}
