from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from actors import ActorSystem
from orchestrator.money import ledger as ledger_module
from orchestrator.money.ledger import Ledger
from orchestrator.money.messages import ReadEntries, ReadEntry, ReadTotals, VerifyLedger
from orchestrator.money.queries import BadCursor
from orchestrator.money.report import TotalsItem
from orchestrator.money.revenue_log import FILE_NAME
from orchestrator.money.writer import OutcomeUnknown
from streams.booking import (
    Book,
    BookingRejected,
    FindBooking,
    KeyConflict,
    LedgerRef,
    LedgerUnavailable,
    ReadMeters,
    Receipt,
)
from tests.orchestrator.money.bookings import api_call, ledger_with

ONE = "api_services-001"
WAIT_S = 20.0


@pytest.fixture
def instances(tmp_path: Path) -> Path:
    (tmp_path / "instances" / ONE).mkdir(parents=True)
    return tmp_path / "instances"


@pytest_asyncio.fixture
async def system() -> AsyncIterator[ActorSystem]:
    async with ActorSystem("test") as system:
        yield system


def log_lines(instances: Path, instance: str = ONE) -> int:
    log = instances / instance / FILE_NAME
    return log.read_text().count("\n") if log.exists() else 0


async def until_lines(instances: Path, expected: int) -> None:
    async with asyncio.timeout(WAIT_S):
        while log_lines(instances) != expected:
            await asyncio.sleep(0.005)


async def test_an_instance_books_finds_and_meters(system: ActorSystem, path: Path, instances: Path) -> None:
    whole = await system.spawn(lambda: Ledger(path, instances), name="ledger")
    ledger: LedgerRef = whole  # all that an instance sees of it
    receipt = await ledger.ask(api_call(1), timeout=WAIT_S)
    assert (receipt.sequence, receipt.replayed) == (1, False)
    assert (await ledger.ask(api_call(1), timeout=WAIT_S)).replayed
    with pytest.raises(KeyConflict):
        await ledger.ask(api_call(1, units=1), timeout=WAIT_S)
    with pytest.raises(BookingRejected):
        await ledger.ask(api_call(2, postings=()), timeout=WAIT_S)
    found = await ledger.ask(FindBooking("paper", api_call(1).key), timeout=WAIT_S)
    assert found is not None
    assert found.receipt.id == receipt.id
    assert await ledger.ask(FindBooking("live", api_call(1).key), timeout=WAIT_S) is None
    assert await ledger.ask(ReadMeters("calls:"), timeout=WAIT_S) == {"calls:ak_1:2026-01": 1}


async def test_meters_are_read_with_every_booking_that_came_before(
    system: ActorSystem, path: Path, instances: Path
) -> None:
    ledger = await system.spawn(lambda: Ledger(path, instances), name="ledger")
    for n in range(1, 200, 20):
        bookings = [ledger.ask(api_call(n + i), timeout=WAIT_S) for i in range(20)]
        meters = ledger.ask(ReadMeters("calls:"), timeout=WAIT_S)
        assert (await meters)["calls:ak_1:2026-01"] == n + 19
        await asyncio.gather(*bookings)


async def test_totals_entries_and_verification(system: ActorSystem, path: Path, instances: Path) -> None:
    ledger = await system.spawn(lambda: Ledger(path, instances), name="ledger")
    receipts = await asyncio.gather(*(ledger.ask(api_call(n), timeout=WAIT_S) for n in range(10)))
    totals = await ledger.ask(ReadTotals("paper", "instance"), timeout=WAIT_S)
    assert totals.items == (TotalsItem("USD", "income", "posted", "0.02", stream="api_services", instance=ONE),)
    page = await ledger.ask(ReadEntries(instance=ONE, limit=4, newest_first=True), timeout=WAIT_S)
    assert [entry.sequence for entry in page.items] == [10, 9, 8, 7]
    page = await ledger.ask(
        ReadEntries(instance=ONE, limit=4, newest_first=True, cursor=page.next_cursor), timeout=WAIT_S
    )
    assert [entry.sequence for entry in page.items] == [6, 5, 4, 3]
    entry = await ledger.ask(ReadEntry(receipts[0].id), timeout=WAIT_S)
    assert entry is not None
    assert entry.sequence == receipts[0].sequence
    with pytest.raises(BadCursor):
        await ledger.ask(ReadEntries(cursor="elsewhere"), timeout=WAIT_S)
    reports = await asyncio.gather(*(ledger.ask(VerifyLedger(), timeout=WAIT_S) for _ in range(3)))
    assert (reports[0].ok, reports[0].transactions) == (True, 10)
    assert reports[0] is reports[1] is reports[2]  # one verification answered them all


