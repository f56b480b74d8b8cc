"""Who gets what there is to give, and who gives what has to go. Pure."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence

from config.auto_scaling import AutoScaling
from orchestrator.fleet.scaling.decision import Advice
from orchestrator.fleet.scaling.figures import StreamNow
from orchestrator.fleet.scaling.room import Place

_DIGITS = 9
"""20 x 0.1 x 0.9 / 0.2 is 9 and not a little more, which would be 10 rounded up."""


def additions(streams: Iterable[StreamNow], ratio: float, at_most: float) -> dict[str, int]:
    """Return how many more each stream should have, `ceil(count x ratio)` within its bound and its step.

    Args:
        streams: Those that may grow.
        ratio: The load over the one that is aimed at.
        at_most: Part of its count that is added at once, one instance at least.
    """
    found = {}
    for each in streams:
        wanted = math.ceil(round(each.count * ratio, _DIGITS)) - each.count
        found[each.stream] = max(0, min(wanted, each.may_take(), _step(each.count, at_most)))
    return found


def removals(streams: Iterable[StreamNow], ratio: float, at_most: float) -> dict[str, int]:
    """Return how many fewer each stream should have, as `additions`."""
    found = {}
    for each in streams:
        surplus = each.count - math.ceil(round(each.count * ratio, _DIGITS))
        found[each.stream] = max(0, min(surplus, each.may_give(), _step(each.count, at_most)))
    return found


def _step(count: int, at_most: float) -> int:
    return max(1, math.floor(round(count * at_most, _DIGITS)))


def give(
    streams: Sequence[StreamNow], total: int, places: Sequence[Place], at_most: float
) -> dict[str, dict[str, int]]:
    """Hand new instances out one by one, each to the stream whose weight over what it has been given is greatest.

    That is D'Hondt's rule: what earns three times as much gets three times as many, and one more to hand out never
    takes one from anybody.

    Args:
        streams: Those that may grow.
        total: How many there are to hand out.
        places: Where there is room.
        at_most: As of `additions`.

    Returns:
        The streams that were given any, with how many at each place.
    """
    left = {place.name: place.instances for place in places}
    given: dict[str, dict[str, int]] = {}
    # The greatest quotient first; of equal ones, that of the stream that comes first.
    turns = [(-each.weight, number, 0) for number, each in enumerate(streams)]
    heapq.heapify(turns)
    while total > 0 and turns:
        _, number, has = heapq.heappop(turns)
        each = streams[number]
        name = next((p.name for p in places if p.takes == each.isolation and left[p.name] > 0), None)
        if name is None or has >= min(each.may_take(), _step(each.count, at_most)):
            continue  # and never again: neither its bound nor a place gets wider
        left[name] -= 1
        total -= 1
        at = given.setdefault(each.stream, {})
        at[name] = at.get(name, 0) + 1
        heapq.heappush(turns, (-each.weight / (has + 2), number, has + 1))
    return given


def take(streams: Sequence[StreamNow], total: int, at_most: float) -> dict[str, int]:
    """Take instances away, from what earns least first, from each as much as its bound and its step allow."""
    taken: dict[str, int] = {}
    for each in sorted(streams, key=lambda each: (each.weight, each.stream)):
        here = min(total, each.may_give(), _step(each.count, at_most))
        if here > 0:
            taken[each.stream] = here
            total -= here
    return taken


def advise(streams: Sequence[StreamNow], settings: AutoScaling) -> Advice | None:
    """Return whose room should be whose; None where nothing earns clearly more than anything else."""
    if len(streams) < 2:
        return None
    most = max(streams, key=lambda each: (each.weight, each.stream))
    least = min(streams, key=lambda each: (each.weight, each.stream))
    if most.weight <= least.weight * (1 + settings.tolerance):
        return None
    return Advice(most.stream, least.stream)


def shift(streams: Sequence[StreamNow], settings: AutoScaling) -> Advice | None:
    """Return from which stream to which one an instance can move, None where none may or it would gain nothing."""
    able = [each for each in streams if not each.rolling]
    pairs: Mapping[float, Advice] = {
        to.weight - of.weight: Advice(to.stream, of.stream)
        for to in able
        for of in able
        if to.stream != of.stream
        and to.isolation == of.isolation
        and to.may_take() > 0
        and of.may_give() > 0
        and to.weight > of.weight * (1 + settings.tolerance)
    }
    return pairs[max(pairs)] if pairs else None
