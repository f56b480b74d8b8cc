"""What the scaling section takes, and who has set a count."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from config.auto_scaling import AutoScaling, ScaledCount
from config.fleet import Fleet, StreamPlan, plan_patch
from config.sections import section_named


def faults(scaling: dict[str, Any], **plan: Any) -> list[str]:
    streams = {"api_services": plan} if plan else {}
    _, found = section_named("fleet").convert({"scaling": scaling, "streams": streams}, {"api_services": 3.0})
    return [f"{fault.path}: {fault.expected}" for fault in found]


def test_by_default_the_rule_is_that_of_the_design_and_no_stream_has_bounds() -> None:
    scaling = Fleet().scaling
    assert (scaling.interval_s, scaling.high, scaling.low, scaling.tolerance) == (60, 0.8, 0.2, 0.1)
    assert scaling.shrink_window_s == 300
    assert (StreamPlan().scale_min, StreamPlan().scale_max) == (None, None)


@pytest.mark.parametrize(
    ("scaling", "plan", "said"),
    [
        ({"low": 0.7}, {}, "$.scaling.low: at most 0.6545"),
        ({"full": 0.75}, {}, "$.scaling.full: at least high (0.8)"),
        ({"high": 80}, {}, "$.scaling.high"),
        ({"signals": []}, {}, "$.scaling.signals"),
        ({"signals": ["disk"]}, {}, "$.scaling.signals"),
        ({"hihg": 0.8}, {}, "$.scaling"),
        ({}, {"scale_min": 5, "scale_max": 4}, "$.streams.api_services.scale_min: at most scale_max (4)"),
        ({}, {"scale_max": 10_001}, "$.streams.api_services.scale_max"),
    ],
)
def test_what_contradicts_itself_is_refused(scaling: dict[str, Any], plan: dict[str, Any], said: str) -> None:
    (fault,) = faults(scaling, **plan)
    assert fault.startswith(said)


def test_what_fits_together_is_taken() -> None:
    assert faults({"high": 0.01, "low": 0.001, "full": 1.0}, count=3, scale_min=0, scale_max=3) == []
    # Where the aims of growing and shrinking meet, a count has nowhere to swing to.
    assert faults({"high": 0.8, "low": 0.6545, "tolerance": 0.1}) == []


def after(plan: StreamPlan, patch: dict[str, Any]) -> StreamPlan:
    return msgspec.convert({**msgspec.to_builtins(plan), **patch}, StreamPlan)


def test_what_the_scaler_sets_leaves_the_count_by_hand_and_what_a_person_sets_is_it() -> None:
    plan = StreamPlan(count=20)
    assert plan.count_by_hand == 20
    plan = after(plan, plan_patch(plan, 23, "auto_scaler"))
    assert (plan.count, plan.count_by_hand) == (23, 20)
    plan = after(plan, plan_patch(plan, 25, "auto_scaler"))
    assert (plan.count, plan.count_by_hand) == (25, 20)
    assert after(plan, plan_patch(plan, 25, "hand")).count_by_hand == 25
    # A person who edits the file changes the count alone.
    assert msgspec.structs.replace(plan, count=7).count_by_hand == 7
    assert plan.scaled == ScaledCount(by_hand=20, count=25)
    assert plan_patch(None, 3, "auto_scaler") == {"count": 3, "scaled": None}


def test_old_files_load() -> None:
    value, found = section_named("fleet").convert({"streams": {"api_services": {"count": 2}}}, {"api_services": 3.0})
    assert found == []
    assert value.scaling == AutoScaling()
