"""What instances share: made once, made anew after a failure, ended with the last lease."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from actors import ActorSystem, Backoff, RestartPolicy, StartFailed, Supervisor
from streams.commons import Common, CommonDown, Commons


class Well(Common):
    made = 0

    def __init__(self, *, dry: bool = False) -> None:
        self.dry = dry
        self.poisoned = asyncio.Event()
        self.closed = False

    async def start(self) -> None:
        type(self).made += 1
        if self.dry:
            raise RuntimeError("no water here")

    async def run(self) -> None:
        await self.poisoned.wait()
        raise RuntimeError("the water is bad")

    async def stop(self) -> None:
        self.closed = True


@pytest.fixture
async def commons() -> AsyncIterator[Commons]:
    Well.made = 0
    async with ActorSystem("test") as system:
        policy = RestartPolicy(backoff=Backoff(first_s=0.01, cap_s=0.01), per_child=True, when_exhausted="delay")
        yield Commons(await system.spawn(lambda: Supervisor(policy=policy), "commons"))


async def test_the_first_lease_makes_it_and_the_last_release_ends_it(commons: Commons) -> None:
    first = await commons.lease("well/a", Well)
    second = await commons.lease("well/a", Well)
    well = first.get()
    assert second.get() is well
    assert Well.made == 1

    await first.release()
    await first.release()
    assert second.get() is well
    assert not well.closed
    await second.release()
    assert well.closed
    with pytest.raises(CommonDown):
        second.get()

    again = await commons.lease("well/a", Well)
    assert again.get() is not well
    await again.release()


async def test_leases_taken_at_the_same_moment_share_one(commons: Commons) -> None:
    leases = await asyncio.gather(*(commons.lease("well", Well) for _ in range(20)))
    assert Well.made == 1
    assert len({id(lease.get()) for lease in leases}) == 1
    await asyncio.gather(*(lease.release() for lease in leases))


async def test_different_keys_are_different_things(commons: Commons) -> None:
    one, other = await commons.lease("a", Well), await commons.lease("b", Well)
    assert one.get() is not other.get()


async def test_what_fails_is_made_anew_and_its_leases_lead_to_the_new_one(commons: Commons) -> None:
    lease = await commons.lease("well", Well)
    former = lease.get()
    former.poisoned.set()
    async with asyncio.timeout(5):
        while True:
            await asyncio.sleep(0.005)
            try:
                if lease.get() is not former:
                    break
            except CommonDown:
                continue
    assert former.closed
    assert Well.made == 2


async def test_what_cannot_start_is_the_callers_failure_and_leaves_nothing(commons: Commons) -> None:
    with pytest.raises(StartFailed, match="no water here"):
        await commons.lease("well", lambda: Well(dry=True))
    lease = await commons.lease("well", Well)
    assert not lease.get().dry


async def test_a_release_that_is_cancelled_while_it_waits_keeps_nothing_alive(commons: Commons) -> None:
    first = await commons.lease("well/a", Well)
    second = await commons.lease("well/a", Well)
    well = first.get()
    async with commons._turn("well/a"):
        giving_back = asyncio.create_task(first.release())
        await asyncio.sleep(0)
        giving_back.cancel()
        await asyncio.wait((giving_back,))
    await second.release()
    assert well.closed
