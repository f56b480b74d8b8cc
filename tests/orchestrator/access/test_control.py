"""The control socket as an actor, and the methods that it serves, from the other end of a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from actors import Actor, ActorRef, ActorSystem, Supervisor, on
from config import ConfigStore, Settings, resolve_home
from config.errors import SaveError
from config.fleet import multipliers_of
from orchestrator.access import jsonrpc
from orchestrator.access.control import Control, ReadStatistics
from orchestrator.access.dispatch import Methods
from orchestrator.access.methods.configuration import register_config
from orchestrator.access.methods.keys import register_keys
from orchestrator.access.methods.system import CpuUse, SystemMethods, register_system
from orchestrator.access.methods.watching import MAX_WATCHES, register_watching
from orchestrator.events import EventBus
from orchestrator.fleet.messages import ListInstanceKeys
from orchestrator.money.ledger import Ledger
from orchestrator.services import Services
from streams.metering.selling import KeyInfo
from tests.orchestrator.access.wire import Wire, call, until
from tests.orchestrator.fleet.fakes import FleetUnderTest
from tests.orchestrator.money.bookings import api_call

AT = datetime(2026, 1, 2, tzinfo=UTC)


class Desk(Actor[ListInstanceKeys]):
    """Has five keys."""

    @on(ListInstanceKeys)
    def list_keys(self, _: ListInstanceKeys) -> tuple[KeyInfo, ...]:
        return tuple(
            KeyInfo(f"key-{n}", "ak_test_…", "", "basic", "paper", 1.0, 1, None, None, "USD", False, AT, None)
            for n in range(5)
        )


class Under:
    """What a test holds of a control socket."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "control.sock"
        self.log_file = directory / "automate.jsonl"
        self.events = EventBus()
        self.system: ActorSystem
        self.control: ActorRef[Any]
        self.change_fails: Exception | None = None
        self.asked_to_stop: list[str] = []
        self.began = monotonic() - 1000

    async def result(self, wire: Wire, method: str, **params: Any) -> Any:
        answer = await wire.ask(call(method, params))
        assert "result" in answer, answer
        return answer["result"]

    async def error(self, wire: Wire, method: str, **params: Any) -> Any:
        answer = await wire.ask(call(method, params))
        assert "error" in answer, answer
        return answer["error"]


@pytest.fixture
def store(tmp_path: Path) -> ConfigStore:
    paths = resolve_home(str(tmp_path / "home"), {})
    paths.create()
    return ConfigStore(paths, multipliers_of(["api_services"]))


@pytest.fixture
async def under(tmp_path: Path, store: ConfigStore) -> AsyncIterator[Under]:
    """A control socket that serves the methods on watching, configuration and keys."""
    under = Under(tmp_path)
    settings = await asyncio.to_thread(store.load)

    async def change(section: str, values: Any) -> Settings:
        nonlocal settings
        if under.change_fails is not None:
            raise under.change_fails
        settings = await asyncio.to_thread(store.set_section, section, values)
        return settings

    async with ActorSystem() as under.system:
        desk = await under.system.spawn(Desk, "desk")

        def register(methods: Methods, control: Control) -> None:
            register_config(methods, lambda: settings, change)
            register_keys(methods, desk)
            register_watching(methods, under.events, under.log_file, control.context)

        under.control = await under.system.spawn(lambda: Control(under.path, None, register), "control")
        yield under


async def test_it_serves_what_is_registered_and_describes_it(under: Under) -> None:
    async with Wire(under.path) as wire:
        document = await under.result(wire, "rpc.discover")
        assert {"config.get", "keys.list", "events.subscribe"} <= {method["name"] for method in document["methods"]}
        statistics = await under.control.ask(ReadStatistics(), 5)
        assert (statistics.connections, statistics.malformed) == (1, 0)


async def test_its_file_goes_with_it(under: Under) -> None:
    assert await asyncio.to_thread(under.path.is_socket)
    await under.system._root.stop()
    assert not await asyncio.to_thread(under.path.exists)


