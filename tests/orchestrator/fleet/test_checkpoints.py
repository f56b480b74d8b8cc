from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from orchestrator.fleet import checkpoints as module
from orchestrator.fleet.checkpoints import Checkpoints
from orchestrator.fleet.instance import CHECKPOINT_EVERY_S, first_checkpoint_in_s

pytestmark = pytest.mark.may_block  # the tests themselves look at files


def names(directory: Path) -> list[str]:
    return sorted(file.name for file in directory.iterdir())


async def test_what_was_saved_is_read_and_nothing_is_nothing(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    assert await asyncio.to_thread(checkpoints.read, "stall-001") == b""
    await checkpoints.save("stall-001", b"one")
    await checkpoints.save("stall-001", b"two")
    assert await asyncio.to_thread(Checkpoints(tmp_path).read, "stall-001") == b"two"
    assert names(tmp_path) == ["stall-001"]


async def test_what_comes_while_a_group_is_written_is_the_next_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups: list[list[str]] = []
    write = module.write_all_atomically

    def record(files: dict[Path, bytes], *, sweep: bool) -> None:
        groups.append([file.name for file in files])
        write(files, sweep=sweep)

    monkeypatch.setattr(module, "write_all_atomically", record)
    checkpoints = Checkpoints(tmp_path)
    async with asyncio.TaskGroup() as tasks:
        for number in range(100):
            tasks.create_task(checkpoints.save(f"stall-{number}", b"%d" % number))
    assert [len(group) for group in groups] == [1, 99]
    assert sorted(file.read_bytes() for file in tmp_path.iterdir()) == sorted(b"%d" % number for number in range(100))


async def test_of_two_that_wait_the_later_one_counts(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    async with asyncio.TaskGroup() as tasks:
        for text in (b"first", b"second", b"third"):
            tasks.create_task(checkpoints.save("other", text))
            tasks.create_task(checkpoints.save("stall-001", text))
    assert await asyncio.to_thread(checkpoints.read, "stall-001") == b"third"


async def test_a_disk_that_is_full_is_told_to_all_of_the_group_and_the_former_ones_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = Checkpoints(tmp_path)
    await checkpoints.save("a", b"old")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(module, "write_all_atomically", full)
        told = await asyncio.gather(*(checkpoints.save(name, b"new") for name in "abc"), return_exceptions=True)
    assert [type(each) for each in told] == [OSError] * 3
    assert await asyncio.to_thread(checkpoints.read, "a") == b"old"
    await checkpoints.save("a", b"new")
    assert await asyncio.to_thread(checkpoints.read, "a") == b"new"


async def test_who_gives_up_takes_nothing_from_the_others(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    first, second, third = (asyncio.create_task(checkpoints.save(name, b"new")) for name in "abc")
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait((first, second, third))
    assert third.exception() is None
    assert await asyncio.to_thread(checkpoints.read, "c") == b"new"


async def test_what_a_kill_left_is_removed_at_the_first_save(tmp_path: Path) -> None:
    left, young = tmp_path / ".stall-001.0123.tmp", tmp_path / ".stall-002.4567.tmp"
    left.touch()
    young.touch()
    os.utime(left, (time.time() - 3600,) * 2)
    await Checkpoints(tmp_path).save("stall-003", b"new")
    assert names(tmp_path) == [young.name, "stall-003"]


def test_instances_that_are_started_at_once_are_saved_in_groups_over_half_a_minute() -> None:
    due = [1000.3 + first_checkpoint_in_s(f"api_services-{n:03d}", 1000.3) for n in range(3000)]
    assert min(due) >= 1002.0
    assert max(due) <= 1000.3 + CHECKPOINT_EVERY_S
    assert {at * 2 % 1 for at in due} == {0.0}
    assert 40 <= len(set(due)) <= 60
