"""The kill switch: latched, over restarts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from streams.crypto_arbitrage.switch import SWITCH_FILE, ErrorRate, Halted, KillSwitch


def switch_in(directory: Path) -> KillSwitch:
    return KillSwitch(directory, lambda: datetime(2026, 11, 25, tzinfo=UTC))


async def test_an_open_switch_stays_open_over_a_restart_until_it_is_rearmed(tmp_path: Path) -> None:
    switch = switch_in(tmp_path)
    await switch.load()
    assert switch.halted is None
    assert await switch.halt("lost too much")
    assert not await switch.halt("something else")
    again = switch_in(tmp_path)
    await again.load()
    assert again.halted == Halted("lost too much", datetime(2026, 11, 25, tzinfo=UTC))
    assert await again.rearm()
    assert not await again.rearm()
    closed = switch_in(tmp_path)
    await closed.load()
    assert closed.halted is None


async def test_a_file_that_cannot_be_read_is_an_open_switch(tmp_path: Path) -> None:
    (tmp_path / SWITCH_FILE).write_text("{")
    switch = switch_in(tmp_path)
    await switch.load()
    assert switch.halted is not None
    assert SWITCH_FILE in switch.halted.reason


async def test_a_full_disk_opens_the_switch_and_keeps_it_once_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    switch = switch_in(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr("streams.crypto_arbitrage.switch.write_atomically", full)
        assert await switch.halt("lost too much")
        assert switch.halted is not None
        assert not await switch.save()
    assert await switch.save()
    again = switch_in(tmp_path)
    await again.load()
    assert again.halted == switch.halted


async def test_a_checkpoint_opens_the_switch_and_never_closes_it(tmp_path: Path) -> None:
    switch = switch_in(tmp_path)
    opened = Halted("by hand", datetime(2026, 11, 24, tzinfo=UTC))
    switch.take_over(opened)
    switch.take_over(None)
    await switch.load()
    assert switch.halted == opened


async def test_a_checkpoint_from_before_it_was_rearmed_does_not_open_it_again(tmp_path: Path) -> None:
    switch = switch_in(tmp_path)
    await switch.halt("lost too much")
    checkpoint = switch.halted
    await switch.rearm()
    killed_at_once = switch_in(tmp_path)
    killed_at_once.take_over(checkpoint)
    await killed_at_once.load()
    assert killed_at_once.halted is None
    later = switch_in(tmp_path)
    later.take_over(Halted("lost too much again", datetime(2026, 11, 26, tzinfo=UTC)))
    await later.load()
    assert later.halted is not None


def test_an_error_rate_needs_enough_orders_to_tell() -> None:
    rate = ErrorRate(window=10)
    for _ in range(7):
        rate.count(failed=True)
    assert not rate.above(0.5)
    rate.count(failed=True)
    assert rate.above(0.5)
    for _ in range(5):
        rate.count(failed=False)
    assert not rate.above(0.5)
    rate.forget()
    assert not rate.above(0.0)
