from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from orchestrator.access.top import feed as feeding
from orchestrator.access.top.feed import Feed
from tests.orchestrator.access.wire import Gate, serving, until


class Heard:
    """What a feed called back."""

    def __init__(self) -> None:
        self.found: list[Any] = []
        self.told: list[Any] = []
        self.times = 0
        self.lost: list[tuple[str, float]] = []

    def hear(self, said: list[Any]) -> None:
        self.times += 1
        self.told += said


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "FIRST_DELAY_S", 0.01)
    monkeypatch.setattr(feeding, "LONGEST_DELAY_S", 0.04)
    monkeypatch.setattr(feeding, "_GATHERED_FOR_S", 0.02)


@asynccontextmanager
async def listening(path: Path) -> AsyncIterator[Heard]:
    heard = Heard()
    feed = Feed(
        path,
        "subscribe",
        None,
        "tick",
        found=heard.found.append,
        told=heard.hear,
        lost=lambda reason, delay_s: heard.lost.append((reason, delay_s)),
    )
    task = asyncio.create_task(feed.run())
    try:
        yield heard
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_what_is_said_together_is_handed_on_together_and_in_order(path: Path) -> None:
    gate = Gate()
    async with serving(path, gate), listening(path) as heard:
        await until(lambda: heard.found)
        assert heard.found == ["subscribed"]
        for number in range(100):
            gate.sessions[0].notify("tick", number)
            gate.sessions[0].notify("other", number)
        await until(lambda: len(heard.told) == 100)
        assert heard.told == list(range(100))
        assert heard.times < 20


async def test_a_lost_daemon_is_looked_for_ever_more_calmly_and_found_again(path: Path) -> None:
    async with listening(path) as heard:
        await until(lambda: len(heard.lost) >= 4)
        assert "no daemon listens" in heard.lost[0][0]
        assert [delay_s for _, delay_s in heard.lost[:4]] == [0.01, 0.02, 0.04, 0.04]
        await _found(path, heard, 1)
        await _found(path, heard, 2)
        assert any("hung up" in reason for reason, _ in heard.lost)


async def _found(path: Path, heard: Heard, times: int) -> None:
    lost = len(heard.lost)
    async with serving(path):
        await until(lambda: len(heard.found) == times)
    await until(lambda: len(heard.lost) > lost)


async def test_a_refusal_is_told_as_the_reason(path: Path) -> None:
    lost: list[str] = []
    feed = Feed(path, "refuse", None, "tick", found=print, told=print, lost=lambda reason, _: lost.append(reason))
    async with serving(path):
        task = asyncio.create_task(feed.run())
        await until(lambda: lost)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert "not while it rains" in lost[0]


async def test_the_end_wakes_the_thread_that_waits(path: Path) -> None:
    gate = Gate()
    async with serving(path, gate):
        async with listening(path) as heard:
            await until(lambda: heard.found)
        await until(lambda: gate.closed)
