"""The deployment manager: what is wanted comes about, and is still wanted after a restart."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from actors import ActorStopped, FindChild, WhichChildren
from config.errors import SaveError
from config.fleet import Fleet, StreamPlan
from orchestrator.fleet.messages import (
    Command,
    Configure,
    CreateInstanceKey,
    DecideRollout,
    Deploy,
    Disturb,
    GetInstance,
    GetRollout,
    ListInstances,
    NotAsAsked,
    NotFound,
    NotNow,
    Reconcile,
    Scale,
    Summarise,
)
from orchestrator.fleet.record import Record, load_records, save_records
from tests.orchestrator.fleet.fakes import FleetUnderTest, Lost, Stall


@pytest.fixture(autouse=True)
def _no_lives_yet() -> None:
    Stall.lives.clear()


async def test_a_first_start_deploys_what_the_configuration_wants(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=3)
    async with fleet.running():
        await fleet.until("rollout.completed", done=3)
        page = await fleet.manager.ask(ListInstances(), 5)
        assert [(row.id, row.port, row.state) for row in page.items] == [
            ("stall-001", 7001, "ready"),
            ("stall-002", 7002, "ready"),
            ("stall-003", 7003, "ready"),
        ]
        assert page.next_cursor is None
        view = await fleet.manager.ask(GetInstance("stall-002"), 5)
        assert view.settings == {"name": "stall 2", "price": 1, "fails": False}
        assert view.ready
        assert (tmp_path / "instances" / "stall-002").stat().st_mode & 0o777 == 0o700
        summary = await fleet.manager.ask(Summarise(), 5)
        assert (summary.active, summary.total, summary.by_state) == (3, 3, {"ready": 3})


async def test_the_list_comes_in_pages_and_by_state(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=5)
    async with fleet.running():
        await fleet.until("rollout.completed", done=5)
        await fleet.manager.ask(Command("stall-002", "stop"), 5)
        seen, cursor = [], None
        while True:
            page = await fleet.manager.ask(ListInstances(state="ready", limit=2, cursor=cursor), 5)
            assert len(page.items) <= 2
            seen += [row.id for row in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert seen == ["stall-001", "stall-003", "stall-004", "stall-005"]
        with pytest.raises(NotAsAsked, match="cursor"):
            await fleet.manager.ask(ListInstances(cursor="elsewhere"), 5)


async def test_what_was_stopped_or_paused_by_hand_stays_so_over_a_restart(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=3)
    async with fleet.running():
        await fleet.until("rollout.completed")
        assert (await fleet.manager.ask(Command("stall-001", "stop"), 5)).state == "stopped"
        assert (await fleet.manager.ask(Command("stall-002", "pause"), 5)).state == "paused"
    fleet.events.clear()
    async with fleet.running():
        await fleet.until("rollout.completed")
        states = {row.id: row.state for row in (await fleet.manager.ask(ListInstances(), 5)).items}
        assert states == {"stall-001": "stopped", "stall-002": "paused", "stall-003": "ready"}
        assert not (await fleet.manager.ask(GetInstance("stall-002"), 5)).ready
        assert (await fleet.manager.ask(Command("stall-001", "start"), 5)).state == "ready"
        assert (await fleet.manager.ask(Command("stall-002", "resume"), 5)).ready


async def test_scaling_down_retires_the_last_and_scaling_up_takes_them_back(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=3)
    async with fleet.running():
        await fleet.until("rollout.completed")
        rollout = await fleet.manager.ask(Scale("stall", 1), 5)
        await fleet.until("rollout.completed", rollout=rollout)
        assert [row.id for row in (await fleet.manager.ask(ListInstances(), 5)).items] == ["stall-001"]
        with pytest.raises(NotFound):
            await fleet.manager.ask(GetInstance("stall-003"), 5)
        rollout = await fleet.manager.ask(Scale("stall", 4), 5)
        await fleet.until("rollout.completed", rollout=rollout)
        rows = (await fleet.manager.ask(ListInstances(), 5)).items
        assert [(row.id, row.port) for row in rows] == [(f"stall-00{n}", 7000 + n) for n in range(1, 5)]
        assert fleet.fleet.streams["stall"].count == 4


async def test_a_deployment_adds_instances_with_settings_of_their_own(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=1)
    async with fleet.running():
        await fleet.until("rollout.completed")
        rollout = await fleet.manager.ask(Deploy("stall", 2, settings={"price": 7}), 5)
        await fleet.until("rollout.completed", rollout=rollout)
        told = await fleet.manager.ask(GetRollout(rollout), 5)
        assert (told.state, told.total, told.done, told.failed) == ("completed", 2, 2, {})
        assert (await fleet.manager.ask(GetInstance("stall-003"), 5)).settings["price"] == 7
        assert (await fleet.manager.ask(GetInstance("stall-001"), 5)).settings["price"] == 1


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        (Deploy("stal", 1), NotFound, "no stream 'stal'"),
        (Deploy("stall", 0), NotAsAsked, "at least 1"),
        (Deploy("stall", 1, settings={"prise": 1}), NotAsAsked, "prise"),
        (Deploy("stal", 1, strategy="canary"), NotFound, "no stream 'stal'"),
        (Deploy("stall", 1, strategy="staged", settings={"prise": 1}), NotAsAsked, "prise"),
        (Deploy("stall", 10**4, strategy="canary"), NotAsAsked, "10000"),
        (Configure("stall", {"prise": 1}), NotAsAsked, "prise"),
        (Configure("stall", {"price": 1}), NotAsAsked, "already"),
        (Configure("market", {"price": 2}), NotNow, "no instances of market"),
        (DecideRollout("rollout-9999", "abort"), NotFound, "rollout-9999"),
        (DecideRollout("rollout-0001", "promote"), NotNow, "completed already"),
        (Deploy("broken", 1), NotNow, "no.such.module"),
        (Deploy("careless", 1), NotNow, "ZeroDivisionError: of no use"),
        (Deploy("stall", 10**9), NotAsAsked, "10000"),
        (Scale("stall", 10_001), NotAsAsked, "10000"),
        (Scale("stall", -1), NotAsAsked, "10000"),
        (Scale("stal", 0), NotFound, "no stream 'stal'"),
        (Command("stall-009", "stop"), NotFound, "stall-009"),
        (GetRollout("rollout-9999"), NotFound, "rollout-9999"),
        (CreateInstanceKey("stall-001"), Exception, "does not sell by key"),
    ],
)
async def test_what_cannot_be_done_is_refused_with_the_reason_and_changes_nothing(
    tmp_path: Path, asked: Any, error: type[Exception], words: str
) -> None:
    fleet = FleetUnderTest(tmp_path, stall=1)
    async with fleet.running():
        await fleet.until("rollout.completed")
        with pytest.raises(error, match=words):
            await fleet.manager.ask(asked, 5)
        assert (await fleet.manager.ask(Summarise(), 5)).by_state == {"ready": 1}


async def test_a_stream_that_is_broken_does_not_keep_the_others_from_starting(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, broken=2, careless=2, stall=1)
    async with fleet.running():
        refused = await fleet.until("fleet.stream_refused", stream="broken")
        assert "no.such.module" in refused["reason"]
        refused = await fleet.until("fleet.stream_refused", stream="careless")
        assert "blueprint" in refused["reason"]
        await fleet.until("instance.ready", instance="stall-001")


async def test_three_crashes_are_restarted_and_the_fourth_is_given_up_with_its_history(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=2)
    async with fleet.running(cooldown_s=60):
        await fleet.until("rollout.completed")
        for restart in (1, 2, 3):
            await fleet.manager.ask(Disturb("stall-001", "crash"), 5)
            await fleet.until("instance.restarted", instance="stall-001", restarts=restart)
        await fleet.manager.ask(Disturb("stall-001", "crash"), 5)
        given_up = await fleet.until("instance.failed", instance="stall-001")
        assert len(given_up["history"]) == 4
        view = await fleet.manager.ask(GetInstance("stall-001"), 5)
        assert (view.state, view.restarts, view.restarts_left) == ("failed", 3, 0)
        assert view.last_failure is not None
        assert view.last_failure.kind == "CrashedOnRequest"
        assert Stall.lives == {"stall-001": 4, "stall-002": 1}
        # After the cool-down it has a fresh budget.
        await fleet.until("instance.restarted", instance="stall-001", restarts=4)
        assert (await fleet.manager.ask(GetInstance("stall-001"), 5)).restarts_left == 3


async def test_a_frozen_instance_is_found_and_restarted(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=1)
    async with fleet.running():
        await fleet.until("rollout.completed")
        await fleet.manager.ask(Disturb("stall-001", "freeze"), 5)
        crashed = await fleet.until("instance.crashed", instance="stall-001")
        assert crashed["error"] == "HandlerLimitExceeded"
        await fleet.until("instance.restarted", instance="stall-001")


async def test_chaos_is_refused_unless_the_configuration_allows_it(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=1)
    async with fleet.running():
        await fleet.until("rollout.completed")
        await fleet.manager.ask(Command("stall-001", "pause"), 5)
        fleet.fleet = type(fleet.fleet)(streams=fleet.fleet.streams)
        with pytest.raises(NotNow, match="chaos"):
            await fleet.manager.ask(Disturb("stall-001", "crash"), 5)


async def test_a_manual_stop_beats_a_restart_that_is_pending(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=1)
    async with fleet.running():
        await fleet.until("rollout.completed")
        await fleet.manager.ask(Disturb("stall-001", "crash"), 5)
        await fleet.until("instance.restarting", instance="stall-001")
        assert (await fleet.manager.ask(Command("stall-001", "stop"), 5)).state == "stopped"
        lives = dict(Stall.lives)
        await fleet.manager.ask(ListInstances(), 5)
        assert Stall.lives == lives


async def test_an_instance_that_cannot_start_is_tried_again_and_told_of(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=1)
    async with fleet.running():
        await fleet.until("rollout.completed")
        rollout = await fleet.manager.ask(Deploy("stall", 1, settings={"fails": True}), 5)
        ended = await fleet.until("rollout.incomplete", rollout=rollout)
        assert "no stall today" in ended["failed"]["stall-002"]
        await fleet.until("instance.failed", instance="stall-002")
        assert Stall.lives["stall-002"] == 4
        assert (await fleet.manager.ask(GetInstance("stall-002"), 5)).state == "failed"


async def test_state_is_carried_over_a_restart_by_the_checkpoint(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=1)
    async with fleet.running():
        await fleet.until("rollout.completed")
        while (before := await fleet.manager.ask(GetInstance("stall-001"), 5)).funnel["seen"] < 3:
            await _second(fleet)
        await fleet.manager.ask(Command("stall-001", "restart"), 5)
        after = await fleet.manager.ask(GetInstance("stall-001"), 5)
        assert after.funnel["seen"] >= before.funnel["seen"]
        assert Stall.lives["stall-001"] == 2


async def _second(fleet: FleetUnderTest) -> None:
    waited = fleet.system.loop.create_future()
    fleet.system.timers.call_later(1.0, waited.set_result, None)
    await waited


async def test_the_manager_takes_its_instances_up_again_when_it_is_restarted_itself(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=2)
    async with fleet.running():
        await fleet.until("rollout.completed")
        fleet.events.clear()
        fleet.manager._cell.fail(RuntimeError("the manager itself"))
        await fleet.until("service.restarted", actor="/deployment_manager")
        await fleet.until("rollout.completed")
        assert (await fleet.manager.ask(Summarise(), 5)).by_state == {"ready": 2}
        assert Stall.lives == {"stall-001": 1, "stall-002": 1}


async def test_counts_of_one_run_leave_what_is_on_disk_as_it_is(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=3)
    async with fleet.running():
        await fleet.until("rollout.completed")
    fleet.counts = {"stall": 1}
    fleet.events.clear()
    async with fleet.running():
        await fleet.until("rollout.completed")
        assert (await fleet.manager.ask(Summarise(), 5)).total == 1
    records, _ = await asyncio.to_thread(load_records, tmp_path / "instances")
    assert [record.desired for record in records] == ["running"] * 3


async def test_a_broken_record_is_told_of_and_does_not_disturb_the_rest(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=2)
    async with fleet.running():
        await fleet.until("rollout.completed")
    broken = tmp_path / "instances" / "stall-001" / "settings.json"
    broken.write_text("{")
    fleet.events.clear()
    async with fleet.running():
        told = await fleet.until("fleet.record_broken")
        assert str(broken) in told["reason"]
        await fleet.until("instance.ready", instance="stall-002")
    assert broken.read_text() == "{"


async def test_a_record_says_what_a_person_needs_to_find_the_instance(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=1)
    async with fleet.running():
        await fleet.until("rollout.completed")
    stored = json.loads((tmp_path / "instances" / "stall-001" / "settings.json").read_text())
    assert stored["id"] == "stall-001"
    assert stored["port"] == 7001
    assert stored["settings"]["name"] == "stall 1"


async def test_a_stopped_fleet_refuses_at_once(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=1)
    async with fleet.running():
        await fleet.until("rollout.completed")
    with pytest.raises(ActorStopped):
        await fleet.manager.ask(Summarise(), 5)


def _named(**plans: StreamPlan) -> Fleet:
    return Fleet(port_base=7000, chaos=True, streams=plans)


async def _restart_manager(fleet: FleetUnderTest) -> None:
    fleet.events.clear()
    fleet.manager._cell.fail(RuntimeError("the manager itself"))
    await fleet.until("service.restarted", actor="/deployment_manager")


async def test_a_manager_that_failed_while_it_scaled_down_leaves_no_instance_that_nobody_knows(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=2)
    async with fleet.running():
        await fleet.until("rollout.completed")
        # As it is when the record is stored, and the instance still runs.
        fleet.fleet = _named(stall=StreamPlan(count=1))
        retired = Record("stall-002", "stall", 2, 7002, desired="retired", settings={"name": "stall 2"})
        await asyncio.to_thread(save_records, tmp_path / "instances", (retired,))
        await _restart_manager(fleet)
        left = await fleet.instances.ask(WhichChildren(), 5)
        assert [child.path for child in left] == ["/instances/stall-001"]


async def test_what_was_stopped_is_stopped_by_the_next_manager_if_the_former_one_could_not(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=1)
    async with fleet.running():
        await fleet.until("rollout.completed")
        stopped = Record("stall-001", "stall", 1, 7001, desired="stopped", settings={"name": "stall 1"})
        await asyncio.to_thread(save_records, tmp_path / "instances", (stopped,))
        await _restart_manager(fleet)
        await fleet.until("instance.stopped", instance="stall-001")
        assert (await fleet.manager.ask(Summarise(), 5)).by_state == {"stopped": 1}


async def test_an_instance_goes_by_what_is_wanted_now_whichever_manager_deployed_it(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=1)
    async with fleet.running():
        await fleet.until("rollout.completed")
        await _restart_manager(fleet)
        await fleet.until("rollout.completed")
        await fleet.manager.ask(Command("stall-001", "pause"), 5)
        await fleet.manager.ask(Disturb("stall-001", "crash"), 5)
        await fleet.until("instance.restarted", instance="stall-001")
        view = await fleet.manager.ask(GetInstance("stall-001"), 5)
        assert (view.state, view.ready) == ("paused", False)


async def test_rollouts_of_a_failed_manager_end_and_their_numbers_are_not_used_again(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, sluggish=1)
    async with fleet.running():
        first = (await fleet.until("rollout.started"))["rollout"]
        await _restart_manager(fleet)
        ended = await fleet.until("rollout.incomplete", rollout=first)
        assert (ended["done"], ended["failed"]) == (0, {})
        assert (await fleet.manager.ask(GetRollout(first), 5)).state == "incomplete"
        assert (await fleet.until("rollout.started"))["rollout"] != first


async def test_a_stream_that_is_not_named_any_more_does_not_run_and_comes_back_as_it_was(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=2)
    async with fleet.running():
        await fleet.until("rollout.completed")
    fleet.fleet = _named()
    Stall.lives.clear()
    async with fleet.running():
        assert (await fleet.manager.ask(Summarise(), 5)).total == 0
    assert Stall.lives == {}
    fleet.fleet = _named(stall=StreamPlan(count=2))
    fleet.events.clear()
    async with fleet.running():
        await fleet.until("rollout.completed", done=2)
        rows = (await fleet.manager.ask(ListInstances(), 5)).items
        assert [(row.id, row.port) for row in rows] == [("stall-001", 7001), ("stall-002", 7002)]


async def test_instances_of_a_stream_that_cannot_run_here_are_shown_as_failed_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = FleetUnderTest(tmp_path, lost=1)
    async with fleet.running():
        await fleet.until("rollout.incomplete")
        (row,) = (await fleet.manager.ask(ListInstances(state="failed"), 5)).items
        assert "No module named" in (row.last_failure or "")
        assert "No module named" in (await fleet.manager.ask(GetInstance("lost-001"), 5)).health
        for asked in (Command("lost-001", "start"), Command("lost-001", "restart")):
            with pytest.raises(NotNow, match="No module named"):
                await fleet.manager.ask(asked, 5)
        assert await fleet.instances.ask(FindChild("lost-001"), 5) is None
        assert Stall.lives == {}
        # Once it can run, a person can start it.
        monkeypatch.setattr(Lost, "paper_world", "")
        assert (await fleet.manager.ask(Command("lost-001", "start"), 5)).state == "ready"


async def test_a_count_that_changes_in_the_configuration_is_followed(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=1)
    async with fleet.running():
        await fleet.until("rollout.completed")
        for count in (3, 2):
            fleet.events.clear()
            await fleet.keep_count("stall", count)
            fleet.manager.tell(Reconcile())
            await fleet.until("rollout.completed")
            assert (await fleet.manager.ask(Summarise(), 5)).by_state == {"ready": count}
        fleet.events.clear()
        fleet.manager.tell(Reconcile())
        await fleet.manager.ask(Scale("stall", 2), 5)
        assert fleet.names().count("rollout.started") == 1


async def test_counts_of_one_run_do_not_follow_the_configuration(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=5)
    fleet.counts = {"stall": 1}
    async with fleet.running():
        await fleet.until("rollout.completed")
        fleet.manager.tell(Reconcile())
        await fleet.manager.ask(Command("stall-001", "restart"), 5)
        assert (await fleet.manager.ask(Summarise(), 5)).total == 1


async def test_a_count_that_cannot_be_stored_changes_nothing(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=1)
    async with fleet.running():
        await fleet.until("rollout.completed")
        fleet.refuses_counts = SaveError(tmp_path / "fleet_config.json", OSError(28, "No space left on device"))
        with pytest.raises(NotNow, match="No space left"):
            await fleet.manager.ask(Scale("stall", 3), 5)
        assert (await fleet.manager.ask(Summarise(), 5)).total == 1
        assert not (tmp_path / "instances" / "stall-002").exists()


async def test_records_that_cannot_be_stored_take_the_count_back(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=1)
    async with fleet.running():
        await fleet.until("rollout.completed")
        (tmp_path / "instances" / "stall-002").write_text("a file where a directory should be")
        with pytest.raises(NotNow, match="stall-002.*cannot be stored"):
            await fleet.manager.ask(Scale("stall", 2), 5)
        assert fleet.fleet.streams["stall"].count == 1
        assert (await fleet.manager.ask(Summarise(), 5)).by_state == {"ready": 1}


async def test_the_number_of_a_broken_record_is_left_alone(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=2)
    async with fleet.running():
        await fleet.until("rollout.completed")
    broken = tmp_path / "instances" / "stall-002" / "settings.json"
    broken.write_text("{")
    fleet.events.clear()
    async with fleet.running():
        await fleet.until("instance.ready", instance="stall-003")
        assert (await fleet.manager.ask(Summarise(), 5)).total == 2
    assert broken.read_text() == "{"


async def test_an_instance_that_takes_long_to_start_can_be_stopped_meanwhile(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, sluggish=1)
    async with fleet.running():
        await fleet.until("rollout.completed")
        await fleet.manager.ask(Command("sluggish-001", "stop"), 5)
        starting = fleet.manager.ask(Command("sluggish-001", "start"), 60)
        await _second(fleet)
        began = fleet.system.loop.time()
        assert (await fleet.manager.ask(Command("sluggish-001", "stop"), 15)).state == "stopped"
        assert fleet.system.loop.time() - began < 10
        with pytest.raises(NotNow):
            await starting


async def test_an_instance_that_is_paused_while_it_starts_is_paused_when_it_has(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, sluggish=1)
    async with fleet.running():
        await fleet.until("instance.started")
        assert (await fleet.manager.ask(Command("sluggish-001", "pause"), 5)).state == "starting"
        await fleet.until("rollout.completed")
        view = await fleet.manager.ask(GetInstance("sluggish-001"), 5)
        assert (view.state, view.ready) == ("paused", False)


async def test_a_crowd_that_disturbs_a_frozen_instance_does_the_manager_no_harm(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=1)
    async with fleet.running():
        await fleet.until("rollout.completed")
        answers = [fleet.manager.ask(Disturb("stall-001", "freeze"), 5) for _ in range(300)]
        ended = await asyncio.gather(*answers, return_exceptions=True)
        assert {type(error) for error in ended} == {type(None), NotNow}
        assert "service.crashed" not in fleet.names()


async def test_settings_on_disk_that_the_stream_does_not_take_are_named_with_their_file(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=1)
    wrong = Record("stall-001", "stall", 1, 7001, settings={"name": "stall 1", "price": "high"})
    (tmp_path / "instances").mkdir()
    await asyncio.to_thread(save_records, tmp_path / "instances", (wrong,))
    async with fleet.running():
        failed = (await fleet.until("rollout.incomplete"))["failed"]["stall-001"]
        assert str(tmp_path / "instances" / "stall-001" / "settings.json") in failed
        assert "$.price" in failed
