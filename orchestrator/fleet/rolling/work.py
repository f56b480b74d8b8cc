"""What some instances did together in a period, in numbers that can be compared. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from math import ceil, log2
from typing import Final

import msgspec

from orchestrator.fleet.rolling.sequential import Sample
from streams.traffic import BUCKETS_PER_OCTAVE, bucket_of, quantile_bucket

SLOWEST_TENTH: Final = 0.9


class Work(msgspec.Struct, frozen=True):
    """What instances did.

    Attributes:
        requests: Pieces of work that came to an end.
        errors: Those that failed through the instances' own fault.
        durations: How many took how long, by bucket; see `streams.traffic`.
        booked: Bookings that were made.
        rejected: Bookings that the ledger refused for good.
        looks: How often one of the instances was looked at.
        unready: Looks at one that did not serve.
        restarted: Looks before which it had been restarted.
    """

    requests: int = 0
    errors: int = 0
    durations: dict[int, int] = {}
    booked: int = 0
    rejected: int = 0
    looks: int = 0
    unready: int = 0
    restarted: int = 0


def together(works: Iterable[Work]) -> Work:
    """Return the sum of several instances' work."""
    requests = errors = booked = rejected = looks = unready = restarted = 0
    durations: dict[int, int] = {}
    for work in works:
        requests += work.requests
        errors += work.errors
        booked += work.booked
        rejected += work.rejected
        looks += work.looks
        unready += work.unready
        restarted += work.restarted
        for bucket, count in work.durations.items():
            durations[bucket] = durations.get(bucket, 0) + count
    return Work(requests, errors, durations, booked, rejected, looks, unready, restarted)


def since(now: Work, before: Work) -> Work:
    """Return what one instance did between two counts of it; all of `now` where it began to count anew meanwhile."""
    if now.requests < before.requests or now.errors < before.errors:
        before = Work(booked=before.booked, rejected=before.rejected)
    return Work(
        requests=now.requests - before.requests,
        errors=now.errors - before.errors,
        durations={
            bucket: count - before.durations.get(bucket, 0)
            for bucket, count in now.durations.items()
            if count > before.durations.get(bucket, 0)
        },
        booked=now.booked - before.booked,
        rejected=now.rejected - before.rejected,
    )


class Slowness(msgspec.Struct, frozen=True):
    """From which bucket on a request is slow: in the baseline, and, with what is conceded, in the candidate."""

    baseline: int
    candidate: int


def slowness(durations: Mapping[int, int], slowdown: float, above_s: float) -> Slowness | None:
    """Return what is slow beside these durations of the baseline; None where there are none.

    Args:
        durations: The baseline's, by bucket, of the time before the period that is judged.
        slowdown: How many times longer the candidate may take.
        above_s: What takes less is never slow.
    """
    usual = quantile_bucket(durations, SLOWEST_TENTH)
    if usual is None:
        return None
    least = bucket_of(above_s)
    return Slowness(max(usual, least), max(usual + ceil(BUCKETS_PER_OCTAVE * log2(slowdown)), least))


def slow(durations: Mapping[int, int], above: int) -> Sample:
    """Return how many of some requests took longer than a bucket."""
    return Sample(sum(count for bucket, count in durations.items() if bucket > above), sum(durations.values()))


class Past:
    """Stands for a baseline where there is none: what the same instances did before, each piece used once.

    Pieces are drawn without replacement, so that what is drawn for one period is as good a sample as the whole.

    Args:
        sample: All that they did.
        seed: The same draws come of the same seed.
    """

    def __init__(self, sample: Sample, seed: str) -> None:
        self._left = sample
        self._random = random.Random(seed)  # noqa: S311 - no secret

    def draw(self, count: int) -> Sample:
        """Return so many pieces, or what is left."""
        bad, of = self._left.bad, self._left.of
        drawn = Sample(0, min(count, of))
        taken = 0
        for _ in range(drawn.of):
            if self._random.random() * of < bad:
                bad -= 1
                taken += 1
            of -= 1
        self._left = Sample(bad, of)
        return Sample(taken, drawn.of)
