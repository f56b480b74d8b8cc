"""The health monitor: looks at every instance and service, remembers what it found, and tells people what is wrong.

Everything is asked through its mailbox, so that what is frozen is seen: an instance for its stream's own word on
whether it can earn, a service for a sign of life. The looks are spread over the interval, a few at a time, so that ten
thousand instances are no burst. The monitor only tells: restarting is the supervisors' business, and what says that
it is not ready is never restarted for that.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Set
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from typing import Any, Final

import structlog

from actors import Actor, ActorError, ActorRef, FindChild, OwnedTask, Request, SignOfLife, on
from config.health_monitoring import HealthMonitoring
from orchestrator.events import Event, EventBus
from orchestrator.fleet.health.history import History, PastFailure
from orchestrator.fleet.health.incidents import Change, Outcome, Tolerance
from orchestrator.fleet.health.probe import Probe, Subject
from orchestrator.fleet.health.question import LONGEST_DETAIL, Question, verdict_on
from orchestrator.fleet.health.report import (
    HealthReport,
    HealthRow,
    Verdict,
    incident_view,
    instance_row,
    service_row,
    verdict_of,
)
from orchestrator.fleet.health.watch import Moment, Watch
from orchestrator.fleet.health.webhook import Courier
from orchestrator.fleet.instance import Condition, Examine
from orchestrator.fleet.messages import ListInstances, NotAsAsked, Summarise
from orchestrator.fleet.view import InstancePage, InstanceRow

AT_ONCE: Final = 16
"""Instances that are asked in one turn of the loop: some two milliseconds of work."""

_ASK_S: Final = 5.0
_PAGE: Final = 1000
_ROWS_IN_A_TURN: Final = 64
_TOLD_INCIDENTS: Final = 100
_MOST_HISTORY: Final = 1000
_FLUSH_EVERY_S: Final = 1.0
_FLUSH_AGAIN_S: Final = 30.0

_log = structlog.get_logger("health")


class ReadHealth(Request[HealthReport], frozen=True):
    """How everything is.

    Attributes:
        stream: Only instances of this stream.
        verdict: Only instances that were found so.
        name: Only the history of this instance or service.
        history: How many past failures and incidents are told, each.
        limit: How many instances the page has at most.
        cursor: Where it begins.
    """

    stream: str | None = None
    verdict: Verdict | None = None
    name: str | None = None
    history: int = 0
    limit: int = 100
    cursor: str | None = None


class HealthMonitor(Actor[ReadHealth]):
    """Watches the fleet.

    Args:
        settings: Reads how to watch, as it is in force.
        fleet: The deployment manager.
        instances: The supervisor of the instances.
        services: Reads the references of all services, and of standbys, by name.
        events: Where to tell, and where to hear of failures.
        watch: What is known; the same for every life of the monitor, as are the next two.
        history: What is kept across restarts.
        courier: Takes alerts elsewhere.
    """

    def __init__(
        self,
        settings: Callable[[], HealthMonitoring],
        fleet: ActorRef[ListInstances | Summarise],
        instances: ActorRef[Any],
        services: Callable[[], Mapping[str, ActorRef[Any]]],
        events: EventBus,
        watch: Watch,
        history: History,
        courier: Courier,
    ) -> None:
        self._settings = settings
        self._fleet = fleet
        self._instances = instances
        self._services = services
        self._events = events
        self._watch = watch
        self._history = history
        self._courier = courier
        self._refs: dict[str, ActorRef[Any]] = {}
        self._seen: set[str] = watch.instances()
        self._unsubscribe: Callable[[], None] | None = None
        self._keeping: OwnedTask | None = None

    async def on_start(self) -> None:
        """Take up what a former run left open, and watch."""
        try:
            left_open = await self._history.open()
        except (OSError, sqlite3.Error) as error:
            # Without its past it can still see what is wrong now.
            _log.warning("health.history_unreadable", reason=str(error))
        else:
            if not self._watch.restored:
                self._watch.incidents.restore(left_open, self.context.now())
        self._watch.restored = True
        self._unsubscribe = self._events.subscribe(
            ("instance.crashed", "instance.failed", "service.crashed", "service.failed"), self._heed
        )
        self.context.start_task(self._watch_services, name="services")
        self.context.start_task(self._watch_instances, name="instances")
        self._keeping = self.context.start_task(self._keep_history, name="history")
        self.context.start_task(self._courier.run, name="webhook")

    async def on_stop(self, reason: BaseException | None) -> None:
        """Write what is known."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        if self._keeping is not None:
            await self._keeping.cancel_and_wait()  # it must not come back to a file that is closed
        try:
            await self._history.flush()
        except (OSError, sqlite3.Error) as error:
            _log.warning("health.history_unwritten", reason=str(error))
        await self._history.close()

    # -- looking --------------------------------------------------------------------------------------------

    async def _watch_instances(self) -> None:
        while True:
            began_s, settings = self.context.now(), self._settings()
            try:
                await self._go_round(settings)
            except ActorError as error:
                # The deployment manager is a service, and watched as one.
                _log.warning("health.fleet_unseen", reason=str(error))
            await asyncio.sleep(max(0.0, began_s + settings.interval_s - self.context.now()))

    async def _go_round(self, settings: HealthMonitoring) -> None:
        """Look at each instance once, evenly over the interval."""
        # As many as the last time; counting ten thousand anew would be the longest turn of the round.
        total = len(self._seen) or (await self._fleet.ask(Summarise(), _ASK_S)).total
        there: set[str] = set()
        cursor: str | None = None
        while True:
            page = await self._page(None, cursor)
            rows = iter(page.items)
            while batch := tuple(islice(rows, AT_ONCE)):
                there.update(row.id for row in batch)
                self.context.start_task(self._look_at, batch, settings, name="look")
                await asyncio.sleep(settings.interval_s * len(batch) / max(total, len(there)))
            cursor = page.next_cursor
            if cursor is None:
                break
        known = self._seen | {
            each.subject.name for each in self._watch.incidents.open() if each.subject.kind == "instance"
        }
        self._seen = there
        for name in known - there:
            self._refs.pop(name, None)
            self._dismiss(Subject("instance", name), "gone")

    async def _look_at(self, rows: tuple[InstanceRow, ...], settings: HealthMonitoring) -> None:
        """Ask some instances how they are, all at once."""
        asked: list[tuple[InstanceRow, Question]] = []
        for row in rows:
            subject = Subject("instance", row.id)
            ref = await self._find(row.id)
            # The page may be half a minute old; the actor itself is as it is now.
            condition = None if ref is None else ref.vitals().condition
            if ref is None and row.state == "failed":
                self._note(subject, Probe("failed", row.last_failure or "it cannot run here"), settings)
            elif condition in ("stopped", "stopping") or (condition is None and row.state == "stopped"):
                self._dismiss(subject, "stopped")
            elif ref is None:
                continue  # its turn to start has not come, or it is gone since
            elif condition == "running":
                asked.append((row, Question(ref, Examine(), settings.timeout_s)))
            elif condition == "gave_up":
                self._note(subject, Probe("failed", _last_failure(ref)), settings)
            elif condition == "restarting" or ref.vitals().last_failure is not None:
                self._note(subject, Probe("restarting", _last_failure(ref)), settings)
            else:
                self._observe(subject, Probe("restarting", "it has not become ready yet"), settings)
        for row, question in asked:
            subject, answer = Subject("instance", row.id), await question.answer()
            self._note(subject, verdict_on(row, answer, question), settings)
            if isinstance(answer, Condition):
                self._watch.note_traffic(subject, answer.traffic, self._now())

    async def _find(self, instance: str) -> ActorRef[Any] | None:
        ref = self._refs.get(instance)
        if ref is None or ref.stopped:
            try:
                ref = await self._instances.ask(FindChild(instance), _ASK_S)
            except ActorError:
                return None
            if ref is not None:
                self._refs[instance] = ref
        return ref

    async def _watch_services(self) -> None:
        served: Set[str] = frozenset()
        while True:
            began_s, settings = self.context.now(), self._settings()
            asked = {name: Question(ref, SignOfLife(), settings.timeout_s) for name, ref in self._services().items()}
            for name, question in asked.items():
                failure = await question.answer()
                probe = Probe(None, took_s=question.took_s)
                if isinstance(failure, Exception):
                    probe = Probe("unanswered", str(failure))
                self._note(Subject("service", name), probe, settings)
            for name in served - asked.keys():
                self._dismiss(Subject("service", name), "gone")  # a standby that has taken over
            served = asked.keys()
            await asyncio.sleep(max(0.0, began_s + settings.interval_s - self.context.now()))

    # -- remembering and telling ----------------------------------------------------------------------------

    def _note(self, subject: Subject, probe: Probe, settings: HealthMonitoring) -> None:
        former = self._watch.last_look(subject)
        if probe.symptom is not None and (former is None or former.probe.symptom is None):
            self._remember(subject.name, probe.symptom, probe.detail)
        self._tell(self._watch.note(subject, probe, _tolerance(settings), self._now()))

    def _observe(self, subject: Subject, probe: Probe, settings: HealthMonitoring) -> None:
        self._tell(self._watch.observe(subject, probe, _tolerance(settings), self._now()))

    def _dismiss(self, subject: Subject, outcome: Outcome) -> None:
        self._tell(self._watch.dismiss(subject, outcome, self._now()))

    def _heed(self, event: Event) -> None:
        """Note a failure that is told of; one that is final is not waited for until the next look."""
        fields = event.fields
        kind, _, what = event.name.partition(".")
        name = fields["instance"] if kind == "instance" else fields["actor"].removeprefix("/")
        told = fields.get("failure") or "; ".join(fields.get("history", ())[-1:])
        self._remember(name, what, str(told))
        if event.name == "instance.failed" or (event.name == "service.failed" and name in self._services()):
            subject = Subject("instance" if kind == "instance" else "service", name)
            self._observe(subject, Probe("failed", str(told)[:LONGEST_DETAIL]), self._settings())

    def _remember(self, name: str, what: str, detail: str) -> None:
        self._history.add(PastFailure(self._now().at, name, what, detail[:LONGEST_DETAIL]))

    def _tell(self, change: Change | None) -> None:
        if change is None:
            return
        incident = change.incident
        self._history.add(incident)
        told: dict[str, Any] = {
            "incident": incident.id,
            **incident.subject.ids(),
            "symptom": incident.symptom,
            "detail": incident.detail,
            "began_at": incident.began_at.isoformat().replace("+00:00", "Z"),
            "relapses": incident.relapses,
        }
        if change.what == "closed":
            name, level, suffix = "health.recovered", "info", "closed"
            assert incident.closed_at is not None
            told |= {
                "outcome": incident.outcome,
                "lasted_s": round((incident.closed_at - incident.began_at).total_seconds(), 3),
            }
        else:
            name, suffix = "health.alert", str(incident.alerts)
            level = "warning" if incident.symptom in ("not_ready", "unsteady") else "error"
            told |= {"alerts": incident.alerts, "reminder": change.what == "reminded"}
        self._events.publish(name, level, **told)  # type: ignore[arg-type]
        self._courier.submit(f"{incident.id}_{suffix}", name, told)

    async def _keep_history(self) -> None:
        fails = False
        while True:
            await self._history.arrived.wait()
            try:
                await self._history.flush()
            except (OSError, sqlite3.Error) as error:
                if not fails:
                    _log.warning("health.history_unwritten", reason=str(error))
                fails = True
                await asyncio.sleep(_FLUSH_AGAIN_S)
            else:
                fails = False
                await asyncio.sleep(_FLUSH_EVERY_S)

    def _now(self) -> Moment:
        return Moment(self.context.now(), datetime.now(UTC))

    # -- reporting ------------------------------------------------------------------------------------------

    @on(ReadHealth)
    def report(self, message: ReadHealth) -> asyncio.Future[HealthReport]:
        """Say how everything is."""
        if message.limit < 1:
            raise NotAsAsked(f"limit must be at least 1, not {message.limit}")
        return self.context.answer_later(self._report, message)

    async def _report(self, message: ReadHealth) -> HealthReport:
        items, cursor = await self._rows(message)
        history = max(0, min(message.history, _MOST_HISTORY))
        failures: tuple[PastFailure, ...] = ()
        past: Iterable[Any] = ()
        if history:
            try:
                await self._history.flush()
                failures = await self._history.failures(history, message.name)
                past = await self._history.past_incidents(history, message.name)
            except (OSError, sqlite3.Error) as error:
                _log.warning("health.history_unreadable", reason=str(error))
        now = self._now()
        well, ill = self._watch.count()
        incidents = self._watch.incidents.open()
        return HealthReport(
            at=now.at,
            interval_s=self._settings().interval_s,
            well=well,
            ill=ill,
            services=tuple(service_row(name, self._watch, now) for name in self._services()),
            items=tuple(items),
            next_cursor=cursor,
            incidents=tuple(map(incident_view, incidents[:_TOLD_INCIDENTS])),
            open_incidents=len(incidents),
            failures=failures,
            past_incidents=tuple(map(incident_view, past)),
            webhook=self._courier.statistics(),
        )

    async def _rows(self, message: ReadHealth) -> tuple[list[HealthRow], str | None]:
        rows: list[HealthRow] = []
        limit = min(message.limit, _PAGE)
        cursor, last_port = message.cursor, 0
        while True:
            page = await self._page(message.stream, cursor, _PAGE if message.verdict else limit)
            for place, each in enumerate(page.items):
                if place % _ROWS_IN_A_TURN == _ROWS_IN_A_TURN - 1:
                    await asyncio.sleep(0)
                if message.verdict not in (None, verdict_of(each, self._watch)):
                    continue
                if len(rows) == limit:
                    return rows, str(last_port)  # as the cursors of `fleet.list` are
                rows.append(instance_row(each, self._watch, self._now()))
                last_port = each.port
            cursor = page.next_cursor
            if cursor is None or message.verdict is None:
                return rows, cursor

    async def _page(self, stream: str | None, cursor: str | None, limit: int = _PAGE) -> InstancePage:
        page: InstancePage = await self._fleet.ask(ListInstances(stream, None, limit, cursor), _ASK_S)
        return page


def _last_failure(ref: ActorRef[Any]) -> str:
    failure = ref.vitals().last_failure
    return "it is down" if failure is None else str(failure)[:LONGEST_DETAIL]


@lru_cache(maxsize=1)
def _tolerance_of(not_ready_s: float, down_s: float, remind_s: float) -> Tolerance:
    return Tolerance(not_ready_s, down_s, remind_s)


def _tolerance(settings: HealthMonitoring) -> Tolerance:
    return _tolerance_of(settings.not_ready_s, settings.down_s, settings.remind_s)
