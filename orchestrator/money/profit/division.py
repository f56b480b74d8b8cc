"""How the places are divided: marginal profit is equalised inside bounds that keep the fleet calm. Pure.

An instance's share changes by a factor at most, and not at all where it would change by little; each keeps enough to
show what it earns; a stream's instances together stay between the stream's own bounds. Where bounds are at odds, the
step wins: what is out of its bounds goes back to them step by step.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeAlias

import msgspec

from config.profit import StreamShare
from orchestrator.money.allocator import Bounds, Curve, divide

Limit: TypeAlias = Literal[
    "floor", "ceiling", "step_up", "step_down", "hysteresis", "stream_min", "stream_max", "newcomer"
]
"""What kept a share from being where marginal profit is equal."""

_EXACT: Final = 1e-9
_NEAR: Final = 1e-6


class Arm(msgspec.Struct, frozen=True, gc=False):
    """An instance that may have a share.

    Attributes:
        stream: Its stream.
        curve: What it is believed to earn, hopefully: with a bonus for what is not known of it.
        former: Its share so far; None where it has none yet.
    """

    stream: str
    curve: Curve
    former: float | None


class Rules(msgspec.Struct, frozen=True):
    """How shares may be.

    Attributes:
        budget: What there is to divide.
        floor: What each gets at least; 1 for an equal share.
        ceiling: What each gets at most; 1 for an equal share.
        step: The factor by which a share changes at most.
        hysteresis: The part by which a share changes at least.
        streams: Bounds of streams, parts of the budget.
    """

    budget: float
    floor: float
    ceiling: float
    step: float
    hysteresis: float
    streams: Mapping[str, StreamShare] = {}


class Shares(msgspec.Struct, frozen=True):
    """A division.

    Attributes:
        shares: What each arm gets.
        limits: What limited each, None where nothing did.
        price: What the last unit earns where nothing limits; None where everything is limited.
    """

    shares: list[float]
    limits: list[Limit | None]
    price: float | None


def divide_among(arms: Sequence[Arm], rules: Rules) -> Shares:
    """Return what each instance gets.

    All together get the budget, or less where none may take more. Only where the fleet grew so fast that not even what
    all keep at least is there, do shares shrink below their step.
    """
    if not arms:
        return Shares([], [], None)
    bounds = _affordable([_bounds(arm, rules, len(arms)) for arm in arms], rules.budget)
    shares, held = _divide_by_stream(arms, bounds, rules)
    still = [_is_still(arm, share, rules.hysteresis) for arm, share in zip(arms, shares, strict=True)]
    if any(still):
        calm = [
            Bounds(arm.former, arm.former) if rests and arm.former is not None else bound
            for arm, bound, rests in zip(arms, bounds, still, strict=True)
        ]
        least, most = math.fsum(each.least for each in calm), math.fsum(each.most for each in calm)
        given = math.fsum(shares)
        if least <= rules.budget * (1 + _EXACT) and most >= given * (1 - _EXACT):
            shares, held = _divide_by_stream(arms, calm, rules)
        elif abs(least - given) <= rules.hysteresis * rules.budget and all(still):
            shares = [each.least for each in calm]  # nothing is worth a change
        else:
            still = [False] * len(arms)
    limits = [
        _limit(arm, share, bound, rests, held.get(arm.stream), rules, len(arms))
        for arm, share, bound, rests in zip(arms, shares, bounds, still, strict=True)
    ]
    free = [arm.curve.marginal(share) for arm, share, hit in zip(arms, shares, limits, strict=True) if hit is None]
    return Shares(shares, limits, math.fsum(free) / len(free) if free else None)


def _bounds(arm: Arm, rules: Rules, count: int) -> Bounds:
    usual = rules.budget / count
    least, most = rules.floor * usual, min(rules.ceiling * usual, rules.budget)
    if arm.former is None:
        return Bounds(least, max(least, min(most, usual * rules.step)))
    low, high = arm.former / rules.step, min(arm.former * rules.step, max(rules.budget, arm.former))
    return Bounds(min(max(least, low), high), max(min(most, high), low))


def _affordable(bounds: list[Bounds], budget: float) -> list[Bounds]:
    """Return bounds whose least is there."""
    least = math.fsum(bound.least for bound in bounds)
    if least <= budget:
        return bounds
    part = budget / least * (1 - _EXACT)
    return [Bounds(bound.least * part, bound.most) for bound in bounds]


def _is_still(arm: Arm, share: float, hysteresis: float) -> bool:
    return arm.former is not None and abs(share - arm.former) < hysteresis * arm.former


# -- streams ------------------------------------------------------------------------------------------------


def _divide_by_stream(
    arms: Sequence[Arm], bounds: Sequence[Bounds], rules: Rules
) -> tuple[list[float], dict[str, Limit]]:
    """Divide, and keep streams inside their bounds; return which of them were held at one.

    Those that are outside are held at their bound, on the side that is violated more, and the rest is divided anew,
    until none is outside (Bitran and Hax 1981).
    """
    places: dict[str, list[int]] = {}
    for place, arm in enumerate(arms):
        places.setdefault(arm.stream, []).append(place)
    within = _stream_bounds(places, bounds, rules)
    shares = [0.0] * len(arms)
    held: dict[str, Limit] = {}
    left = rules.budget
    while True:
        open_places = [place for stream, members in places.items() if stream not in held for place in members]
        _divide_to(open_places, arms, bounds, left, shares)
        over: dict[str, float] = {}
        under: dict[str, float] = {}
        for stream, bound in within.items():
            if stream not in held:
                total = math.fsum(shares[place] for place in places[stream])
                if total > bound.most * (1 + _NEAR):
                    over[stream] = total - bound.most
                elif total < bound.least * (1 - _NEAR):
                    under[stream] = bound.least - total
        if not over and not under:
            return shares, held
        is_over = sum(over.values()) >= sum(under.values())
        for stream in over if is_over else under:
            amount = within[stream].most if is_over else within[stream].least
            held[stream] = "stream_max" if is_over else "stream_min"
            _divide_to(places[stream], arms, bounds, amount, shares, spread=True)
            left -= amount


def _stream_bounds(places: Mapping[str, list[int]], bounds: Sequence[Bounds], rules: Rules) -> dict[str, Bounds]:
    """Return the bounds of the streams that have any, as far as their instances' own allow."""
    found: dict[str, Bounds] = {}
    least_of_all = math.fsum(bound.least for bound in bounds)
    above = 0.0
    for stream, wanted in rules.streams.items():
        if stream in places:
            least = math.fsum(bounds[place].least for place in places[stream])
            most = math.fsum(bounds[place].most for place in places[stream])
            low = min(max(wanted.min * rules.budget, least), most)
            found[stream] = Bounds(low, max(low, min(wanted.max * rules.budget, most)))
            above += low - least
    room = rules.budget - least_of_all
    if above > room:  # not all minimums can be had at once: each gets the same part of what it lacks
        for stream, bound in found.items():
            least = math.fsum(bounds[place].least for place in places[stream])
            low = least + (bound.least - least) * max(room, 0.0) / above
            found[stream] = Bounds(low, max(low, bound.most))
    return found


