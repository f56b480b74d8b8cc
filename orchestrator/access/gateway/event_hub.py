"""Tells many listeners of events at a cost that their number does not decide.

An event is encoded once, whoever listens. Listeners are woken in small groups with pauses between them, which are so
long that all of them together have a thirtieth of the loop's time, and no turn of it is longer than a group takes. The
more there are, or the busier the daemon is, the more events each of their writes carries; who cannot keep up with that
is cut off, for the fleet does not wait. Without a listener there is no timer, no task and no subscription.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from time import perf_counter
from typing import Any, Final

import msgspec

from orchestrator.access.gateway.frames import FrameQueue, TooSlow, frame_of
from orchestrator.events import Event, EventBus

MAX_LISTENERS: Final = 2048

GROUP: Final = 8
GROUP_EVERY_S: Final = 0.008
"""So many listeners are woken this often at most."""

PAUSE: Final = 29.0
"""A pause is at least so many times as long as the writes of the group before it took."""

_TURNS_OF_A_WRITE: Final = 2
"""Turns of the loop until those who were woken have written: they are told in one, and go on in the next."""

AGAIN_AFTER_S: Final = 0.1
"""The least time between two writes to one listener: what happens meanwhile goes into one."""

StartTask = Callable[[Callable[[], Coroutine[Any, Any, None]]], object]
"""Runs an async function as a task of the actor that owns the hub."""


class TooManyListeners(Exception):
    """There is no room for one more."""


class HubStatistics(msgspec.Struct, frozen=True):
    """How the hub stands.

    Attributes:
        listeners: Who listens now.
        encoded: Events that were encoded.
        cut_off: Listeners that read too slowly.
    """

    listeners: int
    encoded: int
    cut_off: int


class Listener:
    """One who listens: its place in the queue of its topics."""

    def __init__(self, hub: EventHub, channel: _Channel) -> None:
        self._hub = hub
        self._channel = channel
        self.place = channel.queue.end
        self._woken = asyncio.Event()
        self.open = True

    @property
    def unaware(self) -> bool:
        """Whether there is something to read, and it was not woken for it."""
        return self.place < self._channel.queue.end and not self._woken.is_set()

    async def wait(self, limit_s: float) -> None:
        """Wait until it is woken, since it last took something; or for so long."""
        try:
            async with asyncio.timeout(limit_s):
                await self._woken.wait()
        except TimeoutError:
            return

    def wake(self) -> None:
        """Have `wait` return."""
        self._woken.set()

    def take(self) -> bytes:
        """Return what there is to read now, as much as is written at once.

        Raises:
            TooSlow: The next of it is gone.
        """
        self._woken.clear()
        try:
            chunk, self.place = self._channel.queue.read(self.place)
        except TooSlow:
            self._hub.cut_off += 1
            raise
        if self.unaware:
            self._hub.start_waking()  # there is more
        return chunk

    def leave(self) -> None:
        """Listen no more. Safe to call again."""
        self.close()
        self._hub.drop(self._channel, self)

    def close(self) -> None:
        """It is over: whoever waits is woken."""
        self.open = False
        self._woken.set()


class _Channel:
    """The listeners of the same topics."""

    def __init__(self, topics: tuple[str, ...]) -> None:
        self.topics = topics
        self.queue = FrameQueue()
        self.listeners: dict[Listener, None] = {}
        self.unsubscribe: Callable[[], None]


class EventHub:
    """All listeners.

    Args:
        events: The daemon's events.
        start_task: Runs the task that wakes listeners.
    """

    def __init__(self, events: EventBus, start_task: StartTask) -> None:
        self._events = events
        self._start_task = start_task
        self._channels: dict[tuple[str, ...], _Channel] = {}
        self._count = 0
        self._encoded = 0
        self._last: tuple[Event, bytes] | None = None
        self._waking = False
        self._closed = False
        self.cut_off = 0

    def join(self, topics: tuple[str, ...]) -> Listener:
        """Listen to events of these names or patterns, from now on; `Listener.leave` ends it.

        Raises:
            TooManyListeners: There is no room, or the hub is closed.
        """
        if self._closed or self._count >= MAX_LISTENERS:
            raise TooManyListeners
        topics = tuple(sorted(set(topics)))
        channel = self._channels.get(topics) or self._open(topics)
        listener = Listener(self, channel)
        channel.listeners[listener] = None
        self._count += 1
        return listener

    def drop(self, channel: _Channel, listener: Listener) -> None:
        """Forget a listener, and its topics with the last one."""
        if listener not in channel.listeners:
            return
        del channel.listeners[listener]
        self._count -= 1
        if not channel.listeners:
            channel.unsubscribe()
            del self._channels[channel.topics]
        if not self._count:
            self._last = None

    def _open(self, topics: tuple[str, ...]) -> _Channel:
        channel = self._channels[topics] = _Channel(topics)

        def hear(event: Event) -> None:
            channel.queue.append(self._frame(event))
            self.start_waking()

        channel.unsubscribe = self._events.subscribe(topics, hear)
        return channel

    def close(self) -> None:
        """End all listening, and let nobody in any more."""
        self._closed = True
        for channel in tuple(self._channels.values()):
            for listener in tuple(channel.listeners):
                listener.leave()

    def statistics(self) -> HubStatistics:
        """Return how the hub stands."""
        return HubStatistics(self._count, self._encoded, self.cut_off)

    def _frame(self, event: Event) -> bytes:
        # Channels hear of an event one after the other, and all of the same object.
        if self._last is None or self._last[0] is not event:
            told = {"event": event.name, "timestamp": event.at, **event.fields}
            self._last = (event, frame_of(msgspec.json.encode(told, enc_hook=str)))
            self._encoded += 1
        return self._last[1]

    def start_waking(self) -> None:
        """See to it that those who have something to read are woken for it."""
        if not self._waking and not self._closed:
            self._waking = True
            self._start_task(self._wake_all)

    async def _wake_all(self) -> None:
        try:
            while unaware := self._unaware():
                began_s = perf_counter()
                for number, listener in enumerate(unaware, 1):
                    listener.wake()
                    if number % GROUP == 0:
                        # Not the loop's time: uvloop's stands still for a turn, and ticks in milliseconds.
                        woken_s = perf_counter()
                        for _ in range(_TURNS_OF_A_WRITE):
                            await asyncio.sleep(0)  # they write meanwhile
                        await asyncio.sleep(max(GROUP_EVERY_S, PAUSE * (perf_counter() - woken_s)))
                await asyncio.sleep(max(0.0, began_s + AGAIN_AFTER_S - perf_counter()))
                self._tidy()
        finally:
            self._waking = False

    def _unaware(self) -> list[Listener]:
        listeners = (listener for channel in self._channels.values() for listener in channel.listeners)
        return [listener for listener in listeners if listener.unaware]

    def _tidy(self) -> None:
        for channel in self._channels.values():
            channel.queue.forget(min((listener.place for listener in channel.listeners), default=channel.queue.end))
