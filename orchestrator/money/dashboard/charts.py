"""The geometry of charts: where bars and lines stand. What they look like is the page's."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

WIDTH: Final = 720.0
HEIGHT: Final = 220.0
LEFT: Final = 64.0
BOTTOM: Final = 24.0
TOP: Final = 10.0

_TICKS: Final = 4
_LABELS: Final = 8
_GAP: Final = 0.25


class Tick(msgspec.Struct, frozen=True):
    """A line across the chart, with its value."""

    y: float
    label: str


class Label(msgspec.Struct, frozen=True):
    """A text below the chart."""

    x: float
    text: str


class Bar(msgspec.Struct, frozen=True):
    """A rectangle.

    Attributes:
        x: Its left edge.
        y: Its upper edge.
        width: How wide it is.
        height: How high it is.
        series: Which series it is of, from 0.
        title: What it stands for.
    """

    x: float
    y: float
    width: float
    height: float
    series: int
    title: str


class Chart(msgspec.Struct, frozen=True):
    """A chart, ready to be drawn in a box of `WIDTH` by `HEIGHT`.

    Attributes:
        bars: Its rectangles.
        ticks: Its values.
        labels: Its times.
        zero: Where zero is.
    """

    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    labels: tuple[Label, ...]
    zero: float


def stacked_bars(
    starts: Sequence[str], series: Sequence[str], values: Mapping[tuple[str, str], Decimal], unit: str
) -> Chart:
    """Return a bar for each start, of a part for each series; what is negative hangs below zero.

    Args:
        starts: What the bars stand for, from left to right.
        series: The names of the series.
        values: By start and series.
        unit: What the values are in.
    """
    heights = {start: [float(values.get((start, name), 0)) for name in series] for start in starts}
    highest = max((sum(part for part in parts if part > 0) for parts in heights.values()), default=0.0)
    lowest = min((sum(part for part in parts if part < 0) for parts in heights.values()), default=0.0)
    scale = _Scale.around(lowest, highest)
    slot = (WIDTH - LEFT) / max(len(starts), 1)
    bars = []
    for place, start in enumerate(starts):
        above = below = 0.0
        for number, (name, value) in enumerate(zip(series, heights[start], strict=True)):
            if not value:
                continue
            base = above if value > 0 else below
            above, below = (above + value, below) if value > 0 else (above, below + value)
            y, y_base = scale.y(base + value), scale.y(base)
            exact = values[start, name]
            bars.append(
                Bar(
                    round(LEFT + slot * (place + _GAP / 2), 2),
                    round(min(y, y_base), 2),
                    round(slot * (1 - _GAP), 2),
                    round(abs(y_base - y), 2),
                    number,
                    f"{start.replace('T', ' ')}  {name}  {exact:f} {unit}",
                )
            )
    return Chart(tuple(bars), scale.ticks(), tuple(_labels(starts, slot)), round(scale.y(0), 2))


def step_of(span: float) -> float:
    """Return a round distance between ticks for a span: 1, 2 or 5 times a power of ten."""
    if span <= 0:
        return 1.0
    rough = span / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))


class _Scale:
    """Values to places from top to bottom."""

    def __init__(self, low: float, high: float, step: float) -> None:
        self._low, self._high, self._step = low, high, step

    @classmethod
    def around(cls, lowest: float, highest: float) -> _Scale:
        """Return the scale that shows all from the lowest to the highest value, and zero."""
        step = step_of(highest - lowest)
        low = math.floor(lowest / step + 1e-9) * step
        high = math.ceil(highest / step - 1e-9) * step
        return cls(low, high if high > low else low + step, step)

    def y(self, value: float) -> float:
        """Return where a value is."""
        return TOP + (HEIGHT - BOTTOM - TOP) * (self._high - value) / (self._high - self._low)

    def ticks(self) -> tuple[Tick, ...]:
        """Return the lines across."""
        first, last = round(self._low / self._step), round(self._high / self._step)
        return tuple(
            Tick(round(self.y(number * self._step), 2), f"{number * self._step:.12g}")
            for number in range(first, last + 1)
        )


def _labels(starts: Sequence[str], slot: float) -> list[Label]:
    every = max(1, math.ceil(len(starts) / _LABELS))
    return [
        Label(round(LEFT + slot * (place + 0.5), 2), f"{start[11:]}:00" if "T" in start else start[5:])
        for place, start in enumerate(starts)
        if place % every == 0
    ]
