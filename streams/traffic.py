"""What an instance's work comes to: how much of it there was, how much failed, and how long it took.

Counted while requests are answered, so each costs a fraction of a microsecond. Who compares instances reads it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from typing import Final

import msgspec

BUCKETS_PER_OCTAVE: Final = 4
"""A bucket of durations ends 19 % above its beginning."""

_ENDS: Final = tuple(2 ** (bucket / BUCKETS_PER_OCTAVE) / 1e6 for bucket in range(161))
"""Where each bucket ends, seconds; the last ends at 12 days."""

_MOST_PENDING: Final = 256

SERVER_ERROR: Final = 500
"""From this HTTP status on, the fault is the server's."""


class TrafficCounts(msgspec.Struct, frozen=True):
    """What was counted since the instance's start.

    Attributes:
        requests: Pieces of work that came to an end; of HTTP, requests but those of the health check.
        errors: Those of them that failed through the instance's own fault; of HTTP, answers of 500 and above.
        durations: How many of them took how long: counts by bucket, see `bucket_of`.
    """

    requests: int = 0
    errors: int = 0
    durations: dict[int, int] = {}


class Traffic:
    """Counts one instance's work. For the loop's thread.

    Attributes:
        errors: Pieces of work that failed so far.
    """

    __slots__ = ("_durations", "_pending", "_sorted", "errors")

    def __init__(self) -> None:
        self.errors = 0
        self._sorted = 0
        self._pending: list[float] = []
        self._durations: dict[int, int] = {}

    @property
    def requests(self) -> int:
        """Pieces of work so far."""
        return self._sorted + len(self._pending)

    def note(self, took_s: float, failed: bool) -> None:
        """Count a piece of work.

        Args:
            took_s: How long it took, seconds.
            failed: Whether it failed through the instance's own fault.
        """
        if failed:
            self.errors += 1
        pending = self._pending
        pending.append(took_s)
        if len(pending) >= _MOST_PENDING:
            self._sort_in()

    def counts(self) -> TrafficCounts:
        """Return what was counted so far."""
        self._sort_in()
        return TrafficCounts(self._sorted, self.errors, dict(self._durations))

    def _sort_in(self) -> None:
        # Many at once: sorted, they are counted by a search for each bucket rather than one for each of them.
        pending, durations = self._pending, self._durations
        pending.sort()
        start, end = 0, len(pending)
        while start < end:
            bucket = bucket_of(pending[start])
            after = bisect_left(pending, _ENDS[bucket], start) if bucket < len(_ENDS) else end
            durations[bucket] = durations.get(bucket, 0) + after - start
            start = after
        self._sorted += end
        pending.clear()


def bucket_of(took_s: float) -> int:
    """Return the bucket of a duration: quarters of a power of two of microseconds.

    Bucket b holds what took at least `2 ** ((b - 1) / 4)` microseconds and less than `2 ** (b / 4)`.
    """
    return bisect_right(_ENDS, took_s)


def longest_of(bucket: int) -> float:
    """Return the seconds that nothing in a bucket took."""
    return _ENDS[bucket]


def quantile_bucket(durations: Mapping[int, int], share: float) -> int | None:
    """Return the lowest bucket up to which at least this share of durations lies; None where there are none.

    Args:
        durations: Counts by bucket.
        share: From 0 to 1.
    """
    total = sum(durations.values())
    seen = 0
    for bucket in sorted(durations):
        seen += durations[bucket]
        if seen >= share * total:
            return bucket
    return None
