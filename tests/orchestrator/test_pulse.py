"""The watchdog is fed only while the root answers."""

from __future__ import annotations

import asyncio
from pathlib import Path

from actors import Actor, ActorSystem, FindChild, on
from actors.testing import run_virtual
from orchestrator.notify import Notifier
from orchestrator.pulse import Pulse


class Counting(Notifier):
    fed = 0

    def watchdog(self) -> bool:
        self.fed += 1
        return True


class Deaf(Actor[FindChild]):
    handler_limit_s = None

    @on(FindChild)
    async def find(self, _: FindChild) -> None:
        await asyncio.Event().wait()


def test_it_feeds_the_watchdog_twice_an_interval(tmp_path: Path) -> None:
    notifier = Counting(str(tmp_path / "notify"), watchdog_s=30.0)

    async def live() -> None:
        async with ActorSystem() as system:
            await system.spawn(lambda: Pulse(system.root, notifier), "pulse")
            await asyncio.sleep(61)

    run_virtual(live)
    assert notifier.fed == 4


def test_it_does_not_feed_while_the_root_does_not_answer(tmp_path: Path) -> None:
    notifier = Counting(str(tmp_path / "notify"), watchdog_s=30.0)

    async def live() -> None:
        async with ActorSystem() as system:
            deaf = await system.spawn(Deaf, "deaf")
            await system.spawn(lambda: Pulse(deaf, notifier), "pulse")
            await asyncio.sleep(200)
            # It waits, and does not fail: its failures would be charged to the root's budget.
            assert {child.path: child.restarts for child in system.tree().children} == {"/deaf": 0, "/pulse": 0}

    run_virtual(live)
    assert notifier.fed == 0
