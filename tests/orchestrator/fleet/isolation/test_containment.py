"""What misbehaves in a process of its own is ended within its limit, told of, and nobody else notices."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from time import monotonic

import msgspec
import psutil

from orchestrator.fleet.instance import Crash, Examine, Freeze
from tests.orchestrator.fleet.isolation.bench import TIGHT, bench, runs

ENDS = {
    "allocates": "memory_bytes allows 160 MiB",
    "reserves": "FailedInProcess: MemoryError",
    "forks": "processes allows 4",
    "threads": "threads allows 40|can.t start new thread",
    "opens": "FailedInProcess: OSError: .Errno 24. Too many open files",
    "garbage": "no message: a frame of 4294967295 bytes",
    "nonsense": "what it sent is no message",
    "answers_unasked": "the question 999999 was answered",
    "sleeps": "no sign of life for 1 s",
    "exits": "exit status 3",
    "kills_itself": "killed by signal 9",
    "raises": "FailedInProcess: ZeroDivisionError: of no use",
    "closes": "closed its channel|no sign of life",
    "escapes": "RuntimeError: over to you",
}


async def test_what_goes_beyond_its_limits_is_ended_with_the_reason_and_its_neighbour_serves_on(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path) as fleet:
        neighbour = await fleet.start()
        flooding = await fleet.start(msgspec.structs.replace(TIGHT, heartbeat_s=5.0), behaviour="floods")
        flooding_since_s, longest_s = monotonic(), 0.0

        async def use_neighbour() -> None:
            nonlocal longest_s
            while True:
                began_s = monotonic()
                await neighbour.ask(Examine(), 5)
                longest_s = max(longest_s, monotonic() - began_s)
                await asyncio.sleep(0.05)

        using = asyncio.create_task(use_neighbour())
        started = await asyncio.gather(*(fleet.start(behaviour=each, wait=False) for each in ENDS))
        rogues = dict(zip(ENDS, started, strict=True))
        busy = msgspec.structs.replace(TIGHT, cpu_share=0.15, cpu_window_s=1.0, heartbeat_s=5.0)
        spinning = await fleet.start(busy, behaviour="spins")
        reasons = {name: await fleet.until_given_up(rogue) for name, rogue in rogues.items()}
        for name, words in ENDS.items():
            assert re.search(words, reasons[name]), f"{name}: {reasons[name]}"
        assert "cpu_share allows 0.15" in await fleet.until_given_up(spinning)
        using.cancel()
        # The one that floods with its log and its output is only read no faster than is allowed: fifty lines a second.
        assert flooding.vitals().restarts == 0
        assert 0 < fleet.lines("rogue-002") <= 50 * (monotonic() - flooding_since_s + 2)
        assert neighbour.vitals().restarts == 0
        assert (await neighbour.ask(Examine(), 5)).health.ready
        assert longest_s < 1.0
        # Reported, each with its reason.
        crashed = {said["instance"]: said["failure"] for name, said in fleet.events if name == "instance.crashed"}
        assert len(crashed) == len(ENDS) + 1
        # The one that forked away twice, and then failed, has left nothing.
        (escaped,) = (int(file.read_text()) for file in tmp_path.glob("instances/*/escaped"))
        assert not runs(escaped)


async def test_it_is_restarted_by_the_budget_and_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    async with bench(tmp_path) as fleet:
        steady = await fleet.start(restarts=3)
        failing = await fleet.start(restarts=1, behaviour="exits", wait=False)
        for message, words in (
            (Crash(), "CrashedOnRequest: chaos.crash was called"),
            (Freeze(), "HandlerLimitExceeded|no sign of life"),
        ):
            lives = steady.vitals().restarts
            steady.tell(message)
            async with asyncio.timeout(10):
                while steady.vitals().restarts == lives:
                    await asyncio.sleep(0.02)
            failure = steady.vitals().last_failure
            assert failure is not None
            assert re.search(words, failure.text), failure
        assert "exit status 3" in await fleet.until_given_up(failing)
        assert failing.vitals().restarts == 1
        # No checkpoint is kept of a life that failed; of one that was stopped in order, there is.
        assert (await steady.ask(Examine(), 5)).health.detail == "life 1"
        await fleet.restart(steady)
        assert (await steady.ask(Examine(), 5)).health.detail == "life 2"


async def test_a_warden_that_is_killed_takes_its_children_along_and_all_come_back(tmp_path: Path) -> None:
    async with bench(tmp_path) as fleet:
        instances = [await fleet.start(restarts=3) for _ in range(2)]
        (warden,) = (process for process in psutil.Process().children() if process.children())
        former = [process.pid for process in warden.children()]
        warden.kill()
        async with asyncio.timeout(15):
            while [instance.vitals().restarts for instance in instances] != [1, 1]:
                await asyncio.sleep(0.05)
        assert not any(runs(pid) for pid in former)
        for instance in instances:
            assert (await instance.ask(Examine(), 5)).health.ready
