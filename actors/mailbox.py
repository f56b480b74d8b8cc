"""A bounded mailbox with two lanes and a declared way to overflow.

The urgent lane (stop, health probes, supervision) overtakes the user lane and is not bounded by it. A plain
deque is used rather than anyio's memory stream, which is an order of magnitude slower here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Literal, TypeAlias

Overflow: TypeAlias = Literal["wait", "reject", "drop_oldest", "drop_newest"]
"""What happens to a message that finds the mailbox full.

`wait`: `send` and `ask` wait for room, `tell` raises `MailboxFull`. `reject`: all three raise it.
`drop_oldest` and `drop_newest`: one message goes to dead letters and is counted.
"""


Asked: TypeAlias = tuple[Any, asyncio.Future[Any], str, float]
"""A request in a mailbox: the message, the future that its asker holds, the receiver's path, the timeout (s).

A message that was told stands there plain: it is a struct, never a tuple. One of these is made per ask, and
nothing is cheaper to make and to take apart than a tuple.
"""


class Waiting:
    """A message outside a full mailbox; `room` is resolved when it was let in (`send`)."""

    __slots__ = ("entry", "room")

    def __init__(self, entry: Any, room: asyncio.Future[None] | None) -> None:
        self.entry = entry
        self.room = room

    def abandoned(self) -> bool:
        """Whether the sender has given up."""
        if self.room is not None:
            return self.room.done()
        return type(self.entry) is tuple and bool(self.entry[1].done())


class Mailbox:
    """The queues of one actor; they outlive its restarts.

    Attributes:
        user: Messages in order of arrival: plain for `tell`, `Asked` for `ask`.
        urgent: The lane that overtakes; made when first used.
        waiting: Senders outside the full mailbox; made when first used.
        capacity: Messages that `user` holds. A closed mailbox has capacity -1, so that the fast path of a
            sender needs one comparison for both.
        overflow: What happens beyond it.
        dropped: Messages lost to overflow so far.
    """

    __slots__ = ("_capacity", "capacity", "dropped", "overflow", "urgent", "user", "waiting")

    def __init__(self, capacity: int, overflow: Overflow) -> None:
        self.user: deque[Any] = deque()
        self.urgent: deque[Any] | None = None
        self.waiting: deque[Waiting] | None = None
        self._capacity = capacity
        self.capacity = capacity
        self.overflow = overflow
        self.dropped = 0

    @property
    def closed(self) -> bool:
        """Whether nothing is accepted any more."""
        return self.capacity < 0

    @property
    def limit(self) -> int:
        """The declared capacity, closed or not."""
        return self._capacity

    def depth(self) -> int:
        """Messages in both lanes and outside."""
        return len(self.user) + len(self.urgent or ()) + len(self.waiting or ())

    def reconfigure(self, capacity: int, overflow: Overflow) -> None:
        """Take over the declaration of another actor class."""
        if self.capacity >= 0:
            self.capacity = capacity
        self._capacity = capacity
        self.overflow = overflow

    def close(self) -> None:
        """Accept nothing any more."""
        self.capacity = -1

    def reopen(self) -> None:
        """Accept messages again."""
        self.capacity = self._capacity

    def put_urgent(self, entry: Any) -> None:
        """Append to the lane that overtakes."""
        if self.urgent is None:
            self.urgent = deque()
        self.urgent.append(entry)

    def wait_for_room(self, entry: Any, room: asyncio.Future[None] | None) -> None:
        """Queue an entry outside, in order of arrival."""
        if self.waiting is None:
            self.waiting = deque()
        self.waiting.append(Waiting(entry, room))

    def drop_abandoned(self) -> list[Any]:
        """Forget those outside who have given up, as far as they stand first; return their requests.

        Otherwise an actor that is stuck would gather the requests of all who ask it in vain.
        """
        waiting, requests = self.waiting, []
        while waiting and waiting[0].abandoned():
            sender = waiting.popleft()
            if sender.room is None:
                requests.append(sender.entry[0])
        return requests

    def admit(self) -> None:
        """Let waiting senders in while there is room."""
        waiting = self.waiting
        while waiting and len(self.user) < self.capacity:
            sender = waiting.popleft()
            if sender.room is None:
                self.user.append(sender.entry)
            elif not sender.room.done():
                self.user.append(sender.entry)
                sender.room.set_result(None)

    def take_all(self) -> list[tuple[Any, asyncio.Future[None] | None]]:
        """Empty every lane; each entry with the future of the sender who waits for room, if one does."""
        entries: list[tuple[Any, asyncio.Future[None] | None]] = [(entry, None) for entry in self.urgent or ()]
        entries += [(entry, None) for entry in self.user]
        entries += [
            (sender.entry, sender.room)
            for sender in self.waiting or ()
            if sender.room is None or not sender.room.done()
        ]
        self.user.clear()
        self.urgent = None
        self.waiting = None
        return entries
