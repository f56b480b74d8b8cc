"""The health monitor on a fleet, on the virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from actors import Actor, ActorRef, Message, on
from config.health_monitoring import HealthMonitoring
from orchestrator.fleet.health.history import History
from orchestrator.fleet.health.report import HealthReport
from orchestrator.fleet.health.watch import Watch
from orchestrator.fleet.health.webhook import Courier
from orchestrator.fleet.health_monitor import HealthMonitor, ReadHealth
from orchestrator.fleet.instance import Instance
from orchestrator.fleet.messages import Command, Disturb, Scale
from tests.orchestrator.fleet.fakes import FleetUnderTest, Stall

EVERY_S = 30.0


class Hold(Message, frozen=True):
    for_s: float


class Sleeper(Actor[Hold]):
    """A service that can be held up."""

    handler_limit_s = None

    @on(Hold)
    async def hold(self, message: Hold) -> None:
        await asyncio.sleep(message.for_s)


class Watched:
    """A fleet, a service, and the monitor that watches them."""

    def __init__(self, directory: Path, **streams: int) -> None:
        self.fleet = FleetUnderTest(directory, **streams)
        self.settings = HealthMonitoring(interval_s=EVERY_S, timeout_s=3.0, not_ready_s=120, down_s=60)
        self.watch = Watch()
        self.monitor: ActorRef[Any]
        self.service: ActorRef[Any]
        self.file = directory / "health.sqlite3"

    @asynccontextmanager
    async def running(self, **options: Any) -> AsyncIterator[None]:
        async with self.fleet.running(**options):
            await self.fleet.until("rollout.completed")
            self.service = await self.fleet.system.spawn(Sleeper, "sleeper")
            history = History(self.file)
            loop = asyncio.get_running_loop()
            courier = Courier(lambda: None, lambda: None, lambda: datetime.now(UTC), loop.time)  # type: ignore[arg-type, return-value]
            self.monitor = await self.fleet.system.spawn(
                lambda: HealthMonitor(
                    settings=lambda: self.settings,
                    fleet=self.fleet.manager,
                    instances=self.fleet.instances,
                    services=lambda: {
                        "sleeper": self.service,
                        "instances": self.fleet.instances,
                        **self.fleet.pool.refs(),
                    },
                    events=self.fleet.bus,
                    watch=self.watch,
                    history=history,
                    courier=courier,
                ),
                "health_monitor",
            )
            self.fleet.events.clear()
            yield

    async def report(self, **asked: Any) -> HealthReport:
        report: HealthReport = await self.monitor.ask(ReadHealth(**asked), 10)
        return report

    def told(self) -> list[tuple[str, str, str]]:
        return [
            (name, fields.get("instance") or fields["service"], fields["symptom"])
            for name, fields in self.fleet.events
            if name.startswith("health.")
        ]


async def test_a_fleet_that_is_well_is_shown_to_be_and_nobody_is_told_anything(tmp_path: Path) -> None:
    watched = Watched(tmp_path, stall=3)
    async with watched.running():
        assert {row.verdict for row in (await watched.report()).items} == {"unknown"}
        await asyncio.sleep(10 * EVERY_S)
        report = await watched.report()
        assert (report.well, report.ill, report.open_incidents) == (5, 0, 0)
        assert [row.name for row in report.items] == ["stall-001", "stall-002", "stall-003"]
        for row in (*report.items, *report.services):
            assert (row.verdict, row.error_rate) == ("well", 0.0)
            assert row.windows[-1].probes in (10, 11)
            assert row.p50_ms is not None
            assert 0 < row.p50_ms < 1000
        assert {row.name for row in report.services} == {"sleeper", "instances"}
        assert watched.told() == []


async def test_a_frozen_instance_is_seen_before_it_is_cured_and_its_recovery_is_told(tmp_path: Path) -> None:
    watched = Watched(tmp_path, stall=2)
    async with watched.running():
        await asyncio.sleep(EVERY_S)
        frozen_at = EVERY_S * 2 - 2  # a little before the next look at it
        await asyncio.sleep(frozen_at - EVERY_S)
        await watched.fleet.manager.ask(Disturb("stall-002", "freeze"), 5)
        alert = await watched.fleet.until("health.alert")
        assert (alert["instance"], alert["stream"], alert["symptom"]) == ("stall-002", "stall", "unanswered")
        assert "did not answer" in alert["detail"]
        recovered = await watched.fleet.until("health.recovered")
        assert (recovered["incident"], recovered["outcome"]) == (alert["incident"], "recovered")
        row = (await watched.report()).items[1]
        assert row.verdict == "well"
        assert row.windows[-1].errors == 1
        assert row.error_rate is not None
        assert row.error_rate > 0
        (failure, crash) = sorted((await watched.report(history=10)).failures, key=lambda each: each.what, reverse=True)
        assert (failure.what, crash.what) == ("unanswered", "crashed")


async def test_a_frozen_service_is_seen(tmp_path: Path) -> None:
    watched = Watched(tmp_path, stall=1)
    async with watched.running():
        await asyncio.sleep(1)
        watched.service.tell(Hold(100.0))
        alert = await watched.fleet.until("health.alert")
        assert (alert["service"], alert["symptom"]) == ("sleeper", "unanswered")
        assert [row.state for row in (await watched.report()).services] == ["down", "up"]
        await watched.fleet.until("health.recovered", service="sleeper")
        assert len(watched.told()) == 2


async def test_standbys_are_looked_at_until_they_take_over(tmp_path: Path) -> None:
    watched = Watched(tmp_path, stall=1)
    async with watched.running(max_restarts=0, cooldown_s=600, standbys=2):
        await asyncio.sleep(EVERY_S - 2)
        await watched.fleet.manager.ask(Disturb("standby-002", "freeze"), 5)
        alert = await watched.fleet.until("health.alert")
        assert (alert["service"], alert["symptom"]) == ("standbys/standby-002", "unanswered")
        await watched.fleet.until("health.recovered", service="standbys/standby-002")

        # One that takes over is no standby any more, and nobody misses it.
        await watched.fleet.manager.ask(Disturb("stall-001", "crash"), 5)
        assert (await watched.fleet.until("instance.failover"))["standby"] == "standby-001"
        await asyncio.sleep(2 * EVERY_S)
        report = await watched.report()
        assert {row.name for row in report.services} == {"sleeper", "instances", "standbys/standby-002"}
        assert (report.open_incidents, report.ill) == (0, 0)
        assert report.well == 4  # those three, and the instance


async def test_one_that_says_it_is_not_ready_is_told_of_once_and_never_restarted(tmp_path: Path) -> None:
    watched = Watched(tmp_path, stall=1)
    async with watched.running():
        stall = _stream_of(watched, "stall-001")
        stall.open = False
        await asyncio.sleep(3600 - 120)
        assert watched.told() == [("health.alert", "stall-001", "not_ready")]
        assert Stall.lives["stall-001"] >= 1
        assert not any(name.startswith("instance.") for name in watched.fleet.names())
        await asyncio.sleep(600)
        assert [fields["reminder"] for name, fields in watched.fleet.events if name == "health.alert"] == [False, True]
        stall.open = True
        await watched.fleet.until("health.recovered")


async def test_one_whose_restart_budget_is_exhausted_is_told_of_at_once(tmp_path: Path) -> None:
    watched = Watched(tmp_path, stall=1)
    async with watched.running(max_restarts=0, cooldown_s=100.0):
        await asyncio.sleep(1)
        await watched.fleet.manager.ask(Disturb("stall-001", "crash"), 5)
        await watched.fleet.until("instance.failed")
        assert watched.told() == [("health.alert", "stall-001", "failed")]
        await asyncio.sleep(2 * EVERY_S)
        (row,) = (await watched.report()).items
        assert (row.state, row.symptom) == ("failed", "failed")
        await watched.fleet.until("health.recovered")
        assert len(watched.told()) == 2


async def test_what_a_person_paused_or_stopped_or_scaled_away_is_no_incident(tmp_path: Path) -> None:
    watched = Watched(tmp_path, stall=3)
    async with watched.running():
        await watched.fleet.manager.ask(Command("stall-001", "pause"), 5)
        await watched.fleet.manager.ask(Command("stall-002", "stop"), 5)
        await asyncio.sleep(20 * EVERY_S)
        assert watched.told() == []
        assert [row.verdict for row in (await watched.report()).items] == ["well", "down_by_hand", "well"]
        _stream_of(watched, "stall-003").open = False
        await watched.fleet.until("health.alert", instance="stall-003")
        await watched.fleet.manager.ask(Scale("stall", 2), 5)
        closed = await watched.fleet.until("health.recovered", instance="stall-003")
        assert closed["outcome"] == "gone"


async def test_incidents_are_the_same_ones_after_a_restart_of_the_daemon(tmp_path: Path) -> None:
    watched = Watched(tmp_path, stall=1)
    async with watched.running(max_restarts=0, cooldown_s=10_000.0):
        await watched.fleet.manager.ask(Disturb("stall-001", "crash"), 5)
        incident = (await watched.fleet.until("health.alert"))["incident"]
    again = Watched(tmp_path, stall=1)
    async with again.running():
        report = await again.report()
        assert [each.id for each in report.incidents] == [incident]
        assert (await again.fleet.until("health.recovered"))["incident"] == incident
        assert "health.alert" not in again.fleet.names()
        past = (await again.report(history=5, name="stall-001")).past_incidents
        assert [(each.id, each.outcome) for each in past] == [(incident, "recovered")]


async def test_a_monitor_that_failed_itself_goes_on_with_what_it_knew(tmp_path: Path) -> None:
    watched = Watched(tmp_path, stall=1)
    async with watched.running():
        _stream_of(watched, "stall-001").open = False
        await watched.fleet.until("health.alert")
        watched.settings = None  # type: ignore[assignment]  # whatever it is that fails
        await watched.fleet.until("service.restarted", actor="/health_monitor")
        watched.settings = HealthMonitoring(interval_s=EVERY_S, remind_s=86_400)
        await asyncio.sleep(20 * EVERY_S)
        assert len(watched.told()) == 1
        assert (await watched.report()).items[0].windows[-1].probes > 5


async def test_pages_and_filters_tell_of_each_instance_once(tmp_path: Path) -> None:
    watched = Watched(tmp_path, stall=7)
    async with watched.running():
        for number in (2, 3, 6):
            _stream_of(watched, f"stall-{number:03d}").open = False
        await asyncio.sleep(2 * EVERY_S)

        async def names(**asked: Any) -> list[list[str]]:
            pages, cursor = [], None
            while True:
                report = await watched.report(cursor=cursor, **asked)
                pages.append([row.name[-1] for row in report.items])
                cursor = report.next_cursor
                if cursor is None:
                    return pages

        assert await names(limit=3) == [["1", "2", "3"], ["4", "5", "6"], ["7"]]
        assert await names(limit=2, verdict="ill") == [["2", "3"], ["6"]]
        assert await names(limit=3, verdict="ill") == [["2", "3", "6"]]
        assert await names(stream="other") == [[]]


async def test_looks_are_spread_over_the_interval(tmp_path: Path) -> None:
    watched = Watched(tmp_path, stall=64)
    async with watched.running():
        await asyncio.sleep(EVERY_S * 2)
        at = [
            watched.watch._windows[subject]._at_s[-1] for subject in watched.watch._looks if subject.kind != "service"
        ]
        assert len(at) == 64
        by_moment = [at.count(moment) for moment in sorted(set(at))]
        assert by_moment == [16, 16, 16, 16]
        assert max(at) - min(at) > EVERY_S / 2


def _stream_of(watched: Watched, instance: str) -> Stall:
    """Return the stream object of an instance, to change what it says of itself."""
    root: Any = watched.fleet.instances
    actor: Any = root._cell.children[instance].cell.actor
    assert isinstance(actor, Instance)
    stream = actor._running()
    assert isinstance(stream, Stall)
    return stream
