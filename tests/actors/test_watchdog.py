from __future__ import annotations

import asyncio
import logging
from time import monotonic

import pytest

from actors import ActorSystem, LoopBlocked, LoopWatchdog
from actors.testing import Probe

pytestmark = pytest.mark.real_time


def spin(seconds: float) -> None:
    until = monotonic() + seconds
    while monotonic() < until:
        pass


async def test_a_handler_that_blocks_the_loop_is_named_with_its_line(caplog: pytest.LogCaptureFixture) -> None:
    probe = Probe()
    watchdog = LoopWatchdog("/", limit_s=0.05, interval_s=0.01, publish=probe.record)
    watchdog.start(asyncio.get_running_loop())
    try:
        await asyncio.sleep(0.05)
        with caplog.at_level(logging.ERROR):
            spin(0.2)
        event = await probe.expect(LoopBlocked)
    finally:
        await asyncio.to_thread(watchdog.stop)
    assert event.path == "/"
    assert 0.05 <= event.blocked_s < 5
    assert "in spin" in event.stack[-1]
    assert "test_watchdog.py" in event.stack[-1]
    assert "the event loop has been blocked for" in caplog.text
    assert "in spin" in caplog.text


async def test_it_is_logged_while_the_loop_is_still_blocked(caplog: pytest.LogCaptureFixture) -> None:
    watchdog = LoopWatchdog("/", limit_s=0.05, interval_s=0.01)
    watchdog.start(asyncio.get_running_loop())
    try:
        await asyncio.sleep(0.03)
        until = monotonic() + 5
        while "blocked" not in caplog.text and monotonic() < until:
            spin(0.01)
        assert "blocked" in caplog.text
    finally:
        await asyncio.to_thread(watchdog.stop)


async def test_a_loop_that_answers_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    probe = Probe()
    watchdog = LoopWatchdog("/", limit_s=1.0, interval_s=0.005, publish=probe.record)
    watchdog.start(asyncio.get_running_loop())
    await asyncio.sleep(0.05)
    await asyncio.to_thread(watchdog.stop)
    assert probe.received == []
    assert "blocked" not in caplog.text


async def test_a_system_watches_its_loop_and_ends_the_watch() -> None:
    probe = Probe()
    async with ActorSystem("test", blocked_limit_s=0.05) as system:
        system.events.subscribe(probe.record)
        await asyncio.sleep(0)
    assert probe.received[-1].path == "/"  # stopped; the thread's end is checked for every test
