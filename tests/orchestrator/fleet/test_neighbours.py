"""Instances find each other, and get keys of each other that are never billed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from actors import Actor, ActorSystem, on
from orchestrator.fleet.messages import CreateInstanceKey, ListInstanceKeys, NotNow, RevokeInstanceKey
from orchestrator.fleet.neighbours import Directory
from streams.metering.key_desk import KeyDesk
from streams.metering.key_store import KeyStore
from streams.metering.plan import Plan
from streams.metering.selling import KeyInfo, NewKey
from streams.neighbours import Neighbour
from tests.orchestrator.fleet.fakes import FleetUnderTest


class Manager(Actor[ListInstanceKeys | CreateInstanceKey | RevokeInstanceKey]):
    """Has one instance, whose keys are real."""

    def __init__(self, directory: Path) -> None:
        keys = KeyStore(directory / "keys.jsonl", lambda: datetime.now(UTC))
        self.desk = KeyDesk(keys, {"basic": Plan(1.0, 1)}, "basic", "USD", "paper")

    @on(ListInstanceKeys)
    def list_keys(self, message: ListInstanceKeys) -> tuple[KeyInfo, ...]:
        return self.desk.list_keys()

    @on(CreateInstanceKey)
    async def create(self, message: CreateInstanceKey) -> NewKey:
        return await self.desk.create_key(label=message.label, own=message.own)

    @on(RevokeInstanceKey)
    async def revoke(self, message: RevokeInstanceKey) -> None:
        await self.desk.revoke_key(message.id)


async def test_an_instance_sees_those_of_another_stream_that_are_ready_and_not_itself(tmp_path: Path) -> None:
    fleet = FleetUnderTest(tmp_path, market=2, stall=2)
    async with fleet.running():
        for stream in ("market", "stall"):
            await fleet.until("rollout.completed", stream=stream)
        directory = Directory()
        directory.manager = fleet.manager
        seen = directory.neighbours_of("stall-001")
        assert [each.id for each in await seen.of("market")] == ["market-001", "market-002"]
        assert await seen.of("stall") == (Neighbour("stall-002", "stall", "http://127.0.0.1:7004"),)
        assert await seen.of("nothing") == ()


async def test_a_key_is_its_own_and_made_once_in_a_life(tmp_path: Path) -> None:
    directory = Directory()
    async with ActorSystem("test") as system:
        manager: Any = await system.spawn(lambda: Manager(tmp_path), "manager")
        directory.manager = manager
        life = directory.neighbours_of("content-001")
        key = await life.own_key("data-001")
        assert await life.own_key("data-001") == key
        next_life = directory.neighbours_of("content-001")
        assert await next_life.own_key("data-001") != key
        keys = await manager.ask(ListInstanceKeys("data-001"), 5)
        assert [(each.own, each.label, each.revoked_at is None) for each in keys] == [
            (True, "fleet: content-001", False),
            (True, "fleet: content-001", True),
        ]


async def test_while_the_fleet_starts_nobody_is_seen() -> None:
    with pytest.raises(NotNow):
        await Directory().neighbours_of("a-001").of("b")