async def test_a_verification_that_cannot_run_is_refused(system: ActorSystem, path: Path, instances: Path) -> None:
    ledger = await system.spawn(lambda: Ledger(path, instances), name="ledger")
    path.unlink()
    with pytest.raises(LedgerUnavailable, match="there is no ledger here"):
        await ledger.ask(VerifyLedger(), timeout=WAIT_S)


async def test_what_is_booked_is_heard_and_written_to_the_revenue_log(
    system: ActorSystem, path: Path, instances: Path
) -> None:
    heard: list[tuple[Book, Receipt]] = []
    ledger = await system.spawn(lambda: Ledger(path, instances, heard.extend), name="ledger")
    receipt = await ledger.ask(api_call(1), timeout=WAIT_S)
    assert heard == [(api_call(1), receipt)]
    await until_lines(instances, 1)
    await ledger.ask(api_call(2), timeout=WAIT_S)
    await until_lines(instances, 2)


async def test_a_booking_after_a_long_rest_is_in_the_revenue_log_at_once(
    system: ActorSystem, path: Path, instances: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "_LOG_EVERY_S", 0.0)
    ledger = await system.spawn(lambda: Ledger(path, instances), name="ledger")
    rest_s = 0.4
    await asyncio.sleep(rest_s)
    await ledger.ask(api_call(1), timeout=WAIT_S)
    async with asyncio.timeout(rest_s * 0.75):
        await until_lines(instances, 1)


async def test_a_clean_stop_leaves_the_ledger_and_the_sums_of_its_pages(path: Path, instances: Path) -> None:
    async with ActorSystem("test") as system:
        ledger = await system.spawn(lambda: Ledger(path, instances), name="ledger")
        await ledger.ask(api_call(1), timeout=WAIT_S)
    assert {file.name for file in path.parent.glob(f"{path.name}*")} <= {
        path.name,
        f"{path.name}-pages",
        f"{path.name}.lock",
    }


async def test_stopping_leaves_nothing_unwritten(path: Path, instances: Path) -> None:
    async with ActorSystem("test") as system:
        ledger = await system.spawn(lambda: Ledger(path, instances), name="ledger")
        waiting = [ledger.ask(api_call(n), timeout=WAIT_S) for n in range(300)]
        await waiting[0]
    answered = [future for future in waiting if future.exception() is None]
    assert len(answered) == log_lines(instances) == 300
    async with ActorSystem("test") as system:
        ledger = await system.spawn(lambda: Ledger(path, instances), name="ledger")
        assert (await ledger.ask(VerifyLedger(), timeout=WAIT_S)).transactions == 300


async def test_a_revenue_log_is_caught_up_at_the_start(system: ActorSystem, path: Path, instances: Path) -> None:
    await asyncio.to_thread(ledger_with, path, *(api_call(n) for n in range(5)))
    await system.spawn(lambda: Ledger(path, instances), name="ledger")
    await until_lines(instances, 5)


async def test_a_revenue_log_that_cannot_be_written_holds_up_no_booking_and_is_caught_up(
    system: ActorSystem, path: Path, instances: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "_LOG_RETRY_S", 0.01)
    (instances / ONE / FILE_NAME).mkdir()
    ledger = await system.spawn(lambda: Ledger(path, instances), name="ledger")
    for n in range(3):
        assert (await ledger.ask(api_call(n), timeout=WAIT_S)).sequence == n + 1
        await asyncio.sleep(0.02)
    (instances / ONE / FILE_NAME).rmdir()
    await until_lines(instances, 3)
    await ledger.ask(api_call(3), timeout=WAIT_S)
    await until_lines(instances, 4)


async def test_the_ledger_that_failed_goes_on_where_it_was_after_its_restart(
    system: ActorSystem, path: Path, instances: Path
) -> None:
    broken = False

    def break_once(_: object) -> None:
        nonlocal broken
        if not broken:
            broken = True
            raise ZeroDivisionError

    ledgers: list[Ledger] = []

    def make() -> Ledger:
        ledgers.append(Ledger(path, instances))
        return ledgers[-1]

    ledger = await system.spawn(make, name="ledger")
    await ledger.ask(api_call(1), timeout=WAIT_S)
    ledgers[0]._writer._store.write_group = break_once  # type: ignore[method-assign, assignment]
    with pytest.raises(OutcomeUnknown, match="writer ended"):
        await ledger.ask(api_call(2), timeout=WAIT_S)
    assert (await ledger.ask(api_call(2), timeout=WAIT_S)).sequence == 2
    assert len(ledgers) == 2
