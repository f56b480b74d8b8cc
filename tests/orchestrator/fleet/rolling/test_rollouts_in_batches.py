"""Rollouts in batches, on a real fleet: what is worse is taken back, what has no data waits, what is good goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors import FindChild, RestartChild
from config.rollouts import RollingOut
from orchestrator.fleet.messages import (
    Command,
    Configure,
    DecideRollout,
    Deploy,
    GetRollout,
    ListInstances,
    ListRollouts,
    NotNow,
    Scale,
    Summarise,
)
from orchestrator.fleet.rolling.journal import Journal, RolloutFile
from orchestrator.fleet.rollout import Rollout
from tests.orchestrator.fleet.fakes import FleetUnderTest

RULES = RollingOut(canary_count=2, batch_count=2, interval_s=1, window_s=10, patience_s=120, ready_within_s=20)
AS_GOOD = {"took_s": 0.011}


@asynccontextmanager
async def running(tmp_path: Path, count: int = 6, rules: RollingOut = RULES) -> AsyncIterator[FleetUnderTest]:
    fleet = FleetUnderTest(tmp_path, worker=count)
    fleet.fleet = msgspec.structs.replace(fleet.fleet, rollouts=rules)
    async with fleet.running():
        await fleet.until("rollout.completed", done=count)
        yield fleet


async def configure(fleet: FleetUnderTest, settings: dict[str, Any], **how: Any) -> str:
    rollout: str = await fleet.manager.ask(Configure("worker", settings, **how), 5)
    return rollout


async def shown(fleet: FleetUnderTest, rollout: str) -> Rollout:
    found: Rollout = await fleet.manager.ask(GetRollout(rollout), 5)
    return found


def settings(fleet: FleetUnderTest, name: str) -> list[Any]:
    """What is on disk for each instance that is part of the fleet."""
    files = sorted((fleet.directory / "instances").glob("*/settings.json"))
    records = [json.loads(file.read_bytes()) for file in files]
    return [record["settings"][name] for record in records if record["desired"] != "retired"]


async def test_a_good_canary_is_followed_by_all_others_and_those_that_come_later(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        rollout = await configure(fleet, AS_GOOD)
        validating = await fleet.until("rollout.validating", rollout=rollout)
        assert (validating["stage"], validating["stages"], validating["baseline"]) == (1, 2, 4)
        assert settings(fleet, "took_s") == [0.011] * 2 + [0.01] * 4
        done = await fleet.until("rollout.completed", rollout=rollout)
        assert (done["done"], done["failed"]) == (6, {})
        assert "as good as the others" in done["reason"]
        assert settings(fleet, "took_s") == [0.011] * 6
        added = await fleet.manager.ask(Scale("worker", 7), 5)
        await fleet.until("rollout.completed", rollout=added)
        assert settings(fleet, "took_s") == [0.011] * 7


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"took_s": 0.5}, "slower"),
        ({"fails_every": 3}, "fails more often"),
        ({"crashes_after_s": 3.0}, "restarted more often|has failed|ready less often"),
        ({"starts": False}, "has failed|did not become ready"),
    ],
)
async def test_a_canary_that_is_worse_is_taken_back_by_itself(tmp_path: Path, change: dict[str, Any], why: str) -> None:
    async with running(tmp_path) as fleet:
        before = settings(fleet, next(iter(change)))
        rollout = await configure(fleet, change)
        ended = await fleet.until("rollout.rolled_back", rollout=rollout)
        assert any(each in ended["reason"] for each in why.split("|")), ended["reason"]
        assert settings(fleet, next(iter(change))) == before
        assert (await fleet.manager.ask(Summarise(), 5)).by_state == {"ready": 6}
        told = await shown(fleet, rollout)
        assert (told.state, told.done, told.stage) == ("rolled_back", 0, 1)
        assert fleet.names().count("rollout.batch") == 1
        # Nothing of it is in the way of the next one.
        again = await configure(fleet, AS_GOOD)
        await fleet.until("rollout.completed", rollout=again)


async def test_a_canary_without_data_pauses_and_goes_on_when_it_is_promoted(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        rollout = await configure(fleet, {"idle": True})
        paused = await fleet.until("rollout.paused", rollout=rollout)
        assert paused["reason"].startswith("no data: 0 requests")
        assert (await shown(fleet, rollout)).state == "paused"
        await asyncio.sleep(600)
        assert (await shown(fleet, rollout)).state == "paused"
        for refused in (Configure("worker", AS_GOOD), Deploy("worker", 1, "canary")):
            with pytest.raises(NotNow, match=f"{rollout} of worker has not ended"):
                await fleet.manager.ask(refused, 5)
        promoted = await fleet.manager.ask(DecideRollout(rollout, "promote"), 5)
        assert (promoted.stage, promoted.state) == (2, "running")
        done = await fleet.until("rollout.completed", rollout=rollout)
        assert done["reason"].startswith("promoted by hand; last said of it: no data")
        assert settings(fleet, "idle") == [True] * 6
        with pytest.raises(NotNow, match="completed already"):
            await fleet.manager.ask(DecideRollout(rollout, "abort"), 5)


async def test_an_aborted_rollout_gives_all_their_former_settings_back(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        rollout = await configure(fleet, {"idle": True})
        await fleet.until("rollout.paused", rollout=rollout)
        await fleet.manager.ask(DecideRollout(rollout, "abort"), 5)
        await fleet.until("rollout.aborted", rollout=rollout)
        assert settings(fleet, "idle") == [False] * 6
        assert (await shown(fleet, rollout)).state == "aborted"


async def test_data_that_comes_late_decides_a_paused_rollout(tmp_path: Path) -> None:
    async with running(tmp_path, rules=msgspec.structs.replace(RULES, min_samples=500)) as fleet:
        rollout = await configure(fleet, AS_GOOD)
        await fleet.until("rollout.paused", rollout=rollout)
        await fleet.until("rollout.completed", rollout=rollout)


async def test_a_staged_rollout_judges_every_batch_the_last_by_its_own_past(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        await asyncio.sleep(30)  # for there to be a past
        rollout = await configure(fleet, AS_GOOD, strategy="staged")
        done = await fleet.until("rollout.completed", rollout=rollout)
        assert "before the change" in done["reason"]
        baselines = [said["baseline"] for name, said in fleet.events if name == "rollout.validating"]
        assert baselines == [4, 2, 0]
        assert settings(fleet, "took_s") == [0.011] * 6


async def test_the_last_instance_that_is_worse_than_it_was_takes_the_whole_rollout_back(tmp_path: Path) -> None:
    async with running(tmp_path, count=1) as fleet:
        await asyncio.sleep(30)
        rollout = await configure(fleet, {"fails_every": 2})
        ended = await fleet.until("rollout.rolled_back", rollout=rollout)
        assert "before the change 0.0%" in ended["reason"]
        assert settings(fleet, "fails_every") == [0]


async def test_a_full_rollout_must_only_become_ready(tmp_path: Path) -> None:
    async with running(tmp_path, count=2) as fleet:
        rollout = await configure(fleet, {"idle": True}, strategy="full")
        await fleet.until("rollout.completed", rollout=rollout)
        rollout = await configure(fleet, {"starts": False}, strategy="full")
        await fleet.until("rollout.rolled_back", rollout=rollout)
        assert settings(fleet, "starts") == [True] * 2
        assert (await fleet.manager.ask(Summarise(), 5)).by_state == {"ready": 2}


async def test_a_deployment_comes_in_batches_and_goes_again_where_one_is_worse(tmp_path: Path) -> None:
    async with running(tmp_path, count=3) as fleet:
        rollout = await fleet.manager.ask(Deploy("worker", 5, "canary"), 5)
        await fleet.until("rollout.validating", rollout=rollout)
        assert fleet.fleet.streams["worker"].count == 5
        await fleet.until("rollout.completed", rollout=rollout)
        assert (await fleet.manager.ask(Summarise(), 5)).by_state == {"ready": 8}
        assert fleet.fleet.streams["worker"].count == 8
        rollout = await fleet.manager.ask(Deploy("worker", 5, "staged", {"fails_every": 2}), 5)
        await fleet.until("rollout.rolled_back", rollout=rollout)
        assert (await fleet.manager.ask(Summarise(), 5)).by_state == {"ready": 8}
        assert fleet.fleet.streams["worker"].count == 8
        rows = (await fleet.manager.ask(ListInstances(), 5)).items
        assert [row.id for row in rows] == [f"worker-{number:03d}" for number in range(1, 9)]


async def test_what_a_person_stops_or_scales_away_meanwhile_stays_so(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        await fleet.manager.ask(Command("worker-001", "stop"), 5)
        await fleet.manager.ask(Command("worker-002", "pause"), 5)
        rollout = await configure(fleet, AS_GOOD)
        await fleet.until("rollout.validating", rollout=rollout)
        # It is tried on those that work.
        assert settings(fleet, "took_s") == [0.01, 0.01, 0.011, 0.011, 0.01, 0.01]
        await fleet.manager.ask(Scale("worker", 5), 5)
        await fleet.until("rollout.completed", rollout=rollout)
        states = {row.id: row.state for row in (await fleet.manager.ask(ListInstances(), 5)).items}
        assert states == {
            "worker-001": "stopped",
            "worker-002": "paused",
            "worker-003": "ready",
            "worker-004": "ready",
            "worker-005": "ready",
        }
        assert settings(fleet, "took_s") == [0.011] * 5


@pytest.mark.parametrize("change", [AS_GOOD, {"fails_every": 3}, {"idle": True}])
async def test_a_rollout_goes_on_where_it_was_when_the_manager_or_the_daemon_starts_again(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    name = next(iter(change))
    async with running(tmp_path) as fleet:
        before = settings(fleet, name)
        rollout = await configure(fleet, change)
        await fleet.until("rollout.validating", rollout=rollout)
        await fleet.system.root.ask(RestartChild("deployment_manager"), 60)
        await asyncio.sleep(0.5)
        assert (await shown(fleet, rollout)).ended_at is None
        rules = fleet.fleet
    fleet = FleetUnderTest(tmp_path, worker=6)
    fleet.fleet = rules
    end = "paused" if "idle" in change else "completed" if change == AS_GOOD else "rolled_back"
    async with fleet.running():
        ended = await fleet.until(f"rollout.{end}", rollout=rollout)
        assert ended["reason"]
        if end == "paused":
            await fleet.manager.ask(DecideRollout(rollout, "abort"), 5)
            await fleet.until("rollout.aborted", rollout=rollout)
        expected = [change[name]] * 6 if end == "completed" else before
        assert settings(fleet, name) == expected
        # What was reserved for a start is not used again.
        page = await fleet.manager.ask(ListRollouts(), 5)
        assert len({each.id for each in page.items}) == len(page.items)
        assert await fleet.instances.ask(FindChild("worker-001"), 5) is not None


async def test_while_the_disk_is_full_nothing_goes_further_and_then_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as fleet:
        rollout = await configure(fleet, {"fails_every": 2})
        await fleet.until("rollout.validating", rollout=rollout)
        full = [True]
        keep = Journal.keep

        def keep_if_there_is_room(journal: Journal, file: RolloutFile) -> None:
            if full:
                raise OSError(28, "No space left on device")
            keep(journal, file)

        monkeypatch.setattr(Journal, "keep", keep_if_there_is_room)
        told = await fleet.until("rollout.unkept", rollout=rollout)
        assert "No space left" in told["reason"]
        await asyncio.sleep(60)
        assert settings(fleet, "fails_every") == [2, 2, 0, 0, 0, 0]
        assert fleet.names().count("rollout.unkept") == 1
        with pytest.raises(NotNow, match="cannot be stored|has not ended"):
            await configure(fleet, AS_GOOD)
        full.clear()
        await fleet.until("rollout.rolled_back", rollout=rollout)
        assert settings(fleet, "fails_every") == [0] * 6


async def test_an_abort_while_instances_are_being_changed_is_heeded(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        rollout = await configure(fleet, AS_GOOD, strategy="staged")
        aborted = await fleet.manager.ask(DecideRollout(rollout, "abort"), 5)
        assert aborted.phase == "reverting"
        await fleet.until("rollout.aborted", rollout=rollout)
        assert settings(fleet, "took_s") == [0.01] * 6
