"""Children of a supervisor: how they are described, and what is remembered of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, TypeAlias, TypeVar

from actors.actor import Actor
from actors.restart import RestartBudget

if TYPE_CHECKING:
    from actors.cell import Cell
    from actors.timers import Timer

M = TypeVar("M")

ChildKind: TypeAlias = Literal["permanent", "transient", "temporary"]
"""`permanent`: always restarted. `transient`: restarted after a failure. `temporary`: never."""

_FROM_CLASS = -1.0


@dataclass(frozen=True, slots=True)
class ChildSpec(Generic[M]):
    """How to make a child, again after each failure.

    Attributes:
        name: Its name below its supervisor; no slash.
        factory: Makes the actor; cheap, without I/O. Called for every life.
        kind: When it is restarted.
        stop_timeout_s: Its own deadline for stopping, instead of its class's; None for no limit. Supervisors
            have none in any case: they wait for their children, who have theirs.
    """

    name: str
    factory: Callable[[], Actor[M]]
    kind: ChildKind = "permanent"
    stop_timeout_s: float | None = _FROM_CLASS

    def __post_init__(self) -> None:
        if not self.name or "/" in self.name:
            raise ValueError(f"a child's name is not empty and has no slash: {self.name!r}")

    def stop_deadline_s(self, actor: Actor[M]) -> float | None:
        """Return how long the actor may take to stop."""
        if actor.waits_for_children:
            return None
        return actor.stop_timeout_s if self.stop_timeout_s == _FROM_CLASS else self.stop_timeout_s


class Child:
    """What a supervisor remembers of a child.

    Attributes:
        cell: Where it lives.
        wanted: Whether it should run; False after a manual stop, which beats a pending restart.
        probation: Whether it was never ready yet, and its start is that of whoever asked for it: should it fail,
            they are told, and it is forgotten.
        removed: Whether it is forgotten as soon as it has stopped.
        command: The last `RestartChild`, as long as nothing else was commanded after it.
        static: Whether it came with the supervisor, rather than by `StartChild`.
        attempt: Restarts since it was last healthy for a while.
        started_at: When it last became ready, on the loop's clock.
        timer: The restart that is pending, if one is.
        budget: Its own budget, where the policy gives each child one.
        gave_up: Whether its budget is exhausted and it stays down for now.
    """

    __slots__ = (
        "attempt",
        "budget",
        "cell",
        "command",
        "gave_up",
        "probation",
        "removed",
        "spec",
        "started_at",
        "static",
        "timer",
        "wanted",
    )

    def __init__(self, spec: ChildSpec[M], cell: Cell, *, static: bool) -> None:
        self.spec = spec
        self.cell = cell
        self.static = static
        self.wanted = True
        self.probation = False
        self.removed = False
        self.command: object = None
        self.gave_up = False
        self.attempt = 0
        self.started_at: float | None = None
        self.timer: Timer | None = None
        self.budget: RestartBudget | None = None

    def ends_for_good(self) -> bool:
        """Whether it is forgotten once it is down."""
        return self.removed or self.probation or self.spec.kind == "temporary"

    def cancel_timer(self) -> None:
        """Forget the restart that is pending."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