async def test_a_subscriber_gets_events_of_its_topics_until_the_connection_ends(under: Under) -> None:
    async with Wire(under.path) as wire:
        assert await under.result(wire, "events.subscribe", topics=["instance.*"]) == {"topics": ["instance.*"]}
        under.events.hand_out("rollout.started", {"rollout": "rollout-0001"})
        under.events.hand_out("instance.ready", {"instance": "x-001", "cause": AT, "odd": ValueError("why")})
        told = await wire.answer()
        assert told["method"] == "events.event"
        timestamp = told["params"].pop("timestamp")
        assert datetime.fromisoformat(timestamp).tzinfo is not None
        assert told["params"] == {
            "event": "instance.ready",
            "instance": "x-001",
            "cause": "2026-01-02T00:00:00Z",
            "odd": "why",
        }
    await until(lambda: not under.events.wanted("instance.ready"))


@pytest.mark.parametrize("topics", [[], [""], ["x" * 201], ["x"] * 101, "instance.*"])
async def test_topics_that_cannot_be_subscribed_to_are_refused(under: Under, topics: Any) -> None:
    async with Wire(under.path) as wire:
        assert (await under.error(wire, "events.subscribe", topics=topics))["code"] == jsonrpc.INVALID_PARAMS
    assert not under.events.wanted("x")


async def test_a_connection_watches_so_many_things_and_another_as_many_again(under: Under) -> None:
    await asyncio.to_thread(under.log_file.touch)
    async with Wire(under.path) as wire, Wire(under.path) as other:
        for _ in range(MAX_WATCHES - 1):
            await under.result(wire, "events.subscribe", topics=["never"])
        await under.result(wire, "logs.tail", follow=True)
        for method, params in (("events.subscribe", {"topics": ["x"]}), ("logs.tail", {"follow": True})):
            assert (await under.error(wire, method, **params))["code"] == jsonrpc.REFUSED
        await under.result(wire, "logs.tail")  # a look is no watch
        await under.result(other, "events.subscribe", topics=["x"])


def _write(file: Path, *lines: dict[str, Any]) -> None:
    with file.open("a") as log:
        log.writelines(json.dumps(line) + "\n" for line in lines)


async def test_the_log_is_shown_from_its_end_and_followed(under: Under) -> None:
    lines = [{"level": "info", "event": f"event.{n}", "instance": f"x-00{n % 2}"} for n in range(6)]
    await asyncio.to_thread(_write, under.log_file, *lines)
    async with Wire(under.path) as wire:
        assert await under.result(wire, "logs.tail", lines=2) == {"items": lines[-2:], "following": False}
        told = await under.result(wire, "logs.tail", lines=1, instance="x-000", follow=True)
        assert told == {"items": [lines[4]], "following": True}
        wanted = {"level": "info", "event": "event.8", "instance": "x-000"}
        await asyncio.to_thread(_write, under.log_file, lines[5], wanted)
        assert await wire.answer() == {"jsonrpc": "2.0", "method": "logs.line", "params": wanted}


@pytest.mark.parametrize("params", [{"lines": -1}, {"lines": 10_001}, {"level": "loud"}])
async def test_what_cannot_be_shown_of_the_log_is_refused(under: Under, params: dict[str, Any]) -> None:
    async with Wire(under.path) as wire:
        assert (await under.error(wire, "logs.tail", **params))["code"] == jsonrpc.INVALID_PARAMS


async def test_a_section_is_changed_and_shown(under: Under) -> None:
    async with Wire(under.path) as wire:
        changed = await under.result(wire, "config.set", section="recovery", values={"max_retries": 5})
        assert changed["max_retries"] == 5
        assert await under.result(wire, "config.get", section="recovery") == changed
        everything = await under.result(wire, "config.get")
        assert everything["recovery"] == changed
        assert set(everything) == set(Settings.__struct_fields__)


async def test_what_is_wrong_with_a_change_is_told_by_its_code_and_in_words(under: Under) -> None:
    async with Wire(under.path) as wire:
        error = await under.error(wire, "config.set", section="recovery", values={"max_retries": "many"})
        assert error["code"] == jsonrpc.INVALID_PARAMS
        assert "$.max_retries" in error["message"]
        for method, params in (("config.get", {}), ("config.set", {"values": {}})):
            error = await under.error(wire, method, section="recoverie", **params)
            assert error["code"] == jsonrpc.NOT_FOUND
        # A full disk is nothing that the asker could have put otherwise.
        under.change_fails = SaveError(under.directory / "x.json", OSError(28, "No space left on device"))
        error = await under.error(wire, "config.set", section="recovery", values={})
        assert error["code"] == jsonrpc.REFUSED
        assert "No space left" in error["message"]


