"""The auto-scaler: measures, decides, has the deployment manager carry it out, and looks at what came of it.

It never changes a count that nobody allowed it to change, and never on account of what it does not know. What it
decides is told when it is another decision than before, and once an hour; all of it is kept.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import msgspec
import structlog

from actors import Actor, ActorError, ActorRef, OwnedTask, Request, on
from config.auto_scaling import AutoScaling
from config.fleet import StreamPlan
from orchestrator.events import EventBus
from orchestrator.fleet.messages import GetRollout, ListRollouts, NotAsAsked, NotFound, Scale, Summarise
from orchestrator.fleet.scaling.decision import Decision, Round
from orchestrator.fleet.scaling.earnings import Earnings, Weights
from orchestrator.fleet.scaling.figures import StreamNow
from orchestrator.fleet.scaling.history import Rounds
from orchestrator.fleet.scaling.judge import Judge
from orchestrator.fleet.scaling.measure import Meter
from orchestrator.fleet.scaling.outcomes import Outcomes
from orchestrator.fleet.scaling.report import RoundPage, ScalingStatus, told
from orchestrator.fleet.scaling.room import Place, Room

R = TypeVar("R")

TOLD_AGAIN_S: Final = 3600.0
"""A decision that stays the same is told again after so long."""

_ASK_S: Final = 10.0
_SCALE_S: Final = 25.0
_MOST: Final = 100
_ROLLOUTS_LOOKED_AT: Final = 100
_LEFT_OPEN_MOST: Final = 50

_log = structlog.get_logger("scaling")


class FleetFailed(ActorError):
    """The deployment manager failed over a request, which is its own affair and its supervisor's."""


class ReadScaling(Request[ScalingStatus], frozen=True):
    """How the auto-scaler sees the fleet.

    Attributes:
        history: How many former rounds are told.
    """

    history: int = 0


class ReadRounds(Request[RoundPage], frozen=True):
    """A page of former rounds, the newest first.

    Attributes:
        limit: How many at most.
        cursor: Where the page before ended: the number of its last round.
        acted: Only those that changed a count.
    """

    limit: int = 100
    cursor: str | None = None
    acted: bool = False


