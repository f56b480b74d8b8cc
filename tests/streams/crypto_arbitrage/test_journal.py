"""The journal: what a kill at any byte leaves of it is what had happened."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from streams.booking import Posting
from streams.crypto_arbitrage.costing import Holding
from streams.crypto_arbitrage.journal import (
    JOURNAL_FILE,
    Booked,
    Finished,
    Journal,
    JournalDamaged,
    Planned,
    Refused,
    Sending,
    Settled,
)
from streams.crypto_arbitrage.order import Order, OrderReport
from streams.crypto_arbitrage.plan import Leg, Plan
from tests.streams.crypto_arbitrage.markets import market

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
PLAN = Plan("a" * 32, "way", "USDT", (Leg(market(), "buy", 5, 7),), 35, 1, NOW, 10.0)
ORDER: Order = PLAN.order(0, PLAN.legs[0])
SENDING = Sending(PLAN.id, ORDER, NOW)
SETTLED = Settled(
    OrderReport(ORDER.client_id, "1", 5, 35, (), NOW, b'{"id":1}'),
    "USDT",
    ORDER,
    (Posting("asset:x", "USDT", 1), Posting("income:x", "USDT", -1)),
    {"BTC": Holding(5, 35)},
    -3,
)


async def opened(directory: Path) -> Journal:
    journal = Journal(directory)
    await journal.load()
    return journal


async def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    journal = await opened(tmp_path)
    await journal.write(Planned(PLAN), SENDING)
    for _ in range(2):  # read from lines, then from one line that amounts to the same
        memory = (await opened(tmp_path)).memory
        assert (memory.plan, memory.orders) == (PLAN, [(SENDING, None)])
    journal = await opened(tmp_path)
    await journal.write(SETTLED)
    for _ in range(2):
        memory = (await opened(tmp_path)).memory
        assert memory.orders == [(SENDING, SETTLED)]
        assert memory.unbooked == {ORDER.client_id: SETTLED}
        assert memory.holdings == {"USDT": {"BTC": Holding(5, 35)}}
        assert memory.result_of("2026-11-25", "USDT") == -3
    journal = await opened(tmp_path)
    await journal.write(Booked(ORDER.client_id), Finished(PLAN.id, "residual"))
    memory = (await opened(tmp_path)).memory
    assert (memory.plan, memory.orders, memory.unbooked) == (None, [], {})
    assert memory.holdings == {"USDT": {"BTC": Holding(5, 35)}}


async def test_a_line_that_was_cut_off_never_happened(tmp_path: Path) -> None:
    journal = await opened(tmp_path)
    await journal.write(Planned(PLAN), SENDING)
    file = tmp_path / JOURNAL_FILE
    whole = file.read_bytes()
    for cut in range(len(whole) - 40, len(whole)):
        file.write_bytes(whole[:cut])
        memory = (await opened(tmp_path)).memory
        assert (memory.plan, memory.orders) == (PLAN, [])


async def test_a_damaged_line_in_the_middle_stops_everything(tmp_path: Path) -> None:
    (tmp_path / JOURNAL_FILE).write_bytes(b'{"type":"planned"}\n{}\n')
    with pytest.raises(JournalDamaged, match="line 1"):
        await opened(tmp_path)


async def test_an_order_that_was_refused_is_known_not_to_exist(tmp_path: Path) -> None:
    journal = await opened(tmp_path)
    refused = Refused(ORDER.client_id, "no money")
    await journal.write(Planned(PLAN), SENDING, refused)
    assert (await opened(tmp_path)).memory.orders == [(SENDING, refused)]


async def test_the_file_stays_small(tmp_path: Path) -> None:
    journal = await opened(tmp_path)
    for _ in range(400):
        await journal.write(Planned(PLAN), SENDING, SETTLED, Booked(ORDER.client_id), Finished(PLAN.id, "done"))
    assert (tmp_path / JOURNAL_FILE).stat().st_size < 600 * 1024
    assert (tmp_path / JOURNAL_FILE).stat().st_mode & 0o777 == 0o600
    assert (await opened(tmp_path)).memory.result_of("2026-11-25", "USDT") == -1200
