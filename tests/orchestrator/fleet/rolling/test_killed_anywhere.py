"""Killed before any of its writes, a rollout ends as it would have, and leaves nothing half done."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors import AskTimeout
from config.rollouts import RollingOut
from orchestrator.fleet.messages import Configure, Deploy, ListInstances, ListRollouts, Summarise
from orchestrator.fleet.record import Record
from orchestrator.fleet.rolling.journal import RolloutFile
from orchestrator.fleet.rollouts import Rollouts
from orchestrator.fleet.roster import Roster
from tests.orchestrator.fleet.fakes import FleetUnderTest

RULES = RollingOut(canary_count=2, interval_s=1, window_s=4, patience_s=120, ready_within_s=20, min_samples=20)
GOOD, WORSE = {"took_s": 0.011}, {"fails_every": 2}

WRITES = 9
"""Those of a canary that goes well: it begins, and twice it changes, stores, watches, and goes on or ends."""


class Stopped:
    """Has the n-th write, of the rollout or of records, never happen, nor any after it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
        self.reached = asyncio.Event()
        self._left = at
        keep, store = Rollouts.keep, Roster.store

        async def keep_or_stop(rollouts: Rollouts, file: RolloutFile) -> None:
            await self._pass()
            await keep(rollouts, file)

        async def store_or_stop(roster: Roster, records: Iterable[Record]) -> None:
            await self._pass()
            await store(roster, records)

        monkeypatch.setattr(Rollouts, "keep", keep_or_stop)
        monkeypatch.setattr(Roster, "store", store_or_stop)

    async def _pass(self) -> None:
        if self._left == 0:
            self.reached.set()
            await asyncio.Event().wait()
        self._left -= 1


def on_disk(fleet: FleetUnderTest, name: str) -> list[Any]:
    files = sorted((fleet.directory / "instances").glob("*/settings.json"))
    records = [json.loads(file.read_bytes()) for file in files]
    return [record["settings"][name] for record in records if record["desired"] != "retired"]


def _fleet(tmp_path: Path, count: int = 4) -> FleetUnderTest:
    fleet = FleetUnderTest(tmp_path, worker=count)
    fleet.fleet = msgspec.structs.replace(fleet.fleet, rollouts=RULES)
    return fleet


@pytest.mark.parametrize("at", range(WRITES + 1))
@pytest.mark.parametrize("change", [GOOD, WORSE], ids=["good", "worse"])
@pytest.mark.parametrize("kind", ["configure", "deploy"])
async def test_a_rollout_that_is_killed_before_any_write_ends_as_it_would_have(
    tmp_path: Path, kind: str, change: dict[str, Any], at: int
) -> None:
    name = next(iter(change))
    fleet = _fleet(tmp_path)
    asked = Configure("worker", change) if kind == "configure" else Deploy("worker", 3, "canary", change)
    begun: str | None = None
    async with fleet.running():
        await fleet.until("rollout.completed", done=4)
        before = on_disk(fleet, name)
        with pytest.MonkeyPatch.context() as monkeypatch:
            stopped = Stopped(monkeypatch, at)
            try:
                begun = await fleet.manager.ask(asked, 5)
            except AskTimeout:
                assert stopped.reached.is_set()
            ended = {"rollout.completed", "rollout.rolled_back"}
            async with asyncio.timeout(120):
                while not stopped.reached.is_set() and not ended & {
                    seen for seen, said in fleet.events if said.get("rollout") == begun
                }:
                    await asyncio.sleep(0.05)
            if kind == "configure" and change == GOOD:
                assert stopped.reached.is_set() == (at < WRITES)
            kept = fleet.fleet
    fleet = _fleet(tmp_path)
    fleet.fleet = kept
    async with fleet.running():
        async with asyncio.timeout(200):
            while any(each.ended_at is None for each in (await fleet.manager.ask(ListRollouts(), 5)).items):
                await asyncio.sleep(0.5)
        page = await fleet.manager.ask(ListRollouts(), 5)
        known = [each for each in page.items if each.strategy == "canary"]
        if begun is not None:
            assert [each.id for each in known] == [begun]
        happened = bool(known) and known[0].state == "completed"
        assert all(each.state == ("completed" if change == GOOD else "rolled_back") for each in known)
        added = 3 if happened and kind == "deploy" else 0
        rows = (await fleet.manager.ask(ListInstances(), 5)).items
        assert [row.id for row in rows] == [f"worker-{number:03d}" for number in range(1, 5 + added)]
        assert (await fleet.manager.ask(Summarise(), 5)).by_state == {"ready": 4 + added}
        assert fleet.fleet.streams["worker"].count == 4 + added
        changed = [change[name]] * (4 if kind == "configure" else added) if happened else []
        assert on_disk(fleet, name) == (changed if kind == "configure" and happened else before + changed)
