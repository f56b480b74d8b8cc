"""`keys.*` as a caller meets them: what is taken, and the codes of what is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors import Actor, ActorRef, ActorSystem, on
from orchestrator.access.dispatch import Methods
from orchestrator.access.jsonrpc import INVALID_PARAMS, NOT_FOUND, REFUSED, RpcError
from orchestrator.access.methods.keys import register_keys
from orchestrator.fleet.messages import CreateInstanceKey, ListInstanceKeys, RevokeInstanceKey
from streams.metering import key_store
from streams.metering.key_store import KeyRefused, KeyStore, KeyTerms
from streams.metering.selling import KeyInfo, NewKey, key_info

AT = datetime(2026, 1, 2, tzinfo=UTC)


class Desk(Actor[CreateInstanceKey | ListInstanceKeys | RevokeInstanceKey]):
    """A fleet of one instance, which has the real keys."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    @on(CreateInstanceKey)
    async def create(self, message: CreateInstanceKey) -> NewKey:
        if message.plan is not None:
            raise KeyRefused("there is no such plan here")
        terms = KeyTerms(
            book="paper", plan="basic", label=message.label, rate_per_s=1.0, burst=1, quota=None, credit=None
        )
        key, record = await self._keys.create(terms)
        return NewKey(id=record.id, key=key)

    @on(ListInstanceKeys)
    def list_keys(self, _: ListInstanceKeys) -> tuple[KeyInfo, ...]:
        return tuple(key_info(record, revoked_at, "USD") for record, revoked_at in self._keys.all())

    @on(RevokeInstanceKey)
    async def revoke(self, message: RevokeInstanceKey) -> None:
        await self._keys.revoke(message.id)


class Operator:
    """Who asks; nothing is told to them later."""

    origin = "a test"

    def notify(self, method: str, params: object) -> bool:
        return False

    def notify_line(self, line: bytes) -> bool:
        return False

    def on_close(self, callback: Callable[[], object]) -> None:
        pass


class Caller:
    """Calls the methods.

    Attributes:
        keys: The instance's.
    """

    def __init__(self, keys: KeyStore, desk: ActorRef[Any]) -> None:
        self.keys = keys
        self._methods = Methods()
        register_keys(self._methods, desk)

    async def call(self, method: str, **params: Any) -> Any:
        return msgspec.json.decode(await self._methods.ask(method, {"instance": "x-001", **params}, Operator()))

    async def error(self, method: str, **params: Any) -> RpcError:
        with pytest.raises(RpcError) as refused:
            await self.call(method, **params)
        return refused.value


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    keys = KeyStore(tmp_path / "keys.jsonl", lambda: AT)
    async with ActorSystem() as system:
        yield Caller(keys, await system.spawn(lambda: Desk(keys), "desk"))


async def revoked(caller: Caller) -> list[bool]:
    return [each["revoked_at"] is not None for each in (await caller.call("keys.list"))["items"]]


@pytest.mark.parametrize(("params", "label"), [({}, ""), ({"label": None}, ""), ({"label": "Anna"}, "Anna")])
async def test_a_label_may_be_left_out_or_null(caller: Caller, params: dict[str, Any], label: str) -> None:
    await caller.call("keys.create", **params)
    (listed,) = (await caller.call("keys.list"))["items"]
    assert listed["label"] == label


async def test_a_key_is_revoked_by_its_id_or_by_itself(caller: Caller) -> None:
    first, second, _ = [await caller.call("keys.create") for _ in range(3)]
    await caller.call("keys.revoke", id=first["id"])
    assert await revoked(caller) == [True, False, False]
    await caller.call("keys.revoke", key=second["key"])
    await caller.call("keys.revoke", key=second["key"], id=None)
    assert await revoked(caller) == [True, True, False]


async def test_revoking_takes_exactly_one_of_id_and_key(caller: Caller) -> None:
    made = await caller.call("keys.create")
    for params in ({}, {"id": None}, made, {"key": made["id"]}, {"key": ""}, {"id": 1}):
        assert (await caller.error("keys.revoke", **params)).code == INVALID_PARAMS
    assert await revoked(caller) == [False]


async def test_a_key_that_is_not_there_is_not_found(caller: Caller) -> None:
    made = await caller.call("keys.create")
    for params in ({"id": "key_unknown"}, {"id": ""}, {"key": made["key"][:-1]}):
        assert (await caller.error("keys.revoke", **params)).code == NOT_FOUND
    assert await revoked(caller) == [False]


async def test_a_key_that_cannot_be_made_as_asked_is_an_invalid_parameter(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = await caller.error("keys.create", plan="gold")
    assert (refused.code, refused.message) == (INVALID_PARAMS, "there is no such plan here")
    assert (await caller.error("keys.create", label="x" * 201)).code == INVALID_PARAMS
    monkeypatch.setattr(key_store, "MAX_KEYS", 0)
    assert (await caller.error("keys.create")).code == REFUSED


@pytest.mark.parametrize("limit", [0, -1])
async def test_a_page_has_at_least_one_key(caller: Caller, limit: int) -> None:
    await caller.call("keys.create")
    refused = await caller.error("keys.list", limit=limit)
    assert (refused.code, refused.data) == (INVALID_PARAMS, {"path": "$.limit", "expected": "`int` >= 1"})
    assert len((await caller.call("keys.list", limit=1))["items"]) == 1
    assert len((await caller.call("keys.list", limit=100_000))["items"]) == 1
