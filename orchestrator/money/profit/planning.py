"""From what is believed to shares, and what they are expected to bring. Pure; for a thread of its own.

Shares are reckoned in equal ones: 1 is what each instance has where all have the same, so that numbers mean the same
whatever the size of the fleet and however many slots there are.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from itertools import compress
from typing import Final

import msgspec

from config.profit import ProfitMaximizing
from orchestrator.money.allocator import Curve
from orchestrator.money.profit.decision import InstancePart, Mover, StreamPart, Verdict
from orchestrator.money.profit.division import Arm, Limit, Rules, divide_among
from orchestrator.money.profit.learner import Learner
from orchestrator.money.yield_model import Belief
from streams.money import format_amount

_MOVERS: Final = 5
_MOST_UNITS: Final = 2**62


class Member(msgspec.Struct, frozen=True, gc=False):
    """An instance that runs.

    Attributes:
        instance: Its id.
        stream: Its stream.
        share: Its share when the period began; None where it had none.
    """

    instance: str
    stream: str
    share: float | None


class Row(msgspec.Struct, frozen=True, gc=False):
    """What comes of it for an instance.

    Attributes:
        member: The instance.
        belief: What it is believed to earn.
        after: Its share.
        limit: What limits it.
    """

    member: Member
    belief: Belief
    after: float
    limit: Limit | None


class Plan(msgspec.Struct, frozen=True):
    """A division, and what it is expected to bring; units of the asset are estimates.

    Attributes:
        verdict: What it comes to.
        rows: By instance, in the order of their ids.
        streams: By stream.
        movers: Those whose shares change most.
        moved: Part of all that changes hands.
        expected: Units expected of a period; of streams whose money can be judged.
        expected_before: The same with the shares as they were.
    """

    verdict: Verdict
    rows: tuple[Row, ...]
    streams: tuple[StreamPart, ...]
    movers: tuple[Mover, ...]
    moved: float
    expected: float
    expected_before: float

    @property
    def shares(self) -> dict[str, float]:
        """The shares by instance."""
        return {row.member.instance: row.after for row in self.rows}


def make_plan(
    learner: Learner, members: Sequence[Member], settings: ProfitMaximizing, optimism: float, asset: str
) -> Plan:
    """Return how places should be divided.

    Args:
        learner: What was learnt; nobody teaches it meanwhile.
        members: The instances that run.
        settings: The rule.
        optimism: Standard errors that are added to beliefs, so that what is little known is tried.
        asset: The asset of the units.
    """
    members = sorted(members, key=lambda member: member.instance)
    certain = learner.has_evidence and learner.periods >= settings.evidence_periods
    beliefs = _beliefs(learner, members, certain=certain)
    rules = Rules(
        budget=float(len(members)),
        floor=settings.floor,
        ceiling=settings.ceiling,
        step=settings.step,
        hysteresis=settings.hysteresis,
        streams=settings.streams,
    )
    arms = [
        Arm(member.stream, belief.optimistic(optimism) if certain else belief.curve, member.share)
        for member, belief in zip(members, beliefs, strict=True)
    ]
    division = divide_among(arms, rules)
    rows = tuple(
        Row(member, belief, after, limit)
        for member, belief, after, limit in zip(members, beliefs, division.shares, division.limits, strict=True)
    )
    changed = any(row.member.share is None or row.after != row.member.share for row in rows)
    expected = [row.belief.curve.revenue(row.after) for row in rows]
    before = [row.belief.curve.revenue(_before(row)) for row in rows]
    # What comes in other assets will not be among what comes in this one.
    streams = {member.stream for member in members}
    unmeasured = {stream for stream in streams if not learner.is_measured(stream)}
    if unmeasured:
        counted = [row.member.stream not in unmeasured for row in rows]
        expected, before = list(compress(expected, counted)), list(compress(before, counted))
    verdict: Verdict = "prior" if not certain else "reallocated" if changed else "held"
    return Plan(
        verdict=verdict,
        rows=rows,
        streams=tuple(_streams(rows, learner, asset)),
        movers=tuple(_movers(rows)),
        moved=math.fsum(max(row.after - _before(row), 0.0) for row in rows) / max(len(rows), 1),
        expected=math.fsum(expected),
        expected_before=math.fsum(before),
    )


def part_of(row: Row, learner: Learner, asset: str) -> InstancePart:
    """Return an instance's part of a plan as it is told."""
    curve = row.belief.curve
    return InstancePart(
        instance=row.member.instance,
        stream=row.member.stream,
        before=None if row.member.share is None else round(row.member.share, 4),
        after=round(row.after, 4),
        expected=estimate(curve.revenue(row.after), asset),
        marginal=estimate(curve.revenue(row.after + 1) - curve.revenue(row.after), asset),
        most=estimate(curve.ceiling, asset),
        uncertainty=estimate(row.belief.error, asset),
        half_at=round(curve.scale * math.log(2), 3),
        evidence=round(row.belief.evidence, 2),
        multiplier=learner.multiplier(row.member.stream),
        limit=row.limit,
    )


def estimate(units: float, asset: str) -> str:
    """Return an estimate as an amount of its asset."""
    return format_amount(round(max(-_MOST_UNITS, min(units, _MOST_UNITS))), asset)


def _beliefs(learner: Learner, members: Sequence[Member], *, certain: bool) -> list[Belief]:
    known: dict[str, Mapping[str, Belief]] = {}
    newcomers: dict[str, Belief] = {}
    for stream in {member.stream for member in members}:
        known[stream] = learner.believe(stream) if certain else {}
        curve: Curve = learner.newcomer(stream, known[stream]) if certain else learner.prior(stream)
        newcomers[stream] = Belief(curve, curve.ceiling)
    return [known[member.stream].get(member.instance, newcomers[member.stream]) for member in members]


def _before(row: Row) -> float:
    return 1.0 if row.member.share is None else row.member.share


def _streams(rows: Sequence[Row], learner: Learner, asset: str) -> list[StreamPart]:
    by_stream: dict[str, list[Row]] = {}
    for row in rows:
        by_stream.setdefault(row.member.stream, []).append(row)
    return [
        StreamPart(
            stream=stream,
            instances=len(members),
            before=round(math.fsum(map(_before, members)) / len(rows), 4),
            after=round(math.fsum(row.after for row in members) / len(rows), 4),
            expected=estimate(math.fsum(row.belief.curve.revenue(row.after) for row in members), asset)
            if learner.is_measured(stream)
            else None,
            multiplier=learner.multiplier(stream),
            measured=learner.is_measured(stream),
        )
        for stream, members in sorted(by_stream.items())
    ]


def _movers(rows: Sequence[Row]) -> list[Mover]:
    changed = (row for row in rows if row.after != _before(row))
    most = heapq.nsmallest(_MOVERS, changed, key=lambda row: (-abs(row.after - _before(row)), row.member.instance))
    return [
        Mover(
            row.member.instance,
            None if row.member.share is None else round(row.member.share, 3),
            round(row.after, 3),
        )
        for row in most
    ]
