"""The ledger's actor: bookings to the writer's thread, questions to the readers', verification to a process."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
import structlog

from actors import Actor, OwnedTask, on
from orchestrator.money.expiry import Expirer
from orchestrator.money.instants import now_us
from orchestrator.money.messages import ReadEntries, ReadEntry, ReadTotals, TellStories, VerifyLedger
from orchestrator.money.queries import find_booking, read_entries, read_entry, read_meters
from orchestrator.money.reader import Reader
from orchestrator.money.report import Entry, EntryPage, Totals, VerifyReport
from orchestrator.money.revenue_log import RevenueLogs
from orchestrator.money.store import Store
from orchestrator.money.story import Stories, read_stories
from orchestrator.money.totals import read_totals
from orchestrator.money.verify import EX_PROBLEM
from orchestrator.money.writer import GroupWriter, OnCommitted, OnRejected
from streams.booking import Book, Booked, FindBooking, LedgerUnavailable, ReadMeters, Receipt

_LOG_EVERY_S: Final = 0.1
_LOG_RETRY_S: Final = 5.0

_REPORT: Final = msgspec.json.Decoder(VerifyReport)
_log = structlog.get_logger(__name__)


class Ledger(
    Actor[Book | FindBooking | ReadMeters | ReadTotals | ReadEntries | ReadEntry | TellStories | VerifyLedger],
):
    """Books, and tells what is booked.

    Every answer comes later: the actor itself never waits. A booking's receipt comes after its commit.

    Args:
        path: The ledger's file; made, 0600, where it is missing. Its directory must exist.
        instances: The directory that holds the instances' directories, for their revenue logs.
        on_committed: Called on the loop with the bookings and receipts of each group, once they are on disk.
        clock: The wall clock, microseconds since 1970.
        on_rejected: Called on the loop with each booking that can never be made as it stands, and why.
    """

    mailbox_capacity = 8192
    # A database that was not closed is recovered first; one of an earlier version is copied and brought up to date.
    start_timeout_s = 3600.0
    stop_timeout_s = 30.0

    def __init__(
        self,
        path: Path,
        instances: Path,
        on_committed: OnCommitted | None = None,
        clock: Callable[[], int] = now_us,
        on_rejected: OnRejected | None = None,
    ) -> None:
        self._path = path
        self._on_committed = on_committed
        self._writer = GroupWriter(Store(path, clock), self._committed, on_rejected)
        self._reader = Reader(path, "ledger-reader")
        self._expirer = Expirer(self._reader, self._writer.submit, clock)
        self._searcher = Reader(path, "ledger-searcher")  # may take seconds, which nobody else is to wait for
        self._log_reader = Reader(path, "revenue-log")
        self._revenue_logs = RevenueLogs(instances)
        self._behind: set[str] | None = None  # None: any instance's log may be
        self._booked = asyncio.Event()
        self._tasks: list[OwnedTask] = []
        self._verification: asyncio.Future[VerifyReport] | None = None

    async def on_start(self) -> None:
        """Open the ledger; the writer's failure is from now on the actor's."""
        await self._writer.start()
        await self._reader.open()
        await self._searcher.open()
        await self._log_reader.open()
        self.context.start_task(self._writer.finished)
        self._tasks = [self.context.start_task(self._keep_revenue_logs), self.context.start_task(self._expirer.run)]

    async def on_stop(self, reason: BaseException | None) -> None:
        """Write what waits, then close; the writer last, so that SQLite takes its log back into the database."""
        try:
            for task in self._tasks:
                await task.cancel_and_wait()
            await self._writer.answered()
            with suppress(LedgerUnavailable, OSError):  # told before, and caught up with at the next start
                await self._log_reader.run(self._revenue_logs.bring_up_to_date, self._behind)
        finally:
            await self._log_reader.close()
            await self._searcher.close()
            await self._reader.close()
            await self._writer.close()

    @on(Book)
    def book(self, message: Book) -> asyncio.Future[Receipt]:
        """Book durably, once."""
        return self._writer.submit(message)

    @on(FindBooking)
    def find(self, message: FindBooking) -> asyncio.Future[Booked | None]:
        """Look a booking up by its key."""
        return self._reader.run(find_booking, message.book, message.key)

    @on(ReadMeters)
    def meters(self, message: ReadMeters) -> asyncio.Future[dict[str, int]]:
        """Read meters by prefix, with every booking in them that came before."""
        return self.context.answer_later(self._read_meters, self._writer.answered(), message.prefix)

    @on(ReadTotals)
    def totals(self, message: ReadTotals) -> asyncio.Future[Totals]:
        """Read income and cost."""
        return self._reader.run(read_totals, message.book, message.by, consolidated=message.consolidated)

    @on(ReadEntries)
    def entries(self, message: ReadEntries) -> asyncio.Future[EntryPage]:
        """Read a page of transactions."""
        return self._reader.run(
            read_entries,
            book=message.book,
            stream=message.stream,
            instance=message.instance,
            state=message.state,
            limit=message.limit,
            cursor=message.cursor,
            newest_first=message.newest_first,
        )

    @on(ReadEntry)
    def entry(self, message: ReadEntry) -> asyncio.Future[Entry | None]:
        """Read one transaction."""
        return self._reader.run(read_entry, message.id)

    @on(TellStories)
    def stories(self, message: TellStories) -> asyncio.Future[Stories]:
        """Tell the story of a cent."""
        return self._searcher.run(read_stories, message.name)

    @on(VerifyLedger)
    def verify(self, _: VerifyLedger) -> asyncio.Future[VerifyReport]:
        """Recompute everything, in a process of its own: in a thread it would take the loop's turns."""
        if self._verification is None or self._verification.done():
            self._verification = self.context.answer_later(_verify_in_process, self._path)
        return self._verification

    async def _read_meters(self, booked: asyncio.Future[None], prefix: str) -> dict[str, int]:
        await booked
        return await self._reader.run(read_meters, prefix)

    def _committed(self, booked: tuple[tuple[Book, Receipt], ...]) -> None:
        if self._behind is not None:
            self._behind.update(booking.instance for booking, _ in booked)
        self._booked.set()
        self._expirer.note(booking for booking, _ in booked)
        if self._on_committed is not None:
            self._on_committed(booked)

    async def _keep_revenue_logs(self) -> None:
        failing = False
        while True:
            behind, self._behind = self._behind, set()
            began = self.context.now()
            try:
                await self._log_reader.run(self._revenue_logs.bring_up_to_date, behind)
            except (LedgerUnavailable, OSError) as error:
                if not failing:
                    _log.warning("ledger.revenue_log_behind", reason=str(error))
                failing = True
                self._behind = None
                await asyncio.sleep(_LOG_RETRY_S)
            else:
                failing = False
                spent_s = self.context.now() - began
                await self._booked.wait()
                # Many bookings, one writing; and never more than half of the time, which bookings need, too.
                await asyncio.sleep(max(_LOG_EVERY_S, spent_s))
                self._booked.clear()


async def _verify_in_process(path: Path) -> VerifyReport:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "orchestrator.money.verify", str(path)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    try:
        output, complaint = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode not in {0, EX_PROBLEM} or not output:
        raise LedgerUnavailable(f"its verification failed: {complaint.decode(errors='replace').strip()[-500:]}")
    return _REPORT.decode(output)
