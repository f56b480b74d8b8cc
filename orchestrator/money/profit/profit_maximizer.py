"""The profit maximizer: looks at what was earned, learns, and divides the places that instances share.

Each period it reads what came to the instances of its mode's book, and of that book only; what it has learnt from one
book is kept apart from the other. Reckoning happens in a thread. What it decides is told, kept, and later compared with
what came.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from actors import Actor, ActorError, ActorRef, OwnedTask, on
from config.profit import ProfitMaximizing
from orchestrator.events import EventBus
from orchestrator.fleet.messages import NotAsAsked, NotFound
from orchestrator.money.profit.decision import By, Decision, DecisionPage, Explanation, ProfitPlan
from orchestrator.money.profit.history import KEPT_PERIODS, History
from orchestrator.money.profit.learner import Learner
from orchestrator.money.profit.messages import ExplainShare, PlanProfit, ReadDecisions, RunProfit
from orchestrator.money.profit.news import tell_decision, tell_outcome
from orchestrator.money.profit.outcomes import Outcomes
from orchestrator.money.profit.period import Period, gather
from orchestrator.money.profit.planning import Plan, estimate, make_plan, part_of
from orchestrator.money.profit.staff import Seen, budgets_of, look_at_fleet, members_of
from orchestrator.money.profit.takings import last_sequence, read_takings
from orchestrator.money.profit.tenure import Tenure
from orchestrator.money.profit.wording import explain, reason_of
from orchestrator.money.reader import Reader
from orchestrator.money.yield_model import ModelSettings
from streams.booking import BookName, LedgerUnavailable

_MOST: Final = 100
_MOST_INSTANCES: Final = 1000
_USUAL: Final = 1.0

_log = structlog.get_logger("profit")


class ProfitMaximizer(Actor[PlanProfit | RunProfit | ReadDecisions | ExplainShare]):
    """Divides what instances share.

    Args:
        settings: Reads the rule, as it is in force.
        multipliers: Reads the streams' multipliers.
        book: The book of this mode.
        asset: Reads the asset that money is reckoned in.
        ledger: The ledger's file, which exists.
        fleet: The deployment manager.
        events: Where to tell.
        history: What is kept.
        tenure: The shares in force; the same for every life of the actor.
        now: The wall clock.
    """

    def __init__(
        self,
        settings: Callable[[], ProfitMaximizing],
        multipliers: Callable[[], Mapping[str, float]],
        book: BookName,
        asset: Callable[[], str],
        ledger: Path,
        fleet: ActorRef[Any],
        events: EventBus,
        history: History,
        tenure: Tenure,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._multipliers = multipliers
        self._book = book
        self._asset = asset
        self._reader = Reader(ledger, "profit-reader")
        self._fleet = fleet
        self._events = events
        self._history = history
        self._tenure = tenure
        self._now = now
        self._turn = asyncio.Lock()
        self._learner = Learner(ModelSettings(), {}, _USUAL)
        self._taught: tuple[object, ...] = ()
        self._periods: deque[Period] = deque(maxlen=KEPT_PERIODS)
        self._outcomes = Outcomes(1)
        self._number = 0
        self._period = 1
        self._sequence = 0
        self._began_s = 0.0
        self._waited = 0
        self._problem: str | None = None
        self._keeps = False
        self._deciding: OwnedTask | None = None
        self._reconfigured = asyncio.Event()
        self._unsubscribe: Callable[[], None] | None = None

    async def on_start(self) -> None:
        """Take up what was learnt, and begin a period."""
        await self._reader.open()
        self._sequence = await self._reader.run(last_sequence)
        self._outcomes = Outcomes(self._settings().mature_periods)
        await self._take_up_history()
        self._began_s = self.context.now()
        self._tenure.begin(self._began_s)
        self._resize()
        self._unsubscribe = self._events.subscribe(
            ("config.changed", "config.reloaded"), lambda _: self._reconfigured.set()
        )
        self._deciding = self.context.start_task(self._keep_deciding, name="periods")

    async def on_stop(self, reason: BaseException | None) -> None:
        """Close what is open: every decision is on disk already."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        if self._deciding is not None:
            await self._deciding.cancel_and_wait()  # or it would open the history again
        await self._history.close()
        await self._reader.close()

    async def _take_up_history(self) -> None:
        try:
            kept = await self._history.open(self._book)
        except (OSError, sqlite3.Error) as error:
            self._note_problem(error)
            return
        if kept.last_decision:
            # The numbers of what was decided meanwhile may be those of decisions that are kept.
            self._outcomes = Outcomes(self._settings().mature_periods)
        self._number = max(self._number, kept.last_decision)
        if kept.periods:
            last = kept.periods[-1]
            self._period = max(self._period, last.id + 1)
            if not self._periods:
                self._periods.extend(kept.periods)
                # What came after the last period ended, up to a kill perhaps, belongs to the next one.
                self._sequence = min(self._sequence, last.sequence)
                self._outcomes.resume(kept.open, kept.periods)
                if not self._tenure.in_force:
                    self._tenure.put_in_force(last.then, self.context.now())
        self._keeps, self._problem = True, None

    # -- periods --------------------------------------------------------------------------------------------

    async def _keep_deciding(self) -> None:
        while True:
            self._reconfigured.clear()
            due_s = max(self._began_s + self._settings().interval_s, self.context.now())
            try:
                async with asyncio.timeout(due_s - self.context.now()):
                    await self._reconfigured.wait()
            except TimeoutError:
                self._began_s = due_s
                async with self._turn:
                    await self._end_period()
            else:
                self._resize()

    async def _end_period(self) -> None:
        """Learn from the period that is over, and decide on the next one."""
        if not self._keeps:
            await self._take_up_history()
        try:
            rows = await look_at_fleet(self._fleet)
            period = await self._look(rows)
        except (ActorError, LedgerUnavailable) as error:
            # What came meanwhile is counted with the next period.
            _log.warning("profit.unseen", reason=str(error))
            return
        self._periods.append(period)
        self._sequence, self._period = period.sequence, period.id + 1
        self._waited = self._tenure.waited
        settled = self._outcomes.settle(period)
        await self._learn(period)
        decision, plan = await self._reckon(rows, "schedule", applied=True)
        self._tenure.put_in_force(plan.shares, self.context.now())
        self._tenure.begin(self.context.now())
        self._outcomes.follow(decision)
        for each in settled:
            if each.outcome is not None and each.outcome.complete:
                tell_outcome(self._events, each)
        tell_decision(self._events, decision)
        await self._save(*settled, decision, period=msgspec.structs.replace(period, then=plan.shares))

    async def _look(self, rows: list[Seen]) -> Period:
        """Return the period that ends now."""
        settings, asset = self._settings(), self._asset()
        # Only those ends that are of periods of the same kind.
        ends = [each.ended_at for each in reversed(self._alike())][: settings.mature_periods + 1]
        takings = await self._reader.run(read_takings, self._book, self._sequence, ends)
        had = self._tenure.average(self.context.now())
        streams, elsewhere = await asyncio.to_thread(lambda: gather(asset, budgets_of(rows, had), takings.items))
        return Period(
            id=self._period,
            book=self._book,
            asset=asset,
            interval_s=settings.interval_s,
            ended_at=self._now(),
            sequence=takings.sequence,
            streams=streams,
            elsewhere=elsewhere,
        )

    async def _learn(self, period: Period) -> None:
        settings = self._settings()
        wanted = (period.asset, settings.interval_s, settings.memory, settings.mature_periods, self._multiplied())
        if wanted == self._taught:
            await asyncio.to_thread(self._learner.observe, period)
            return
        model = ModelSettings(memory=settings.memory, mature_periods=settings.mature_periods)
        multipliers = dict(self._multipliers())
        self._learner = await asyncio.to_thread(Learner.taught, model, multipliers, _USUAL, self._alike())
        self._taught = wanted

    def _alike(self) -> list[Period]:
        """Return the periods that can be learnt from together: of the asset and length that are wanted now."""
        settings, asset = self._settings(), self._asset()
        return [each for each in self._periods if (each.asset, each.interval_s) == (asset, settings.interval_s)]

    def _multiplied(self) -> tuple[tuple[str, float], ...]:
        return tuple(sorted(self._multipliers().items()))

    # -- deciding -------------------------------------------------------------------------------------------

    async def _reckon(self, rows: list[Seen], by: By, *, applied: bool) -> tuple[Decision, Plan]:
        settings, asset, learner = self._settings(), self._asset(), self._learner
        base = self._tenure.in_force if by == "schedule" else self._tenure.base
        if not self._taught:
            learner = Learner(ModelSettings(), self._multipliers(), _USUAL)
        optimism = ModelSettings().optimism
        plan = await asyncio.to_thread(lambda: make_plan(learner, members_of(rows, base), settings, optimism, asset))
        left_out = sorted({code for period in self._alike() for code in period.elsewhere})
        if applied:
            self._number += 1
        decision = Decision(
            id=self._number if applied else self._number + 1,
            at=self._now(),
            book=self._book,
            asset=asset,
            verdict=plan.verdict,
            by=by,
            applied=applied,
            reason=reason_of(
                plan,
                asset,
                periods=learner.periods,
                wanted=settings.evidence_periods,
                has_evidence=learner.has_evidence,
                waited=self._waited,
                left_out=left_out,
            ),
            period=self._period,
            interval_s=settings.interval_s,
            periods_seen=learner.periods,
            slots=settings.request_slots,
            waited=self._waited,
            instances=len(plan.rows),
            moved=round(plan.moved, 4),
            expected=estimate(plan.expected, asset),
            expected_before=estimate(plan.expected_before, asset),
            streams=plan.streams,
            movers=plan.movers,
            left_out=tuple(left_out),
        )
        return decision, plan

    def _resize(self) -> None:
        settings = self._settings()
        self._tenure.resize(settings.request_slots, settings.errand_slots)

    async def _save(self, *decisions: Decision, period: Period | None = None) -> None:
        if not self._keeps:
            return  # numbers that are not known to be free would take the place of former decisions
        try:
            await self._history.save(decisions, period)
        except (OSError, sqlite3.Error) as error:
            self._note_problem(error)
        else:
            self._problem = None

    def _note_problem(self, error: Exception) -> None:
        if self._problem is None:
            _log.warning("profit.history_unwritten", reason=str(error))
        self._problem = str(error)

    # -- asked ----------------------------------------------------------------------------------------------

    @on(PlanProfit)
    def plan(self, message: PlanProfit) -> asyncio.Future[ProfitPlan]:
        """Say what would be decided now."""
        _check_limit(message.limit)
        return self.context.answer_later(self._plan, message)

    async def _plan(self, message: PlanProfit) -> ProfitPlan:
        async with self._turn:
            decision, plan = await self._reckon(await look_at_fleet(self._fleet), "hand", applied=False)
            learner = self._learner
        limit = min(message.limit, _MOST_INSTANCES)
        listed = [
            row
            for row in plan.rows
            if message.stream in (None, row.member.stream)
            and (message.cursor is None or row.member.instance > message.cursor)
        ]
        items = tuple(part_of(row, learner, decision.asset) for row in listed[:limit])
        more = len(listed) > limit
        return ProfitPlan(decision, items, items[-1].instance if more else None, self._problem)

    @on(RunProfit)
    def run(self, _: RunProfit) -> asyncio.Future[Decision]:
        """Decide now."""
        return self.context.answer_later(self._run)

    async def _run(self) -> Decision:
        async with self._turn:
            decision, plan = await self._reckon(await look_at_fleet(self._fleet), "hand", applied=True)
            self._tenure.put_in_force(plan.shares, self.context.now())
            self._outcomes.follow(decision)
            tell_decision(self._events, decision)
            await self._save(decision)
        return decision

    @on(ReadDecisions)
    def read(self, message: ReadDecisions) -> asyncio.Future[DecisionPage]:
        """Page through decisions."""
        _check_limit(message.limit)
        if message.cursor is not None and not _is_number(message.cursor):
            raise NotAsAsked(f"{message.cursor!r} is not a cursor of this list")
        return self.context.answer_later(self._read, message)

    async def _read(self, message: ReadDecisions) -> DecisionPage:
        limit = min(message.limit, _MOST)
        before = None if message.cursor is None else int(message.cursor)
        try:
            found = await self._history.page(self._book, limit + 1, before)
        except (OSError, sqlite3.Error) as error:
            self._note_problem(error)
            return DecisionPage((), None)
        more = len(found) > limit
        return DecisionPage(found[:limit], str(found[limit - 1].id) if more else None)

    @on(ExplainShare)
    def explain(self, message: ExplainShare) -> asyncio.Future[Explanation]:
        """Say why an instance has its share."""
        return self.context.answer_later(self._explain, message.instance)

    async def _explain(self, instance: str) -> Explanation:
        async with self._turn:
            decision, plan = await self._reckon(await look_at_fleet(self._fleet), "hand", applied=False)
            learner = self._learner
        row = next((each for each in plan.rows if each.member.instance == instance), None)
        if row is None:
            raise NotFound(f"{instance} has no share: it does not run, or there is no such instance")
        part = part_of(row, learner, decision.asset)
        share = self._tenure.in_force.get(instance)
        sentences = explain(part, share, plan, decision.asset, decision.interval_s)
        return Explanation(part, share, decision.asset, decision.interval_s, sentences)


def _check_limit(limit: int) -> None:
    if limit < 1:
        raise NotAsAsked(f"limit must be at least 1, not {limit}")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(2**60))