def _divide_to(
    places: Sequence[int],
    arms: Sequence[Arm],
    bounds: Sequence[Bounds],
    budget: float,
    shares: list[float],
    *,
    spread: bool = False,
) -> None:
    if not places:
        return
    inside = [bounds[place] for place in places]
    least = math.fsum(bound.least for bound in inside)
    division = divide(max(budget, least), [arms[place].curve for place in places], inside)
    if spread:
        # A stream's minimum is its own even where its instances are believed to earn nothing.
        rest = budget - math.fsum(division)
        room = math.fsum(bound.most - share for bound, share in zip(inside, division, strict=True))
        if rest > 0 and room > 0:
            part = min(rest / room, 1.0)
            division = [share + (bound.most - share) * part for bound, share in zip(inside, division, strict=True)]
    for place, share in zip(places, division, strict=True):
        shares[place] = share


def _limit(
    arm: Arm, share: float, bound: Bounds, rests: bool, held: Limit | None, rules: Rules, count: int
) -> Limit | None:
    if rests:
        return "hysteresis"
    usual = rules.budget / count
    if share >= bound.most * (1 - _NEAR):
        if arm.former is None:
            return "newcomer"
        return "ceiling" if share >= rules.ceiling * usual * (1 - _NEAR) else "step_up"
    if share <= bound.least * (1 + _NEAR):
        return "floor" if arm.former is None or share > arm.former / rules.step * (1 + _NEAR) else "step_down"
    return held
