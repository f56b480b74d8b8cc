"""What is believed follows what came; multipliers stand for it only as long as nothing did."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from orchestrator.money.profit.learner import Learner
from orchestrator.money.profit.period import Had, Period, gather
from orchestrator.money.profit.takings import Taking
from orchestrator.money.yield_model import ModelSettings
from tests.orchestrator.money.bookings import NOON

SETTINGS = ModelSettings(mature_periods=2)
MULTIPLIERS = {"poor": 10.0, "rich": 1.0}


def period(number: int, streams: Mapping[str, Mapping[str, Had]], **more: object) -> Period:
    fields = {name: dict(arms) for name, arms in streams.items()}
    return Period(number, "paper", "USD", 300.0, NOON, number, fields, **more)  # type: ignore[arg-type]


def test_before_anything_came_multipliers_say_what_to_expect() -> None:
    learner = Learner(SETTINGS, MULTIPLIERS, 1.0)
    assert not learner.has_evidence
    assert learner.newcomer("poor", {}).ceiling == 10 * learner.newcomer("rich", {}).ceiling


def test_what_came_outweighs_a_multiplier() -> None:
    learner = Learner(SETTINGS, MULTIPLIERS, 1.0)
    for number in range(12):
        learner.observe(period(number, {"poor": {"p": Had(1.0)}, "rich": {"r": Had(1.0, (1000,))}}))
    assert learner.has_evidence
    poor, rich = learner.believe("poor")["p"], learner.believe("rich")["r"]
    assert rich.curve.revenue(1.0) == pytest.approx(1000, rel=0.2)
    assert rich.curve.ceiling > 3 * poor.curve.ceiling
    assert rich.evidence > 5


def test_a_multiplier_never_multiplies_money() -> None:
    believed = []
    for multiplier in (1.0, 100.0):
        learner = Learner(SETTINGS, {"only": multiplier}, 1.0)
        for number in range(10):
            learner.observe(period(number, {"only": {"a": Had(1.0, (1000,))}}))
        believed.append(learner.believe("only")["a"].curve.ceiling)
    assert believed[0] == pytest.approx(believed[1], rel=0.01)


def test_who_earns_in_other_assets_only_is_judged_by_multiplier() -> None:
    learner = Learner(SETTINGS, MULTIPLIERS, 1.0)
    for number in range(5):
        streams = {"poor": {"p": Had(1.0)}, "rich": {"r": Had(1.0, (1000,))}}
        learner.observe(period(number, streams, elsewhere={"BTC": ("poor",)}))
    assert not learner.is_measured("poor")
    assert learner.believe("poor") == {}
    assert learner.newcomer("poor", {}) == learner.prior("poor")
    assert learner.is_measured("rich")
    beliefs = learner.believe("rich")
    assert learner.newcomer("rich", beliefs) == beliefs["r"].curve


def test_who_is_gone_is_forgotten_and_a_rebuilt_learner_believes_the_same() -> None:
    periods = [
        period(0, {"rich": {"r": Had(1.0, (500,)), "s": Had(0.5, (300,))}}),
        period(1, {"rich": {"r": Had(1.0, (700, 20)), "s": Had(0.7, (100,))}}),
        period(2, {"rich": {"r": Had(1.5, (900, 10, 5))}}),
    ]
    one = Learner(SETTINGS, MULTIPLIERS, 1.0)
    for each in periods:
        one.observe(each)
    assert set(one.believe("rich")) == {"r"}
    assert Learner.taught(SETTINGS, MULTIPLIERS, 1.0, periods).believe("rich") == one.believe("rich")


def test_what_comes_is_gathered_for_those_who_are_there_in_one_asset() -> None:
    takings = [
        Taking("a", "a-1", "USD", 0, 5),
        Taking("a", "a-1", "USD", 2, 7),
        Taking("a", "gone", "USD", 0, 100),
        Taking("b", "b-1", "BTC", 0, 9),
    ]
    streams, elsewhere = gather("USD", {"a": {"a-1": 1.0}, "b": {"b-1": 0.5}}, takings)
    assert streams == {"a": {"a-1": Had(1.0, (5, 0, 7))}, "b": {"b-1": Had(0.5)}}
    assert elsewhere == {"BTC": ("b",)}
    assert period(1, streams).came == [5, 0, 7]
