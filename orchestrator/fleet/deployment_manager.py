"""The deployment manager: owner of the fleet. It decides what should run; the supervisor keeps it running."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from actors import Actor, ActorError, ActorRef, MailboxFull, StartFailed, on
from config.auto_scaling import SetBy
from config.fleet import Fleet, Isolation, StreamPlan
from orchestrator.events import EventBus
from orchestrator.fleet import messages
from orchestrator.fleet.failover.pool import Pool, Seat
from orchestrator.fleet.failover.view import page_of
from orchestrator.fleet.failover.view import view_of as standby_view_of
from orchestrator.fleet.inspection import row_of, state_now, view_of
from orchestrator.fleet.instance import Crash, Freeze, Instance, Perform, Surroundings
from orchestrator.fleet.isolation.outsiders import Outsiders
from orchestrator.fleet.isolation.process_instance import ProcessInstance
from orchestrator.fleet.isolation.processes import Processes
from orchestrator.fleet.messages import NotAsAsked, NotFound, NotNow
from orchestrator.fleet.operations import Operations
from orchestrator.fleet.paper_worlds import PaperWorlds
from orchestrator.fleet.plan import Change
from orchestrator.fleet.planner import KeepSettings, StreamPlanner, refuse_too_many
from orchestrator.fleet.rolling.changes import Changes
from orchestrator.fleet.rolling.conductor import Stage
from orchestrator.fleet.rolling.desk import RolloutDesk
from orchestrator.fleet.rolling.journal import RolloutFile
from orchestrator.fleet.rollout import Rollout, RolloutPage
from orchestrator.fleet.rollouts import Rollouts, run_rollout, tell_end
from orchestrator.fleet.roster import Roster
from orchestrator.fleet.view import FleetSummary, InstancePage, InstanceRow, InstanceState, InstanceView
from streams.catalog import Catalog
from streams.metering.messages import CreateKey, ListKeys, RevokeKey
from streams.metering.selling import KeyInfo, NewKey

_TOLD = {"pause": "instance.paused", "resume": "instance.resumed", "restart": "instance.restarted"}
"""What is told of commands; of the others, the instance's own actor tells."""

_ASK_S = 2.0
_ACT_S = 25.0
_PAGE = 1000

_LOOKED_AT_ONCE = 256
"""Instances that are looked at before others get their turn."""


