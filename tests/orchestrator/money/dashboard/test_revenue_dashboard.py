from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from actors import Actor, ActorRef, ActorSystem, StopChild, on
from orchestrator.fleet.messages import GetInstance, ListInstances, NotFound
from orchestrator.fleet.view import InstancePage, InstanceRow, InstanceState, InstanceView
from orchestrator.money.dashboard import fleet as fleet_module
from orchestrator.money.dashboard import revenue_dashboard
from orchestrator.money.dashboard.composition import Wishes
from orchestrator.money.dashboard.fleet import FleetNow, Member, look_at
from orchestrator.money.dashboard.revenue_dashboard import MakeReport, RevenueDashboard, Schedule
from streams.money import UnknownAssetError
from tests.orchestrator.money.bookings import NOON, api_call, ledger_with

WAIT_S = 20.0


class Manager(Actor[ListInstances | GetInstance]):
    """Answers as the deployment manager of a fleet of so many; one of them never answers, one is not ready."""

    def __init__(self, count: int = 5) -> None:
        self.rows = [
            InstanceRow(f"i-{n:03d}", "api_services", self._state(n), "127.0.0.1", 7800 + n, 0, None)
            for n in range(count)
        ]
        self.asked: list[str] = []

    @staticmethod
    def _state(n: int) -> InstanceState:
        return "standby" if n == 4 else "failed" if n == 3 else "ready"

    @on(ListInstances)
    def list(self, message: ListInstances) -> InstancePage:
        start = int(message.cursor or 0)
        end = start + min(message.limit, 2)
        return InstancePage(tuple(self.rows[start:end]), str(end) if end < len(self.rows) else None)

    @on(GetInstance)
    def get(self, message: GetInstance) -> InstanceView:
        self.asked.append(message.id)
        if message.id == "i-001":
            raise NotFound("it has just gone")
        return InstanceView(
            message.id, "api_services", "ready", "127.0.0.1", 1, "", "actor", {}, 0, None, None,
            ready=True, health="", up_s=1.0, funnel={"calls": 10, "charged": 4}, details={}, actions=(),
        )  # fmt: skip


@pytest_asyncio.fixture
async def system() -> AsyncIterator[ActorSystem]:
    async with ActorSystem("test") as system:
        yield system


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    (tmp_path / "reports").mkdir()
    return tmp_path / "reports"


Dashboard = ActorRef[Any]


async def started(
    system: ActorSystem, path: Path, reports: Path, schedule: Callable[[], Schedule] | None = None
) -> Dashboard:
    await asyncio.to_thread(ledger_with, path, api_call(1, units=1_000_000, instance="i-000"))
    manager = await system.spawn(Manager, "manager")
    usual = Schedule(Wishes("paper"), 3600)
    return await system.spawn(
        lambda: RevenueDashboard(path, reports, manager, schedule or (lambda: usual), lambda: NOON), "revenue_dashboard"
    )


async def test_the_fleet_is_asked_page_by_page_and_those_that_do_not_answer_are_left_out(system: ActorSystem) -> None:
    manager = await system.spawn(Manager, "manager")
    assert await look_at(manager) == FleetNow(
        {
            "i-000": Member("api_services", "ready"),
            "i-001": Member("api_services", "ready"),
            "i-002": Member("api_services", "ready"),
            "i-003": Member("api_services", "failed"),
        },
        {"api_services": {"calls": 20, "charged": 8}},
        2,
    )


async def test_of_a_large_fleet_some_are_asked_evenly(system: ActorSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_module, "MAX_ASKED", 4)
    manager = Manager(22)
    ref = await system.spawn(lambda: manager, "manager")
    found = await look_at(ref)
    assert (len(found.members), found.active, found.asked) == (21, 20, 4)
    assert manager.asked == ["i-000", "i-007", "i-012", "i-017"]


async def test_a_report_is_made_when_asked_for(system: ActorSystem, path: Path, reports: Path) -> None:
    dashboard = await started(system, path, reports)
    report = await dashboard.ask(MakeReport(instances=1), WAIT_S)
    assert report.summary.total_revenue == "1.00"
    assert (report.summary.active_instances, report.summary.total_instances) == (3, 4)
    assert [each.instance for each in report.instance_breakdown] == ["i-000"]
    assert report.instances_left_out == 3
    assert list(reports.iterdir()) == []


async def test_files_have_all_instances_whatever_was_asked_for(system: ActorSystem, path: Path, reports: Path) -> None:
    dashboard = await started(system, path, reports)
    report = await dashboard.ask(MakeReport(instances=0, write=True), WAIT_S)
    assert report.instance_breakdown == ()
    written = json.loads((reports / "revenue_analytics_report.json").read_text())
    assert [each["instance"] for each in written["instance_breakdown"]] == ["i-000", "i-001", "i-002", "i-003"]
    assert written["instances_left_out"] == 0


async def test_reports_come_on_schedule(
    system: ActorSystem, path: Path, reports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revenue_dashboard, "FIRST_AFTER_S", 0.01)
    await started(system, path, reports, lambda: Schedule(Wishes("paper"), 0.02))
    page = reports / "revenue_analytics_report.html"
    seen = set()
    async with asyncio.timeout(WAIT_S):
        while len(seen) < 3:
            await asyncio.sleep(0.01)
            if page.exists():
                seen.add(page.stat().st_ino)


async def test_a_full_disk_is_told_once_and_reports_go_on(
    system: ActorSystem, path: Path, reports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revenue_dashboard, "FIRST_AFTER_S", 0.0)
    real, tries = revenue_dashboard.write_report, 0

    def write_report(report: Any, directory: Path) -> Any:
        nonlocal tries
        tries += 1
        if tries < 4:
            raise OSError(28, "No space left on device")
        if tries == 4:
            raise KeyError("a mistake in the page")
        return real(report, directory)

    monkeypatch.setattr(revenue_dashboard, "write_report", write_report)
    with capture_logs() as logs:
        dashboard = await started(system, path, reports, lambda: Schedule(Wishes("paper"), 0.005))
        async with asyncio.timeout(WAIT_S):
            while not (reports / "revenue_analytics_report.html").exists():
                await asyncio.sleep(0.005)
    failures = [log for log in logs if log["event"] == "revenue.report_failed"]
    assert [log["reason"] for log in failures] == ["[Errno 28] No space left on device"]
    assert dashboard.vitals().restarts == 0


async def test_what_cannot_be_reported_is_the_askers_to_know(system: ActorSystem, path: Path, reports: Path) -> None:
    dashboard = await started(system, path, reports, lambda: Schedule(Wishes("paper", "XYZ"), 3600))
    with pytest.raises(UnknownAssetError):
        await dashboard.ask(MakeReport(), WAIT_S)
    assert dashboard.vitals().restarts == 0


async def test_without_the_fleet_a_report_says_what_the_ledger_knows(
    system: ActorSystem, path: Path, reports: Path
) -> None:
    dashboard = await started(system, path, reports)
    await system.root.ask(StopChild("manager"), WAIT_S)
    report = await dashboard.ask(MakeReport(), WAIT_S)
    assert (report.summary.active_instances, report.summary.total_instances) == (0, 1)


async def test_the_present_decides_what_is_today(system: ActorSystem, path: Path, reports: Path) -> None:
    await asyncio.to_thread(ledger_with, path, api_call(9, units=5_000_000, occurred_at=NOON - timedelta(days=1)))
    dashboard = await started(system, path, reports)
    report = await dashboard.ask(MakeReport(), WAIT_S)
    assert (report.summary.total_revenue, report.summary.today) == ("6.00", "1.00")
