"""Response times and errors of one subject over the last quarter of an hour."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from math import ceil, isnan, nan
from typing import Final

import msgspec

SPANS_S: Final = (60, 300, 900)
"""What the figures are about: the last 1, 5 and 15 minutes."""

_KEPT: Final = 1024
"""Probes that are kept at most: more than a quarter of an hour has at one a second."""


class Figures(msgspec.Struct, frozen=True):
    """Probes over a span of time.

    Attributes:
        span_s: How far back.
        probes: How many there were.
        errors: Those that found it not well.
        error_rate: Their share, from 0 to 1; None where there were no probes.
        p50_ms: The median of the response times, milliseconds; None where nothing was answered.
        p95_ms: What 95 of 100 stayed within.
    """

    span_s: int
    probes: int
    errors: int
    error_rate: float | None
    p50_ms: float | None
    p95_ms: float | None


class Window:
    """The probes of one subject.

    Ten thousand of these are kept, so they are arrays: some 400 bytes at a probe every 30 s.
    """

    __slots__ = ("_at_s", "_took_s", "_wrong")

    def __init__(self) -> None:
        self._at_s = array("d")
        self._took_s = array("f")
        self._wrong = bytearray()

    def add(self, at_s: float, took_s: float | None, *, wrong: bool) -> None:
        """Note a probe, and forget those that no span reaches any more.

        Args:
            at_s: When, monotonic; not before those noted already.
            took_s: How long the answer took; None where there was none.
            wrong: Whether the subject was not well.
        """
        old = max(bisect_right(self._at_s, at_s - SPANS_S[-1]), len(self._at_s) - _KEPT + 1)
        if old > 0:
            del self._at_s[:old], self._took_s[:old], self._wrong[:old]
        self._at_s.append(at_s)
        self._took_s.append(nan if took_s is None else took_s)
        self._wrong.append(wrong)

    def figures(self, span_s: int, now_s: float) -> Figures:
        """Return what the probes since `now_s - span_s` come to."""
        begin = bisect_right(self._at_s, now_s - span_s)
        probes, errors = len(self._at_s) - begin, sum(self._wrong[begin:])
        took_s = sorted(each for each in self._took_s[begin:] if not isnan(each))
        return Figures(
            span_s=span_s,
            probes=probes,
            errors=errors,
            error_rate=round(errors / probes, 4) if probes else None,
            p50_ms=_percentile_ms(took_s, 0.50),
            p95_ms=_percentile_ms(took_s, 0.95),
        )


def _percentile_ms(ordered_s: list[float], share: float) -> float | None:
    """Return the smallest value that at least this share of them does not exceed (the nearest rank)."""
    if not ordered_s:
        return None
    return round(ordered_s[max(0, ceil(share * len(ordered_s)) - 1)] * 1000, 3)