class DeploymentManager(
    Actor[
        messages.Deploy
        | messages.Configure
        | messages.DecideRollout
        | messages.Scale
        | messages.Reconcile
        | messages.Command
        | messages.Act
        | messages.ListInstances
        | messages.GetInstance
        | messages.Summarise
        | messages.GetRollout
        | messages.ListRollouts
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
        keep_count: Stores the wanted count of a stream in the configuration, and who wants it.
        instances: The supervisor of the instances.
        around: What all instances share.
        events: Where to tell.
        counts: Counts in force for this run only, instead of the configuration's.
        roster: What is wanted of the instances; the same for every life of the manager.
        rollouts: The rollouts; the same for every life of the manager.
        worlds: The other side of the streams in the sandbox; None where the other side is the real one.
        keep_settings: Stores the settings of a stream in the configuration; None where they are not kept.
        standbys: The pool of standbys, which are shown with the instances.
    """

    start_timeout_s = 120.0

    def __init__(
        self,
        catalog: Catalog,
        fleet: Callable[[], Fleet],
        keep_count: Callable[[str, int, SetBy], Awaitable[None]],
        instances: ActorRef[Any],
        around: Surroundings,
        events: EventBus,
        counts: dict[str, int] | None = None,
        roster: Roster | None = None,
        rollouts: Rollouts | None = None,
        worlds: PaperWorlds | None = None,
        keep_settings: KeepSettings | None = None,
        standbys: Pool | None = None,
    ) -> None:
        self._fleet = fleet
        self._around = around
        self._events = events
        self._counts = counts
        self._standbys = standbys if standbys is not None else Pool(0)
        self._roster = roster if roster is not None else Roster(around.instances)
        self._rollouts = rollouts if rollouts is not None else Rollouts()
        processes = Processes(around, lambda: fleet().isolation)
        make = partial(_make, self._roster, catalog, around, processes, Outsiders(events))
        self._worlds = worlds
        self._operations = Operations(self._roster, instances, self._prepare, make)
        self._planner = StreamPlanner(catalog, fleet, self._roster, keep_count, keep_settings)
        changes = Changes(self._roster, self._operations, self._rollouts, self._planner, events)
        stage = Stage(
            rollouts=self._rollouts,
            roster=self._roster,
            operations=self._operations,
            changes=changes,
            events=events,
            tally=around.tally,
            rules=lambda: fleet().rollouts,
            now=lambda: self.context.now(),
        )
        self._desk = RolloutDesk(
            stage, self._planner, lambda conductor, name: self.context.start_task(conductor.run, name=name)
        )

    async def on_start(self) -> None:
        """Take the fleet up as it was left, and bring it to what the configuration wants."""
        await self._rollouts.load()
        for rollout in self._rollouts.interrupt():
            tell_end(self._events, rollout)
        for fault in await self._roster.load():
            self._events.publish("fleet.record_broken", "error", reason=str(fault))
        async with self._roster.changing:
            for stream, wanted in self._wanted_counts().items():
                await self._plan_first(stream, wanted)
        for instance, error in await self._operations.adopt():
            self._events.publish("fleet.adoption_failed", "error", instance=instance, reason=str(error))
        streams = sorted(self._roster.streams())
        await self._rollouts.reserve(len(streams))
        for stream in streams:
            up = [each.id for each in self._roster.of_stream(stream) if each.desired in ("running", "paused")]
            if up:
                self._begin(self._rollouts.begin_start(stream, tuple(up)))
        for file in self._desk.take_up():
            self._carry_out(file)

    async def _plan_first(self, stream: str, wanted: int) -> None:
        """Change what is wanted of a stream's instances; what is wanted comes about later."""
        try:
            change = await self._planner.planned(stream, wanted, self._planner.plan_of(stream).settings)
            if self._counts is not None:
                # For this run only: what there is too much of is not started, and stays on disk as it is.
                self._roster.suppose(change.retire)
                change = Change(start=change.start)
            await self._keep(change)
        except ActorError as error:
            # A stream that cannot run must not keep the others from earning.
            self._tell_refused(stream, error)

    def _wanted_counts(self) -> dict[str, int]:
        # A stream that is not named does not run.
        unnamed = dict.fromkeys(sorted(self._roster.streams()), 0)
        if self._counts is not None:
            return unnamed | self._counts
        return unnamed | {stream: plan.count for stream, plan in self._fleet().streams.items()}

    # -- deployment ---------------------------------------------------------------------------------------

    @on(messages.Deploy)
    def deploy(self, message: messages.Deploy) -> asyncio.Future[str]:
        """Add instances."""
        if message.count < 1:
            raise NotAsAsked(f"count must be at least 1, not {message.count}")
        count = message.count
        if message.strategy != "full":
            return self.context.answer_later(
                self._desk.begin_deploy, message.stream, count, message.strategy, message.settings, message.isolation
            )
        bring = partial(self._bring, isolation=message.isolation)
        return self.context.answer_later(bring, message.stream, lambda active: active + count, message.settings)

    @on(messages.Configure)
    def configure(self, message: messages.Configure) -> asyncio.Future[str]:
        """Give instances other settings."""
        return self.context.answer_later(self._desk.begin_configure, message.stream, message.strategy, message.settings)

    @on(messages.DecideRollout)
    def decide(self, message: messages.DecideRollout) -> asyncio.Future[Rollout]:
        """Promote or abort a rollout."""
        return self.context.answer_later(self._desk.decide, message.id, message.decision)

    @on(messages.Scale)
    def scale(self, message: messages.Scale) -> asyncio.Future[str]:
        """Bring a stream to a count."""
        return self.context.answer_later(self._bring, message.stream, message.wanted, {}, message.by)

    async def _bring(
        self,
        stream: str,
        wanted: Callable[[int], int],
        settings: dict[str, Any],
        by: SetBy = "hand",
        isolation: Isolation | None = None,
    ) -> str:
        kind = None
        if not any(record.stream == stream for record in self._roster.records.values()):
            kind = await self._planner.kind(stream)  # says so where there is no such stream, even one of none
        async with self._roster.changing:
            to = wanted(len(self._roster.of_stream(stream)))
            refuse_too_many(to)
            former = self._fleet().streams.get(stream, StreamPlan(count=0))
            change = await self._planner.planned(stream, to, former.settings, kind, settings, isolation)
            await self._planner.keep_count(stream, to, by)
            try:
                await self._keep(change)
            except NotNow:
                # Refused is refused: the next start should not do it after all.
                await self._planner.keep_count(stream, former.count, by)
                raise
            return await self._begin_change(stream, change)

    @on(messages.Reconcile)
    def reconcile(self, _: messages.Reconcile) -> None:
        """Bring every stream to the count that the configuration names now."""
        if self._counts is None:
            self.context.start_task(self._follow_configuration, name="reconcile")

    async def _follow_configuration(self) -> None:
        async with self._roster.changing:
            for stream, wanted in self._wanted_counts().items():
                if len(self._roster.of_stream(stream)) == wanted:
                    continue
                try:
                    change = await self._planner.planned(stream, wanted, self._planner.plan_of(stream).settings)
                    await self._keep(change)
                except ActorError as error:
                    self._tell_refused(stream, error)
                else:
                    await self._begin_change(stream, change)

    async def _keep(self, change: Change) -> None:
        await self._roster.store((*change.start, *change.retire))

    async def _begin_change(self, stream: str, change: Change) -> str:
        up, down = tuple(each.id for each in change.start), tuple(each.id for each in change.retire)
        return self._begin(await self._rollouts.begin_kept(stream, up, down))

    def _begin(self, file: RolloutFile) -> str:
        rollout = file.rollout
        self._events.publish("rollout.started", rollout=rollout.id, stream=rollout.stream, total=rollout.total)
        self._carry_out(file)
        return rollout.id

    def _carry_out(self, file: RolloutFile) -> None:
        run = partial(run_rollout, self._rollouts, self._operations, self._events, file)
        self.context.start_task(run, name=file.rollout.id)

    def _tell_refused(self, stream: str, error: ActorError) -> None:
        self._events.publish("fleet.stream_refused", "error", stream=stream, reason=str(error))

    # -- commands -----------------------------------------------------------------------------------------

    @on(messages.Command)
    def command(self, message: messages.Command) -> asyncio.Future[InstanceView]:
        """Stop, start, restart, pause or resume an instance."""
        if self._standby(message.id) is not None:
            raise NotNow(f"{message.id} is a standby: it has no work; recovery_config.json says how many there are")
        self._roster.active(message.id)
        return self.context.answer_later(self._run_command, message)

    async def _run_command(self, message: messages.Command) -> InstanceView:
        instance, action = message.id, message.action
        try:
            await self._operations.act(instance, action)
        except StartFailed as error:
            raise NotNow(f"{error}; it is tried again, as its restart budget allows") from error
        if (event := _TOLD.get(action)) is not None:
            self._events.publish(event, instance=instance, stream=self._roster.active(instance).stream, by="hand")
        return await self._view(instance)

    @on(messages.Act)
    def act(self, message: messages.Act) -> asyncio.Future[Any]:
        """Have an instance do one of its stream's own actions."""
        return self._ref(message.id).ask(Perform(message.action, message.arguments), _ACT_S)

    @on(messages.Disturb)
    def disturb(self, message: messages.Disturb) -> None:
        """Crash or freeze an instance."""
        if not self._fleet().chaos:
            raise NotNow('chaos is off; set "chaos": true in fleet_config.json first')
        try:
            standby = self._standby(message.id)
            ref = standby.ref if standby is not None else self._ref(message.id)
            if ref is None:
                raise NotNow(f"{message.id} is not running")
            ref.tell(Crash() if message.how == "crash" else Freeze())
        except MailboxFull as error:
            raise NotNow(str(error)) from error

    # -- keys ---------------------------------------------------------------------------------------------

    @on(messages.CreateInstanceKey)
    def create_key(self, message: messages.CreateInstanceKey) -> asyncio.Future[NewKey]:
        """Make a key."""
        asked = CreateKey(message.plan, message.quota, message.rate, message.credit, message.label, message.own)
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
    def list_instances(self, message: messages.ListInstances) -> asyncio.Future[InstancePage]:
        """List instances in order of their ports."""
        return self.context.answer_later(self._list, message, _port_of(message.cursor))

    async def _list(self, message: messages.ListInstances, after: int) -> InstancePage:
        if message.limit < 1:
            raise NotAsAsked(f"limit must be at least 1, not {message.limit}")
        limit = min(message.limit, _PAGE)
        if message.state == "standby":
            pool = self._standbys if message.stream is None else Pool(0)  # they are of no stream
            return page_of(pool, self._around.host, after, limit)
        rows: list[InstanceRow] = []
        records = sorted(self._roster.records.values(), key=lambda record: record.port)
        for place, record in enumerate(records):
            if place % _LOOKED_AT_ONCE == _LOOKED_AT_ONCE - 1:
                await asyncio.sleep(0)
            if not record.active or record.port <= after or message.stream not in (None, record.stream):
                continue
            row = row_of(record, *self._known(record.id), self._around.host)
            if message.state in (None, row.state):
                rows.append(row)
            if len(rows) > limit:
                return InstancePage(tuple(rows[:limit]), str(rows[limit - 1].port))
        return InstancePage(tuple(rows), None)

    @on(messages.GetInstance)
    def get_instance(self, message: messages.GetInstance) -> asyncio.Future[InstanceView]:
        """Describe an instance."""
        return self.context.answer_later(self._view, message.id)

    async def _view(self, instance: str) -> InstanceView:
        if (standby := self._standby(instance)) is not None:
            return await standby_view_of(standby, self._around.host)
        return await view_of(self._roster.active(instance), *self._known(instance), self._around)

    @on(messages.Summarise, urgent=True)
    def summarise(self, _: messages.Summarise) -> asyncio.Future[FleetSummary]:
        """Count the fleet."""
        return self.context.answer_later(self._count)

    async def _count(self) -> FleetSummary:
        by_stream: Counter[str] = Counter()
        by_state: Counter[InstanceState] = Counter()
        for place, record in enumerate(tuple(self._roster.records.values())):
            if place % _LOOKED_AT_ONCE == _LOOKED_AT_ONCE - 1:
                await asyncio.sleep(0)
            if record.active:
                by_stream[record.stream] += 1
                by_state[state_now(record, *self._known(record.id))] += 1
        active = by_state["ready"]
        if standbys := self._standbys.ready():
            by_state["standby"] = standbys  # besides the total: they are no part of the fleet
        return FleetSummary(active, by_stream.total(), dict(by_stream), dict(by_state))

    @on(messages.GetRollout)
    def get_rollout(self, message: messages.GetRollout) -> Rollout:
        """Describe a rollout."""
        rollout = self._rollouts.get(message.id)
        if rollout is None:
            raise NotFound(f"no rollout {message.id!r} is known; those of this run are, the oldest apart")
        return rollout

    @on(messages.ListRollouts)
    def list_rollouts(self, message: messages.ListRollouts) -> RolloutPage:
        """List rollouts."""
        return self._rollouts.page(message.limit, message.cursor)

    # -- lookups ------------------------------------------------------------------------------------------

    def _known(self, instance: str) -> tuple[ActorRef[Any] | None, str | None]:
        return self._operations.ref(instance), self._operations.fault(instance)

    def _ref(self, instance: str) -> ActorRef[Any]:
        self._roster.active(instance)
        ref = self._operations.ref(instance)
        if ref is None:
            raise NotNow(f"{instance} is not running")
        return ref

    def _standby(self, name: str) -> Seat | None:
        # A stream may be called `standby`, too: its instances are what is meant then.
        return None if name in self._roster.records else self._standbys.get(name)

    async def _prepare(self, stream: str) -> None:
        """Have everything there that an instance of a stream needs before it starts."""
        kind = await self._planner.kind(stream)
        if self._worlds is not None:
            await self._worlds.ensure(stream, kind)


def _make(
    roster: Roster,
    catalog: Catalog,
    around: Surroundings,
    processes: Processes,
    outsiders: Outsiders,
    instance: str,
) -> Instance | ProcessInstance:
    record = roster.records[instance]
    outsiders.look_at(record, catalog[record.stream])
    if record.isolation == "process":
        return processes.make(record, catalog[record.stream])
    return Instance(record, catalog[record.stream], around)


def _port_of(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > len("65535"):
        raise NotAsAsked(f"{cursor!r} is not a cursor of this list")
    return int(cursor)
