from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.logs import MAX_TAIL_LINES, LogLimits, UnknownLevelError, configure, tail, tailing
from orchestrator.logs.line import compose
from orchestrator.logs.rotation import RotatingFile, rotated


def entry(event: str, level: str = "info", **fields: Any) -> bytes:
    return compose(level, "x", {"event": event, **fields}).encoded


async def events(lines: AsyncGenerator[bytes, None]) -> list[str]:
    return [msgspec.json.decode(line)["event"] async for line in lines]


async def following(lines: AsyncGenerator[bytes, None], count: int) -> list[str]:
    async with asyncio.timeout(10):
        return [msgspec.json.decode(await anext(lines))["event"] for _ in range(count)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "automate.jsonl"


async def test_the_last_lines_come_oldest_first(path: Path) -> None:
    path.write_bytes(b"".join(entry(str(number)) for number in range(100)))
    assert await events(tail(path, lines=3)) == ["97", "98", "99"]
    assert len(await events(tail(path, lines=1000))) == 100
    assert await events(tail(path, lines=0)) == []


async def test_a_file_that_does_not_exist_has_no_lines(path: Path) -> None:
    assert await events(tail(path, lines=10)) == []


async def test_lines_are_given_as_they_were_written(path: Path) -> None:
    written = entry("a", number=1)
    path.write_bytes(written)
    assert [line async for line in tail(path, lines=1)] == [written.rstrip(b"\n")]


async def test_level_and_instance_choose(path: Path) -> None:
    path.write_bytes(
        entry("1", instance="i-1")
        + entry("2", "error", instance="i-1")
        + entry("3", "critical", instance="i-2", about="i-1")
        + entry("4", "error")
        + entry("5", "warning", instance="i-1")
    )
    assert await events(tail(path, lines=10, level="error")) == ["2", "3", "4"]
    assert await events(tail(path, lines=10, instance="i-1")) == ["1", "2", "5"]
    assert await events(tail(path, lines=1, level="error", instance="i-1")) == ["2"]


async def test_torn_lines_are_left_out(path: Path) -> None:
    path.write_bytes(entry("1") + b'{"event": "torn\n' + b"\x00\x00\n\nnot json\n" + entry("2") + entry("3")[:-10])
    assert await events(tail(path, lines=10)) == ["1", "2"]


@pytest.mark.may_block
async def test_rotated_files_are_read_as_one(path: Path) -> None:
    file = RotatingFile(path, max_bytes=2000, keep=10)
    for number in range(100):
        file.append(entry(str(number)))
    file.close()
    assert rotated(path, 3).exists()
    assert await events(tail(path, lines=60)) == [str(number) for number in range(40, 100)]


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 3000), max_size=30),
    lines=st.integers(1, 40),
    block=st.sampled_from([1, 200, 1000, 100_000]),
)
async def test_blocks_of_any_size_give_the_same_lines(
    sizes: list[int], lines: int, block: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("tail") / "a.jsonl"
    path.write_bytes(b"".join(entry(str(number), pad="z" * size) for number, size in enumerate(sizes)))
    longest_line = max(sizes, default=0) + 300
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tailing, "_BLOCK_BYTES", max(block, longest_line))
        assert await events(tail(path, lines=lines)) == [str(number) for number in range(len(sizes))][-lines:]


async def test_following_goes_on_with_what_is_added(path: Path) -> None:
    path.write_bytes(entry("1"))
    lines = tail(path, lines=5, follow=True)
    assert await following(lines, 1) == ["1"]
    with path.open("ab") as file:
        whole = entry("3")
        file.write(entry("2") + whole[:20])
        file.flush()
        assert await following(lines, 1) == ["2"]
        file.write(whole[20:])
        file.flush()
        assert await following(lines, 1) == ["3"]
    await lines.aclose()


async def test_following_waits_for_a_file_that_is_yet_to_come(path: Path) -> None:
    lines = tail(path, lines=5, follow=True)
    first = asyncio.ensure_future(anext(lines))
    await asyncio.sleep(0.01)
    path.write_bytes(entry("1"))
    assert msgspec.json.decode(await asyncio.wait_for(first, 10))["event"] == "1"
    await lines.aclose()


@pytest.mark.may_block
async def test_following_loses_nothing_across_rotations(path: Path) -> None:
    file = RotatingFile(path, max_bytes=2000, keep=10)
    file.append(entry("start"))
    lines = tail(path, lines=1, follow=True)
    assert await following(lines, 1) == ["start"]
    for number in range(60):
        file.append(entry(str(number)))
    assert await following(lines, 60) == [str(number) for number in range(60)]
    for number in range(60, 70):
        file.append(entry(str(number)))
    assert await following(lines, 10) == [str(number) for number in range(60, 70)]
    file.close()
    await lines.aclose()


async def test_following_survives_a_file_that_is_cut_short_or_replaced(path: Path) -> None:
    path.write_bytes(entry("1") + entry("2"))
    lines = tail(path, lines=2, follow=True)
    assert await following(lines, 2) == ["1", "2"]
    path.write_bytes(entry("3"))
    assert await following(lines, 1) == ["3"]
    await lines.aclose()


async def test_following_nothing_costs_next_to_nothing_and_ends_when_cancelled(path: Path) -> None:
    path.write_bytes(entry("1"))
    lines = tail(path, lines=0, follow=True)
    used = time.process_time()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(lines), 0.3)
    assert time.process_time() - used < 0.15


async def test_bounds_are_kept(path: Path) -> None:
    for wrong in (-1, MAX_TAIL_LINES + 1):
        with pytest.raises(ValueError, match="between 0 and"):
            await anext(tail(path, lines=wrong))
    with pytest.raises(UnknownLevelError):
        await anext(tail(path, lines=1, level="loud"))


@pytest.mark.may_block
async def test_what_the_daemon_logs_is_what_is_read(path: Path) -> None:
    limits = LogLimits(linger_s=0.001, max_bytes=4000)
    with configure(path, console="off", environ={}, limits=limits) as system:
        log = structlog.get_logger("x")
        log.info("start", instance="i-1")
        await asyncio.to_thread(system.flush)
        lines = tail(path, lines=1, follow=True, instance="i-1")
        assert await following(lines, 1) == ["start"]
        for number in range(40):
            log.info(str(number), instance="i-1")
            log.info("other", instance="i-2")
            if number % 10 == 0:
                await asyncio.to_thread(system.flush)
        assert await following(lines, 40) == [str(number) for number in range(40)]
        await lines.aclose()
