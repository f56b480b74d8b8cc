"""What was decided, what it was expected to bring, and what it brought; and a plan as it is told."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

import msgspec

from orchestrator.money.profit.division import Limit
from streams.booking import BookName

Verdict: TypeAlias = Literal["prior", "held", "reallocated"]
"""Too little evidence, so that multipliers decide; or nothing worth a change; or a change."""

By: TypeAlias = Literal["schedule", "hand"]


class InstancePart(msgspec.Struct, frozen=True):
    """An instance's share, and why.

    Amounts are estimates: of net revenue in a period, decimal text.

    Attributes:
        instance: Its id.
        stream: Its stream.
        before: Its share so far, as a multiple of an equal one; null where it had none.
        after: Its share from then on, the same way.
        expected: What it is expected to earn in a period with it.
        marginal: What it would earn more with an equal share more.
        most: What it could earn at most, however large its share.
        uncertainty: Standard error of that.
        half_at: The share at which it earns half of that, as a multiple of an equal one.
        evidence: How many full periods of its own that is believed from; old ones count less.
        multiplier: Its stream's, which counts as long as there is no evidence.
        limit: What keeps its share from being where the last unit earns the same everywhere; null for nothing.
    """

    instance: str
    stream: str
    before: float | None
    after: float
    expected: str
    marginal: str
    most: str
    uncertainty: str
    half_at: float
    evidence: float
    multiplier: float
    limit: Limit | None


class StreamPart(msgspec.Struct, frozen=True):
    """What the instances of a stream have together.

    Attributes:
        stream: The stream.
        instances: How many have a share.
        before: Their part of all that was divided so far, 1 for all.
        after: Their part from then on.
        expected: What they are expected to earn in a period; null where that cannot be judged.
        multiplier: The stream's.
        measured: Whether its money can be judged: not where all of it comes in other assets.
    """

    stream: str
    instances: int
    before: float
    after: float
    expected: str | None
    multiplier: float
    measured: bool


class Mover(msgspec.Struct, frozen=True):
    """One of those whose shares change most; multiples of an equal share."""

    instance: str
    before: float | None
    after: float


class Outcome(msgspec.Struct, frozen=True):
    """What came of a decision.

    Attributes:
        net: What came so far of what its period earned.
        complete: Whether all of it is taken to have come.
    """

    net: str
    complete: bool


class Decision(msgspec.Struct, frozen=True):
    """One decision.

    Attributes:
        id: Its number; later ones are higher.
        at: When, aware UTC.
        book: The book that it was learnt from, and is for.
        asset: The asset that it reckons in.
        verdict: What it comes to.
        by: Who asked for it.
        applied: Whether it was carried out; not where it was a dry run.
        reason: The same as a sentence.
        period: The period for which it holds.
        interval_s: How long that is.
        periods_seen: How many periods were learnt from.
        slots: Requests that the fleet works on at a time: what is divided.
        waited: How often work had to wait for its turn in the period before. Where nothing did, shares did not matter.
        instances: How many have a share.
        moved: Part of all that changes hands.
        expected: Net revenue expected of the period.
        expected_before: The same with the shares as they were.
        streams: By stream.
        movers: The instances whose shares change most.
        left_out: Other assets in which something came, which does not count here.
        outcome: What came of it; null as long as nothing is known.
    """

    id: int
    at: datetime
    book: BookName
    asset: str
    verdict: Verdict
    by: By
    applied: bool
    reason: str
    period: int
    interval_s: float
    periods_seen: int
    slots: int
    waited: int
    instances: int
    moved: float
    expected: str
    expected_before: str
    streams: tuple[StreamPart, ...]
    movers: tuple[Mover, ...]
    left_out: tuple[str, ...]
    outcome: Outcome | None = None


class DecisionPage(msgspec.Struct, frozen=True):
    """A page of decisions, the newest first."""

    items: tuple[Decision, ...]
    next_cursor: str | None


class ProfitPlan(msgspec.Struct, frozen=True):
    """What would be decided now.

    Attributes:
        decision: The decision, which was not carried out.
        items: Instances, by id.
        next_cursor: Where the next page begins; null on the last.
        problem: Why decisions are not kept, or the ledger is not read, at the moment; null where all is well.
    """

    decision: Decision
    items: tuple[InstancePart, ...]
    next_cursor: str | None
    problem: str | None = None


class Explanation(msgspec.Struct, frozen=True):
    """Why an instance has its share.

    Attributes:
        instance: Its part of the plan as of now.
        share: Its share as it is in force, as a multiple of an equal one; null where it has none yet.
        asset: The asset of the amounts.
        interval_s: How long a period is.
        sentences: The same for people.
    """

    instance: InstancePart
    share: float | None
    asset: str
    interval_s: float
    sentences: tuple[str, ...]
