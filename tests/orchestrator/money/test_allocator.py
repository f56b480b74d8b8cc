"""A budget is divided so that its last unit earns the same everywhere."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.money.allocator import Bounds, BudgetTooSmall, Curve, divide

FREE = Bounds(0.0, math.inf)

arms = st.lists(
    st.tuples(
        st.floats(0.0, 1e4),
        st.floats(0.05, 50.0),
        st.floats(0.0, 2.0),
        st.floats(0.0, 20.0),
    ),
    min_size=1,
    max_size=12,
)


def test_two_equal_arms_get_the_same() -> None:
    assert divide(10.0, [Curve(3.0, 1.0)] * 2, [FREE] * 2) == pytest.approx([5.0, 5.0])


def test_a_division_that_is_worked_out_by_hand() -> None:
    # Marginal revenue 8 exp(-x) and 2 exp(-y), x + y = 3: equal where x - y = log 4.
    x, y = divide(3.0, [Curve(8.0, 1.0), Curve(2.0, 1.0)], [FREE] * 2)
    assert x == pytest.approx((3 + math.log(4)) / 2)
    assert y == pytest.approx((3 - math.log(4)) / 2)


def test_an_arm_whose_first_unit_earns_less_than_anothers_last_gets_nothing() -> None:
    assert divide(1.0, [Curve(100.0, 1.0), Curve(1.0, 1.0)], [FREE] * 2) == pytest.approx([1.0, 0.0])


def test_an_arm_that_earns_nothing_gets_its_least() -> None:
    assert divide(5.0, [Curve(0.0, 1.0), Curve(1.0, 1.0)], [Bounds(0.5, 9.0), FREE]) == pytest.approx([0.5, 4.5])


def test_what_nobody_may_use_stays_undivided() -> None:
    assert divide(100.0, [Curve(1.0, 1.0)] * 2, [Bounds(0.0, 3.0)] * 2) == pytest.approx([3.0, 3.0])


def test_a_budget_below_what_all_get_at_least_is_refused() -> None:
    with pytest.raises(BudgetTooSmall, match="1 does not cover the 2"):
        divide(1.0, [Curve(1.0, 1.0)] * 2, [Bounds(1.0, 2.0)] * 2)


@settings(max_examples=200)
@given(arms, st.floats(0.01, 300.0))
def test_no_unit_would_earn_more_elsewhere(drawn: list[tuple[float, float, float, float]], extra: float) -> None:
    curves = [Curve(ceiling, scale) for ceiling, scale, _, _ in drawn]
    bounds = [Bounds(least, least + room) for _, _, least, room in drawn]
    budget = sum(bound.least for bound in bounds) + extra
    shares = divide(budget, curves, bounds)
    assert sum(shares) <= budget * (1 + 1e-9)
    for share, bound in zip(shares, bounds, strict=True):
        assert bound.least - 1e-9 <= share <= bound.most + 1e-9
    can_give = [
        curve.marginal(share)
        for curve, share, bound in zip(curves, shares, bounds, strict=True)
        if share > bound.least + 1e-6
    ]
    can_take = [
        curve.marginal(share)
        for curve, share, bound in zip(curves, shares, bounds, strict=True)
        if share < bound.most - 1e-6
    ]
    if can_give and can_take:
        assert max(can_take) <= min(can_give) * (1 + 1e-6) + 1e-12
    if sum(shares) < budget * (1 - 1e-9):  # then whoever earns anything has all that it may
        assert all(taken == 0.0 for taken in can_take)
