"""What a decision is made from: the load of what the fleet may use, and how each stream stands."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import msgspec

from config.auto_scaling import Signal
from config.fleet import Isolation, StreamPlan

NAMES: Final = {
    "cpu": "processors",
    "memory": "memory",
    "loop": "event loop",
    "lag_s": "lag of the event loop",
    "instances": "how many instances are ready",
}
"""What people call them."""


class Figures(msgspec.Struct, frozen=True):
    """What was measured at one moment. Shares are parts of what the fleet may use; None is what is not known.

    Attributes:
        t_s: When, seconds of a monotonic clock.
        cpu: Share of the processors in use, by the fleet and by all others that share them.
        memory: Share of the memory in use, the same way.
        loop: Share of the time in which the event loop's thread was busy.
        lag_s: How late the event loop was at worst, one time in twenty left out.
        cores: How many processors the fleet may use; a quota makes parts of them.
        fleet_cores: How many of them the daemon and its child processes used.
        other_cores: How many all others on the machine used.
        memory_limit_bytes: What memory the fleet may use.
        fleet_memory_bytes: What of it the daemon and its child processes hold.
        instances: Instances that are ready.
    """

    t_s: float
    cpu: float | None = None
    memory: float | None = None
    loop: float | None = None
    lag_s: float | None = None
    cores: float | None = None
    fleet_cores: float | None = None
    other_cores: float | None = None
    memory_limit_bytes: int | None = None
    fleet_memory_bytes: int | None = None
    instances: int | None = None

    def missing(self, signals: Collection[Signal]) -> list[str]:
        """Return the names of what a decision by some signals needs and nobody knows."""
        return [name for name in (*signals, "lag_s", "instances") if getattr(self, name) is None]

    def load(self, signals: Collection[Signal]) -> tuple[float, str] | None:
        """Return the largest of some shares and its name; None where one of them is not known."""
        known = {name: share for name in signals if (share := getattr(self, name)) is not None}
        if len(known) < len(set(signals)):
            return None
        name = max(known, key=known.__getitem__)
        return known[name], name


class StreamNow(msgspec.Struct, frozen=True):
    """How a stream stands.

    Attributes:
        stream: Its name.
        count: Instances that are wanted of it now.
        by_hand: The count that a person set last.
        lowest: The count that it is never taken below.
        highest: The count that it is never brought above.
        weight: What one of its instances earns, in any unit that all streams have in common.
        isolation: Where its instances run.
        rolling: Whether a rollout of it runs.
        scale_min: The operator's own lower bound.
        scale_max: The operator's own upper bound.
        fixed: Why its count must not be changed at all.
    """

    stream: str
    count: int
    by_hand: int
    lowest: int
    highest: int
    weight: float = 1.0
    isolation: Isolation = "actor"
    rolling: bool = False
    scale_min: int | None = None
    scale_max: int | None = None
    fixed: str | None = None

    @classmethod
    def of(
        cls, stream: str, plan: StreamPlan, weight: float, *, rolling: bool = False, fixed: str | None = None
    ) -> StreamNow:
        """Return how a stream stands by its plan.

        Without bounds of the operator's own, the count by hand is both bounds: nothing is changed that nobody has
        allowed to be changed. Beside one bound of their own, it is the other one, where it is on that side of it.
        """
        by_hand = plan.count_by_hand
        lowest = highest = by_hand
        if plan.scale_min is not None:
            lowest = plan.scale_min
            highest = max(highest, lowest)
        if plan.scale_max is not None:
            highest = plan.scale_max
            lowest = min(lowest, highest)
        if fixed is not None:
            lowest = highest = plan.count
        return cls(
            stream=stream,
            count=plan.count,
            by_hand=by_hand,
            lowest=lowest,
            highest=highest,
            weight=weight,
            isolation=plan.isolation,
            rolling=rolling,
            scale_min=plan.scale_min,
            scale_max=plan.scale_max,
            fixed=fixed,
        )

    def may_take(self) -> int:
        """Return how many instances its upper bound lets it have more."""
        return max(0, self.highest - self.count)

    def may_give(self) -> int:
        """Return how many instances its lower bound lets it lose."""
        return max(0, self.count - self.lowest)
