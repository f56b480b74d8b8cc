"""What a benchmark reports."""

from __future__ import annotations

import msgspec


class Figure(msgspec.Struct, frozen=True):
    """One measured figure, with its peers or physical limits measured in the same run.

    Attributes:
        name: What was measured.
        value: The figure.
        unit: Of the figure and of those beside it.
        beside: The same of others, by name.
        aim: What it must reach, in words.
    """

    name: str
    value: float
    unit: str
    beside: dict[str, float]
    aim: str
