"""What is believed of an arm follows what it earned, late as it came."""

from __future__ import annotations

import math
import random

import pytest

from orchestrator.money.allocator import Curve
from orchestrator.money.yield_model import ModelSettings, Pool

TRUE = Curve(10.0, 1.0)


def taught(
    pool: Pool, periods: int, *, delays: list[float], ceilings: dict[str, float], seed: int = 1, noise: float = 0.0
) -> None:
    """Let arms earn for so many periods, and the pool see it as it comes."""
    rng = random.Random(seed)
    earned: dict[str, list[float]] = {name: [] for name in ceilings}
    for _ in range(periods):
        seen = {}
        for name, ceiling in ceilings.items():
            budget = rng.uniform(0.3, 2.5)
            earned[name].insert(0, Curve(ceiling, 1.0).revenue(budget) * rng.uniform(1 - noise, 1 + noise))
            came = [past * share for past, share in zip(earned[name], delays, strict=False)]
            seen[name] = (budget, came)
        pool.observe(seen)


def test_before_anything_is_seen_an_arm_is_what_its_prior_says() -> None:
    assert Pool(ModelSettings(), 1.0, 2.5).newcomer() == Curve(2.5, 1.0)


@pytest.mark.parametrize("delays", [[1.0], [0.1, 0.2, 0.3, 0.2, 0.2]])
def test_what_comes_late_is_not_taken_for_little(delays: list[float]) -> None:
    pool = Pool(ModelSettings(), 1.0, 1.0)
    taught(pool, 60, delays=delays, ceilings={"a": 10.0, "b": 2.0})
    beliefs = pool.believe()
    assert beliefs["a"].curve.ceiling == pytest.approx(10.0, rel=0.05)
    assert beliefs["b"].curve.ceiling == pytest.approx(2.0, rel=0.15)
    assert pool.arrived()[0] == pytest.approx(delays[0], abs=0.05)
    assert pool.arrived()[-1] == pytest.approx(1.0)


def test_the_scale_is_the_candidate_that_explains_what_was_earned() -> None:
    pool = Pool(ModelSettings(scales=(0.1, 1.0, 10.0)), 1.0, 1.0)
    taught(pool, 60, delays=[1.0], ceilings={"a": 10.0, "b": 4.0})
    assert pool.scale == 1.0
    narrow = Pool(ModelSettings(scales=(0.2, 1.0, 5.0)), 5.0, 1.0)
    taught(narrow, 60, delays=[1.0], ceilings={"a": 10.0, "b": 4.0})
    assert narrow.scale == 1.0


def test_an_arm_of_which_little_is_known_is_like_the_others() -> None:
    pool = Pool(ModelSettings(), 1.0, 1.0)
    taught(pool, 40, delays=[1.0], ceilings={f"arm {n}": 10.0 for n in range(5)}, noise=0.3)
    pool.observe({"new": (1.0, [0.0])})
    believed = pool.believe()["new"].curve.ceiling
    assert 3.0 < believed < 9.0
    assert pool.believe()["new"].error > 1.5 * pool.believe()["arm 1"].error


def test_what_changed_is_believed_after_a_while() -> None:
    pool = Pool(ModelSettings(memory=0.9, mature_periods=4), 1.0, 1.0)
    taught(pool, 60, delays=[1.0], ceilings={"a": 10.0, "b": 10.0})
    taught(pool, 25, delays=[1.0], ceilings={"a": 1.0, "b": 10.0})
    beliefs = pool.believe()
    assert beliefs["a"].curve.ceiling < 2.5
    assert beliefs["b"].curve.ceiling == pytest.approx(10.0, rel=0.1)


def test_optimism_shrinks_with_what_is_known() -> None:
    pool = Pool(ModelSettings(scales=(1.0,)), 1.0, 1.0)
    everybody = {f"arm {n}": 10.0 for n in range(8)}
    taught(pool, 14, delays=[1.0], ceilings=everybody, noise=0.5)
    early = pool.believe()["arm 0"]
    taught(pool, 60, delays=[1.0], ceilings=everybody, noise=0.5)
    late = pool.believe()["arm 0"]
    assert late.error < early.error
    assert late.optimistic(1.0).ceiling == late.curve.ceiling + late.error


def test_an_arm_that_is_gone_is_forgotten() -> None:
    pool = Pool(ModelSettings(), 1.0, 1.0)
    pool.observe({"a": (1.0, [1.0]), "b": (1.0, [1.0])})
    pool.forget("a")
    pool.forget("never there")
    assert list(pool.believe()) == ["b"]


def test_it_learns_on_for_years() -> None:
    pool = Pool(ModelSettings(memory=0.5, mature_periods=2), 1.0, 1.0)
    taught(pool, 3000, delays=[1.0], ceilings={"a": 10.0})
    belief = pool.believe()["a"]
    assert belief.curve.ceiling == pytest.approx(10.0, rel=0.2)
    assert math.isfinite(belief.error)
