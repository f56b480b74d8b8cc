"""What an instance's work comes to: how much of it there was, how much failed, and how long it took.

Counted while requests are answered, so each costs a fraction of a microsecond. Who compares instances reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

BUCKETS_PER_OCTAVE: Final = 4
"""A bucket of durations ends 19 % above its beginning."""

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
    """Counts one instance's work. For the loop's thread."""

    __slots__ = ("_durations", "errors", "requests")

    def __init__(self) -> None:
        self.requests = 0
        self.errors = 0
        self._durations: dict[int, int] = {}

    def note(self, took_s: float, *, failed: bool) -> None:
        """Count a piece of work.

        Args:
            took_s: How long it took, seconds.
            failed: Whether it failed through the instance's own fault.
        """
        self.requests += 1
        if failed:
            self.errors += 1
        # As `bucket_of`, whose call would cost as much as the rest.
        square = took_s * took_s * 1e12
        bucket = int(square * square).bit_length()
        durations = self._durations
        durations[bucket] = durations.get(bucket, 0) + 1

    def counts(self) -> TrafficCounts:
        """Return what was counted so far."""
        return TrafficCounts(self.requests, self.errors, dict(self._durations))


def bucket_of(took_s: float) -> int:
    """Return the bucket of a duration: quarters of a power of two of microseconds.

    Bucket b holds what took at least `2 ** ((b - 1) / 4)` microseconds and less than `2 ** (b / 4)`.
    """
    square = took_s * took_s * 1e12
    return int(square * square).bit_length()


def longest_of(bucket: int) -> float:
    """Return the seconds that nothing in a bucket took."""
    return float(2 ** (bucket / BUCKETS_PER_OCTAVE)) / 1e6


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
