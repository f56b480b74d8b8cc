"""Messages: frozen structs, and requests that name the type of their reply.

The two hooks below are never called. They carry the typing of the kernel: a type checker cannot say
"M contains a request answered with R", but it can check that `Get._answered_by` accepts an `ActorRef[M]`,
which is so exactly when `Get` is part of `M`. The same double dispatch ties a handler's argument and
result to the message it is declared for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

import msgspec

if TYPE_CHECKING:
    from actors.ref import ActorRef

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
RefT_contra = TypeVar("RefT_contra", contravariant=True)
HandlerT_contra = TypeVar("HandlerT_contra", contravariant=True)


class Message(msgspec.Struct, frozen=True):
    """Something an actor is told. Subclass with `frozen=True`; a handler for it returns nothing."""

    if TYPE_CHECKING:

        def _handled_by(self, handler: Callable[[Any, Self], Awaitable[None] | None]) -> None: ...


class Request(msgspec.Struct, Generic[R], frozen=True):
    """Something an actor is asked; its handler returns an `R`, or an awaitable of one.

    A handler that returns a future answers later: the actor goes on with its next message meanwhile.
    """

    if TYPE_CHECKING:

        def _handled_by(self, handler: Callable[[Any, Self], Awaitable[R] | R]) -> None: ...

        def _answered_by(self, ref: ActorRef[Self]) -> R: ...


class SignOfLife(Request[None], frozen=True):
    """Ask any actor whether it still handles messages; no actor declares it, and all answer.

    It overtakes what waits in the mailbox, but not the handler that runs: how long the answer takes says how long
    that has kept the actor, and one that is frozen does not answer.
    """


class HandledBy(Protocol[HandlerT_contra]):
    """A message type, seen from the side of its handler."""

    def _handled_by(self, handler: HandlerT_contra) -> None: ...


class AnsweredBy(Protocol[RefT_contra, R_co]):
    """A request, seen from the side of the reference that is asked."""

    def _answered_by(self, ref: RefT_contra) -> R_co: ...
