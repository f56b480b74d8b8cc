"""Introspection: what is seen of an actor from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from actors.events import Failure

if TYPE_CHECKING:
    from actors.life import Life

Condition: TypeAlias = Literal["starting", "running", "stopping", "restarting", "gave_up", "stopped"]
"""`restarting`: down, and will be started again soon. `gave_up`: down, its restart budget exhausted."""


class ActorVitals(msgspec.Struct, frozen=True):
    """An actor's vitals at one moment.

    Attributes:
        path: Its place in the tree.
        kind: Its class.
        condition: What it is doing.
        mailbox_depth: Messages that wait.
        handled: Messages handled so far.
        dropped: Messages lost to overflow so far.
        busy_s: Seconds spent in handlers, the waiting of asynchronous ones included.
        restarts: How often it was restarted.
        restarts_left: What is left of its budget now; None where nobody supervises it.
        last_failure: Why it failed last.
        children: A supervisor's children.
    """

    path: str
    kind: str
    condition: Condition
    mailbox_depth: int
    handled: int
    dropped: int
    busy_s: float
    restarts: int
    restarts_left: int | None
    last_failure: Failure | None
    children: tuple[ActorVitals, ...] = ()


def vitals_of(cell: Life) -> ActorVitals:
    """Describe an actor and all below it."""
    from actors.supervisor import Supervisor

    condition: Condition = "restarting" if cell.state == "down" else cell.state
    left = None
    supervisor = cell.parent.actor if cell.parent is not None else None
    if isinstance(supervisor, Supervisor) and cell.parent is not None and cell.parent.children is not None:
        child = cell.parent.children.get(cell.spec.name)
        if child is not None:
            left = supervisor.restarts_left(child)
            if child.gave_up and cell.state in ("down", "stopped"):
                condition = "gave_up"
    return ActorVitals(
        path=cell.path,
        kind=type(cell.actor).__name__ if cell.actor is not None else "",
        condition=condition,
        mailbox_depth=cell.mailbox.depth(),
        handled=cell.handled,
        dropped=cell.mailbox.dropped,
        busy_s=cell.busy_s,
        restarts=cell.restarts,
        restarts_left=left,
        last_failure=cell.last_failure,
        children=tuple(vitals_of(child.cell) for child in (cell.children or {}).values()),
    )
