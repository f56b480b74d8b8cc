"""`fleet_config.json`, `scaling`: when the fleet grows and shrinks by itself, and how cautiously."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, TypeAlias

import msgspec

from config.errors import Fault

Share: TypeAlias = Annotated[float, msgspec.Meta(gt=0, le=1)]
"""A part of what the fleet may use, 1 for all of it."""

Window: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=86_400)]
"""Seconds for which a load must last."""

Signal: TypeAlias = Literal["cpu", "memory", "loop"]
"""What the load is read from: processors and memory of what the fleet may use, and the event loop's time."""

SetBy: TypeAlias = Literal["hand", "auto_scaler"]
"""Who set a count: a person (or their program), or the auto-scaler."""


class AutoScaling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The auto-scaler's rule. It moves a count only between the `scale_min` and `scale_max` of a stream.

    The load is the largest of three shares: processors and memory of what the fleet may use, in use by whomever, and
    the time in which the event loop is busy.

    Attributes:
        interval_s: How often it measures and decides.
        signals: Which of those count. One that does not neither makes the fleet grow or shrink nor limits its room;
            on a machine where others hold half of the memory, for instance, the fleet shrinks without `memory` only.
        high: Above this load the fleet grows.
        low: Below this load it shrinks.
        tolerance: As of Kubernetes: the count aims at `high / (1 + tolerance)` when it grows and at
            `low / (1 - tolerance)` when it shrinks, so that a change begins exactly at `high` and `low` and ends
            inside of them.
        grow_window_s: How long the load must have been above `high`; the least load of that time counts.
        shrink_window_s: How long it must have been below `low`; the highest load of that time counts. Both windows
            begin anew with every change of a count.
        grow_at_most: Part of a stream's instances that one decision adds at most, one instance at least.
        shrink_at_most: Part that one decision takes away at most, one instance at least.
        full: Where a core, the loop or memory is in use so far, there is no room for another instance.
        lag_s: A lag of the event loop above this forbids growth.
        shift_counts: Where there is no room, move instances from the stream that earns least to the one that earns
            most, within their bounds. Otherwise that is only advice.
        earnings_window_s: Over how long it is looked at what streams earn.
    """

    interval_s: Annotated[float, msgspec.Meta(ge=0.2, le=3600)] = 60.0
    signals: Annotated[tuple[Signal, ...], msgspec.Meta(min_length=1, max_length=3)] = ("cpu", "memory", "loop")
    high: Share = 0.8
    low: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.2
    tolerance: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.1
    grow_window_s: Window = 180.0
    shrink_window_s: Window = 300.0
    grow_at_most: Share = 0.25
    shrink_at_most: Share = 0.1
    full: Share = 0.9
    lag_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 0.1
    shift_counts: bool = False
    earnings_window_s: Annotated[float, msgspec.Meta(ge=1, le=604_800)] = 3600.0


class ScaledCount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A count that the auto-scaler set. Void as soon as the stream's count is another one: then a person has set it.

    Attributes:
        by_hand: The count that a person had set last.
        count: The one that the auto-scaler set since.
    """

    by_hand: Annotated[int, msgspec.Meta(ge=0, le=10_000)]
    count: Annotated[int, msgspec.Meta(ge=0, le=10_000)]


def scaling_faults(scaling: AutoScaling, path: str) -> Iterator[Fault]:
    """Yield what is wrong between values that are right each by itself."""
    grows_to, shrinks_to = scaling.high / (1 + scaling.tolerance), scaling.low / (1 - scaling.tolerance)
    if shrinks_to > grows_to:
        yield Fault(
            f"{path}.low",
            f"at most {grows_to * (1 - scaling.tolerance):.4g}: what has shrunk must not have to grow again at once",
            f"{scaling.low:g}",
        )
    if scaling.full < scaling.high:
        yield Fault(
            f"{path}.full",
            f"at least high ({scaling.high:g}), or there is never room when the fleet should grow",
            f"{scaling.full:g}",
        )
