"""The division keeps its promises whatever is believed, and goes where profit is."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.profit import StreamShare
from orchestrator.money.allocator import Curve
from orchestrator.money.profit.division import Arm, Rules, divide_among

CALM = Rules(budget=10.0, floor=0.1, ceiling=10.0, step=1.5, hysteresis=0.05)
FREE = Rules(budget=10.0, floor=0.01, ceiling=100.0, step=100.0, hysteresis=0.0)

ceilings = st.one_of(st.just(0.0), st.floats(1e-3, 1e9))
curves = st.builds(Curve, ceilings, st.floats(0.01, 10))
formers = st.one_of(st.none(), st.floats(0.01, 5))
arms = st.lists(st.builds(Arm, st.sampled_from(["a", "b", "c"]), curves, formers), min_size=1, max_size=12)
rules = st.builds(
    Rules,
    budget=st.just(10.0),
    floor=st.floats(0.01, 1),
    ceiling=st.floats(1, 20),
    step=st.floats(1.01, 5),
    hysteresis=st.floats(0, 0.5),
    streams=st.dictionaries(
        st.sampled_from(["a", "b", "c"]), st.builds(StreamShare, st.floats(0, 0.33), st.floats(0.34, 1)), max_size=3
    ),
)


def scaled(arms: list[Arm], budget: float) -> list[Arm]:
    """Formers of a fleet add up to the budget at most."""
    total = math.fsum(arm.former or 0.0 for arm in arms)
    part = min(1.0, budget / total) if total else 1.0
    return [Arm(arm.stream, arm.curve, None if arm.former is None else arm.former * part) for arm in arms]


@given(arms, rules)
def test_the_budget_is_never_exceeded_and_no_share_is_nothing(arms: list[Arm], rules: Rules) -> None:
    found = divide_among(scaled(arms, rules.budget), rules)
    assert math.fsum(found.shares) <= rules.budget * (1 + 1e-6)
    assert all(share > 0 for share in found.shares)


@given(arms, rules)
def test_a_share_changes_by_the_step_at_most_and_by_little_not_at_all(arms: list[Arm], rules: Rules) -> None:
    arms = scaled(arms, rules.budget)
    usual = rules.budget / len(arms)
    least = sum(
        rules.floor * usual
        if arm.former is None
        else min(max(rules.floor * usual, arm.former / rules.step), arm.former * rules.step)
        for arm in arms
    )
    found = divide_among(arms, rules)
    for arm, share, limit in zip(arms, found.shares, found.limits, strict=True):
        if arm.former is None:
            continue
        assert share <= arm.former * rules.step * (1 + 1e-6)
        if least <= rules.budget:
            assert share >= arm.former / rules.step * (1 - 1e-6)
        if limit == "hysteresis":
            assert share == pytest.approx(arm.former)


@given(arms, rules)
def test_what_is_asked_twice_is_answered_twice_the_same(arms: list[Arm], rules: Rules) -> None:
    assert divide_among(arms, rules) == divide_among(arms, rules)


def fleet(**ceilings: float) -> list[Arm]:
    return [Arm(name, Curve(ceiling, 1.0), 10.0 / len(ceilings)) for name, ceiling in ceilings.items()]


def test_the_last_unit_earns_the_same_everywhere() -> None:
    arms = fleet(a=10, b=20, c=40)
    found = divide_among(arms, FREE)
    assert math.fsum(found.shares) == pytest.approx(10)
    marginals = [arm.curve.marginal(share) for arm, share in zip(arms, found.shares, strict=True)]
    assert marginals == pytest.approx([found.price] * 3)
    assert found.shares[0] < found.shares[1] < found.shares[2]


def test_who_earns_nothing_keeps_the_floor_to_show_otherwise() -> None:
    shares = divide_among(fleet(a=0, b=1), FREE).shares
    assert shares[0] == pytest.approx(0.01 * 5)


def test_a_share_goes_where_profit_is_a_step_at_a_time() -> None:
    found = divide_among(fleet(a=1, b=1000), CALM)
    assert found.shares == pytest.approx([5 / 1.5, 10 - 5 / 1.5])
    assert found.limits == ["step_down", None]
    formers = found.shares
    for _ in range(10):
        arms = [Arm(arm.stream, arm.curve, former) for arm, former in zip(fleet(a=1, b=1000), formers, strict=True)]
        formers = divide_among(arms, CALM).shares
    # Marginal profit is equal where the shares differ by log(1000) scales; the last change is less than five percent.
    assert formers[1] - formers[0] == pytest.approx(math.log(1000), rel=0.1)
    assert math.fsum(formers) == pytest.approx(10)


def test_a_change_of_little_is_no_change() -> None:
    found = divide_among(fleet(a=1.0, b=1.02), CALM)
    assert found.shares == [5.0, 5.0]
    assert found.limits == ["hysteresis"] * 2


def test_streams_stay_inside_their_bounds() -> None:
    bounded = Rules(10.0, 0.01, 100.0, 100.0, 0.0, {"a": StreamShare(min=0.3), "c": StreamShare(max=0.4)})
    arms = [*fleet(a=0.001, b=10, c=1000), Arm("c", Curve(1000, 1.0), None)]
    found = divide_among(arms, bounded)
    by_stream = {
        name: sum(s for arm, s in zip(arms, found.shares, strict=True) if arm.stream == name) for name in "abc"
    }
    assert by_stream == pytest.approx({"a": 3.0, "b": 3.0, "c": 4.0})
    assert found.limits == ["stream_min", None, "stream_max", "stream_max"]


def test_a_streams_minimum_is_its_own_even_where_it_earns_nothing() -> None:
    bounded = Rules(10.0, 0.01, 100.0, 100.0, 0.0, {"a": StreamShare(min=0.3)})
    assert divide_among(fleet(a=0, b=10), bounded).shares == pytest.approx([3.0, 7.0])


def test_bounds_are_gone_back_to_step_by_step() -> None:
    bounded = Rules(10.0, 0.1, 10.0, 1.5, 0.0, {"b": StreamShare(max=0.1)})
    assert divide_among(fleet(a=1, b=1), bounded).shares == pytest.approx([10 - 5 / 1.5, 5 / 1.5])


def test_a_fleet_that_grew_tenfold_is_divided_all_the_same() -> None:
    arms = [Arm("a", Curve(1, 1.0), 5.0), Arm("a", Curve(1, 1.0), 5.0)]
    arms += [Arm("a", Curve(1, 1.0), None) for _ in range(200)]
    found = divide_among(arms, Rules(10.0, 1.0, 10.0, 1.5, 0.05))
    assert math.fsum(found.shares) <= 10 * (1 + 1e-6)


def test_of_nobody_nothing_is_asked() -> None:
    assert divide_among([], CALM).shares == []
