"""The hub: who is told, what it costs, and that it rests when nobody listens."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from orchestrator.access.gateway import event_hub
from orchestrator.access.gateway.event_hub import AGAIN_AFTER_S, EventHub, Listener, TooManyListeners
from orchestrator.access.gateway.frames import MAX_FRAMES, TooSlow
from orchestrator.events import EventBus


class Under:
    """A hub, and the tasks that it started."""

    def __init__(self) -> None:
        self.bus = EventBus()
        self.tasks: list[asyncio.Task[None]] = []
        self.hub = EventHub(self.bus, lambda work: self.tasks.append(asyncio.create_task(work())))

    @property
    def resting(self) -> bool:
        return all(task.done() for task in self.tasks)


@pytest.fixture
async def under() -> Under:
    return Under()


def _told(chunk: bytes) -> list[Any]:
    return [msgspec.json.decode(line.removeprefix(b"data: ")) for line in chunk.split(b"\n\n") if line]


async def _next(listener: Listener) -> list[str]:
    await listener.wait(5)
    return [event["event"] for event in _told(listener.take())]


async def test_a_listener_is_told_of_its_topics_from_when_it_joined(under: Under) -> None:
    under.bus.hand_out("instance.ready", {"instance": "x-001"})
    listener = under.hub.join(("instance.*", "rollout.started"))
    under.bus.hand_out("ledger.booked", {"sequence": 1})
    under.bus.hand_out("instance.crashed", {"instance": "x-002", "odd": ValueError("why")})
    under.bus.hand_out("rollout.started", {})
    await listener.wait(5)
    first, second = _told(listener.take())
    assert first.pop("timestamp")
    assert first == {"event": "instance.crashed", "instance": "x-002", "odd": "why"}
    assert second["event"] == "rollout.started"
    listener.leave()


async def test_an_event_is_encoded_once_for_all_of_all_topics(under: Under) -> None:
    listeners = [under.hub.join((topic,)) for topic in ("*", "x.*", "x.y", "*", "z")]
    under.bus.hand_out("x.y", {})
    assert [await _next(listener) for listener in listeners[:4]] == [["x.y"]] * 4
    assert not listeners[4].unaware
    assert under.hub.statistics().encoded == 1
    for listener in listeners:
        listener.leave()


async def test_without_listeners_there_is_no_subscription_no_task_and_nothing_kept(under: Under) -> None:
    listener = under.hub.join(("x",))
    under.bus.hand_out("x", {})
    listener.close()  # the peer has gone, and then its answer ends
    listener.leave()
    listener.leave()
    assert not under.bus.wanted("x")
    assert under.hub.statistics().listeners == 0
    await asyncio.sleep(2 * AGAIN_AFTER_S)
    assert under.resting
    assert under.hub._channels == {}
    assert under.hub._last is None


async def test_what_all_have_read_is_forgotten_and_the_task_ends(under: Under) -> None:
    listener = under.hub.join(("x",))
    for _ in range(3):
        under.bus.hand_out("x", {})
    await _next(listener)
    await asyncio.sleep(2 * AGAIN_AFTER_S)
    assert len(listener._channel.queue) == 0
    assert under.resting
    under.bus.hand_out("x", {})
    assert await _next(listener) == ["x"]
    listener.leave()


async def test_what_happens_in_quick_succession_is_told_in_one_write(under: Under) -> None:
    listener = under.hub.join(("x",))
    writes = []
    for number in range(30):
        under.bus.hand_out("x", {"number": number})
        await asyncio.sleep(0.005)
        if chunk := listener.take() if listener._woken.is_set() else b"":
            writes.append(len(_told(chunk)))
    await asyncio.sleep(2 * AGAIN_AFTER_S)
    writes.append(len(_told(listener.take())))
    assert sum(writes) == 30
    assert len(writes) <= 5
    listener.leave()


async def test_a_crowd_is_woken_in_groups(under: Under, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_hub, "GROUP_EVERY_S", 0.001)
    listeners = [under.hub.join(("x",)) for _ in range(100)]
    under.bus.hand_out("x", {})
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert sum(listener._woken.is_set() for listener in listeners) == event_hub.GROUP
    for listener in listeners:
        assert await _next(listener) == ["x"]
        listener.leave()


async def test_one_that_does_not_read_is_cut_off_and_keeps_nobody_busy(under: Under) -> None:
    slow, quick = under.hub.join(("x",)), under.hub.join(("x",))
    under.bus.hand_out("x", {})
    assert await _next(quick) == ["x"]
    await asyncio.sleep(3 * AGAIN_AFTER_S)
    assert under.resting, "a listener that was woken and does not come is not woken again and again"
    got = 0
    for number in range(MAX_FRAMES + 10):
        under.bus.hand_out("x", {"number": number})
        if number % 500 == 0:
            got += len(_told(quick.take()))
    while chunk := quick.take():
        got += len(_told(chunk))
    assert got == MAX_FRAMES + 10
    with pytest.raises(TooSlow):
        slow.take()
    assert under.hub.statistics().cut_off == 1
    slow.leave()
    quick.leave()


async def test_there_is_room_for_so_many(under: Under, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_hub, "MAX_LISTENERS", 2)
    first, second = under.hub.join(("x",)), under.hub.join(("y",))
    with pytest.raises(TooManyListeners):
        under.hub.join(("x",))
    first.leave()
    under.hub.join(("x",)).leave()
    second.leave()


async def test_closing_ends_all_listening(under: Under) -> None:
    listener = under.hub.join(("x",))
    waiting = asyncio.create_task(listener.wait(60))
    await asyncio.sleep(0)
    under.hub.close()
    await waiting
    assert not listener.open
    with pytest.raises(TooManyListeners):
        under.hub.join(("x",))
    under.bus.hand_out("x", {})
    assert under.tasks == []