class AutoScaler(Actor[ReadScaling | ReadRounds]):
    """Scales the fleet.

    Args:
        settings: Reads the rule's numbers, as they are in force.
        plans: Reads the streams' plans.
        fixed: Why no count may be changed in this run, if none may.
        fleet: The deployment manager.
        earned: Asks what each stream has earned in all, in minor units of one asset.
        events: Where to tell.
        meter: Measures.
        room: Knows where there is room.
        rounds: What is kept.
    """

    def __init__(
        self,
        settings: Callable[[], AutoScaling],
        plans: Callable[[], Mapping[str, StreamPlan]],
        fixed: str | None,
        fleet: ActorRef[Any],
        earned: Callable[[], Awaitable[Mapping[str, int]]],
        events: EventBus,
        meter: Meter,
        room: Room,
        rounds: Rounds,
    ) -> None:
        self._settings = settings
        self._plans = plans
        self._fixed = fixed
        self._fleet = fleet
        self._earned = earned
        self._events = events
        self._meter = meter
        self._room = room
        self._rounds = rounds
        self._judge = Judge(room)
        self._earnings = Earnings()
        self._outcomes = Outcomes()
        self._weights = Weights({}, "multipliers")
        self._places: tuple[Place, ...] = ()
        self._latest: Round | None = None
        self._number = 0
        self._told: dict[str, tuple[tuple[str, str], float]] = {}
        self._problem: str | None = None
        self._keeps = False
        self._watching: OwnedTask | None = None
        self._reconfigured = asyncio.Event()
        self._unsubscribe: Callable[[], None] | None = None

    async def on_start(self) -> None:
        """Take up the history, and begin to measure."""
        await self._take_up_history()
        self._unsubscribe = self._events.subscribe(
            ("config.changed", "config.reloaded"), lambda _: self._reconfigured.set()
        )
        await self._meter.begin()
        self.context.start_task(self._meter.watch_loop, lambda: self._settings().interval_s, name="lag")
        self._watching = self.context.start_task(self._watch, name="rounds")

    async def on_stop(self, reason: BaseException | None) -> None:
        """Close the history: every round is on disk already."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        if self._watching is not None:
            await self._watching.cancel_and_wait()  # or it would open the history again
        await self._rounds.close()

    async def _take_up_history(self) -> None:
        try:
            self._number = max(self._number, await self._rounds.open())
            left_open = await self._rounds.page(_LEFT_OPEN_MOST, acted=True)
        except (OSError, sqlite3.Error) as error:
            self._note_problem(error)
        else:
            self._outcomes.resume(reversed(left_open))
            self._keeps, self._problem = True, None

    # -- rounds ---------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        last_s = self.context.now()
        while True:
            # Those that were missed, while the loop was blocked for instance, are not made up for.
            due_s = max(last_s + self._settings().interval_s, self.context.now())
            self._reconfigured.clear()
            try:
                async with asyncio.timeout_at(due_s):
                    await self._reconfigured.wait()
            except TimeoutError:
                last_s = due_s
                await self._round()

    async def _round(self) -> None:
        if not self._keeps:
            await self._take_up_history()
        settings, now_s = self._settings(), self.context.now()
        measured = await self._meter.measure(now_s)
        await self._weigh(settings, now_s)
        ready, rolling = await self._look_at_fleet()
        figures = msgspec.structs.replace(measured.figures, instances=ready)
        streams = self._streams(rolling)
        verdict = self._judge.judge(settings, figures, streams, measured.slept_s)
        self._places = self._room.places(figures, settings)
        self._number += 1
        latest = Round(
            id=self._number,
            at=datetime.now(UTC),
            figures=figures,
            decisions=verdict.decisions,
            high=settings.high,
            low=settings.low,
            note=verdict.note,
            streams=tuple(streams),
        )
        if any(decision.action != "hold" for decision in latest.decisions):
            await self._save(latest)  # before it is done: whoever is killed here leaves word of it
            latest = msgspec.structs.replace(latest, decisions=await self._carry_out(latest.decisions))
        settled = await self._settle(latest)
        self._latest = latest
        self._outcomes.follow(latest)
        for decision in latest.decisions:
            self._tell(decision, latest)
        await self._save(*settled, latest)

    async def _weigh(self, settings: AutoScaling, now_s: float) -> None:
        try:
            self._earnings.note(now_s, await self._earned(), settings.earnings_window_s)
        except Exception as error:  # noqa: BLE001 - an ask passes on whatever the other side failed with
            _log.warning("scaling.earnings_unknown", reason=str(error))
        self._weights = self._earnings.weigh(self._plans())

    async def _look_at_fleet(self) -> tuple[int | None, set[str]]:
        """Return how many instances are ready, None where nobody says, and the streams of which a rollout runs."""
        try:
            ready = (await self._ask_fleet(Summarise(), _ASK_S)).active
            page = await self._ask_fleet(ListRollouts(_ROLLOUTS_LOOKED_AT), _ASK_S)
        except ActorError as error:
            _log.warning("scaling.fleet_unseen", reason=str(error))
            return None, set()
        return ready, {rollout.stream for rollout in page.items if rollout.ended_at is None}

    def _streams(self, rolling: set[str]) -> list[StreamNow]:
        return [
            StreamNow.of(
                stream,
                plan,
                self._weights.by_stream.get(stream, 0.0),
                rolling=stream in rolling,
                fixed=self._fixed,
            )
            for stream, plan in self._plans().items()
        ]

    async def _carry_out(self, decisions: tuple[Decision, ...]) -> tuple[Decision, ...]:
        """Have the changes made, what shrinks first; return the decisions with their rollouts."""
        done: dict[str, Decision] = {}
        for decision in sorted(decisions, key=lambda each: each.to - each.count):
            if decision.action == "hold":
                continue
            # What a person sets meanwhile holds.
            asked = Scale(decision.stream, decision.to, "auto_scaler", only_from=decision.count)
            try:
                rollout = await self._ask_fleet(asked, _SCALE_S)
            except ActorError as error:
                done[decision.stream] = msgspec.structs.replace(decision, refused=str(error))
            else:
                done[decision.stream] = msgspec.structs.replace(decision, rollout=rollout)
        return tuple(done.get(decision.stream, decision) for decision in decisions)

    async def _settle(self, latest: Round) -> list[Round]:
        """See what came of former changes; return their rounds as they are now."""
        states: dict[str, str | None] = {}
        for rollout in self._outcomes.rollouts():
            try:
                seen = await self._ask_fleet(GetRollout(rollout), _ASK_S)
            except NotFound:
                states[rollout] = "not known any more"
            except ActorError as error:
                _log.warning("scaling.rollout_unseen", rollout=rollout, reason=str(error))
            else:
                states[rollout] = None if seen.ended_at is None else seen.state
        counts = {stream: plan.count for stream, plan in self._plans().items()}
        settled = self._outcomes.settle(states, latest.figures, counts, latest.at)
        for taken, decision in settled:
            assert decision.outcome is not None
            self._events.publish(
                "scaling.settled",
                round=taken.id,
                stream=decision.stream,
                action=decision.action,
                rollout=decision.rollout,
                expected=msgspec.to_builtins(decision.expected),
                outcome=msgspec.to_builtins(decision.outcome),
            )
        return [taken for taken, _ in settled]

    async def _ask_fleet(self, asked: Request[R], timeout_s: float) -> R:
        try:
            answer: R = await self._fleet.ask(asked, timeout_s)
        except ActorError:
            raise
        except Exception as error:  # as above
            raise FleetFailed(f"{type(error).__name__}: {error}") from error
        return answer

    def _tell(self, decision: Decision, latest: Round) -> None:
        former, at_s = self._told.get(decision.stream, (None, 0.0))
        now_s = self.context.now()
        if decision.action == "hold" and former == decision.news and now_s - at_s < TOLD_AGAIN_S:
            return
        self._told[decision.stream] = decision.news, now_s
        level = "info" if decision.refused is None else "warning"
        self._events.publish("scaling.decided", level, **told(latest.id, decision, latest))  # type: ignore[arg-type]

    async def _save(self, *rounds: Round) -> None:
        if not self._keeps:
            return  # numbers that are not known to be free would take the place of former rounds
        try:
            await self._rounds.save(*rounds)
        except (OSError, sqlite3.Error) as error:
            self._note_problem(error)
        else:
            self._problem = None

    def _note_problem(self, error: Exception) -> None:
        if self._problem is None:
            _log.warning("scaling.history_unwritten", reason=str(error))
        self._problem = str(error)

    # -- reporting ------------------------------------------------------------------------------------------

    @on(ReadScaling)
    def status(self, message: ReadScaling) -> asyncio.Future[ScalingStatus]:
        """Say how it sees the fleet."""
        return self.context.answer_later(self._status, message)

    async def _status(self, message: ReadScaling) -> ScalingStatus:
        page = RoundPage((), None)
        if message.history > 0:
            page = await self._page(ReadRounds(min(message.history, _MOST)))
        return ScalingStatus(
            at=datetime.now(UTC),
            settings=self._settings(),
            latest=self._latest,
            places=self._places,
            weights_from=self._weights.source,
            history=page.items,
            next_cursor=page.next_cursor,
            problem=self._problem,
        )

    @on(ReadRounds)
    def read(self, message: ReadRounds) -> asyncio.Future[RoundPage]:
        """Page through former rounds."""
        if message.limit < 1:
            raise NotAsAsked(f"limit must be at least 1, not {message.limit}")
        if message.cursor is not None and not _is_number(message.cursor):
            raise NotAsAsked(f"{message.cursor!r} is not a cursor of this list")
        return self.context.answer_later(self._page, message)

    async def _page(self, message: ReadRounds) -> RoundPage:
        limit = min(message.limit, _MOST)
        before = None if message.cursor is None else int(message.cursor)
        try:
            found = await self._rounds.page(limit + 1, before, acted=message.acted)
        except (OSError, sqlite3.Error) as error:
            self._note_problem(error)
            return RoundPage((), None)
        more = len(found) > limit
        return RoundPage(found[:limit], str(found[limit - 1].id) if more else None)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(2**60))
