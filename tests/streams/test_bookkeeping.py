"""A booking is asked for until the ledger has said what came of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import structlog

from streams.booking import BookingRejected
from streams.bookkeeping import book_until_known
from tests.orchestrator.money.bookings import api_call
from tests.streams.ledgers import Fault, open_ledger

LOG = structlog.get_logger()


@pytest.mark.parametrize("fault", ["unavailable", "mute", "crash"])
async def test_it_is_made_once_whatever_kept_the_ledger_from_answering(tmp_path: Path, fault: Fault) -> None:
    async with open_ledger(tmp_path) as bench:
        bench.faults.fault = fault
        asking = asyncio.create_task(book_until_known(bench.ref, api_call(1), LOG, timeout_s=0.2))
        async with asyncio.timeout(10):
            while not bench.faults.submitted:
                await asyncio.sleep(0.01)
            bench.faults.clear()
            receipt = await asking
        assert [entry.id for entry in await bench.entries()] == [receipt.id]
        assert bench.faults.submitted >= 2


async def test_what_can_never_be_booked_is_the_callers_to_know(tmp_path: Path) -> None:
    async with open_ledger(tmp_path) as bench:
        with pytest.raises(BookingRejected, match="there is no book"):
            await book_until_known(bench.ref, api_call(1, book="dreams"), LOG)
        assert bench.faults.submitted == 1
