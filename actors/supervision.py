"""What a supervisor can be asked, and what it tells."""

from __future__ import annotations

from typing import Any, TypeAlias

from actors.child import ChildSpec
from actors.message import Message, Request
from actors.ref import ActorRef
from actors.vitals import ActorVitals


class StartChild(Request[ActorRef[Any]], frozen=True):
    """Start a child and answer with its reference once it is ready.

    A first start that fails is the asker's `StartFailed`, whatever follows; a name that is taken is refused.

    Attributes:
        spec: The child.
        supervised_start: Count a first start that fails as a failure like any other, and try again. Without
            it, such a child is forgotten.
    """

    spec: ChildSpec[Any]
    supervised_start: bool = False


class StopChild(Request[None], frozen=True):
    """Stop a child and keep it stopped; beats a restart that is pending. Answered when it has stopped."""

    name: str


class RestartChild(Request[None], frozen=True):
    """Stop a child if it runs, and start it with a fresh budget. Answered when it is ready.

    A later command for the same child takes over: this one is refused then, with `Superseded`.
    """

    name: str


class EndCooldown(Request[ActorRef[Any]], frozen=True):
    """Start a child that cools down now, with a fresh budget; answered with its reference when it is ready.

    What was commanded by hand meanwhile stands: a child that was stopped, started or removed, or whose cool-down has
    ended, is left as it is, and this is refused with `NotCoolingDown`. So it is with children that are restarted as a
    group, whose cool-down is the group's.
    """

    name: str


class RemoveChild(Request[None], frozen=True):
    """Stop a child and forget it. Answered when it has stopped."""

    name: str


class FindChild(Request[ActorRef[Any] | None], frozen=True):
    """Ask for the reference of a child, running or not; None where there is none of that name."""

    name: str


class WhichChildren(Request[tuple[ActorVitals, ...]], frozen=True):
    """Ask for the vitals of all children."""


class ChildGaveUp(Message, frozen=True):
    """A child's budget is exhausted; sent to the `failover` reference.

    Attributes:
        path: The child's path.
        name: The child's name.
        history: Its failures inside the window, oldest first.
        was_running: Whether it had started before it failed last; a start that failed may well fail elsewhere, too.
    """

    path: str
    name: str
    history: tuple[str, ...]
    was_running: bool = True


SupervisorMessage: TypeAlias = (
    StartChild | StopChild | RestartChild | EndCooldown | RemoveChild | FindChild | WhichChildren
)
