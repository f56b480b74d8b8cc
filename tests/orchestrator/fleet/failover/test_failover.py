"""Failover in a fleet: who carries on, from where, and what becomes of what failed."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors import RestartChild, StopChild
from orchestrator.fleet.failover.failover import ListStandbys
from orchestrator.fleet.failover.standby import CannotBeCarried, Prepare
from orchestrator.fleet.failover.view import StandbyList
from orchestrator.fleet.messages import Command, Deploy, Disturb, GetInstance, ListInstances, NotNow, Scale, Summarise
from orchestrator.fleet.record import Record
from tests.orchestrator.fleet.fakes import FleetUnderTest, Stall

FIRST = "stall-001"
SECOND = "stall-002"


@pytest.fixture(autouse=True)
def _no_lives_yet() -> None:
    Stall.lives.clear()


async def crash(fleet: FleetUnderTest, instance: str, times: int = 1) -> None:
    for _ in range(times):
        await fleet.manager.ask(Disturb(instance, "crash"), 5)


async def pool_of(fleet: FleetUnderTest) -> StandbyList:
    assert fleet.failover is not None
    return await fleet.failover.ask(ListStandbys(), 5)


async def state(fleet: FleetUnderTest, instance: str) -> str:
    return (await fleet.manager.ask(GetInstance(instance), 5)).state


async def settled(fleet: FleetUnderTest) -> None:
    await fleet.until("rollout.completed")
    await fleet.until("standbys.ready")


async def test_a_standby_carries_on_from_the_last_checkpoint_with_a_fresh_budget(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=2)
    async with fleet.running(standbys=2):
        await settled(fleet)
        summary = await fleet.manager.ask(Summarise(), 5)
        assert (summary.active, summary.total, summary.by_state) == (2, 2, {"ready": 2, "standby": 2})
        ref = fleet.pool.get("standby-001")
        assert ref is not None
        await asyncio.sleep(45)  # at least one checkpoint; seconds are counted
        await crash(fleet, FIRST, times=4)
        told = await fleet.until("instance.failover", instance=FIRST)
        assert told["standby"] == "standby-001"
        assert (told["port"], told["stream"], told["standbys_left"]) == (7001, "stall", 1)
        assert told["checkpoint_age_s"] is not None
        assert told["took_s"] < 1
        assert "chaos.crash" in told["reason"]
        view = await fleet.manager.ask(GetInstance(FIRST), 5)
        assert (view.state, view.port, view.restarts_left) == ("ready", 7001, 3)
        assert 0 < view.funnel["seen"] < 45 + 10
        assert "instance.stopped" not in fleet.names()  # its visitors need not go


async def test_what_was_paused_is_paused_on_the_standby_too(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=1)
    async with fleet.running(max_restarts=0, standbys=1):
        await settled(fleet)
        await fleet.manager.ask(Command(FIRST, "pause"), 5)
        await crash(fleet, FIRST)
        await fleet.until("instance.failover")
        assert await state(fleet, FIRST) == "paused"
        assert (await fleet.manager.ask(Command(FIRST, "resume"), 5)).ready


async def test_what_failed_cools_down_in_the_standbys_seat_and_fills_the_pool_again(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=1)
    async with fleet.running(max_restarts=0, cooldown_s=30, standbys=2):
        await settled(fleet)
        await crash(fleet, FIRST)
        await fleet.until("instance.failover")
        fleet.events.clear()
        pool = await pool_of(fleet)
        cooling, ready = pool.items
        assert (pool.ready, pool.wanted, ready.state) == (1, 2, "standby")
        assert (cooling.id, cooling.state, cooling.carried) == ("standby-001", "failed", FIRST)
        assert cooling.cools_down_s == pytest.approx(30, abs=1)
        assert "chaos.crash" in str(cooling.reason)
        assert [row.id for row in (await fleet.manager.ask(ListInstances(state="standby"), 5)).items] == ["standby-002"]
        view = await fleet.manager.ask(GetInstance("standby-001"), 5)
        assert (view.state, view.ready, view.details["carried"]) == ("failed", False, FIRST)
        assert "cools down" in view.health
        await asyncio.sleep(29)
        assert (await pool_of(fleet)).ready == 1
        await fleet.until("standbys.ready", count=2)
        assert await state(fleet, "standby-001") == "standby"


async def test_a_body_that_does_not_start_in_good_health_cools_down_again(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=1)
    async with fleet.running(max_restarts=0, cooldown_s=30, standbys=1):
        await settled(fleet)
        await crash(fleet, FIRST)
        await fleet.until("instance.failover")
        fleet.events.clear()
        checkpoints = tmp_path / "checkpoints"
        checkpoints.rename(tmp_path / "elsewhere")  # the disk is gone
        told = await fleet.until("standbys.unhealthy", standby="standby-001")
        assert "checkpoints" in told["reason"]
        [seat] = (await pool_of(fleet)).items
        assert (seat.state, seat.carried) == ("failed", None)
        (tmp_path / "elsewhere").rename(checkpoints)
        await fleet.until("standbys.ready", count=1)


async def test_work_that_fails_wherever_it_runs_costs_one_standby_and_no_more(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=1)
    async with fleet.running(max_restarts=1, cooldown_s=60, standbys=3):
        await settled(fleet)
        for trip in range(4):
            await crash(fleet, FIRST, times=2)
            if trip == 0:
                await fleet.until("instance.failover", instance=FIRST)
            else:
                refused = await fleet.until("instance.failover_refused", instance=FIRST)
                assert "fresh budget" in refused["reason"]
                assert refused["cools_down_s"] == 60
                fleet.events.clear()
                await fleet.until("instance.ready", instance=FIRST)  # by itself, after its cool-down
                fleet.events.clear()
        await asyncio.sleep(1)
        assert (await pool_of(fleet)).ready == 3

        # It has run well for longer than the window: it has earned another.
        await asyncio.sleep(61)
        await crash(fleet, FIRST, times=2)
        await fleet.until("instance.failover", instance=FIRST)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"settings": {"name": "a", "prise": 1}}, "prise"),
        ({"stream": "broken"}, "no.such.module"),
        ({"stream": "stal"}, "no stream 'stal'"),
        ({"stream": "lost"}, "sandbox of lost cannot start"),
    ],
)
async def test_a_standby_refuses_work_that_would_fail_wherever_it_runs(
    tmp_path: Path, wrong: dict[str, Any], words: str
) -> None:
    fleet = FleetUnderTest(tmp_path, stall=1)
    async with fleet.running(standbys=1):
        await settled(fleet)
        [seat] = fleet.pool
        assert seat.ref is not None
        record = Record(FIRST, "stall", 1, 7001, settings={"name": "a"})
        assert (await seat.ref.ask(Prepare(record), 5)).checkpoint_age_s is None
        with pytest.raises(CannotBeCarried, match=words):
            await seat.ref.ask(Prepare(msgspec.structs.replace(record, **wrong)), 5)
        assert seat.is_ready


async def test_a_standby_refuses_a_port_that_another_program_has(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=1)
    with socket.create_server(("127.0.0.1", 0)) as other:
        record = Record(FIRST, "stall", 1, other.getsockname()[1], settings={"name": "a"})
        async with fleet.running(standbys=1):
            await settled(fleet)
            [seat] = fleet.pool
            assert seat.ref is not None
            with pytest.raises(CannotBeCarried, match="Address already in use"):
                await seat.ref.ask(Prepare(record), 5)


async def test_work_that_no_standby_would_carry_costs_none(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=1)
    async with fleet.running(max_restarts=0, standbys=1):
        await settled(fleet)
        (tmp_path / "checkpoints" / FIRST).mkdir()  # which cannot be read as a file
        await crash(fleet, FIRST)
        told = await fleet.until("instance.failover_refused", instance=FIRST)
        assert "its checkpoint cannot be read" in told["reason"]
        assert (await pool_of(fleet)).ready == 1


async def test_what_does_not_start_costs_no_standby(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=1)
    async with fleet.running(standbys=2):
        await settled(fleet)
        await fleet.manager.ask(Deploy("stall", 2, settings={"fails": True}), 5)
        for instance in ("stall-002", "stall-003"):
            told = await fleet.until("instance.failover_refused", instance=instance)
            assert "does not even start" in told["reason"]
        assert (await pool_of(fleet)).ready == 2


async def test_where_no_standby_is_free_the_cool_down_is_waited_out_and_that_is_said(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=2)
    async with fleet.running(max_restarts=0, cooldown_s=60, standbys=1):
        await settled(fleet)
        await crash(fleet, FIRST)
        await fleet.until("instance.failover", instance=FIRST)
        await crash(fleet, SECOND)
        told = await fleet.until("instance.failover_refused", instance=SECOND)
        assert told["reason"] == "no standby is free"
        assert await state(fleet, SECOND) == "failed"
        await fleet.until("instance.restarted", instance=SECOND)


async def test_several_that_fail_at_once_have_a_standby_each(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=4)
    async with fleet.running(max_restarts=0, standbys=3):
        await settled(fleet)
        instances = [f"stall-{number:03d}" for number in range(1, 5)]
        await asyncio.gather(*(crash(fleet, instance) for instance in instances))
        await fleet.until("instance.failover_refused")
        await asyncio.sleep(1)
        over = [said for name, said in fleet.events if name == "instance.failover"]
        assert len({said["instance"] for said in over}) == len({said["standby"] for said in over}) == 3
        assert (await fleet.manager.ask(Summarise(), 5)).by_state == {"ready": 3, "failed": 1}


@pytest.mark.parametrize("how", ["crash", "freeze"])
async def test_a_standby_that_is_frozen_or_has_failed_is_passed_over(tmp_path: Path, how: Any) -> None:
    fleet = FleetUnderTest(tmp_path, stall=1)
    async with fleet.running(max_restarts=0, standbys=2):
        await settled(fleet)
        await fleet.manager.ask(Disturb("standby-001", how), 5)
        await crash(fleet, FIRST)
        told = await fleet.until("instance.failover", instance=FIRST)
        assert told["standby"] == "standby-002"
        assert told["took_s"] < 1
        await asyncio.sleep(10)  # its own supervisor has seen to it
        assert await state(fleet, "standby-001") == "standby"


async def test_a_stop_by_hand_beats_a_takeover_that_is_under_way(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, sluggish=1)
    async with fleet.running(max_restarts=0, standbys=1):
        await settled(fleet)
        await crash(fleet, "sluggish-001")
        await fleet.until("instance.started", instance="sluggish-001")
        await asyncio.sleep(5)  # it takes 20 s to start, on the standby
        view = await fleet.manager.ask(Command("sluggish-001", "stop"), 30)
        assert view.state == "stopped"
        await asyncio.sleep(120)
        assert await state(fleet, "sluggish-001") == "stopped"
        assert (await pool_of(fleet)).ready == 1  # it was not needed after all
        assert "instance.failover" not in fleet.names()
        assert (await fleet.manager.ask(Command("sluggish-001", "start"), 60)).state == "ready"


@pytest.mark.parametrize("command", [StopChild(FIRST), RestartChild(FIRST)])
async def test_a_command_that_comes_first_stands(tmp_path: Path, command: Any) -> None:
    fleet = FleetUnderTest(tmp_path, stall=1)
    async with fleet.running(max_restarts=0, standbys=1):
        await settled(fleet)
        crashed = asyncio.ensure_future(crash(fleet, FIRST))
        while "instance.failed" not in fleet.names():
            await asyncio.sleep(0)
        await fleet.instances.ask(command, 5)
        await crashed
        await asyncio.sleep(1)
        expected = "stopped" if isinstance(command, StopChild) else "ready"
        assert await state(fleet, FIRST) == expected
        over = fleet.names().count("instance.failover")
        assert (await pool_of(fleet)).ready == 1 - over


async def test_the_pool_goes_on_after_a_crash_of_the_one_who_keeps_it(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=1)
    async with fleet.running(max_restarts=0, cooldown_s=30, standbys=2):
        await settled(fleet)
        await crash(fleet, FIRST)
        await fleet.until("instance.failover")
        fleet.events.clear()
        assert fleet.failover is not None
        await fleet.system.root.ask(RestartChild("failover"), 5)
        assert (await pool_of(fleet)).ready == 1
        await fleet.until("standbys.ready", count=2)


async def test_a_standby_is_no_instance_to_be_commanded_or_scaled_away(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, stall=1)
    async with fleet.running(standbys=3):
        await settled(fleet)
        with pytest.raises(NotNow, match="is a standby"):
            await fleet.manager.ask(Command("standby-001", "stop"), 5)
        view = await fleet.manager.ask(GetInstance("standby-001"), 5)
        assert (view.state, view.stream, view.port, view.ready) == ("standby", "", 0, True)
        assert view.details["prepared"] == ("stall",)
        seen, cursor = [], None
        while True:
            page = await fleet.manager.ask(ListInstances(state="standby", limit=2, cursor=cursor), 5)
            seen += [row.id for row in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert seen == ["standby-001", "standby-002", "standby-003"]
        assert (await fleet.manager.ask(ListInstances(stream="stall", state="standby"), 5)).items == ()
        rollout = await fleet.manager.ask(Scale("stall", 0), 5)
        await fleet.until("rollout.completed", rollout=rollout)
        assert (await pool_of(fleet)).ready == 3
