"""The auto-scaler on a fleet, on the virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors import ActorRef, AskTimeout
from config.auto_scaling import AutoScaling, ScaledCount
from config.errors import SaveError
from config.fleet import StreamPlan
from orchestrator.fleet.deployment_manager import DeploymentManager
from orchestrator.fleet.messages import NotAsAsked, Scale, Summarise
from orchestrator.fleet.scaling.auto_scaler import AutoScaler, ReadRounds, ReadScaling
from orchestrator.fleet.scaling.decision import Round
from orchestrator.fleet.scaling.figures import Figures
from orchestrator.fleet.scaling.history import Rounds
from orchestrator.fleet.scaling.measure import Measurement, Meter
from orchestrator.fleet.scaling.report import ScalingStatus
from orchestrator.fleet.scaling.room import Place
from tests.orchestrator.fleet.fakes import FleetUnderTest, Stall
from tests.orchestrator.fleet.scaling.loads import figures

EVERY_S = 60.0


class ToldMeter(Meter):
    """Measures what a test tells it to."""

    def __init__(self, fleet: ScaledFleet) -> None:
        super().__init__()
        self._fleet = fleet

    async def begin(self) -> None:
        """There is nothing to read."""

    async def watch_loop(self, interval_s: Any) -> None:
        """The lag is told, too."""

    async def measure(self, t_s: float) -> Measurement:
        slept_s, self._fleet.slept_s = self._fleet.slept_s, 0.0
        return Measurement(msgspec.structs.replace(self._fleet.figures, t_s=t_s, instances=None), slept_s)


class AnotherNode:
    """Room that does not end with this machine."""

    def places(self, figures: Figures, settings: AutoScaling) -> tuple[Place, ...]:
        return (Place("node", "actor", 1000, "nothing"),)


@pytest.fixture(autouse=True)
def _quiet_stalls(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(self: Stall) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Stall, "run", run)


class ScaledFleet:
    """A fleet, its scaler, and the load."""

    def __init__(self, directory: Path, fixed: str | None = None, **plans: StreamPlan) -> None:
        self.fleet = FleetUnderTest(directory, **{name: plan.count for name, plan in plans.items()})
        self.fleet.fleet = msgspec.structs.replace(self.fleet.fleet, streams=plans)
        self.fixed = fixed
        self.settings = AutoScaling(interval_s=EVERY_S)
        self.figures: Figures = figures(load=0.5)
        self.slept_s = 0.0
        self.earned: Mapping[str, int] | Exception = {}
        self.file = directory / "state" / "scaling.sqlite3"
        self.scaler: ActorRef[Any]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self.fleet.running():
            await self.fleet.until("rollout.completed")
            rounds = Rounds(self.file)
            self.scaler = await self.fleet.system.spawn(
                lambda: AutoScaler(
                    settings=lambda: self.settings,
                    plans=lambda: self.fleet.fleet.streams,
                    fixed=self.fixed,
                    fleet=self.fleet.manager,
                    earned=self._earned,
                    events=self.fleet.bus,
                    meter=ToldMeter(self),
                    room=AnotherNode(),
                    rounds=rounds,
                ),
                "auto_scaler",
            )
            self.fleet.events.clear()
            yield

    async def _earned(self) -> Mapping[str, int]:
        if isinstance(self.earned, Exception):
            raise self.earned
        return self.earned

    def load(self, share: float) -> None:
        self.figures = figures(load=share, cpu=share / 4, memory=0.05)

    async def until(self, name: str, **fields: Any) -> dict[str, Any]:
        """Wait for an event, some looks long."""
        for _ in range(20):
            for seen, said in self.fleet.events:
                if seen == name and fields.items() <= said.items():
                    return said
            await asyncio.sleep(EVERY_S)
        raise AssertionError(f"no {name} {fields}; instead {self.fleet.events}")

    async def rounds(self, count: int) -> None:
        """Let some rounds pass."""
        await asyncio.sleep(count * EVERY_S)
        await asyncio.sleep(1)

    def told(self, stream: str = "stall") -> list[str]:
        return [
            fields["code"]
            for name, fields in self.fleet.events
            if name == "scaling.decided" and fields["stream"] == stream
        ]

    async def status(self, **asked: Any) -> ScalingStatus:
        status: ScalingStatus = await self.scaler.ask(ReadScaling(**asked), 10)
        return status

    async def total(self) -> int:
        return int((await self.fleet.manager.ask(Summarise(), 5)).total)


def within(count: int, lowest: int, highest: int, **more: Any) -> StreamPlan:
    return StreamPlan(count=count, scale_min=lowest, scale_max=highest, **more)


async def test_a_fleet_as_configured_stays_as_it_is_and_is_told_why_once_an_hour(tmp_path: Path) -> None:
    scaled = ScaledFleet(tmp_path, stall=StreamPlan(count=3))
    async with scaled.running():
        scaled.load(0.02)
        await scaled.rounds(30)
        assert scaled.told() == ["falling", "at_minimum"]
        reason = scaled.fleet.events[-1][1]["reason"]
        assert reason == (
            "the load was at most 5 % for 5 min, below 20 % (memory), but it is at its minimum of 3, as configured"
        )
        await scaled.rounds(60)
        assert scaled.told() == ["falling", "at_minimum", "at_minimum"]
        scaled.load(0.99)
        await scaled.rounds(10)
        assert scaled.told()[3:] == ["rising", "at_maximum"]
        assert await scaled.total() == 3
        assert not [name for name in scaled.fleet.names() if name.startswith("rollout")]
        assert len((await scaled.scaler.ask(ReadRounds(limit=1000), 5)).items) == 100


async def test_it_grows_and_shrinks_within_bounds_and_says_what_came_of_it(tmp_path: Path) -> None:
    scaled = ScaledFleet(tmp_path, stall=within(4, 2, 5))
    async with scaled.running():
        scaled.load(0.85)
        await scaled.rounds(3)
        assert await scaled.total() == 4  # above 80 % since two minutes
        await scaled.rounds(1)
        grown = await scaled.until("scaling.decided", action="scale_up")
        assert grown["instances"] == {"from": 4, "to": 5}
        assert grown["expected"]["instances"] == 5
        assert grown["figures"]["loop"] == 0.85
        await scaled.fleet.until("rollout.completed", rollout=grown["rollout"])
        assert await scaled.total() == 5
        assert scaled.fleet.fleet.streams["stall"].scaled == ScaledCount(by_hand=4, count=5)
        scaled.load(0.05)
        settled = await scaled.until("scaling.settled", round=grown["round"])
        assert (settled["outcome"]["rollout"], settled["outcome"]["instances"]) == ("completed", 5)
        await scaled.rounds(40)
        assert await scaled.total() == 2
        assert scaled.fleet.fleet.streams["stall"].count_by_hand == 4
        changes = (await scaled.scaler.ask(ReadRounds(acted=True), 5)).items
        assert [(each.decisions[0].count, each.decisions[0].to) for each in reversed(changes)] == [
            (4, 5),
            (5, 4),
            (4, 3),
            (3, 2),
        ]
        apart_s = [new.figures.t_s - old.figures.t_s for new, old in pairwise(changes)]
        assert min(apart_s) >= 300
        assert all(each.decisions[0].outcome is not None for each in changes)


async def test_a_person_s_count_wins_and_is_the_floor(tmp_path: Path) -> None:
    scaled = ScaledFleet(tmp_path, stall=StreamPlan(count=2, scale_max=4))
    async with scaled.running():
        scaled.load(0.85)
        await scaled.until("scaling.decided", action="scale_up")
        # The scaler's three is no floor, but a person's three is.
        assert scaled.fleet.fleet.streams["stall"].count_by_hand == 2
        await scaled.fleet.manager.ask(Scale("stall", 3), 5)
        assert scaled.fleet.fleet.streams["stall"].count_by_hand == 3
        scaled.load(0.05)
        await scaled.rounds(30)
        assert await scaled.total() == 3
        assert scaled.told()[-1] == "at_minimum"
        notes = [each.note for each in (await scaled.scaler.ask(ReadRounds(), 5)).items if each.note]
        assert "the count of stall was set by hand: loads must last anew" in notes


async def test_what_a_person_sets_while_it_decides_holds(tmp_path: Path) -> None:
    scaled = ScaledFleet(tmp_path, stall=within(4, 1, 8))
    async with scaled.running():
        scaled.load(0.85)
        save = Rounds.save

        async def set_meanwhile(rounds: Rounds, *saved: Round) -> None:
            await save(rounds, *saved)
            if saved[-1].decisions[0].action == "scale_up" and scaled.fleet.fleet.streams["stall"].count == 4:
                await scaled.fleet.manager.ask(Scale("stall", 2), 5)

        with pytest.MonkeyPatch.context() as person:
            person.setattr(Rounds, "save", set_meanwhile)
            decided = await scaled.until("scaling.decided", action="scale_up")
        assert decided["refused"] == "stall has 2 instances by now, and not 4"
        assert await scaled.total() == 2
        # What was decided was on disk before it was tried.
        (kept,) = (await scaled.scaler.ask(ReadRounds(acted=True), 5)).items
        assert kept.decisions[0].refused == decided["refused"]


async def test_what_is_refused_is_told_and_not_tried_at_every_look(tmp_path: Path) -> None:
    scaled = ScaledFleet(tmp_path, stall=within(2, 1, 4))
    async with scaled.running():
        scaled.fleet.refuses_counts = SaveError(Path("fleet_config.json"), OSError(28, "No space left on device"))
        scaled.load(0.85)
        await scaled.rounds(11)
        refused = [fields for name, fields in scaled.fleet.events if name == "scaling.decided" and "refused" in fields]
        assert len(refused) == 2
        assert "No space left" in refused[0]["refused"]
        assert await scaled.total() == 2


async def test_a_rollout_that_runs_is_waited_for(tmp_path: Path) -> None:
    scaled = ScaledFleet(tmp_path, stall=within(2, 1, 8), sluggish=within(1, 1, 30))
    scaled.settings = AutoScaling(interval_s=EVERY_S, grow_window_s=0)
    async with scaled.running():
        scaled.load(0.85)
        await scaled.fleet.until("rollout.completed", stream="sluggish")
        await scaled.fleet.manager.ask(Scale("sluggish", 24), 5)
        at = scaled.fleet.system.loop.time()
        await asyncio.sleep(EVERY_S - at % EVERY_S - 10)
        await scaled.fleet.manager.ask(Scale("sluggish", 25), 5)  # takes 20 s
        await asyncio.sleep(11)
        assert scaled.told("sluggish")[-1] == "rollout"


async def test_what_nobody_tells_changes_nothing(tmp_path: Path) -> None:
    scaled = ScaledFleet(tmp_path, stall=within(3, 1, 6))
    async with scaled.running():
        scaled.figures = figures(load=0.02, cpu=None, memory=0.05)
        await scaled.rounds(20)
        scaled.figures = figures(load=0.95, cpu=0.2, lag_s=None)
        await scaled.rounds(20)
        assert await scaled.total() == 3
        assert set(scaled.told()) == {"missing"}


async def test_a_machine_that_slept_is_not_scaled_for_what_was_before(tmp_path: Path) -> None:
    scaled = ScaledFleet(tmp_path, stall=within(3, 1, 6))
    async with scaled.running():
        scaled.load(0.05)
        await scaled.rounds(5)
        scaled.slept_s = 7200.0
        await scaled.rounds(2)
        assert await scaled.total() == 3
        noted = [each.note for each in (await scaled.status(history=10)).history]
        assert noted[1] == "the machine slept for 7200 s: what was measured before does not count"
        await scaled.rounds(6)
        assert await scaled.total() == 2


async def test_streams_are_weighed_by_what_they_earn_and_else_by_their_multipliers(tmp_path: Path) -> None:
    plans = {"stall": within(2, 1, 6, multiplier=3.0), "market": within(4, 1, 8, multiplier=1.0)}
    scaled = ScaledFleet(tmp_path, **plans)
    async with scaled.running():
        scaled.earned = AskTimeout("/ledger", "ReadTotals", 10)
        await scaled.rounds(1)
        status = await scaled.status()
        assert status.weights_from == "multipliers"
        scaled.earned = {"stall": 100, "market": 1000}
        await scaled.rounds(1)
        scaled.earned = {"stall": 100, "market": 1800}
        await scaled.rounds(1)
        status = await scaled.status()
        assert status.weights_from == "earnings"
        assert status.latest is not None
        assert {each.stream: each.weight for each in status.latest.streams} == {"stall": 0.0, "market": 200.0}


async def test_the_history_goes_on_over_a_restart_and_what_was_open_is_settled(tmp_path: Path) -> None:
    scaled = ScaledFleet(tmp_path, stall=within(2, 1, 6))
    async with scaled.running():
        scaled.load(0.85)
        grown = await scaled.until("scaling.decided", action="scale_up")
        scaled.load(0.5)
    async with scaled.running():
        settled = await scaled.until("scaling.settled")
        assert (settled["round"], settled["outcome"]["instances"]) == (grown["round"], 3)
        ids = [each.id for each in (await scaled.status(history=100)).history]
        assert ids == list(range(len(ids), 0, -1))
        assert len(ids) > grown["round"]


async def test_a_history_that_cannot_be_opened_is_told_of_and_taken_up_later(tmp_path: Path) -> None:
    scaled = ScaledFleet(tmp_path, stall=within(2, 1, 6))
    async with scaled.running():
        await scaled.rounds(3)
    aside = scaled.file.rename(tmp_path / "aside")
    scaled.file.mkdir()
    async with scaled.running():
        await scaled.rounds(2)
        status = await scaled.status(history=10)
        assert status.problem is not None
        assert status.latest is not None
        assert status.history == ()
        scaled.file.rmdir()
        aside.rename(scaled.file)
        await scaled.rounds(1)
        status = await scaled.status(history=10)
        assert status.problem is None
        # What came meanwhile has its numbers after those that were kept, and overwrites none of them.
        assert {1, 2, 3} < {each.id for each in status.history}


async def test_counts_of_this_run_only_are_never_changed(tmp_path: Path) -> None:
    scaled = ScaledFleet(tmp_path, "this run was started with counts of its own", stall=within(2, 1, 6))
    async with scaled.running():
        for load in (0.95, 0.01):
            scaled.load(load)
            await scaled.rounds(12)
        assert await scaled.total() == 2
        assert {"at_maximum", "at_minimum"} < set(scaled.told())


async def test_a_new_interval_is_not_waited_for_until_the_old_one_has_passed(tmp_path: Path) -> None:
    scaled = ScaledFleet(tmp_path, stall=StreamPlan(count=1))
    scaled.settings = AutoScaling(interval_s=3600)
    async with scaled.running():
        await asyncio.sleep(100)
        scaled.settings = AutoScaling(interval_s=120)
        scaled.fleet.bus.publish("config.changed", section="fleet")
        await asyncio.sleep(21)
        latest = (await scaled.status()).latest
        assert latest is not None
        assert latest.figures.t_s == pytest.approx(120, abs=1)


async def test_while_the_deployment_manager_is_down_nothing_changes_and_afterwards_it_goes_on(tmp_path: Path) -> None:
    scaled = ScaledFleet(tmp_path, stall=within(4, 1, 8))
    async with scaled.running():
        scaled.load(0.05)
        await scaled.rounds(4)

        async def fail(*_: object) -> int:
            raise ZeroDivisionError("nobody is to know")

        with pytest.MonkeyPatch.context() as broken:
            broken.setattr(DeploymentManager, "_count", fail)
            await scaled.rounds(4)
            assert scaled.told()[-1] == "missing"
        assert await scaled.total() == 4
        await scaled.rounds(7)
        assert await scaled.total() == 3


async def test_what_is_read_comes_in_pages(tmp_path: Path) -> None:
    scaled = ScaledFleet(tmp_path, stall=StreamPlan(count=1))
    async with scaled.running():
        assert (await scaled.status()).latest is None
        await scaled.rounds(5)
        first = await scaled.scaler.ask(ReadRounds(limit=3), 5)
        rest = await scaled.scaler.ask(ReadRounds(limit=3, cursor=first.next_cursor), 5)
        assert [each.id for each in (*first.items, *rest.items)] == [5, 4, 3, 2, 1]
        assert rest.next_cursor is None
        for wrong in (ReadRounds(limit=0), ReadRounds(cursor="elsewhere")):
            with pytest.raises(NotAsAsked):
                await scaled.scaler.ask(wrong, 5)
