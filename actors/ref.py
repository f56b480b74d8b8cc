"""References: the only way to reach an actor. They stay valid across its restarts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from actors.message import AnsweredBy

if TYPE_CHECKING:
    from actors.life import Life
    from actors.vitals import ActorVitals

M_contra = TypeVar("M_contra", contravariant=True)
SelfT = TypeVar("SelfT")
R = TypeVar("R")


class ActorRef(Generic[M_contra]):
    """Sends messages of type `M` to one actor. Use it on the loop's thread only.

    From one sender, messages arrive in the order in which they were sent; urgent ones overtake.
    """

    __slots__ = ("_cell",)

    def __init__(self, cell: Life) -> None:
        self._cell = cell

    @property
    def path(self) -> str:
        """The actor's place in the tree, `/fleet/api_services-007`."""
        return self._cell.path

    @property
    def stopped(self) -> bool:
        """Whether the actor is gone, so that an ask would fail at once."""
        return self._cell.mailbox.closed

    @property
    def running(self) -> bool:
        """Whether the actor has started and nothing has ended this life of it; far cheaper than `vitals`."""
        return self._cell.state == "running"

    def vitals(self) -> ActorVitals:
        """Describe the actor, and all below it, at this moment."""
        from actors.vitals import vitals_of

        return vitals_of(self._cell)

    def tell(self, message: M_contra) -> None:
        """Put a message into the mailbox and return at once.

        A message to a stopped actor goes to dead letters.

        Raises:
            MessageRefused: The actor declares no handler for this type.
            MailboxFull: There is no room, and the overflow policy is `wait` or `reject`.
        """
        cell = self._cell
        if type(message) in cell.functions and len(cell.queue) < cell.mailbox.capacity:
            cell.queue.append(message)
            if not cell.ready:
                cell.wake()
        else:
            cell.put_slowly(message)

    async def send(self, message: M_contra) -> None:
        """Put a message into the mailbox, waiting for room where the overflow policy is `wait`.

        Cancelled before there was room, the message is not sent.

        Raises:
            MessageRefused: The actor declares no handler for this type.
            MailboxFull: There is no room, and the overflow policy is `reject`.
            ActorStopped: The actor stopped while this waited for room.
        """
        cell = self._cell
        mailbox = cell.mailbox
        full = len(cell.queue) >= mailbox.capacity >= 0
        if full and mailbox.overflow == "wait" and type(message) in cell.functions:
            room = cell.system.loop.create_future()
            mailbox.wait_for_room(message, room)
            await room
        else:
            self.tell(message)

    def ask(self: SelfT, request: AnsweredBy[SelfT, R], timeout: float) -> asyncio.Future[R]:
        """Send a request; the future that is returned holds the reply.

        Await it, or gather several. Cancelling it says that the reply is no longer wanted: a request that was
        not handled yet is skipped then, a reply that comes late goes to dead letters.

        Args:
            request: What is asked.
            timeout: Seconds, on the monotonic clock, for waiting and handling together.

        Raises (from the future, but for the first, which comes at once):
            MessageRefused: The actor declares no handler for this type.
            AskTimeout: There was no reply in time.
            ActorStopped: The actor is stopped, or stopped before it replied.
            MailboxFull: There is no room, and the overflow policy is not `wait`.
            Exception: The handler's own failure or `Refusal`, with the actor's path in its notes.
        """
        # `self` is generic in the signature only for the type checker's sake.
        cell: Life = self._cell  # type: ignore[attr-defined]
        dispatcher = cell.dispatcher
        reply: asyncio.Future[R] = dispatcher.new_future()
        asked = (request, reply, cell.path, timeout)
        if type(request) in cell.functions and len(cell.queue) < cell.mailbox.capacity:
            cell.queue.append(asked)
            if not cell.ready:
                cell.ready = True
                dispatcher.ready.append(cell)
        else:
            cell.put_slowly(asked)
        dispatcher.asked.append(asked)
        if not dispatcher.scheduled:
            dispatcher.schedule()
        return reply

    def __repr__(self) -> str:
        return f"<ActorRef {self._cell.path}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ActorRef) and self._cell is other._cell

    def __hash__(self) -> int:
        return hash(id(self._cell))

    def __reduce__(self) -> Any:
        raise TypeError(f"{self!r} cannot leave its process")
