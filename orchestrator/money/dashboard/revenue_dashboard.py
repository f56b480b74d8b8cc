"""The revenue dashboard's actor: a report on schedule, and one whenever somebody asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from actors import Actor, ActorError, ActorRef, Request, on
from orchestrator.money.dashboard.composition import Wishes, compose
from orchestrator.money.dashboard.figures import read_figures
from orchestrator.money.dashboard.files import write_report
from orchestrator.money.dashboard.fleet import FleetNow, look_at
from orchestrator.money.dashboard.report import RevenueReport
from orchestrator.money.reader import Reader
from streams.booking import LedgerUnavailable
from streams.money import AmountError, UnknownAssetError

FIRST_AFTER_S: Final = 5.0
"""The first report is made this long after the start: a fleet of a hundred has come up by then."""

_EXPECTED: Final = (LedgerUnavailable, OSError, UnknownAssetError, AmountError)

_log = structlog.get_logger(__name__)


class MakeReport(Request[RevenueReport], frozen=True):
    """Make a report now.

    Attributes:
        instances: How many instances it breaks down at most; None for all.
        write: Whether to write the files, too; they break down all.
    """

    instances: int | None = None
    write: bool = False


class Schedule(msgspec.Struct, frozen=True):
    """What the owner wants, and how often.

    Attributes:
        wishes: What the reports are to say.
        interval_s: Seconds between two reports that nobody asked for.
    """

    wishes: Wishes
    interval_s: float


class RevenueDashboard(Actor[MakeReport]):
    """Reads the ledger by itself, so that no report holds up a booking or a question.

    Args:
        ledger: The ledger's file, which exists.
        reports: Where the files are written.
        fleet: The deployment manager.
        schedule: Reads the configuration in force.
        now: The wall clock.
    """

    def __init__(
        self,
        ledger: Path,
        reports: Path,
        fleet: ActorRef[Any],
        schedule: Callable[[], Schedule],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._reader = Reader(ledger, "revenue-dashboard")
        self._reports = reports
        self._fleet = fleet
        self._schedule = schedule
        self._now = now
        self._failing = False

    async def on_start(self) -> None:
        """Open the ledger for reading, and begin the schedule."""
        await self._reader.open()
        self.context.start_task(self._keep_reporting)

    async def on_stop(self, reason: BaseException | None) -> None:
        """Close the ledger."""
        await self._reader.close()

    @on(MakeReport)
    def make(self, message: MakeReport) -> asyncio.Future[RevenueReport]:
        """Make a report."""
        return self.context.answer_later(self._make, message.instances, message.write)

    async def _keep_reporting(self) -> None:
        await asyncio.sleep(FIRST_AFTER_S)
        while True:
            try:
                await self._make(None, write=True)
            except _EXPECTED as error:
                self._tell(error)
            except Exception as error:  # noqa: BLE001  a report that cannot be drawn is no reason to restart anything
                self._tell(error, exc_info=True)
            else:
                self._failing = False
            await asyncio.sleep(self._schedule().interval_s)

    def _tell(self, error: Exception, *, exc_info: bool = False) -> None:
        if not self._failing:  # once: the report that is there says of when it is
            _log.warning("revenue.report_failed", reason=str(error), exc_info=exc_info)
        self._failing = True

    async def _make(self, instances: int | None, write: bool) -> RevenueReport:
        try:
            fleet: FleetNow | None = await look_at(self._fleet)
        except ActorError as error:  # a report without the fleet says more than none
            _log.warning("revenue.fleet_unknown", reason=str(error))
            fleet = None
        figures = await self._reader.run(read_figures, self._now())
        wishes = self._schedule().wishes
        report = await asyncio.to_thread(compose, figures, fleet, wishes)
        if write:
            await asyncio.to_thread(write_report, report, self._reports)
            _log.info("revenue.reported", revenue=report.summary.total_revenue, asset=wishes.asset, book=wishes.book)
        return _shortened(report, instances)


def _shortened(report: RevenueReport, instances: int | None) -> RevenueReport:
    whole = report.instance_breakdown
    if instances is None or instances >= len(whole):
        return report
    return msgspec.structs.replace(
        report, instance_breakdown=whole[:instances], instances_left_out=len(whole) - instances
    )
