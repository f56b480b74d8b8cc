from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from orchestrator.money import writer as writer_module
from orchestrator.money.group import Outcome
from orchestrator.money.preparation import Prepared
from orchestrator.money.schema import LedgerFileError
from orchestrator.money.store import Store
from orchestrator.money.verify import verify
from orchestrator.money.writer import GroupWriter, OutcomeUnknown
from streams.booking import Book, BookingRejected, KeyConflict, LedgerUnavailable, Receipt
from tests.orchestrator.money.bookings import api_call, ledger_with


class HeldStore(Store):
    """A real store whose thread waits for a permit before each group, and counts the groups."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.permit = threading.Semaphore(0)
        self.groups: list[int] = []
        self.breaks = False
        self.breaks_after = False

    def write_group(self, group: Sequence[Prepared]) -> list[Outcome | LedgerUnavailable]:
        self.permit.acquire()
        if self.breaks:
            raise ZeroDivisionError("a bug")
        self.groups.append(len(group))
        outcomes = super().write_group(group)
        if self.breaks_after:
            raise ZeroDivisionError("a bug")
        return outcomes


@pytest.fixture
def held(path: Path) -> HeldStore:
    return HeldStore(path)


@pytest_asyncio.fixture
async def writer(held: HeldStore) -> AsyncIterator[GroupWriter]:
    writer = GroupWriter(held)
    await writer.start()
    yield writer
    held.permit.release(1000)
    await writer.close()


async def limit_pages(store: Store, pages: int | None) -> None:
    """Fill the disk, as far as SQLite is concerned, or make room again."""

    def limit() -> None:
        if pages is None:
            store.connection.execute("PRAGMA max_page_count = 1000000").fetchone()
        else:
            (used,) = store.connection.execute("PRAGMA page_count").fetchone()
            store.connection.execute(f"PRAGMA max_page_count = {used + pages}").fetchone()

    await asyncio.to_thread(limit)


async def in_thread(function: Callable[..., Any], *args: Any) -> Any:
    return await asyncio.to_thread(function, *args)


async def test_a_receipt_comes_after_the_commit(held: HeldStore, writer: GroupWriter, path: Path) -> None:
    future = writer.submit(api_call(1))
    await asyncio.sleep(0.02)
    assert not future.done()
    assert (await in_thread(verify, path)).transactions == 0
    held.permit.release()
    assert (await future).sequence == 1
    assert (await in_thread(verify, path)).transactions == 1


async def test_what_comes_while_a_group_is_written_is_written_together_in_order(
    held: HeldStore, writer: GroupWriter
) -> None:
    first = writer.submit(api_call(0))
    await asyncio.sleep(0.02)
    others = []
    for n in range(1, 100):
        others.append(writer.submit(api_call(n)))
        if n % 10 == 0:
            await asyncio.sleep(0)
    held.permit.release(2)
    receipts = await asyncio.gather(first, *others)
    assert [receipt.sequence for receipt in receipts] == list(range(1, 101))
    assert held.groups == [1, 99]


async def test_what_comes_in_one_turn_of_the_loop_is_one_group(held: HeldStore, writer: GroupWriter) -> None:
    held.permit.release(1)
    await asyncio.gather(*(writer.submit(api_call(n)) for n in range(50)))
    assert held.groups == [50]


async def test_groups_are_bounded(held: HeldStore, writer: GroupWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "MAX_GROUP", 20)
    held.permit.release(100)
    await asyncio.gather(*(writer.submit(api_call(n)) for n in range(90)))
    assert sum(held.groups) == 90
    assert max(held.groups) <= 20


async def test_a_rejection_reaches_its_caller_only(held: HeldStore, writer: GroupWriter) -> None:
    held.permit.release(10)
    with pytest.raises(BookingRejected, match="2 to 256 postings"):
        writer.submit(api_call(1, postings=()))
    good, other = writer.submit(api_call(2)), writer.submit(api_call(2, units=1))
    assert (await good).sequence == 1
    with pytest.raises(KeyConflict):
        await other
    assert writer.waiting == 0


async def test_the_hook_hears_what_was_booked_for_the_first_time(path: Path) -> None:
    heard: list[tuple[tuple[Book, Receipt], ...]] = []
    writer = GroupWriter(Store(path), heard.append)
    await writer.start()
    receipts = await asyncio.gather(*(writer.submit(api_call(n)) for n in (1, 2, 1)))
    await writer.submit(api_call(2))
    await writer.close()
    assert heard == [((api_call(1), receipts[0]), (api_call(2), receipts[1]))]


async def test_a_cancelled_caller_harms_nobody(held: HeldStore, writer: GroupWriter) -> None:
    gone, kept = writer.submit(api_call(1)), writer.submit(api_call(2))
    gone.cancel()
    held.permit.release(10)
    assert (await kept).sequence == 2
    assert (await writer.submit(api_call(1))).replayed


async def test_a_full_queue_refuses_at_once(
    held: HeldStore, writer: GroupWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "MAX_WAITING", 3)
    waiting = [writer.submit(api_call(n)) for n in range(3)]
    with pytest.raises(LedgerUnavailable, match="3 bookings are waiting") as refused:
        writer.submit(api_call(4))
    assert refused.value.retry_after_s > 0
    held.permit.release(10)
    await asyncio.gather(*waiting)
    assert (await writer.submit(api_call(4))).sequence == 4


async def test_a_full_disk_refuses_a_group_and_the_next_one_is_booked_when_there_is_room(
    held: HeldStore, writer: GroupWriter, path: Path
) -> None:
    held.permit.release(1000)
    await writer.submit(api_call(0))
    await limit_pages(held, 0)
    refused = await asyncio.gather(*(writer.submit(api_call(n)) for n in range(1, 500)), return_exceptions=True)
    assert {type(outcome) for outcome in refused} == {LedgerUnavailable}
    assert "disk is full" in str(refused[0])
    assert (await in_thread(verify, path)).transactions == 1
    await limit_pages(held, None)
    booked = await asyncio.gather(*(writer.submit(api_call(n)) for n in range(1, 500)))
    assert {receipt.sequence for receipt in booked} == set(range(2, 501))
    assert (await in_thread(verify, path)).ok


async def test_closing_writes_what_waits(path: Path) -> None:
    writer = GroupWriter(Store(path))
    await writer.start()
    waiting = [writer.submit(api_call(n)) for n in range(200)]
    await writer.close()
    assert [future.result().sequence for future in waiting] == list(range(1, 201))
    await writer.finished()
    with pytest.raises(LedgerUnavailable, match="not open"):
        writer.submit(api_call(1))
    await writer.close()


async def test_before_the_start_nothing_is_taken_and_closing_does_nothing(path: Path) -> None:
    writer = GroupWriter(Store(path))
    with pytest.raises(LedgerUnavailable, match="not open"):
        writer.submit(api_call(1))
    await writer.finished()
    await writer.close()


async def test_a_ledger_that_cannot_be_opened_fails_the_start(path: Path) -> None:
    path.write_bytes(b"not a database, but longer than nothing at all" * 50)
    writer = GroupWriter(Store(path))
    with pytest.raises(LedgerFileError, match="no database"):
        await writer.start()
    await writer.close()


async def test_a_bug_in_the_thread_answers_everyone_and_is_told_to_who_watches(held: HeldStore, path: Path) -> None:
    writer = GroupWriter(held)
    await writer.start()
    futures = [writer.submit(api_call(1))]
    await asyncio.sleep(0.02)
    futures += [writer.submit(api_call(n)) for n in (2, 3)]
    held.breaks = True
    held.permit.release()
    outcomes = await asyncio.gather(*futures, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [OutcomeUnknown, LedgerUnavailable, LedgerUnavailable]
    assert writer.waiting == 0
    with pytest.raises(ZeroDivisionError):
        await writer.finished()
    await writer.close()
    await in_thread(ledger_with, path, api_call(1))  # the lock was let go


async def test_what_may_have_been_committed_is_never_called_unbooked(held: HeldStore, path: Path) -> None:
    writer = GroupWriter(held)
    await writer.start()
    held.breaks_after = True
    held.permit.release()
    with pytest.raises(OutcomeUnknown):
        await writer.submit(api_call(1))
    with pytest.raises(ZeroDivisionError):
        await writer.finished()
    await writer.close()
    assert (await in_thread(verify, path)).transactions == 1


async def test_a_failure_to_tidy_up_takes_no_receipt_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(path)

    def fail(*, idle: bool = False) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(store, "checkpoint", fail)
    writer = GroupWriter(store)
    await writer.start()
    assert (await writer.submit(api_call(1))).sequence == 1
    with pytest.raises(ZeroDivisionError):
        await writer.finished()
    await writer.close()


async def test_one_can_wait_for_all_that_was_taken_so_far(held: HeldStore, writer: GroupWriter) -> None:
    await writer.answered()
    first = writer.submit(api_call(1))
    before = writer.answered()
    held.permit.release()
    await first
    later = writer.submit(api_call(2))
    await before
    assert not later.done()
    after = writer.answered()
    await asyncio.sleep(0.01)
    assert not after.done()
    held.permit.release()
    await after
    assert later.done()


async def test_the_log_is_moved_into_the_database_when_there_is_nothing_to_do(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "_IDLE_S", 0.01)
    writer = GroupWriter(Store(path))
    await writer.start()
    size = path.stat().st_size
    await writer.submit(api_call(1))
    async with asyncio.timeout(5):
        while path.stat().st_size == size:
            await asyncio.sleep(0.01)
    assert (await writer.submit(api_call(2))).sequence == 2
    await writer.close()
