from __future__ import annotations

import pytest

from tests.benchmarks.figure import Figure


@pytest.mark.parametrize(
    ("value", "aim", "met"),
    [
        (18.0, "≥ 1.8 × peer", True),
        (17.9, "≥ 1.8 × peer", False),
        (41.0, "≥ 1.8 × peer; ≥ 4 × other", True),
        (39.0, "≥ 1.8 × peer; ≥ 4 × other", False),
        (1.9, "< 2 s", True),
        (2.0, "< 2 s", False),
        (4096.0, "≤ 4096", True),
        (24_999.0, "≥ 25,000 a second", False),
        (25_000.0, "≥ 25,000 a second", True),
        (1.0, "≥ 2 × somebody who was not measured", None),
        (1.0, "for information", None),
        (5.0, "≥ 4; near the limit", None),
    ],
)
def test_the_clauses_of_an_aim_are_checked(value: float, aim: str, met: bool | None) -> None:
    assert Figure("figure", value, "s", {"peer": 10.0, "other": 10.0}, aim).meets_aim() is met


def test_a_benchmark_can_judge_for_itself() -> None:
    assert Figure("figure", 1.0, "s", {}, "does not grow", met=True).meets_aim() is True
