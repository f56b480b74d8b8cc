from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from config import ConfigStore, resolve_home
from config.fleet import multipliers_of
from config.paths import Paths
from orchestrator import trial
from orchestrator.daemon import Running
from orchestrator.trial import Trial, conduct, hurried, spread
from streams.booking import Receipt
from tests.orchestrator.access.cli.conftest import configure, free_port_base
from tests.orchestrator.money.bookings import NOON, api_call


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return resolve_home(str(tmp_path), {})


def test_instances_are_spread_evenly_and_no_stream_goes_without() -> None:
    assert spread(["api_services"]) == {"api_services": 5}
    assert spread(["b", "a"]) == {"a": 3, "b": 2}
    assert spread("fedcba") == dict.fromkeys("abcdef", 1)
    assert spread([]) == {}


def test_a_trial_is_in_the_sandbox_whatever_the_configuration_says(paths: Paths) -> None:
    configure(paths.home, mode="live", sandbox_calls_per_minute=0)
    settings = hurried(ConfigStore(paths, multipliers_of(["api_services"])).validate())
    assert settings.fleet.mode == "sandbox"
    assert settings.fleet.sandbox_calls_per_minute > 0


def test_bookings_are_counted_by_instance_and_asset() -> None:
    noting = Trial(wanted=1, limit_s=1)
    receipt = Receipt("tx_1", 1, NOON)
    noting.note(((api_call(1), receipt), (api_call(2, units=500), receipt)))
    noting._instances = (row("api_services-001"), row("api_services-002"))
    first, second = noting.result().rows
    assert (first.bookings, first.amounts) == (2, {"USD": "0.0025"})
    assert first.first_after_s is not None
    assert (second.bookings, second.amounts, second.first_after_s) == (0, {}, None)


def row(instance: str) -> Any:
    from orchestrator.fleet.view import InstanceRow

    return InstanceRow(instance, "api_services", "ready", "127.0.0.1", 1, 0, None)


def test_a_port_that_is_taken_fails_the_trial_and_is_named(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOMATE_LOG_LEVEL", "critical")
    base = free_port_base(5)
    configure(paths.home, port_base=base)
    with socket.socket() as thief:
        thief.bind(("127.0.0.1", base + 3))
        thief.listen()
        result = conduct(paths)
    assert result.problem is not None
    assert "api_services-003 gave up" in result.problem
    assert f"127.0.0.1:{base + 3}" in result.problem
    assert [each.bookings > 0 for each in result.rows] == [True, True, False, True, True]
    assert result.transactions >= 4


def test_time_that_runs_out_names_who_booked_nothing(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOMATE_LOG_LEVEL", "critical")
    monkeypatch.setattr(trial, "CALLS_PER_MINUTE", 1.0)
    configure(paths.home, port_base=free_port_base(5))
    result = conduct(paths, limit_s=0.2)
    assert result.problem is not None
    assert result.problem.startswith("within 0.2 s nothing was booked by ")
    assert not result.interrupted


def test_a_fleet_without_streams_is_no_trial(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOMATE_LOG_LEVEL", "critical")
    configure(paths.home, streams={})
    result = conduct(paths)
    assert result.problem is not None
    assert "no stream is configured" in result.problem


async def test_being_asked_to_stop_ends_a_trial_at_once() -> None:
    stopping = asyncio.Event()
    stopping.set()
    never: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    class Silent:
        def ask(self, *_: object) -> asyncio.Future[Any]:
            return never

    from orchestrator.tree import Tree

    interrupted = Trial(wanted=1, limit_s=60)
    running = Running(Tree(Silent(), Silent()), None, None, stopping)  # type: ignore[arg-type]
    assert await asyncio.wait_for(interrupted.work(running), 1.0) == 1
    assert interrupted.result().interrupted