async def test_keys_come_in_pages_and_a_cursor_of_elsewhere_is_refused(under: Under) -> None:
    async with Wire(under.path) as wire:
        seen, cursor = [], None
        while True:
            page = await under.result(wire, "keys.list", instance="x-001", limit=2, cursor=cursor)
            seen += [key["id"] for key in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert seen == [f"key-{n}" for n in range(5)]
        error = await under.error(wire, "keys.list", instance="x-001", cursor="key-9")
        assert error["code"] == jsonrpc.INVALID_PARAMS


@asynccontextmanager
async def whole(tmp_path: Path) -> AsyncIterator[Under]:
    """A control socket that serves `system.*` of a real fleet with a real ledger."""
    under, fleet = Under(tmp_path), FleetUnderTest(tmp_path, stall=2)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(fleet.running())
        under.system, services = fleet.system, Services(fleet.system)
        ledger = await services.start(lambda: Ledger(tmp_path / "ledger.sqlite3", tmp_path / "instances"), "ledger")
        await services.start_supervisor(Supervisor, "customers")
        await ledger.ask(api_call(1), 5)
        await fleet.until("rollout.completed")

        async def reload() -> None:
            raise SaveError(tmp_path / "x.json", OSError(28, "No space left on device"))

        def register(methods: Methods, control: Control) -> None:
            asked = SystemMethods(
                system=fleet.system,
                services=services.count,
                fleet=fleet.manager,
                ledger=ledger,
                state=lambda: "running",
                mode="sandbox",
                began=under.began,
                home=str(tmp_path),
                log_file=str(under.log_file),
                shut_down=under.asked_to_stop.append,
                reload=reload,
            )
            register_system(methods, asked)

        under.control = await services.start(lambda: Control(under.path, None, register), "control")
        yield under


async def test_the_status_counts_services_and_instances_and_what_was_earned(tmp_path: Path) -> None:
    async with whole(tmp_path) as under, Wire(under.path) as wire:
        status = await under.result(wire, "system.status")
        assert status["services"] == {"up": 3, "total": 3}
        assert status["instances"]["by_state"] == {"ready": 2}
        assert status["uptime_s"] > 900
        assert status["books"]["live"] == {}
        (asset,) = status["books"]["paper"]
        assert float(status["books"]["paper"][asset]) > 0
        assert status["cpu_percent"] >= 0
        tree = await under.result(wire, "system.tree")
        assert {child["path"] for child in tree["children"]} >= {"/ledger", "/control", "/instances"}


async def test_the_uptime_is_the_daemons_and_not_that_of_its_control_socket(tmp_path: Path) -> None:
    async with whole(tmp_path) as under:
        under.control._cell.fail(RuntimeError("the control socket itself"))
        await until(lambda: under.control.vitals().restarts == 1)
        async with Wire(under.path) as wire:
            assert (await under.result(wire, "system.status"))["uptime_s"] > 900


def test_the_use_of_the_processor_is_measured_over_a_second_whoever_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = {"monotonic": 100.0, "process_time": 7.0}
    for name in clocks:
        monkeypatch.setattr(f"orchestrator.access.methods.system.{name}", partial(clocks.__getitem__, name))
    cpu = CpuUse()
    seen = []
    for at_s, used_s in ((100.5, 7.5), (102.0, 7.5), (102.1, 7.6), (103.0, 7.75)):
        clocks.update(monotonic=at_s, process_time=used_s)
        seen.append(cpu.percent())
    assert seen == [0.0, 25.0, 25.0, 25.0]


async def test_a_service_that_is_down_is_not_counted_as_up(tmp_path: Path) -> None:
    async with whole(tmp_path) as under, Wire(under.path) as wire:
        customers = next(child for child in under.system._root.children.values() if child.spec.name == "customers")
        await customers.cell.stop()
        customers.wanted = False
        status = await under.result(wire, "system.status")
        assert status["services"] == {"up": 2, "total": 3}


async def test_a_reload_that_fails_is_refused_in_its_own_words_and_a_stop_says_who_asked(tmp_path: Path) -> None:
    async with whole(tmp_path) as under, Wire(under.path) as wire:
        error = await under.error(wire, "system.reload")
        assert error["code"] == jsonrpc.REFUSED
        assert "No space left" in error["message"]
        assert await under.result(wire, "system.shutdown") == {"accepted": True}
        (who,) = under.asked_to_stop
        assert who.startswith("pid ")
