from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from config import ConfigStore, resolve_home
from config.fleet import multipliers_of
from config.paths import Paths
from orchestrator import trial
from orchestrator.daemon import Running
from orchestrator.trial import Result, Trial, hurried, spread
from streams.booking import Receipt
from tests.orchestrator.access.cli.conftest import configure, free_port_base
from tests.orchestrator.money.bookings import NOON, api_call, usd

ROOT = Path(__file__).parents[2]


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


def test_what_is_pending_is_a_booking_without_an_amount_and_what_is_earned_of_each_other_is_none() -> None:
    noting = Trial(wanted=1, limit_s=1)
    receipt = Receipt("tx_1", 1, NOON)
    internal = (usd("asset:internal:due:a:b", 5), usd("income:internal:s:a", -5))
    noting.note(
        ((api_call(1), receipt), (api_call(2, state="pending"), receipt), (api_call(3, postings=internal), receipt))
    )
    noting._instances = (row("api_services-001"),)
    (told,) = noting.result().rows
    assert (told.bookings, told.amounts) == (2, {"USD": "0.002"})


def row(instance: str) -> Any:
    from orchestrator.fleet.view import InstanceRow

    return InstanceRow(instance, "api_services", "ready", "127.0.0.1", 1, 0, None)


def conducted(paths: Paths, limit_s: float = 60.0, hurry: float = trial.CALLS_PER_MINUTE) -> Result:
    """Conduct a trial in a process of its own: a whole daemon looks into files before it has work to do."""
    script = (
        "import sys, msgspec; from config import resolve_home; from orchestrator import trial;"
        f"trial.CALLS_PER_MINUTE = {hurry};"
        f"result = trial.conduct(resolve_home({str(paths.home)!r}, {{}}), {limit_s});"
        "sys.stdout.buffer.write(msgspec.json.encode(result))"
    )
    environ = os.environ | {"PYTHONPATH": str(ROOT), "AUTOMATE_LOG_LEVEL": "critical"}
    done = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, check=False, timeout=50)
    assert done.returncode == 0, done.stderr.decode()
    return msgspec.json.decode(done.stdout, type=Result)


def test_a_trial_ends_when_every_instance_has_booked_and_the_ledger_holds(paths: Paths) -> None:
    configure(paths.home, port_base=free_port_base(5))
    result = conducted(paths)
    assert (result.problem, result.interrupted) == (None, False)
    assert len(result.rows) == 5
    # What was booked while the ledger was being verified may be in it, and is not in the table.
    assert result.transactions >= sum(each.bookings for each in result.rows) >= 5
    assert all(each.first_after_s is not None and each.first_after_s < 10 for each in result.rows)


def test_a_port_that_is_taken_fails_the_trial_and_is_named(paths: Paths) -> None:
    base = free_port_base(5)
    configure(paths.home, port_base=base)
    with socket.socket() as thief:
        thief.bind(("127.0.0.1", base + 3))
        thief.listen()
        result = conducted(paths)
    assert result.problem is not None
    assert "api_services-003 gave up" in result.problem
    assert f"127.0.0.1:{base + 3}" in result.problem
    # The others may book or not before it gives up; what they booked was verified.
    assert result.rows[2].bookings == 0
    assert result.transactions >= sum(each.bookings for each in result.rows)


def test_time_that_runs_out_names_who_booked_nothing(paths: Paths) -> None:
    configure(paths.home, port_base=free_port_base(5))
    result = conducted(paths, limit_s=0.2, hurry=0.01)
    assert result.problem is not None
    assert result.problem.startswith("within 0.2 s nothing was booked by ")
    assert not result.interrupted


def test_a_fleet_without_streams_is_no_trial(paths: Paths) -> None:
    configure(paths.home, streams={})
    result = conducted(paths)
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
