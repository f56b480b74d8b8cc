"""What a benchmark reports."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable

import msgspec

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "≥": operator.ge,
    ">": operator.gt,
    "≤": operator.le,
    "<": operator.lt,
}
_CLAUSE = re.compile(r"([≥>≤<])\s*([\d.,]*\d)\s*(?:×\s*(.+))?")


class Figure(msgspec.Struct, frozen=True):
    """One measured figure, with its peers or physical limits measured in the same run.

    Attributes:
        name: What was measured.
        value: The figure.
        unit: Of the figure and of those beside it.
        beside: The same of others, by name.
        aim: What it must reach, in words. Clauses such as `≥ 1.8 × asyncio.Queue` or `< 2 s`, divided by
            semicolons, are checked; other words are only shown.
        met: Whether it does, where the words cannot be checked.
    """

    name: str
    value: float
    unit: str
    beside: dict[str, float]
    aim: str
    met: bool | None = None

    def meets_aim(self) -> bool | None:
        """Return whether the aim is reached; None where that is not for a program to say."""
        if self.met is not None:
            return self.met
        verdicts = [self._meets(clause.strip()) for clause in self.aim.split(";")]
        return None if None in verdicts else all(verdicts)

    def _meets(self, clause: str) -> bool | None:
        parts = _CLAUSE.match(clause)
        if parts is None:
            return None
        sign, number, peer = parts.groups()
        limit = float(number.replace(",", ""))
        if peer is not None:
            if peer not in self.beside:
                return None
            limit *= self.beside[peer]
        return _COMPARISONS[sign](self.value, limit)
