"""What an instance has done for its customers over the last quarter of an hour: how much, how fast, how much failed."""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from streams.traffic import TrafficCounts, longest_of, quantile_bucket

SPAN_S: Final = 900.0
MARKS_APART_S: Final = 300.0
"""Counts are kept this far apart: ten thousand busy instances must not remember every look."""

_NONE: Final = TrafficCounts()


class Served(msgspec.Struct, frozen=True):
    """Requests over a span of time; of streams without requests, other pieces of work.

    Attributes:
        span_s: How far back, up to a quarter of an hour.
        requests: How many came to an end.
        errors: Those that failed through the instance's own fault.
        error_rate: Their share, from 0 to 1; None where there were none.
        p50_ms: What half of them stayed within, milliseconds; to 19 % exactly. None where there were none.
        p95_ms: What 95 of 100 stayed within.
    """

    span_s: float
    requests: int
    errors: int
    error_rate: float | None
    p50_ms: float | None
    p95_ms: float | None


class ServedWindow:
    """The counts of one instance as looks found them."""

    __slots__ = ("_at_s", "_counts", "_marks")

    def __init__(self) -> None:
        self._marks: deque[tuple[float, TrafficCounts]] = deque()
        self._at_s = 0.0
        self._counts = _NONE

    def note(self, at_s: float, counts: TrafficCounts) -> None:
        """Take up what was counted so far.

        Args:
            at_s: When, monotonic; not before what was noted already.
            counts: Since the instance's start. Where there are fewer than before, it has begun anew.
        """
        marks = self._marks
        if counts.requests < self._counts.requests:
            marks.clear()
            marks.append((self._at_s, _NONE))
        elif not marks or at_s - marks[-1][0] >= MARKS_APART_S:
            # The first look at an instance knows nothing of what was before.
            marks.append((self._at_s, self._counts) if marks else (at_s, counts))
        self._at_s, self._counts = at_s, counts
        while len(marks) > 1 and marks[1][0] <= at_s - SPAN_S:
            marks.popleft()

    def figures(self) -> Served:
        """Return what came between the oldest counts that are kept and the last look."""
        began_s, before = self._marks[0] if self._marks else (self._at_s, self._counts)
        requests, errors = self._counts.requests - before.requests, self._counts.errors - before.errors
        durations = {
            bucket: count - before.durations.get(bucket, 0)
            for bucket, count in self._counts.durations.items()
            if count > before.durations.get(bucket, 0)
        }
        return Served(
            span_s=round(self._at_s - began_s, 3),
            requests=requests,
            errors=errors,
            error_rate=round(errors / requests, 4) if requests else None,
            p50_ms=_ms(quantile_bucket(durations, 0.50)),
            p95_ms=_ms(quantile_bucket(durations, 0.95)),
        )


def _ms(bucket: int | None) -> float | None:
    return None if bucket is None else round(longest_of(bucket) * 1000, 3)
