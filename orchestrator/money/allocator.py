"""Budgets, not targets: a resource is divided so that its last unit earns the same everywhere. Pure.

The net revenue of an arm (an instance) grows with what it gets and saturates: `ceiling * (1 - exp(-x / scale))`
for a budget of `x` units. The best division of a budget equalises the marginal revenue of all arms that are
inside their bounds (bidding and budgeting as in arXiv 2302.01523); with this curve it can be written down, so
the division is exact and takes one sort.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec


class Curve(msgspec.Struct, frozen=True, gc=False):
    """What an arm is believed to earn in one period.

    Attributes:
        ceiling: What it would earn however much it got; revenue per period.
        scale: The budget at which it earns 63 % of that; units of the resource.
    """

    ceiling: float
    scale: float

    def revenue(self, budget: float) -> float:
        """Return what a budget is expected to earn in a period."""
        return self.ceiling * -math.expm1(-budget / self.scale)

    def marginal(self, budget: float) -> float:
        """Return what one more unit would earn."""
        return self.ceiling / self.scale * math.exp(-budget / self.scale)


class Bounds(msgspec.Struct, frozen=True, gc=False):
    """What an arm gets at least and at most, units of the resource."""

    least: float
    most: float


class BudgetTooSmall(ValueError):
    """The budget does not cover what all arms get at least."""

    def __init__(self, budget: float, least: float) -> None:
        super().__init__(f"a budget of {budget:g} does not cover the {least:g} that all arms together get at least")


def divide(budget: float, curves: Sequence[Curve], bounds: Sequence[Bounds]) -> list[float]:
    """Return the division of a budget that earns most, one share for each arm.

    What no arm may or can use stays undivided: arms are not given more than their `most`, and one that is
    believed to earn nothing gets its `least`.

    Args:
        budget: What there is, units of the resource.
        curves: What each arm is believed to earn.
        bounds: What each gets at least and at most.

    Raises:
        BudgetTooSmall: It does not cover what all get at least.
    """
    floor = math.fsum(bound.least for bound in bounds)
    if floor > budget * (1 + 1e-9):
        raise BudgetTooSmall(budget, floor)
    # With the marginal revenue at exp(-price), an arm gets scale * (worth + price) within its bounds, where
    # worth = log(ceiling / scale): as the price rises, arms leave their least, grow, and reach their most.
    worths = [math.log(curve.ceiling) - math.log(curve.scale) if curve.ceiling > 0 else -math.inf for curve in curves]
    events: list[tuple[float, float]] = []
    for curve, bound, worth in zip(curves, bounds, worths, strict=True):
        if worth > -math.inf and bound.most > bound.least:
            scale = curve.scale
            events.append((bound.least / scale - worth, scale))
            events.append((bound.most / scale - worth, -scale))
    events.sort()
    spent, growth, price = floor, 0.0, -math.inf
    for reached, change in events:
        grown = growth * (reached - price) if growth > 0 else 0.0
        if spent + grown >= budget and growth > 0:
            break
        spent, price, growth = spent + grown, reached, growth + change
    else:
        growth = 0.0
    if growth > 0:
        price += (budget - spent) / growth
    return [
        min(max(curve.scale * (worth + price), bound.least), bound.most) if worth > -math.inf else bound.least
        for curve, bound, worth in zip(curves, bounds, worths, strict=True)
    ]
