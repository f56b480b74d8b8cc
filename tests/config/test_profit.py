"""What the profit section takes."""

from __future__ import annotations

from typing import Any

import pytest

from config.fleet import Fleet
from config.sections import section_named


def faults(profit: dict[str, Any]) -> list[str]:
    _, found = section_named("fleet").convert({"profit": profit, "streams": {}}, {"api_services": 3.0})
    return [f"{fault.path}: {fault.expected}" for fault in found]


def test_an_old_file_has_the_defaults() -> None:
    profit = Fleet().profit
    assert (profit.interval_s, profit.request_slots, profit.floor, profit.step) == (300, 64, 0.1, 1.5)
    assert profit.streams == {}


@pytest.mark.parametrize(
    ("profit", "said"),
    [
        ({"streams": {"a": {"min": 0.6, "max": 0.5}}}, "$.profit.streams.a.min: at most max (0.5)"),
        ({"streams": {"a": {"min": 0.6}, "b": {"min": 0.5}}}, "$.profit.streams: minimums that add up to 1 at most"),
        ({"step": 1}, "$.profit.step"),
        ({"request_slots": 0}, "$.profit.request_slots"),
        ({"floor": 0}, "$.profit.floor"),
    ],
)
def test_what_cannot_be_is_said_where_it_stands(profit: dict[str, Any], said: str) -> None:
    assert any(said in fault for fault in faults(profit)), faults(profit)


def test_bounds_that_leave_room_are_taken() -> None:
    assert faults({"streams": {"a": {"min": 0.5, "max": 0.5}, "b": {"min": 0.5}}}) == []
