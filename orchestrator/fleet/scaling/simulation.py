"""Replays a trace, and says what the auto-scaler would have done: the same rule, no daemon, no clock.

The trace is what it is: its loads do not follow from what is decided here. That is what makes a replay a test of the
rule, and why the first change of a replay says more than the tenth.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from config.auto_scaling import AutoScaling, ScaledCount, scaling_faults
from config.fleet import StreamPlan, bound_faults
from orchestrator.fleet.scaling.decision import Decision
from orchestrator.fleet.scaling.figures import Figures, StreamNow
from orchestrator.fleet.scaling.judge import Judge
from orchestrator.fleet.scaling.room import Room, ThisMachine
from orchestrator.fleet.scaling.trace import TracedStream, TraceLine


class SimulationSettings(msgspec.Struct, frozen=True):
    """What a replay needs of `fleet_config.json`; what else stands in it is passed over.

    Attributes:
        scaling: The rule's numbers.
        streams: The streams' plans, for their bounds and multipliers. Their counts are the trace's.
    """

    scaling: AutoScaling = AutoScaling()
    streams: dict[str, StreamPlan] = {}


class Simulated(msgspec.Struct, frozen=True):
    """What would have been decided at one line of the trace.

    Attributes:
        t_s: When.
        figures: What was measured.
        decisions: Of each stream.
        note: Why what was measured before no longer counts, where it does not.
    """

    t_s: float
    figures: Figures
    decisions: tuple[Decision, ...]
    note: str


_SETTINGS: Final = msgspec.json.Decoder(SimulationSettings)


def read_settings(document: bytes) -> SimulationSettings:
    """Read settings: the whole `fleet_config.json`, or no more than its `scaling` and `streams`.

    Raises:
        ValueError: They are not valid; it says what is expected where.
    """
    settings = _SETTINGS.decode(document)
    for fault in (*scaling_faults(settings.scaling, "$.scaling"), *bound_faults(settings.streams)):
        raise ValueError(f"{fault.path}: expected {fault.expected}, found {fault.found}")
    return settings


def simulate(settings: SimulationSettings, lines: Iterable[TraceLine], room: Room | None = None) -> Iterator[Simulated]:
    """Yield what would have been decided at each line of a trace.

    Counts begin as the trace has them, and are from then on those that are decided. Where the trace shows that a
    person set a count, by its `by_hand` or, without one, by its `count`, that count holds.

    Args:
        settings: The rule and the streams' bounds.
        lines: The trace.
        room: Where there is room; this machine's rule, by the figures of the trace, unless another is given.
    """
    judge = Judge(room or ThisMachine())
    streams: dict[str, _Stream] = {}
    for line in lines:
        for name, seen in line.streams.items():
            known = streams.get(name)
            if known is None:
                plan = settings.streams.get(name, StreamPlan())
                known = streams[name] = _Stream(plan)
            known.see(seen)
        figures = line.figures()
        if figures.instances is None:
            figures = msgspec.structs.replace(figures, instances=sum(each.plan.count for each in streams.values()))
        verdict = judge.judge(settings.scaling, figures, [each.now(name) for name, each in streams.items()])
        for decision in verdict.decisions:
            streams[decision.stream].bring_to(decision.to)
        yield Simulated(line.t_s, figures, verdict.decisions, verdict.note)


class _Stream:
    """A stream during a replay."""

    def __init__(self, plan: StreamPlan) -> None:
        self.plan = msgspec.structs.replace(plan, count=0, scaled=None)
        self._weight = plan.multiplier
        self._rolling = False
        self._by_hand: int | None = None

    def see(self, seen: TracedStream) -> None:
        """Take what the trace says of it."""
        self._rolling = seen.rolling
        if seen.weight is not None:
            self._weight = seen.weight
        if seen.isolation is not None:
            self.plan = msgspec.structs.replace(self.plan, isolation=seen.isolation)
        by_hand = seen.by_hand if seen.by_hand is not None else seen.count
        if by_hand is not None and by_hand != self._by_hand:
            first = self._by_hand is None
            self._by_hand = by_hand
            count = seen.count if first and seen.count is not None else by_hand
            self._set(count, by_hand)

    def bring_to(self, count: int) -> None:
        """Carry a decision out."""
        if count != self.plan.count:
            self._set(count, self.plan.count_by_hand)

    def now(self, name: str) -> StreamNow:
        """Return how it stands."""
        return StreamNow.of(name, self.plan, self._weight, rolling=self._rolling)

    def _set(self, count: int, by_hand: int) -> None:
        scaled = None if count == by_hand else ScaledCount(by_hand, count)
        self.plan = msgspec.structs.replace(self.plan, count=count, scaled=scaled)
