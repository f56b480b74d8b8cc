"""The daemon's log: one JSON object a line, redacted, rotated, and never in the way of the event loop.

Write with `structlog.get_logger(__name__)`, or with the standard library's logging; both take the same
way. Call `configure` once at start, and `tail` to read what was written.
"""

from orchestrator.logs.console import Console
from orchestrator.logs.line import Line
from orchestrator.logs.setup import LogLimits, LogStats, LogSystem, UnknownLevelError, configure
from orchestrator.logs.tailing import MAX_TAIL_LINES, LogReader, tail

__all__ = [
    "MAX_TAIL_LINES",
    "Console",
    "Line",
    "LogLimits",
    "LogReader",
    "LogStats",
    "LogSystem",
    "UnknownLevelError",
    "configure",
    "tail",
]
