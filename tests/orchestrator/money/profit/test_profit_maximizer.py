"""The profit maximizer on a real ledger, on the virtual clock."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from actors import Actor, ActorRef, ActorSystem, on
from config.profit import ProfitMaximizing
from orchestrator.events import Event, EventBus
from orchestrator.fleet.messages import ListInstances, NotAsAsked, NotFound
from orchestrator.fleet.view import InstancePage, InstanceRow, InstanceState
from orchestrator.money.profit.decision import Decision, Explanation, ProfitPlan
from orchestrator.money.profit.history import History
from orchestrator.money.profit.messages import ExplainShare, PlanProfit, ReadDecisions, RunProfit
from orchestrator.money.profit.profit_maximizer import ProfitMaximizer
from orchestrator.money.profit.tenure import Tenure
from orchestrator.money.store import Store
from streams.booking import BookName, Posting
from streams.turns import Shares
from tests.orchestrator.money.bookings import NOON, api_call, write

EVERY_S = 300.0
RICH, POOR, OTHER = "rich-001", "poor-001", "poor-002"


class Fleet(Actor[ListInstances]):
    """Answers as the deployment manager, two at a time."""

    def __init__(self, states: dict[str, InstanceState]) -> None:
        self._states = states

    @on(ListInstances)
    def list(self, message: ListInstances) -> InstancePage:
        rows = [
            InstanceRow(name, name.rpartition("-")[0], state, "127.0.0.1", 1, 0, None)
            for name, state in self._states.items()
        ]
        start = int(message.cursor or 0)
        end = start + 2
        return InstancePage(tuple(rows[start:end]), str(end) if end < len(rows) else None)


class Bench:
    """A ledger, a fleet, and a maximizer between them; it outlives them as a home does."""

    def __init__(self, directory: Path) -> None:
        self.ledger = directory / "ledger.sqlite3"
        self.file = directory / "state" / "profit.sqlite3"
        self.states: dict[str, InstanceState] = {RICH: "ready", POOR: "ready", OTHER: "ready"}
        self.settings = ProfitMaximizing(interval_s=EVERY_S, mature_periods=2, hysteresis=0.01)
        self.multipliers = {"rich": 1.0, "poor": 3.0}
        self.book: BookName = "paper"
        self.asset = "USD"
        self.shares = Shares()
        self.events: list[Event] = []
        self.number = 0
        self.maximizer: ActorRef[Any]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self.store = Store(self.ledger)
        await asyncio.to_thread(self.store.open)
        bus, loop = EventBus(), asyncio.get_running_loop()
        bus.subscribe(("*",), self.events.append)
        history, tenure = History(self.file), Tenure(self.shares)
        try:
            async with ActorSystem("profit") as system:
                fleet = await system.spawn(lambda: Fleet(self.states), "fleet")
                began_s = loop.time()
                began = self.now
                self.system = system
                self._clock = lambda: began + timedelta(seconds=loop.time() - began_s)
                self.maximizer = await system.spawn(
                    lambda: ProfitMaximizer(
                        settings=lambda: self.settings,
                        multipliers=lambda: self.multipliers,
                        book=self.book,
                        asset=lambda: self.asset,
                        ledger=self.ledger,
                        fleet=fleet,
                        events=bus,
                        history=history,
                        tenure=tenure,
                        now=lambda: self._clock(),
                    ),
                    "profit_maximizer",
                )
                yield
                self._left = self._clock()
        finally:
            await asyncio.to_thread(self.store.close)

    @property
    def now(self) -> datetime:
        """Where the last life has ended."""
        return getattr(self, "_left", NOON)

    def step_clock(self, seconds: float) -> None:
        """Set the wall clock to another time."""
        clock = self._clock
        self._clock = lambda: clock() + timedelta(seconds=seconds)

    async def earn(self, instance: str, units: int, **more: Any) -> None:
        """Book what a customer paid now."""
        self.number += 1
        stream = instance.rpartition("-")[0]
        asset = more.pop("asset", "USD")
        legs = (
            Posting("asset:clearing:sandbox", asset, units),
            Posting(f"income:{stream}:{instance}", asset, -units),
        )
        booking = api_call(
            self.number, instance=instance, stream=stream, postings=legs, occurred_at=self._clock(), meters=(), **more
        )
        (receipt,) = await asyncio.to_thread(write, self.store, booking)
        assert not isinstance(receipt, Exception), receipt

    async def periods(self, count: int, **earned: int) -> None:
        """Let periods pass, in each of which an instance earns."""
        for _ in range(count):
            await asyncio.sleep(EVERY_S / 2)
            for name, units in earned.items():
                await self.earn(name.replace("_", "-"), units, book=self.book)
            await asyncio.sleep(EVERY_S / 2)
        await asyncio.sleep(1)

    async def plan(self, **asked: Any) -> ProfitPlan:
        plan: ProfitPlan = await self.maximizer.ask(PlanProfit(**asked), 10)
        return plan

    async def decisions(self) -> list[Decision]:
        page = await self.maximizer.ask(ReadDecisions(), 10)
        return list(page.items)

    async def explain(self, instance: str) -> Explanation:
        explanation: Explanation = await self.maximizer.ask(ExplainShare(instance), 10)
        return explanation

    def weight(self, instance: str) -> float:
        return self.shares.of(instance).requests.weight

    def told(self, name: str) -> list[dict[str, Any]]:
        return [event.fields for event in self.events if event.name == name]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def test_without_evidence_shares_follow_the_multipliers_and_it_says_so(bench: Bench) -> None:
    async with bench.running():
        assert bench.weight(RICH) == bench.weight(POOR) == 1.0
        await bench.periods(1)
        (decision,) = await bench.decisions()
        assert decision.verdict == "prior"
        assert decision.reason.startswith("Too little evidence (1 of 3 periods seen): shares follow the multipliers.")
        assert bench.weight(POOR) > bench.weight(RICH)
        await bench.periods(5)
        (latest, *_) = await bench.decisions()
        assert latest.verdict == "prior"
        assert "nothing came in USD yet" in latest.reason
        assert "multiplier, 3" in " ".join((await bench.explain(POOR)).sentences)


async def test_who_earns_gets_more_a_step_at_a_time_and_what_came_is_remembered(bench: Bench) -> None:
    async with bench.running():
        weights = [bench.weight(RICH)]
        for _ in range(8):
            await bench.periods(1, rich_001=50_000, poor_001=100)
            weights.append(bench.weight(RICH))
        assert weights[-1] > 1.5
        assert all(after <= before * bench.settings.step * 1.001 for before, after in itertools.pairwise(weights))
        decisions = await bench.decisions()
        assert [each.id for each in decisions] == list(range(8, 0, -1))
        complete = [each for each in decisions if each.outcome is not None and each.outcome.complete]
        assert complete
        assert all(each.outcome is not None and each.outcome.net == "0.0501" for each in complete)
        assert {each["came"] for each in bench.told("profit.settled")} == {"0.0501"}
        told = bench.told("profit.decided")
        assert [each["decision"] for each in told] == list(range(1, 9))
        moved = next(each for each in told if each["action"] == "reallocated")
        assert moved["movers"][0]["instance"] in moved["reason"]
        assert "Expected: " in moved["reason"]
        words = " ".join((await bench.explain(RICH)).sentences)
        assert "full periods of its own" in words
        plan = await bench.plan()
        assert sum(part.after for part in plan.items) == pytest.approx(3, rel=1e-3)


async def test_paper_never_teaches_live_nor_live_paper(bench: Bench) -> None:
    async with bench.running():
        await bench.periods(6, rich_001=50_000)
        assert bench.weight(RICH) > 1
    learnt = bench.weight(RICH)
    bench.book, bench.shares = "live", Shares()
    async with bench.running():
        # The same file, the same ledger: nothing of it counts.
        assert bench.weight(RICH) == 1.0
        assert await bench.decisions() == []
        await bench.periods(1)
        (decision,) = await bench.decisions()
        assert (decision.verdict, decision.book, decision.periods_seen) == ("prior", "live", 1)
        await bench.periods(6, poor_001=50_000)
        assert bench.weight(POOR) > bench.weight(RICH)
    bench.book, bench.shares = "paper", Shares()
    async with bench.running():
        await bench.plan()
        assert bench.weight(RICH) == pytest.approx(learnt)
        assert {each.book for each in await bench.decisions()} == {"paper"}


async def test_what_was_learnt_and_what_came_in_between_survive_a_restart(bench: Bench) -> None:
    async with bench.running():
        await bench.periods(6, rich_001=50_000)
        before = await bench.decisions()
        await bench.earn(RICH, 777)
    weights, bench.shares = [bench.weight(RICH), bench.weight(POOR)], Shares()
    async with bench.running():
        await bench.plan()
        assert [bench.weight(RICH), bench.weight(POOR)] == pytest.approx(weights)
        assert await bench.decisions() == before
        await bench.periods(3)
        after = await bench.decisions()
        assert [each.id for each in after[3:]] == [each.id for each in before]
        assert after[2].verdict != "prior"
        # What came after the last look, before the end, is not lost: it is of the period after that.
        last = next(each for each in after if each.id == before[0].id)
        assert last.outcome is not None
        assert (last.outcome.net, last.outcome.complete) == ("0.000777", True)


async def test_a_dry_run_changes_nothing_and_runs_do_not_outrun_the_step(bench: Bench) -> None:
    async with bench.running():
        await bench.periods(4, rich_001=50_000)
        weights, decisions = [bench.weight(RICH), bench.weight(POOR)], await bench.decisions()
        plan = await bench.plan()
        assert not plan.decision.applied
        assert [bench.weight(RICH), bench.weight(POOR)] == weights
        assert await bench.decisions() == decisions
        for _ in range(5):
            ran: Decision = await bench.maximizer.ask(RunProfit(), 10)
            assert (ran.by, ran.applied) == ("hand", True)
        assert bench.weight(RICH) <= weights[0] * bench.settings.step * 1.001
        assert len(await bench.decisions()) == len(decisions) + 5
        listed = await bench.plan(stream="poor", limit=1)
        assert ([part.instance for part in listed.items], listed.next_cursor) == ([POOR], POOR)
        rest = await bench.plan(stream="poor", limit=1, cursor=POOR)
        assert ([part.instance for part in rest.items], rest.next_cursor) == ([OTHER], None)


async def test_who_does_not_run_has_no_share_and_comes_back_as_a_newcomer(bench: Bench) -> None:
    async with bench.running():
        await bench.periods(5, rich_001=50_000)
        bench.states[RICH] = "stopped"
        await bench.periods(1)
        assert {part.instance for part in (await bench.plan()).items} == {POOR, OTHER}
        with pytest.raises(NotFound, match="does not run"):
            await bench.explain(RICH)
        bench.states[RICH] = "ready"
        await bench.periods(1)
        (part,) = [part for part in (await bench.plan()).items if part.instance == RICH]
        assert part.before is not None
        assert 0 < part.before <= bench.settings.step


async def test_other_assets_are_left_out_and_named(bench: Bench) -> None:
    async with bench.running():
        for _ in range(4):
            await bench.earn(POOR, 10**9, asset="EUR")
            await bench.periods(1, rich_001=50_000)
        (latest, *_) = await bench.decisions()
        assert latest.left_out == ("EUR",)
        assert "Left out: what came in EUR." in latest.reason
        assert "Judged by multiplier, as all it earned came in other assets: poor." in latest.reason


async def test_another_length_of_periods_is_learnt_anew_and_slots_hold_at_once(bench: Bench) -> None:
    async with bench.running():
        await bench.periods(5, rich_001=50_000)
        bench.settings = ProfitMaximizing(interval_s=EVERY_S / 2, request_slots=7, errand_slots=3)
        await asyncio.sleep(EVERY_S + 1)
        (latest, *_) = await bench.decisions()
        assert (latest.verdict, latest.periods_seen) == ("prior", 1)


async def test_a_fleet_that_cannot_be_seen_is_not_judged(bench: Bench) -> None:
    async with bench.running():
        await bench.periods(2, rich_001=50_000)
        states, bench.states = bench.states, {}
        for name in list(states):
            del states[name]
        await bench.periods(1)
        assert (await bench.decisions())[0].reason == "No instance runs, so there is nothing to divide."


async def test_what_is_not_asked_for_properly_is_refused(bench: Bench) -> None:
    async with bench.running():
        with pytest.raises(NotAsAsked, match="limit"):
            await bench.plan(limit=0)
        with pytest.raises(NotAsAsked, match="cursor"):
            await bench.maximizer.ask(ReadDecisions(cursor="x"), 10)


async def test_while_decisions_cannot_be_kept_they_are_made_all_the_same_and_it_says_so(bench: Bench) -> None:
    bench.file.mkdir(parents=True)  # where the file should be
    async with bench.running():
        await bench.periods(8, rich_001=50_000)
        assert bench.weight(RICH) > bench.weight(POOR)
        assert "unable to open" in str((await bench.plan()).problem)
        assert await bench.decisions() == []
        bench.file.rmdir()
        await bench.periods(1, rich_001=50_000)
        assert (await bench.plan()).problem is None
        # With it those of which something came since.
        assert [each.id for each in await bench.decisions()] == [9, 8, 7, 6]


@pytest.mark.parametrize("seconds", [-86_400.0, 86_400.0])
async def test_a_step_of_the_clock_loses_no_money_and_no_decision(bench: Bench, seconds: float) -> None:
    async with bench.running():
        await bench.periods(4, rich_001=50_000)
        bench.step_clock(seconds)
        await bench.periods(6, rich_001=50_000)
        decisions = await bench.decisions()
        assert len(decisions) == 10
        assert all(each.verdict == "reallocated" or each.verdict == "held" for each in decisions[:8])
        assert bench.weight(RICH) > bench.weight(POOR)
