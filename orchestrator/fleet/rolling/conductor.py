"""Takes one rollout through its batches: changes one, watches it, goes on, pauses, or brings the former state back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, TypeAlias

import msgspec
import structlog

from actors import ActorError
from config.rollouts import RollingOut
from orchestrator.events import Event, EventBus, Level
from orchestrator.fleet.messages import NotNow
from orchestrator.fleet.operations import Operations
from orchestrator.fleet.rolling.changes import Changes
from orchestrator.fleet.rolling.journal import RolloutFile
from orchestrator.fleet.rolling.observer import Look, Observer, some_of
from orchestrator.fleet.rolling.validation import Validation, Verdict
from orchestrator.fleet.rolling.work import Work
from orchestrator.fleet.rollout import Rollout
from orchestrator.fleet.rollouts import Rollouts, each_at_once, tell_end
from orchestrator.fleet.roster import Roster
from streams.booking_tally import BookingTally

Decision: TypeAlias = Literal["promote", "abort"]

_STORE_AGAIN_S = 5.0
_READY_EVERY_S = 0.25

_log = structlog.get_logger("fleet")


class Stage(msgspec.Struct, frozen=True):
    """What rollouts are carried out with.

    Attributes:
        rollouts: Where they are kept.
        roster: What is wanted of instances.
        operations: What is done to them.
        changes: What a batch's change consists of.
        events: Where to tell.
        tally: The instances' bookings.
        rules: Reads the rules in force.
        now: Monotonic seconds.
    """

    rollouts: Rollouts
    roster: Roster
    operations: Operations
    changes: Changes
    events: EventBus
    tally: BookingTally
    rules: Callable[[], RollingOut]
    now: Callable[[], float]


class Conductor:
    """Carries a rollout out, from where it is.

    Args:
        file: The rollout.
        stage: What it is carried out with.
    """

    def __init__(self, file: RolloutFile, stage: Stage) -> None:
        self._file = file
        self._stage = stage
        self._decision: Decision | None = None
        self._asked = asyncio.Event()
        self._heeded = asyncio.Event()

    async def run(self) -> None:
        """Go on until it has ended. Whatever ends this early, a new conductor goes on from what is kept."""
        try:
            while self._rollout.phase != "reverting":
                if self._rollout.phase == "changing" and not await self._change():
                    break
                if await self._watch():
                    await self._go_on()
                if self._rollout.ended_at is not None:
                    return
            await self._revert()
        except Exception as error:  # noqa: BLE001 - a rollout's failure is its own, and no reason to end the manager
            _log.exception("rollout.failure", rollout=self._rollout.id)
            await self._end(self._rollout.ended("incomplete", f"it broke off: {type(error).__name__}: {error}"))
        finally:
            self._heeded.set()

    async def decide(self, decision: Decision) -> Rollout:
        """Have it go on, or be taken back; returns when that has begun and is kept.

        Raises:
            NotNow: That cannot be decided now.
        """
        rollout = self._rollout
        if rollout.ended_at is not None or rollout.phase == "reverting":
            raise NotNow(f"{rollout.id} is {'being taken back' if rollout.ended_at is None else rollout.state} already")
        if decision == "promote" and rollout.phase == "changing":
            raise NotNow(f"{rollout.id} is still changing instances; it can be promoted once they are watched")
        if self._decision is not None:
            raise NotNow(f"somebody has just asked to {self._decision} {rollout.id}")
        self._decision = decision
        self._asked.set()
        await self._heeded.wait()
        return self._rollout

    # -- one batch ----------------------------------------------------------------------------------------------

    async def _change(self) -> bool:
        """Bring the batch into its new state; returns whether that could be begun."""
        stage, file = self._stage, self._file
        if file.past is None and file.batch.judged and not self._baseline():
            observer = Observer(stage.roster, stage.operations, stage.tally)
            file = msgspec.structs.replace(file, past=await observer.totals(some_of(file.batch.instances)))
        before = sum(batch.count for batch in file.batches[: self._rollout.stage - 1])
        await self._keep(file, done=before, failed={})
        try:
            self._file = await stage.changes.prepare(self._file)
        except ActorError as error:
            await self._turn_back(f"the batch cannot be changed: {error}")
            return False
        passed: dict[str, Any] = {} if self._rollout.reason is None else {"reason": self._rollout.reason}
        self._tell("batch", instances=self._file.batch.count, **passed)
        work = stage.changes.work_of(self._file)
        await each_at_once(stage.rollouts, self._rollout.id, self._file.batch.instances, work)
        fresh: dict[str, Any] = {"reason": None, "figures": {}} if self._file.batch.judged else {}
        await self._keep(self._file, phase="watching", **fresh)
        return True

    async def _watch(self) -> bool:
        """Watch the batch until it is good, or not; returns whether it is."""
        gave_up: dict[str, str] = {}
        concerned = frozenset(self._file.batch.instances)

        def note(event: Event) -> None:
            # Told once: when one looks, a standby may have taken over, and it looks as if nothing had been.
            if event.fields.get("instance") in concerned:
                gave_up[event.fields["instance"]] = "; ".join(event.fields.get("history", ())[-1:])

        unsubscribe = self._stage.events.subscribe(("instance.failed",), note)
        try:
            return await (self._judge(gave_up) if self._file.batch.judged else self._await_ready(gave_up))
        finally:
            unsubscribe()

    async def _await_ready(self, gave_up: Mapping[str, str]) -> bool:
        """See only that the batch's instances become ready."""
        stage, watched = self._stage, self._watched()
        observer = Observer(stage.roster, stage.operations, stage.tally)
        within_s, began_s, unready = stage.rules().ready_within_s, stage.now(), set(watched)
        while self._decision is None:
            looks = await observer.look(watched)
            unready &= {instance for instance, look in looks.items() if not look.ready}
            overdue = stage.now() - began_s > within_s
            if (reason := _downfall(gave_up, looks, unready, overdue=overdue)) is not None:
                await self._turn_back(reason)
                return False
            if not unready:
                return True
            await self._wait(_READY_EVERY_S)
        return await self._heed()

    async def _judge(self, gave_up: Mapping[str, str]) -> bool:
        """Compare the batch with the instances beside it until there is a verdict, or somebody's decision."""
        stage, file = self._stage, self._file
        rules = stage.rules()
        watched, baseline = self._watched(), some_of(self._baseline())
        observer = Observer(stage.roster, stage.operations, stage.tally)
        before = await observer.totals(baseline)
        await observer.totals(watched)
        validation = Validation(
            rules,
            batches=sum(each.judged for each in file.batches),
            before=before,
            past=None if baseline else file.past or Work(),
            seed=self._rollout.id,
        )
        self._tell("validating", instances=len(watched), baseline=len(baseline))
        began_s = doubtful_since_s = stage.now()
        unready = set(watched)
        while True:
            await self._wait(rules.interval_s)
            if self._decision is not None:
                return await self._heed()
            mine, looks = await observer.period(watched)
            theirs, _ = await observer.period(baseline)
            watched_s = stage.now() - began_s
            unready &= {instance for instance, look in looks.items() if not look.ready}
            overdue = watched_s > rules.ready_within_s
            if (reason := _downfall(gave_up, looks, unready, overdue=overdue)) is not None:
                await self._turn_back(reason)
                return False
            validation.note(mine, theirs)
            verdict = validation.verdict(watched_s)
            if verdict.outcome == "worse":
                await self._turn_back(verdict.reason, verdict)
                return False
            if verdict.outcome == "good" and all(look.ready for look in looks.values()):
                self._show(verdict)
                return True
            if verdict.outcome != "undecided":
                doubtful_since_s = stage.now()
            paused = verdict.outcome == "no_data" or stage.now() - doubtful_since_s > rules.patience_s
            await self._hold(verdict, paused=paused)

    async def _hold(self, verdict: Verdict, *, paused: bool) -> None:
        """Show what is known so far, and whether it waits for a person or for data."""
        was = self._rollout.state
        if was == "paused" and verdict.outcome == "watching":
            self._show(verdict, keep_reason=True)  # after a restart: why it paused holds until there is more to say
            return
        self._show(verdict)
        if paused and was != "paused":
            await self._keep(self._file, state="paused")
            self._tell("paused", "warning", reason=verdict.reason)
        elif not paused and was == "paused":
            await self._keep(self._file, state="running")
            self._tell("validating", reason="there is data now")

    async def _heed(self) -> bool:
        decision, self._decision = self._decision, None
        self._asked.clear()
        if decision == "promote":
            said = self._rollout.reason or "nothing yet"
            self._stage.rollouts.show(self._rollout.with_change(reason=f"promoted by hand; last said of it: {said}"))
            self._tell("promoted", reason=f"by hand; last said of it: {said}")
            return True
        await self._turn_back("by hand", ends_as="aborted")
        self._heeded.set()
        return False

    async def _go_on(self) -> None:
        """Begin the next batch, or end."""
        if self._decision == "promote":
            self._decision = None  # it has just been found good
            self._asked.clear()
        rollout, file = self._rollout, self._file
        if rollout.stage == rollout.stages:
            await self._stage.changes.settle(file)
            await self._end(rollout.with_change(done=rollout.total, failed={}).ended("completed", rollout.reason))
        else:
            done = sum(batch.count for batch in file.batches[: rollout.stage])
            fresh = msgspec.structs.replace(file, past=None)
            await self._keep(fresh, state="running", phase="changing", stage=rollout.stage + 1, done=done, failed={})
        self._heeded.set()
        self._heeded = asyncio.Event()

    # -- back ---------------------------------------------------------------------------------------------------

    async def _turn_back(
        self,
        reason: str,
        verdict: Verdict | None = None,
        ends_as: Literal["rolled_back", "aborted"] = "rolled_back",
    ) -> None:
        figures = self._rollout.figures if verdict is None else verdict.figures
        file = msgspec.structs.replace(self._file, ends_as=ends_as)
        await self._keep(file, state="running", phase="reverting", reason=reason, figures=figures)

    async def _revert(self) -> None:
        self._tell("reverting", "warning", reason=self._rollout.reason)
        changed = self._file.changed
        await self._persistently(lambda: self._stage.changes.take_back(self._file))
        self._stage.rollouts.show(self._rollout.with_change(done=0, failed={}))
        back = self._stage.changes.work_back(self._file)
        await each_at_once(self._stage.rollouts, self._rollout.id, changed, back)
        await self._end(self._rollout.with_change(done=0).ended(self._file.ends_as, self._rollout.reason))

    # -- helpers ------------------------------------------------------------------------------------------------

    @property
    def _rollout(self) -> Rollout:
        """The rollout as it is shown: progress is noted there."""
        shown = self._stage.rollouts.get(self._file.rollout.id)
        return shown if shown is not None else self._file.rollout

    def _baseline(self) -> tuple[str, ...]:
        """Return the stream's instances that work as they did before the rollout."""
        touched = set(self._file.changed)
        if self._file.kind == "deploy":
            touched = {each for batch in self._file.batches for each in batch.instances}
        records = self._stage.roster.of_stream(self._rollout.stream)
        return tuple(record.id for record in records if record.id not in touched and record.desired == "running")

    def _watched(self) -> tuple[str, ...]:
        """Return the instances of the batch that are looked at: some, and all that were not ready at once."""
        some = some_of(self._file.batch.instances)
        return (*some, *(instance for instance in self._rollout.failed if instance not in some))

    async def _wait(self, for_s: float) -> None:
        try:
            async with asyncio.timeout(for_s):
                await self._asked.wait()
        except TimeoutError:
            return

    def _show(self, verdict: Verdict, *, keep_reason: bool = False) -> None:
        reason = self._rollout.reason if keep_reason else verdict.reason
        self._stage.rollouts.show(self._rollout.with_change(reason=reason, figures=verdict.figures))

    async def _keep(self, file: RolloutFile, **fields: Any) -> None:
        """Store where it is; it does not go further before that is on disk."""
        self._file = msgspec.structs.replace(file, rollout=self._rollout.with_change(**fields))
        await self._persistently(lambda: self._stage.rollouts.keep(self._file))

    async def _end(self, rollout: Rollout) -> None:
        self._file = msgspec.structs.replace(self._file, rollout=rollout)
        await self._persistently(lambda: self._stage.rollouts.keep(self._file))
        tell_end(self._stage.events, rollout)

    async def _persistently(self, store: Callable[[], Awaitable[object]]) -> None:
        told = False
        while True:
            try:
                await store()
            except (OSError, NotNow) as error:
                if not told:
                    self._tell("unkept", "warning", reason=f"{error}; it is tried again until it can be stored")
                told = True
            else:
                return
            await asyncio.sleep(_STORE_AGAIN_S)

    def _tell(self, what: str, level: Level = "info", **fields: Any) -> None:
        rollout = self._rollout
        told: dict[str, Any] = {"stage": rollout.stage, "stages": rollout.stages}
        told |= {"total": rollout.total, "done": rollout.done} | fields
        self._stage.events.publish(f"rollout.{what}", level, rollout=rollout.id, stream=rollout.stream, **told)


def _downfall(gave_up: Mapping[str, str], looks: Mapping[str, Look], unready: set[str], *, overdue: bool) -> str | None:
    """Return what speaks against a batch before anything is compared; None if nothing does."""
    for instance, failure in gave_up.items():
        return f"{instance} has failed, its restarts are spent: {failure}"
    for instance, look in looks.items():
        if look.gave_up:
            return f"{instance} has failed: {look.detail}"
    if overdue and unready:
        first = min(unready)
        return f"{len(unready)} of {len(looks)} did not become ready in time; {first}: {looks[first].detail}"
    return None
