"""`fleet_config.json`, `rollouts`: in what steps instances are changed, and by what the change is judged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, TypeAlias

import msgspec

from config.errors import Fault

Increase: TypeAlias = Annotated[float, msgspec.Meta(gt=0, lt=1)]
"""A difference of two shares: 0.05 for five percentage points."""

Chance: TypeAlias = Annotated[float, msgspec.Meta(gt=0, le=0.5)]
"""A probability of error."""


class RollingOut(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the strategies `staged` and `canary` proceed.

    Attributes:
        canary_count: Instances that a canary is tried on, before all others follow.
        batch_count: Instances of a batch of a staged rollout.
        ready_within_s: How long a batch may take until all of its instances are ready.
        interval_s: How often they are looked at.
        window_s: For how long a batch is watched at least.
        patience_s: After how long without a verdict the rollout pauses.
        min_samples: Requests, or bookings, that the batch and its baseline must each have had, for either to count.
        alpha: The chance that a rollout is rolled back though what it changes makes nothing worse.
        beta: The chance that a batch passes though it is worse by one of the increases below.
        error_increase: By how much the share of requests that fail, or of bookings that are refused, may rise.
        slow_increase: By how much the share of slow requests may rise.
        slowdown: A request of the batch is slow where it takes longer than this times what nine of ten take elsewhere.
        slow_above_s: No request is slow that takes less.
        unpaid_increase: By how much the share of requests that earn nothing may rise.
    """

    canary_count: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 5
    batch_count: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 10
    ready_within_s: Annotated[float, msgspec.Meta(ge=0.1, le=3600)] = 60.0
    interval_s: Annotated[float, msgspec.Meta(ge=0.1, le=600)] = 5.0
    window_s: Annotated[float, msgspec.Meta(ge=0.1, le=86_400)] = 60.0
    patience_s: Annotated[float, msgspec.Meta(ge=0.1, le=604_800)] = 900.0
    min_samples: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 50
    alpha: Chance = 0.01
    beta: Chance = 0.05
    error_increase: Increase = 0.05
    slow_increase: Increase = 0.2
    slowdown: Annotated[float, msgspec.Meta(ge=1, le=100)] = 1.5
    slow_above_s: Annotated[float, msgspec.Meta(ge=0, le=60)] = 0.05
    unpaid_increase: Increase = 0.25


def rollout_faults(rollouts: RollingOut, path: str) -> Iterator[Fault]:
    """Yield what is wrong between values that are right each by itself."""
    if rollouts.interval_s > rollouts.window_s:
        yield Fault(
            f"{path}.interval_s",
            f"at most window_s ({rollouts.window_s:g}): a batch is looked at before it has passed",
            f"{rollouts.interval_s:g}",
        )
    if rollouts.patience_s < rollouts.window_s:
        yield Fault(
            f"{path}.patience_s",
            f"at least window_s ({rollouts.window_s:g}): there is no verdict before",
            f"{rollouts.patience_s:g}",
        )
