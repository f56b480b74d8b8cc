from __future__ import annotations

import asyncio

import pytest

from actors.testing import run_virtual
from streams.data_harvesting.fetching.schedule import HostSchedule, HostWaits


def schedule_here() -> HostSchedule:
    return HostSchedule(asyncio.get_running_loop().time)


async def visits(schedule: HostSchedule, count: int, took_s: float, **how: object) -> list[float]:
    loop = asyncio.get_running_loop()
    begun: list[float] = []

    async def visit() -> None:
        async with schedule.turn("a:80", **{"concurrency": 1, "delay_s": 0.0, "patience_s": 100.0, **how}):  # type: ignore[arg-type]
            begun.append(round(loop.time(), 6))
            await asyncio.sleep(took_s)

    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(visit())
    return begun


def test_turns_are_apart_by_the_delay_from_beginning_to_beginning() -> None:
    async def scene() -> list[float]:
        return await visits(schedule_here(), 4, 0.2, delay_s=1.0, concurrency=2)

    assert run_virtual(scene) == [0, 1, 2, 3]


def test_a_strict_delay_counts_from_the_end_of_the_turn_before() -> None:
    async def scene() -> list[float]:
        return await visits(schedule_here(), 3, 0.5, delay_s=1.0, strict=True)

    assert run_virtual(scene) == [0, 1.5, 3]


def test_no_more_hold_a_turn_than_may() -> None:
    async def scene() -> list[float]:
        return await visits(schedule_here(), 5, 1.0, concurrency=2)

    assert run_virtual(scene) == [0, 0, 1, 1, 2]


def test_hosts_do_not_wait_for_each_other() -> None:
    async def scene() -> float:
        schedule = schedule_here()
        schedule.pause("b:80", 50)
        await visits(schedule, 1, 0)
        return asyncio.get_running_loop().time()

    assert run_virtual(scene) == 0


def test_a_pause_that_comes_while_others_wait_holds_them_too() -> None:
    async def scene() -> list[float]:
        schedule = schedule_here()
        asyncio.get_running_loop().call_later(0.5, schedule.pause, "a:80", 10)
        return await visits(schedule, 2, 0.1, delay_s=1.0)

    assert run_virtual(scene) == [0, 10.5]


def test_a_pause_past_the_patience_ends_the_wait_with_the_time_to_come_back() -> None:
    async def scene() -> float:
        schedule = schedule_here()
        schedule.pause("a:80", 30)
        with pytest.raises(HostWaits) as caught:
            await visits_of_one(schedule)
        return caught.value.wait_s

    async def visits_of_one(schedule: HostSchedule) -> None:
        async with schedule.turn("a:80", concurrency=1, delay_s=0, patience_s=10):
            pass

    assert run_virtual(scene) == 30


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    async def scene() -> float:
        schedule = schedule_here()
        schedule.pause("a:80", 30)
        schedule.pause("a:80", 5)
        return schedule.wait_s("a:80")

    assert run_virtual(scene) == 30


def test_pauses_after_errors_double_up_to_a_limit_and_are_forgotten_once_it_works() -> None:
    async def scene() -> list[float]:
        schedule = schedule_here()
        pauses = [schedule.failed("a:80", first_s=5, most_s=30) for _ in range(5)]
        schedule.worked("a:80")
        return [*pauses, schedule.failed("a:80", first_s=5, most_s=30)]

    assert run_virtual(scene) == [5, 10, 20, 30, 30, 5]


def test_who_is_cancelled_while_waiting_leaves_the_queue_moving() -> None:
    async def scene() -> list[float]:
        schedule = schedule_here()
        holder = asyncio.ensure_future(visits(schedule, 1, 5.0))
        await asyncio.sleep(0)
        waiting = asyncio.ensure_future(visits(schedule, 1, 0.0))
        await asyncio.sleep(1)
        waiting.cancel()
        await asyncio.wait((waiting,))
        after = await visits(schedule, 1, 0.0)
        await holder
        return after

    assert run_virtual(scene) == [5]


@pytest.mark.parametrize("fails", [False, True])
def test_memory_is_bounded_over_any_number_of_hosts(monkeypatch: pytest.MonkeyPatch, fails: bool) -> None:
    monkeypatch.setattr("streams.data_harvesting.fetching.schedule._MAX_HOSTS", 100)

    async def scene() -> int:
        schedule = schedule_here()
        for number in range(1_005):
            async with schedule.turn(f"h{number}:80", concurrency=1, delay_s=0, patience_s=0):
                await asyncio.sleep(60)
                if fails:
                    schedule.failed(f"h{number}:80", first_s=5, most_s=60)
        return len(schedule._hosts)

    assert run_virtual(scene) <= 101
