from __future__ import annotations

import asyncio

from streams.lazy_event import LazyEvent


async def test_who_waits_is_woken_and_who_comes_later_does_not_wait() -> None:
    event = LazyEvent()
    waiting = [asyncio.create_task(event.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    event.set()
    await asyncio.gather(*waiting)
    await event.wait()


async def test_what_is_cleared_is_waited_for_again() -> None:
    event = LazyEvent()
    event.set()
    event.clear()
    waiting = asyncio.create_task(event.wait())
    await asyncio.sleep(0)
    event.set()
    await waiting
    event.clear()
    again = asyncio.create_task(event.wait())
    await asyncio.sleep(0)
    assert not again.done()
    event.set()
    await again
