"""What a child says to people: its log lines and its output, put into the log as its instance's own, within bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from orchestrator.fleet.isolation.allowance import Allowance
from orchestrator.fleet.isolation.frames import Said

_HEAD: Final = frozenset(
    {"event", "level", "logger", "timestamp", "source", "actor", "instance", "stream", "process", "exc_info"}
)
"""Fields that are the daemon's to fill."""


class Voice:
    """Tells lines; those beyond the allowance are dropped, and the next that is told says how many.

    Args:
        log: A logger bound to the instance.
        lines_per_s: How many may be told a second.
        clock: Monotonic seconds.
    """

    def __init__(self, log: Any, lines_per_s: float, clock: Callable[[], float]) -> None:
        self._log = log
        self._allowance = Allowance(lines_per_s, clock())
        self._clock = clock
        self._dropped = 0

    def line(self, said: Said) -> None:
        """Tell a line of its log."""
        fields = {name: value for name, value in said.fields.items() if name not in _HEAD}
        self._tell(said.level, said.event, source=said.logger, **fields)

    def output(self, source: str, line: str) -> None:
        """Tell a line of its standard output or error."""
        self._tell("info" if source == "stdout" else "warning", "instance.output", source=source, line=line)

    def may_speak(self) -> bool:
        """Take a line of the allowance for something else; whether there is one."""
        return self._allowance.take_if_there(1, self._clock())

    def _tell(self, level: str, event: str, **fields: Any) -> None:
        if not self.may_speak():
            self._dropped += 1
            return
        if self._dropped:
            fields["lines_dropped_before"], self._dropped = self._dropped, 0
        getattr(self._log, level)(event, **fields)
