"""A pace without a loop that ticks."""

from __future__ import annotations

import asyncio

import pytest

from streams.crypto_arbitrage.pacing import Pacer


async def test_calls_wait_for_their_turn_and_for_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s, waits = 1000.0, []

    async def sleep(delay_s: float) -> None:
        nonlocal now_s
        if delay_s > 1e-9:  # what binary fractions leave
            waits.append(round(delay_s, 6))
        now_s += delay_s

    monkeypatch.setattr(asyncio, "sleep", sleep)
    pacer = Pacer(0.1, lambda: now_s)
    for _ in range(8):
        await pacer()
    assert waits == [0.1, 0.1]  # six at once after a rest, then at the pace
    await pacer(5.0)
    await pacer()
    assert waits == [0.1, 0.1, 0.1, 0.5]
    now_s += 60.0
    for _ in range(6):
        await pacer()
    assert len(waits) == 4
