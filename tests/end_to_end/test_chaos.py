"""A short ordeal in each run of the tests; `python -m tests.chaos --minutes 10` is the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.ordeal import endure

SECONDS = 12.0


@pytest.mark.timeout(180)
def test_a_fleet_that_is_disturbed_twice_a_second_ends_whole_and_its_books_are_what_customers_have(
    tmp_path: Path,
) -> None:
    verdict = endure(tmp_path, SECONDS, seed=11)
    assert verdict.faults == ()
    assert verdict.answered > 100
    assert verdict.crashes > 0
    assert len(verdict.done) >= 8
