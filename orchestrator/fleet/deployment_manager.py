"""The deployment manager: owner of the fleet. It decides what should run; the supervisor keeps it running."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

import msgspec

from actors import (
    Actor,
    ActorError,
    ActorRef,
    ChildSpec,
    FindChild,
    Refusal,
    RemoveChild,
    RestartChild,
    StartChild,
    StartFailed,
    StopChild,
    on,
)
from config.errors import ConfigError, SaveError
from config.fleet import Fleet, StreamPlan
from orchestrator.events import EventBus
from orchestrator.fleet import messages
from orchestrator.fleet.instance import (
    Condition,
    Crash,
    Examine,
    Freeze,
    Instance,
    Pause,
    Resume,
    Surroundings,
)
from orchestrator.fleet.messages import NotAsAsked, NotFound, NotNow
from orchestrator.fleet.plan import Change, plan_count
from orchestrator.fleet.record import Desired, Record, load_records, save_record
from orchestrator.fleet.rollout import Rollout
from orchestrator.fleet.view import (
    FleetSummary,
    InstancePage,
    InstanceRow,
    InstanceState,
    InstanceView,
    state_of,
)
from streams.catalog import BrokenStream, Catalog, UnknownStream
from streams.metering.messages import CreateKey, ListKeys, RevokeKey
from streams.metering.selling import KeyInfo, NewKey
from streams.stream import Health, Stream

PARALLEL_STARTS = 32
"""Instances that are started at once. More would only wait for each other on one loop."""

NO_PROCESSES = "isolation by process is not part of this version; use 'actor'"

ROLLOUTS_KEPT = 200
_ASK_S = 2.0
_STOP_S = 20.0
_PAGE = 1000


class DeploymentManager(
    Actor[
        messages.Deploy
        | messages.Scale
        | messages.Command
        | messages.ListInstances
        | messages.GetInstance
        | messages.Summarise
        | messages.GetRollout
        | messages.CreateInstanceKey
        | messages.ListInstanceKeys
        | messages.RevokeInstanceKey
        | messages.Disturb
    ]
):
    """Deploys, scales and commands instances.

    What is wanted of each instance is on disk before it is done, so that the fleet comes back as it was left.

    Args:
        catalog: The streams.
        fleet: Reads the fleet's configuration as it is in force.
        keep_count: Stores the wanted count of a stream in the configuration.
        instances: The supervisor of the instances.
        around: What all instances share.
        events: Where to tell.
        counts: Counts in force for this run only, instead of the configuration's.
    """

    start_timeout_s = 120.0
    handler_limit_s = 60.0

    def __init__(
        self,
        catalog: Catalog,
        fleet: Callable[[], Fleet],
        keep_count: Callable[[str, int], Awaitable[None]],
        instances: ActorRef[Any],
        around: Surroundings,
        events: EventBus,
        counts: dict[str, int] | None = None,
    ) -> None:
        self._catalog = catalog
        self._fleet = fleet
        self._keep_count = keep_count
        self._supervisor = instances
        self._around = around
        self._events = events
        self._counts = counts
        self._records: dict[str, Record] = {}
        self._refs: dict[str, ActorRef[Any]] = {}
        self._rollouts: dict[str, Rollout] = {}
        self._rollout_count = 0
        self._locks: dict[str, asyncio.Lock] = {}

    async def on_start(self) -> None:
        """Take the fleet up as it was left, and bring it to what the configuration wants."""
        records, broken = await asyncio.to_thread(load_records, self._around.instances)
        for fault in broken:
            self._events.publish("fleet.record_broken", "error", reason=str(fault))
        self._records = {record.id: record for record in records}
        for stream, wanted in self._wanted_counts().items():
            try:
                await self._reconcile(stream, wanted)
            except Refusal as refusal:
                # A stream that cannot run must not keep the others from earning.
                self._events.publish("fleet.stream_refused", "error", stream=stream, reason=str(refusal))
        self._resume_fleet()

    async def _reconcile(self, stream: str, wanted: int) -> None:
        plan = self._fleet().streams.get(stream, StreamPlan())
        if plan.isolation != "actor":
            raise NotNow(NO_PROCESSES)
        await asyncio.to_thread(self._kind, stream)  # the first time, it is imported
        change = self._plan(stream, wanted, plan.settings)
        if self._counts is not None:
            # For this run only: what there is too much of is not started, and stays on disk as it is.
            self._records.update((record.id, record) for record in change.retire)
            change = Change(start=change.start)
        await self._keep(change)

    def _wanted_counts(self) -> dict[str, int]:
        if self._counts is not None:
            return self._counts
        return {stream: plan.count for stream, plan in self._fleet().streams.items()}

    def _resume_fleet(self) -> None:
        by_stream: dict[str, list[Record]] = {}
        for record in self._records.values():
            if record.desired in ("running", "paused"):
                by_stream.setdefault(record.stream, []).append(record)
        for stream, records in by_stream.items():
            self._begin(stream, records)

    # -- deployment ---------------------------------------------------------------------------------------

    @on(messages.Deploy)
    async def deploy(self, message: messages.Deploy) -> str:
        """Add instances."""
        if message.strategy != "full":
            raise NotNow(f"the strategy {message.strategy!r} is not part of this version; use 'full'")
        if message.isolation != "actor":
            raise NotNow(NO_PROCESSES)
        if message.count < 1:
            raise NotAsAsked(f"count must be at least 1, not {message.count}")
        active = sum(record.active for record in self._of(message.stream))
        return await self._bring(message.stream, active + message.count, message.settings)

    @on(messages.Scale)
    async def scale(self, message: messages.Scale) -> str:
        """Bring a stream to a count."""
        if not 0 <= message.to <= 10_000:
            raise NotAsAsked(f"to must be from 0 to 10000, not {message.to}")
        return await self._bring(message.stream, message.to, {})

    async def _bring(self, stream: str, to: int, settings: dict[str, Any]) -> str:
        await asyncio.to_thread(self._kind, stream)
        plan = self._fleet().streams.get(stream)
        overlay = {**(plan.settings if plan else {}), **settings}
        change = self._plan(stream, to, overlay)
        try:
            await self._keep_count(stream, to)
        except (ConfigError, SaveError) as error:
            raise NotNow(str(error)) from error
        await self._keep(change)
        return self._begin(stream, change.start, change.retire)

    def _plan(self, stream: str, wanted: int, overlay: dict[str, Any]) -> Change:
        return plan_count(
            self._records,
            stream,
            self._kind(stream),
            wanted,
            port_base=self._fleet().port_base,
            overlay=overlay,
        )

    async def _keep(self, change: Change) -> None:
        await self._store(*change.start, *change.retire)

    async def _store(self, *records: Record) -> None:
        if not records:
            return
        try:
            await asyncio.to_thread(_save_all, self._around.instances, records)
        except OSError as error:
            raise NotNow(
                f"what is wanted of {', '.join(record.id for record in records)} cannot be stored: "
                f"{error.strerror or error}; make room below {self._around.instances}, and ask again"
            ) from error
        self._records.update((record.id, record) for record in records)

    def _begin(self, stream: str, start: Iterable[Record], retire: Iterable[Record] = ()) -> str:
        start, retire = tuple(start), tuple(retire)
        self._rollout_count += 1
        rollout = Rollout(f"rollout-{self._rollout_count:04d}", stream, "full", total=len(start) + len(retire))
        self._rollouts[rollout.id] = rollout
        while len(self._rollouts) > ROLLOUTS_KEPT:
            del self._rollouts[next(iter(self._rollouts))]
        self._events.publish("rollout.started", rollout=rollout.id, stream=stream, total=rollout.total)
        self.context.start_task(self._run_rollout, rollout.id, start, retire, name=rollout.id)
        return rollout.id

    async def _run_rollout(self, rollout: str, start: tuple[Record, ...], retire: tuple[Record, ...]) -> None:
        turn = asyncio.Semaphore(PARALLEL_STARTS)

        async def one(record: Record, work: Callable[[Record], Awaitable[None]]) -> None:
            async with turn:
                try:
                    await work(record)
                except ActorError as error:
                    self._rollouts[rollout] = self._rollouts[rollout].with_failure(record.id, str(error))
                else:
                    self._rollouts[rollout] = self._rollouts[rollout].advanced()

        async with asyncio.TaskGroup() as group:
            for record in start:
                group.create_task(one(record, self._bring_up))
            for record in retire:
                group.create_task(one(record, self._take_down))
        ended = self._rollouts[rollout] = self._rollouts[rollout].ended()
        self._events.publish(
            f"rollout.{ended.state}",
            "info" if ended.state == "completed" else "warning",
            rollout=rollout,
            stream=ended.stream,
            total=ended.total,
            done=ended.done,
            failed=ended.failed,
        )

    async def _bring_up(self, record: Record) -> None:
        async with self._turn_of(record.id):
            if self._records[record.id].desired not in ("running", "paused"):
                return  # it was stopped or scaled away meanwhile
            starting = await self._start(record)
        # Its turn has ended: whoever wants to stop it need not wait until it has started.
        await starting

    async def _take_down(self, record: Record) -> None:
        async with self._turn_of(record.id):
            if not self._records[record.id].active and self._refs.pop(record.id, None) is not None:
                await self._supervisor.ask(RemoveChild(record.id), _STOP_S)

    def _turn_of(self, instance: str) -> asyncio.Lock:
        # One at a time per instance: what was asked last is what holds in the end.
        return self._locks.setdefault(instance, asyncio.Lock())

    async def _start(self, record: Record) -> asyncio.Future[Any]:
        """Have an instance started, and return a future of how that ends."""
        known = await self._supervisor.ask(FindChild(record.id), _ASK_S)
        if known is not None:
            # The manager itself was restarted: its instances never noticed.
            self._refs[record.id] = known
            if known.vitals().condition in ("stopped", "gave_up"):
                return self._supervisor.ask(RestartChild(record.id), _STOP_S)
            there: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            there.set_result(known)
            return there
        spec = ChildSpec(record.id, partial(self._make, record.id))
        starting = self._supervisor.ask(StartChild(spec, supervised_start=True), 60.0)
        # Known from now on, so that it can be seen, stopped and removed while it starts.
        known = await self._supervisor.ask(FindChild(record.id), _ASK_S)
        if known is not None:
            self._refs[record.id] = known
        return starting

    def _make(self, instance: str) -> Instance:
        record = self._records[instance]
        return Instance(record, self._kind(record.stream), self._around)

    # -- commands -----------------------------------------------------------------------------------------

    @on(messages.Command)
    def command(self, message: messages.Command) -> asyncio.Future[InstanceView]:
        """Stop, start, restart, pause or resume an instance."""
        self._record(message.id)
        return self.context.answer_later(self._run_command, message)

    async def _run_command(self, message: messages.Command) -> InstanceView:
        async with self._turn_of(message.id):
            try:
                await getattr(self, f"_{message.action}_one")(self._record(message.id))
            except StartFailed as error:
                raise NotNow(f"{error}; it is tried again, as its restart budget allows") from error
        return await self._view(self._record(message.id))

    async def _stop_one(self, record: Record) -> None:
        await self._want(record, "stopped")
        if record.id in self._refs:
            await self._supervisor.ask(StopChild(record.id), _STOP_S)

    async def _start_one(self, record: Record) -> None:
        record = await self._want(record, "paused" if record.desired == "paused" else "running")
        if record.id not in self._refs:
            await (await self._start(record))
        elif self._refs[record.id].vitals().condition in ("stopped", "gave_up"):
            await self._supervisor.ask(RestartChild(record.id), _STOP_S)

    async def _restart_one(self, record: Record) -> None:
        record = await self._want(record, "paused" if record.desired == "paused" else "running")
        if record.id in self._refs:
            await self._supervisor.ask(RestartChild(record.id), _STOP_S)
        else:
            await (await self._start(record))

    async def _pause_one(self, record: Record) -> None:
        if record.desired == "stopped":
            raise NotNow(f"{record.id} is stopped; start it first")
        await self._want(record, "paused")
        await self._tell_running(record, Pause())
        self._events.publish("instance.paused", instance=record.id, stream=record.stream)

    async def _resume_one(self, record: Record) -> None:
        if record.desired == "stopped":
            raise NotNow(f"{record.id} is stopped; start it instead")
        await self._want(record, "running")
        await self._tell_running(record, Resume())
        self._events.publish("instance.resumed", instance=record.id, stream=record.stream)

    async def _tell_running(self, record: Record, message: Any) -> None:
        # One that is down takes up what is wanted of it when it starts.
        ref = self._refs.get(record.id)
        if ref is not None and ref.vitals().condition == "running":
            await ref.ask(message, _ASK_S)

    async def _want(self, record: Record, desired: Desired) -> Record:
        if record.desired != desired:
            record = msgspec.structs.replace(record, desired=desired)
            await self._store(record)
        return record

    @on(messages.Disturb)
    def disturb(self, message: messages.Disturb) -> None:
        """Crash or freeze an instance."""
        if not self._fleet().chaos:
            raise NotNow('chaos is off; set "chaos": true in fleet_config.json first')
        self._ref(message.id).tell(Crash() if message.how == "crash" else Freeze())

    # -- keys ---------------------------------------------------------------------------------------------

    @on(messages.CreateInstanceKey)
    def create_key(self, message: messages.CreateInstanceKey) -> asyncio.Future[NewKey]:
        """Make a key."""
        asked = CreateKey(message.plan, message.quota, message.rate, message.credit, message.label)
        answer: asyncio.Future[NewKey] = self._ref(message.instance).ask(asked, _ASK_S * 3)
        return answer

    @on(messages.ListInstanceKeys)
    def list_keys(self, message: messages.ListInstanceKeys) -> asyncio.Future[tuple[KeyInfo, ...]]:
        """List keys."""
        answer: asyncio.Future[tuple[KeyInfo, ...]] = self._ref(message.instance).ask(ListKeys(), _ASK_S)
        return answer

    @on(messages.RevokeInstanceKey)
    def revoke_key(self, message: messages.RevokeInstanceKey) -> asyncio.Future[None]:
        """Revoke a key."""
        answer: asyncio.Future[None] = self._ref(message.instance).ask(RevokeKey(message.id), _ASK_S * 3)
        return answer

    # -- views --------------------------------------------------------------------------------------------

    @on(messages.ListInstances)
    def list_instances(self, message: messages.ListInstances) -> InstancePage:
        """List instances in order of their ports."""
        after = _port_of(message.cursor)
        limit = min(max(message.limit, 1), _PAGE)
        rows: list[InstanceRow] = []
        for record in sorted(self._records.values(), key=lambda record: record.port):
            if not record.active or record.port <= after:
                continue
            if message.stream is not None and record.stream != message.stream:
                continue
            row = self._row(record)
            if message.state is None or row.state == message.state:
                rows.append(row)
            if len(rows) > limit:
                return InstancePage(tuple(rows[:limit]), str(rows[limit - 1].port))
        return InstancePage(tuple(rows), None)

    @on(messages.GetInstance)
    def get_instance(self, message: messages.GetInstance) -> asyncio.Future[InstanceView]:
        """Describe an instance."""
        return self.context.answer_later(self._view, self._record(message.id))

    @on(messages.Summarise, urgent=True)
    def summarise(self, _: messages.Summarise) -> FleetSummary:
        """Count the fleet."""
        by_stream: Counter[str] = Counter()
        by_state: Counter[InstanceState] = Counter()
        for record in self._records.values():
            if record.active:
                by_stream[record.stream] += 1
                by_state[self._state(record)] += 1
        return FleetSummary(by_state["ready"], by_stream.total(), dict(by_stream), dict(by_state))

    @on(messages.GetRollout)
    def get_rollout(self, message: messages.GetRollout) -> Rollout:
        """Describe a rollout."""
        rollout = self._rollouts.get(message.id)
        if rollout is None:
            raise NotFound(f"there is no rollout {message.id!r} since the daemon's start")
        return rollout

    def _row(self, record: Record) -> InstanceRow:
        ref = self._refs.get(record.id)
        vitals = ref.vitals() if ref is not None else None
        failure = vitals.last_failure if vitals is not None else None
        return InstanceRow(
            id=record.id,
            stream=record.stream,
            state=state_of(record, vitals),
            host=self._around.host,
            port=record.port,
            restarts=vitals.restarts if vitals is not None else 0,
            last_failure=str(failure) if failure is not None else None,
        )

    def _state(self, record: Record) -> InstanceState:
        ref = self._refs.get(record.id)
        return state_of(record, ref.vitals() if ref is not None else None)

    async def _view(self, record: Record) -> InstanceView:
        ref = self._refs.get(record.id)
        vitals = ref.vitals() if ref is not None else None
        condition = Condition(Health(ready=False, detail="it is not running"), False, {}, {}, 0.0)
        if ref is not None and vitals is not None and vitals.condition == "running":
            try:
                condition = await ref.ask(Examine(), _ASK_S)
            except ActorError as error:
                unknown = Health(ready=False, detail=str(error))
                condition = msgspec.structs.replace(condition, health=unknown)
        return InstanceView(
            id=record.id,
            stream=record.stream,
            state=state_of(record, vitals),
            host=self._around.host,
            port=record.port,
            directory=str(self._around.instances / record.id),
            isolation=record.isolation,
            settings=record.settings,
            restarts=vitals.restarts if vitals is not None else 0,
            restarts_left=vitals.restarts_left if vitals is not None else None,
            last_failure=vitals.last_failure if vitals is not None else None,
            ready=condition.health.ready and not condition.paused,
            health=condition.health.detail,
            up_s=round(condition.up_s, 3),
            funnel=condition.funnel,
            details=condition.details,
        )

    # -- lookups ------------------------------------------------------------------------------------------

    def _record(self, instance: str) -> Record:
        record = self._records.get(instance)
        if record is None or not record.active:
            raise NotFound(f"there is no instance {instance!r}; `automate fleet list` shows all")
        return record

    def _ref(self, instance: str) -> ActorRef[Any]:
        self._record(instance)
        ref = self._refs.get(instance)
        if ref is None:
            raise NotNow(f"{instance} is not running")
        return ref

    def _of(self, stream: str) -> list[Record]:
        return [record for record in self._records.values() if record.stream == stream]

    def _kind(self, stream: str) -> type[Stream[Any]]:
        try:
            return self._catalog[stream]
        except UnknownStream as error:
            raise NotFound(str(error)) from None
        except BrokenStream as error:
            raise NotNow(str(error)) from error


def _save_all(directory: Any, records: Iterable[Record]) -> None:
    for record in records:
        save_record(directory, record)


def _port_of(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not cursor.isascii() or not cursor.isdigit():
        raise NotAsAsked(f"{cursor!r} is not a cursor of this list")
    return int(cursor)
