"""Whatever goes wrong in whatever order: what is answered is booked once, what is not answered costs nothing."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from streams.metering.answer import Answer
from streams.metering.refusal import CallRefused
from tests.streams.ledgers import Fault
from tests.streams.metering.test_meter import PATIENT, PRICE, Shop, header, open_shop, until

CALLS = 300
UNTROUBLED = 20
IMPATIENT = msgspec.structs.replace(PATIENT, booking_timeout_s=0.02, settling_timeout_s=0.02, flight_timeout_s=0.2)


async def trouble(shop: Shop, rng: random.Random) -> None:
    faults: list[Fault] = ["unavailable", "stalled", "mute", "crash"]
    while True:
        shop.bench.faults.cleared.clear()
        shop.bench.faults.fault = rng.choice(faults)
        await asyncio.sleep(rng.uniform(0.0, 0.03))
        shop.bench.faults.clear()
        await asyncio.sleep(rng.uniform(0.0, 0.05))


async def attempt(shop: Shop, rng: random.Random, calling: asyncio.Task[Answer]) -> Answer | None:
    if rng.random() < 0.3:
        await asyncio.sleep(rng.uniform(0.0, 0.03))
        calling.cancel()
    try:
        return await calling
    except (CallRefused, asyncio.CancelledError):
        return None


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_no_charge_is_lost_doubled_or_kept_for_nothing(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    async with open_shop(tmp_path) as shop:
        account = await shop.account(quota=CALLS // 2, credit=CALLS // 3 * PRICE)
        answers = [await shop.call(account) for _ in range(UNTROUBLED)]
        shop.meter._limits = shop.meter._till._limits = IMPATIENT
        shop.meter._till._settlement._timeout_s = IMPATIENT.booking_timeout_s
        troubling = asyncio.create_task(trouble(shop, rng))
        attempts = []
        for number in range(CALLS):
            key = f"k{rng.randrange(40)}" if rng.random() < 0.4 else None
            content = key or f"call {number}"
            calling = asyncio.create_task(shop.call(account, content, idempotency_key=key))
            attempts.append(asyncio.create_task(attempt(shop, rng, calling)))
            if rng.random() < 0.2:
                await asyncio.sleep(rng.uniform(0.0, 0.01))
        answers += [answer for answer in await asyncio.gather(*attempts) if answer is not None]
        troubling.cancel()
        await asyncio.wait((troubling,))
        shop.bench.faults.clear()
        shop.meter._till._settlement._timeout_s = PATIENT.booking_timeout_s
        await until(lambda: shop.meter.funnel()["unsettled"] == 0)

        entries = await shop.bench.entries()
        refunded = {entry.corrects for entry in entries if entry.kind == "api.refund"}
        kept = {entry.id: entry for entry in entries if entry.kind == "api.call" and entry.id not in refunded}
        receipts = Counter(
            header(answer, "x-receipt") for answer in answers if header(answer, "idempotent-replayed") is None
        )
        assert len(receipts) >= UNTROUBLED
        assert set(receipts.values()) == {1}
        assert {header(answer, "x-receipt") for answer in answers} <= set(kept)
        # What stands without having been answered can be fetched with its Idempotency-Key.
        assert all("/idem/" in entry.key for entry in kept.values() if entry.id not in receipts)

        meters = await shop.bench.meters()
        assert meters[f"api_services-007/calls/2026-11/{account.record.id}"] == len(kept)
        assert meters[f"api_services-007/spent/{account.record.id}"] == len(kept) * PRICE
        allowance = account.allowance
        assert (allowance.calls, allowance.spent) == (len(kept), len(kept) * PRICE)
        assert (allowance.reserved_calls, allowance.reserved_units) == (0, 0)
        assert len(kept) <= CALLS // 3
