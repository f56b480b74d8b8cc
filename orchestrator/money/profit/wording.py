"""Decisions and shares in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from orchestrator.money.profit.decision import InstancePart, Verdict
from orchestrator.money.profit.division import Limit
from orchestrator.money.profit.planning import Plan, estimate

_NAMED: Final = 3

_LIMITS: Final[dict[Limit, str]] = {
    "floor": "It is kept at the floor, the least that each gets so that it can show what it earns.",
    "ceiling": "It is at the ceiling, the most that one instance may have.",
    "step_up": "It would get more; a share grows by no more than a step in a period.",
    "step_down": "It would get less; a share shrinks by no more than a step in a period.",
    "hysteresis": "It stays as it is: the change would be too small to be worth one.",
    "stream_min": "Its stream is kept at its minimum.",
    "stream_max": "Its stream is kept at its maximum.",
    "newcomer": "It is new, and begins with no more than a step above an equal share.",
}


def reason_of(
    plan: Plan, asset: str, *, periods: int, wanted: int, has_evidence: bool, waited: int, left_out: Sequence[str]
) -> str:
    """Return why a plan is as it is, for people.

    Args:
        plan: The plan.
        asset: The asset of its units.
        periods: How many periods were seen.
        wanted: How many must be.
        has_evidence: Whether anything was earned in them.
        waited: How often work had to wait in the period before.
        left_out: Other assets in which something came.
    """
    return " ".join(_sentences(plan, asset, periods, wanted, has_evidence, waited, left_out))


def _sentences(
    plan: Plan, asset: str, periods: int, wanted: int, has_evidence: bool, waited: int, left_out: Sequence[str]
) -> Iterator[str]:
    verdict: Verdict = plan.verdict
    if not plan.rows:
        yield "No instance runs, so there is nothing to divide."
        return
    if verdict == "prior":
        why = (
            (f"{periods} of {wanted} periods seen" if periods < wanted else f"nothing came in {asset} yet")
            if not has_evidence or periods < wanted
            else ""
        )
        yield f"Too little evidence ({why}): shares follow the multipliers."
    elif verdict == "held":
        yield "Nothing is worth a change: marginal profit is equal as far as it is known."
    else:
        named = ", ".join(
            f"{mover.instance} {'new' if mover.before is None else f'{mover.before:.2f}'} → {mover.after:.2f}"
            for mover in plan.movers[:_NAMED]
        )
        yield f"{100 * plan.moved:.3g} % of the shares move to where a unit more earns most: {named}."
        yield (
            f"Expected: {estimate(plan.expected, asset)} {asset} a period"
            f" instead of {estimate(plan.expected_before, asset)}."
        )
    if not waited:
        yield "No work had to wait in the last period, so shares made no difference yet."
    unmeasured = [part.stream for part in plan.streams if not part.measured]
    if unmeasured:
        yield f"Judged by multiplier, as all it earned came in other assets: {', '.join(unmeasured)}."
    if left_out:
        yield f"Left out: what came in {', '.join(left_out)}."


def explain(part: InstancePart, share: float | None, plan: Plan, asset: str, interval_s: float) -> tuple[str, ...]:
    """Return why an instance has its share, sentence by sentence.

    Args:
        part: Its part of the plan as of now.
        share: Its share in force; None where it has none yet.
        plan: The plan.
        asset: The asset of the amounts.
        interval_s: How long a period is.
    """
    return tuple(_explain(part, share, plan, asset, interval_s))


def _explain(part: InstancePart, share: float | None, plan: Plan, asset: str, interval_s: float) -> Iterator[str]:
    if share is None:
        yield f"{part.instance} has no share yet; it counts as an equal one of {len(plan.rows)}."
    else:
        yield f"{part.instance} has {share:.2f} times an equal share of {len(plan.rows)}."
    measured = next(each.measured for each in plan.streams if each.stream == part.stream)
    if plan.verdict == "prior":
        yield (
            f"There is too little evidence to judge by, so what counts is its stream's multiplier, {part.multiplier:g}."
        )
    elif not measured:
        yield (
            f"Its stream earned nothing in {asset}, only in other assets, which are not converted;"
            f" so what counts is its multiplier, {part.multiplier:g}."
        )
    elif part.evidence < 1:
        yield (
            f"Of its own it has shown little ({part.evidence:.2g} full periods), so it is believed to be like the"
            f" others of {part.stream}."
        )
    else:
        yield f"What it is believed to earn rests on {part.evidence:.3g} full periods of its own."
    if plan.verdict != "prior":
        yield (
            f"It could earn {part.most} {asset} in {interval_s:g} s at most (give or take {part.uncertainty}), and"
            f" earns half of that with {part.half_at:.2f} equal shares."
        )
        yield (
            f"With {part.after:.2f} it is expected to earn {part.expected} {asset}; an equal share more would bring"
            f" {part.marginal}."
        )
    if part.limit is not None:
        yield _LIMITS[part.limit]
    elif plan.verdict != "prior":
        yield "No bound limits it: its last unit earns what the last unit of the others does."
