"""Every actor answers a sign of life, unless it is frozen."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors import Actor, ActorSystem, AskTimeout, Message, SignOfLife, Supervisor, on


class Wait(Message, frozen=True):
    pass


class Patient(Actor[Wait]):
    handler_limit_s = 60.0
    mailbox_capacity = 2
    overflow = "reject"

    @on(Wait)
    async def wait(self, _: Wait) -> None:
        await asyncio.sleep(10)


async def test_actors_and_supervisors_answer_though_they_declare_nothing() -> None:
    async with ActorSystem("test") as system:
        for make in (Patient, Supervisor):
            ref: Any = await system.spawn(make, make.__name__)
            assert await ref.ask(SignOfLife(), 1.0) is None
        assert await system.root.ask(SignOfLife(), 1.0) is None


async def test_it_overtakes_a_full_mailbox_but_not_the_handler_that_runs() -> None:
    async with ActorSystem("test") as system:
        ref: Any = await system.spawn(Patient, "patient")
        began = system.loop.time()
        ref.tell(Wait())
        await asyncio.sleep(0.1)
        ref.tell(Wait())
        ref.tell(Wait())
        with pytest.raises(AskTimeout):
            await ref.ask(SignOfLife(), 1.0)
        await ref.ask(SignOfLife(), 20.0)
        assert system.loop.time() - began == pytest.approx(10.0)
