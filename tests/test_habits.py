"""What tests/conftest.py promises for every test."""

from __future__ import annotations

import time

import pytest
from blockbuster import BlockingError

from actors import Actor, ActorSystem, Request, on


class Nap(Request[None], frozen=True):
    pass


class Sleepy(Actor[Nap]):
    @on(Nap)
    def nap(self, message: Nap) -> None:
        time.sleep(0.001)


async def test_a_handler_that_blocks_the_loop_fails() -> None:
    async with ActorSystem("test") as system:
        ref = await system.spawn(Sleepy, name="sleepy")
        with pytest.raises(BlockingError, match=r"Blocking call to time\.sleep"):
            await ref.ask(Nap(), timeout=5)


@pytest.mark.may_block
async def test_a_test_may_say_that_it_blocks() -> None:
    async with ActorSystem("test") as system:
        ref = await system.spawn(Sleepy, name="sleepy")
        await ref.ask(Nap(), timeout=5)


async def test_a_test_itself_may_block() -> None:
    time.sleep(0.001)  # noqa: ASYNC251 - what is tested


def test_warnings_are_errors() -> None:
    import warnings

    with pytest.raises(UserWarning, match="careful"):
        warnings.warn("careful", stacklevel=1)
