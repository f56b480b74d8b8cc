"""What is measured between two readings, computed by hand; and that this machine can be read at all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import msgspec
import psutil
import pytest

from orchestrator.fleet.scaling.figures import Figures
from orchestrator.fleet.scaling.limits import GroupLimits, Limit, Quota
from orchestrator.fleet.scaling.measure import Meter, Reading, figures_between, take_reading, worst_lag_s

BEFORE = Reading(
    at_s=100.0,
    slept_s=5.0,
    processors=4,
    busy_s=1000.0,
    total_s=4000.0,
    groups=GroupLimits(),
    processes={(1, 0.5): 50.0, (2, 1.0): 10.0},
    fleet_memory_bytes=100_000,
    memory_total_bytes=1_000_000,
    memory_free_bytes=700_000,
)
AFTER = msgspec.structs.replace(
    BEFORE,
    at_s=160.0,
    busy_s=1060.0,
    total_s=4240.0,
    # One process went on, one ended, one began meanwhile under the number of the one that ended.
    processes={(1, 0.5): 80.0, (2, 130.0): 6.0},
    fleet_memory_bytes=120_000,
)


def test_shares_of_the_machine() -> None:
    found = figures_between(BEFORE, AFTER, 7.0, 0.5, 0.01)
    assert (found.t_s, found.cpu, found.memory, found.loop, found.lag_s) == (7.0, 0.25, 0.3, 0.5, 0.01)
    assert (found.cores, found.fleet_cores) == (4.0, 0.6)  # 30 s and 6 s within 60 s
    assert found.other_cores == pytest.approx(0.4)  # of four, a quarter is in use
    assert (found.memory_limit_bytes, found.fleet_memory_bytes) == (1_000_000, 120_000)


def test_the_fuller_of_machine_and_group_counts() -> None:
    before = msgspec.structs.replace(BEFORE, groups=GroupLimits(Quota(1.5, 10.0), Limit(400_000, 100_000)))
    after = msgspec.structs.replace(AFTER, groups=GroupLimits(Quota(1.5, 55.0), Limit(400_000, 300_000)))
    found = figures_between(before, after, 0.0, None, None)
    assert found.cpu == 0.5  # 45 s of 60 s with one and a half processors; the machine's are 25 % in use
    assert found.memory == 0.75
    assert (found.cores, found.memory_limit_bytes) == (1.5, 400_000)
    roomy = msgspec.structs.replace(AFTER, groups=GroupLimits(Quota(1.5, 10.6), Limit(400_000, 40_000)))
    assert (figures_between(before, roomy, 0.0, None, None).cpu, roomy.memory_total_bytes) == (0.25, 1_000_000)


def test_what_cannot_be_told_is_not_known() -> None:
    stood = msgspec.structs.replace(AFTER, total_s=BEFORE.total_s, busy_s=BEFORE.busy_s)
    assert figures_between(BEFORE, stood, 0.0, None, None).cpu is None
    unseen = msgspec.structs.replace(AFTER, busy_s=None, memory_free_bytes=None, fleet_memory_bytes=None)
    found = figures_between(BEFORE, unseen, 0.0, None, None)
    assert (found.cpu, found.memory, found.fleet_memory_bytes, found.loop, found.lag_s) == (None,) * 5


def test_the_worst_lag_leaves_one_in_twenty_out() -> None:
    assert worst_lag_s([]) is None
    assert worst_lag_s([0.3]) == 0.3
    assert worst_lag_s([0.001] * 95 + [0.2] * 5) == 0.001
    assert worst_lag_s([0.001] * 94 + [0.2] * 6) == 0.2


def reader(*readings: Reading | Exception) -> Meter:
    left: Iterator[Reading | Exception] = iter(readings)

    def read() -> Reading:
        found = next(left)
        if isinstance(found, Exception):
            raise found
        return found

    return Meter(read)


async def test_a_first_look_and_one_after_a_failure_know_nothing_yet() -> None:
    meter = reader(BEFORE, AFTER, psutil.AccessDenied(), AFTER, msgspec.structs.replace(AFTER, at_s=170.0, slept_s=65))
    await meter.begin()
    await asyncio.sleep(60)
    first = await meter.measure(60.0)
    assert (first.figures.cpu, first.slept_s) == (0.25, 0.0)
    for t_s in (120.0, 180.0):
        known = (await meter.measure(t_s)).figures
        assert known == Figures(t_s)
    assert (await meter.measure(240.0)).slept_s == 60.0


async def test_how_late_the_loop_is_is_noted() -> None:
    meter = reader(BEFORE, AFTER)
    await meter.begin()
    loop = asyncio.get_running_loop()
    watching = asyncio.create_task(meter.watch_loop(lambda: 60.0))
    await asyncio.sleep(3)
    loop.call_later(0.1, loop.advance, 1.0)  # type: ignore[attr-defined] # the virtual clock's
    await asyncio.sleep(3)
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    assert (await meter.measure(6.0)).figures.lag_s == pytest.approx(0.6)


@pytest.mark.may_block
def test_this_machine_is_read() -> None:
    before = take_reading()
    while (after := take_reading()).total_s == before.total_s or after.at_s < before.at_s + 0.05:
        sum(range(20_000))
    found = figures_between(before, after, 0.0, None, None)
    assert found.cpu is not None
    assert 0 <= found.cpu <= 1
    assert found.memory is not None
    assert 0 < found.memory < 1
    assert found.cores is not None
    assert found.cores > 0
    assert found.fleet_cores is not None
    assert found.fleet_memory_bytes is not None
    assert found.fleet_memory_bytes > 1_000_000
