"""Supervisors: actors that start, watch, restart and stop other actors, by OTP's rules.

A supervisor is told of its children's fate by direct calls from their cells, which is a system lane of its
own: supervision never queues behind messages.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, TypeVar

import anyio

from actors.actor import Actor, on
from actors.cell import Cell
from actors.child import Child, ChildSpec
from actors.errors import NameTaken, NoSuchChild, RestartBudgetExhausted, StartFailed
from actors.events import BudgetExhausted, RestartScheduled
from actors.life import Life
from actors.message import Message, Request
from actors.ref import ActorRef
from actors.restart import RestartBudget, RestartPolicy
from actors.tasks import OwnedTask
from actors.vitals import ActorVitals, vitals_of

M = TypeVar("M")

Strategy: TypeAlias = Literal["one_for_one", "one_for_all", "rest_for_one"]
"""Who is restarted with a failed child: nobody; all others; those that were started after it."""

_log = logging.getLogger("actors")


class StartChild(Request[ActorRef[Any]], frozen=True):
    """Start a child and answer with its reference once it is ready.

    Attributes:
        spec: The child.
        supervised_start: Count a first start that fails as a failure like any other, and try again. Without
            it, such a child is forgotten and the asker gets `StartFailed`.
    """

    spec: ChildSpec[Any]
    supervised_start: bool = False


class StopChild(Request[None], frozen=True):
    """Stop a child and keep it stopped; beats a restart that is pending. Answered when it has stopped."""

    name: str


class RestartChild(Request[None], frozen=True):
    """Stop a child if it runs, and start it with a fresh budget. Answered when it is ready."""

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
    """

    path: str
    name: str
    history: tuple[str, ...]


SupervisorMessage: TypeAlias = StartChild | StopChild | RestartChild | RemoveChild | FindChild | WhichChildren


class Supervisor(Actor[StartChild | StopChild | RestartChild | RemoveChild | FindChild | WhichChildren]):
    """Supervises its children.

    Children start in order and stop in reverse. The static ones must all start, or the supervisor has failed
    to start. Children that were added later come back with it after its own restart.
    """

    start_timeout_s = None
    stop_timeout_s = None
    overflow = "reject"
    mailbox_capacity = 100_000

    def __init__(
        self,
        children: Sequence[ChildSpec[Any]] = (),
        *,
        strategy: Strategy = "one_for_one",
        policy: RestartPolicy = RestartPolicy(),  # noqa: B008 - frozen
        failover: ActorRef[ChildGaveUp] | None = None,
        ordered: bool = True,
        rng: random.Random | None = None,
    ) -> None:
        """Describe a supervisor.

        Args:
            children: The static children.
            strategy: Who is restarted with a failed child.
            policy: When restarts happen, and when no more.
            failover: Who is told when a budget is exhausted and the policy says `failover`.
            ordered: Stop children one after the other. Without it they stop all at once, which suits many
                that do not depend on each other.
            rng: The source of the backoff's jitter.
        """
        if policy.when_exhausted == "failover" and failover is None:
            raise ValueError("a policy of 'failover' needs the reference that takes over")
        if policy.per_child and strategy != "one_for_one":
            raise ValueError(f"budgets per child go with 'one_for_one', not with {strategy!r}")
        self._static = tuple(children)
        self._strategy = strategy
        self._policy = policy
        self._failover = failover
        self._ordered = ordered
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._budget = RestartBudget(policy.max_restarts, policy.window_s)
        self._group: list[Child] = []
        self._group_task: OwnedTask | None = None
        self._cell: Cell

    # -- requests -----------------------------------------------------------------------------------------

    @on(StartChild)
    def start_child(self, message: StartChild) -> asyncio.Future[ActorRef[Any]]:
        """Add a child and start it."""
        if message.spec.name in self._children:
            raise NameTaken(f"{self._cell.path}/{message.spec.name}")
        child = self._adopt(message.spec, static=False)
        return self.context.answer_later(self._first_start, child, message.supervised_start)

    @on(StopChild)
    def stop_child(self, message: StopChild) -> asyncio.Future[None]:
        """Stop a child by hand."""
        return self._stop(self._named(message.name))

    @on(RestartChild)
    def restart_child(self, message: RestartChild) -> asyncio.Future[None]:
        """Restart a child by hand."""
        return self.context.answer_later(self._restart_by_hand, self._named(message.name))

    @on(RemoveChild)
    def remove_child(self, message: RemoveChild) -> asyncio.Future[None]:
        """Stop a child and forget it."""
        return self.context.answer_later(self._remove, self._named(message.name))

    @on(FindChild)
    def find_child(self, message: FindChild) -> ActorRef[Any] | None:
        """Return a child's reference."""
        child = self._children.get(message.name)
        return None if child is None else child.cell.ref

    @on(WhichChildren, urgent=True)
    def which_children(self, message: WhichChildren) -> tuple[ActorVitals, ...]:
        """Describe the children."""
        return tuple(vitals_of(child.cell) for child in self._children.values())

    # -- life ---------------------------------------------------------------------------------------------

    async def on_start(self) -> None:
        """Start the static children, and those of a former life that were added later."""
        self.bind()
        for spec in self._static:
            known = self._children.get(spec.name)
            if known is None:
                self._adopt(spec, static=True)
            else:
                known.spec = known.cell.spec = spec
        names = {spec.name for spec in self._static}
        for child in tuple(self._children.values()):
            if child.static and child.spec.name not in names:
                await self._remove(child)
        for child in self._children.values():
            child.attempt = 0
            child.gave_up = False
            child.budget = self._new_budget()
            if child.wanted:
                child.cell.start()
                await child.cell.started()

    async def on_stop(self, reason: BaseException | None) -> None:
        """Stop all children, in reverse; after a failure they are suspended, and their mailboxes kept."""
        if self._group_task is not None:
            await self._group_task.cancel_and_wait()
        children = tuple(self._children.values())
        for child in children:
            child.cancel_timer()
        keep = reason is not None
        if self._ordered:
            for child in reversed(children):
                await child.cell.stop(keep_mailbox=keep)
        else:
            for stopping in [child.cell.stop(keep_mailbox=keep) for child in reversed(children)]:
                await stopping

    # -- what cells tell ----------------------------------------------------------------------------------

    def child_started(self, cell: Life) -> None:
        """A child is ready."""
        child = self._child_of(cell)
        if child is not None:
            child.started_at = self.context.now()
            child.gave_up = False

    def child_failed(self, cell: Life) -> None:
        """A child's life has ended with a failure, and is torn down."""
        child = self._child_of(cell)
        if child is None or not child.wanted or self._cell.state not in ("running", "starting"):
            return
        if self._cell.state == "starting" and child.static:
            return  # `on_start` is awaiting this very start, and fails with it
        if child.spec.kind == "temporary":
            del self._children[child.spec.name]
            cell.stop()
            return
        self._restart_or_give_up(child, str(cell.last_failure))

    def child_ended(self, cell: Life) -> None:
        """A child has stopped in order, by itself or by hand."""
        child = self._child_of(cell)
        if child is None or not child.wanted or self._cell.state != "running":
            return
        if child.spec.kind == "permanent":
            self._restart_or_give_up(child, f"{cell.path} stopped, but is permanent")
        else:
            del self._children[child.spec.name]

    def bind(self) -> None:
        """Take over the children that the cell remembers."""
        cell = self.context._cell  # noqa: SLF001 - the kernel's own
        assert isinstance(cell, Cell)
        self._cell = cell
        if cell.children is None:
            cell.children = {}

    def spawn(self, spec: ChildSpec[M]) -> tuple[ActorRef[M], asyncio.Future[None] | None]:
        """Add a child and start it, without a message; the future is None when it is ready already."""
        if spec.name in self._children:
            raise NameTaken(f"{self._cell.path}/{spec.name}")
        child = self._adopt(spec, static=False)
        # Until it was ready once, its start is the spawner's, who gets the failure.
        child.wanted = False
        child.cell.start()
        if child.cell.state == "running":
            child.wanted = True
            return child.cell.ref, None
        return child.cell.ref, child.cell.started()

    def settle(self, name: str, *, started: bool) -> None:
        """Supervise a child that was spawned from now on, or forget it."""
        child = self._children.get(name)
        if child is not None and started:
            child.wanted = True
        elif child is not None:
            del self._children[name]
            child.cell.stop()

    # -- restarts -----------------------------------------------------------------------------------------

    def _restart_or_give_up(self, child: Child, what: str) -> None:
        now = self.context.now()
        budget = child.budget if child.budget is not None else self._budget
        # Siblings that go down with it cost nothing of their own: one failure, one unit.
        if not budget.spend(now, what):
            self._give_up(child, budget)
            return
        backoff = self._policy.backoff
        if child.started_at is not None and now - child.started_at >= backoff.reset_after_s:
            child.attempt = 0
        child.attempt += 1
        delay_s = backoff.delay_s(child.attempt, self._rng)
        left = budget.left(now)
        self.context.events.publish(RestartScheduled(path=child.cell.path, delay_s=delay_s, restarts_left=left))
        if self._strategy == "one_for_one":
            self._start_after(delay_s, child)
        else:
            self._restart_group(child, delay_s)

    def _start_after(self, delay_s: float, child: Child) -> None:
        child.cancel_timer()
        child.timer = self._cell.system.timers.call_later(delay_s, self._start_now, child)

    def _start_now(self, child: Child) -> None:
        child.timer = None
        if child.wanted and child.cell.state in ("down", "stopped"):
            child.cell.start()

    def _restart_group(self, child: Child, delay_s: float) -> None:
        children = list(self._children.values())
        first = children.index(child) if self._strategy == "rest_for_one" else 0
        # A failure in the middle of a restart begins it anew, with all who are still down from before.
        self._group = [other for place, other in enumerate(children) if place >= first or other in self._group]
        if self._group_task is not None:
            self._group_task.cancel()
        self._group_task = self.context.start_task(self._run_group_restart, delay_s, name="restart")

    async def _run_group_restart(self, delay_s: float) -> None:
        group = list(self._group)
        for child in reversed(group):
            if child.cell.state in ("running", "starting", "stopping"):
                await child.cell.stop(keep_mailbox=True)
        await anyio.sleep(delay_s)
        for child in group:
            if child.wanted and child.cell.state in ("down", "stopped"):
                child.cell.start()
                try:
                    await child.cell.started()
                except StartFailed:
                    return  # `child_failed` knows of it too, and has begun the next attempt or given up
        self._group = []
        self._group_task = None

    def _give_up(self, child: Child, budget: RestartBudget) -> None:
        policy = self._policy
        path = child.cell.path if policy.per_child else self._cell.path
        history = budget.history()
        self.context.events.publish(
            BudgetExhausted(path=child.cell.path, history=history, outcome=policy.when_exhausted)
        )
        if policy.when_exhausted == "escalate":
            self._cell.fail(RestartBudgetExhausted(path, policy.max_restarts, policy.window_s, history))
            return
        child.gave_up = True
        if policy.when_exhausted == "stop":
            if policy.per_child:
                child.wanted = False
                child.cell.stop()
            else:
                self.context.stop()
            return
        # Nobody should wait for an actor that is down for a minute.
        child.cell.close_mailbox()
        if self._failover is not None:
            self._failover.tell(ChildGaveUp(child.cell.path, child.spec.name, history))
        child.cancel_timer()
        child.timer = self._cell.system.timers.call_later(policy.cooldown_s, self._start_afresh, child)

    def _start_afresh(self, child: Child) -> None:
        child.attempt = 0
        (child.budget or self._budget).renew()
        if self._strategy == "one_for_one":
            self._start_now(child)
        else:
            self._restart_group(child, 0.0)

    # -- by hand ------------------------------------------------------------------------------------------

    async def _first_start(self, child: Child, supervised: bool) -> ActorRef[Any]:
        if not supervised:
            child.wanted = False
        child.cell.start()
        try:
            await child.cell.started()
        except BaseException:
            if not supervised:
                self.settle(child.spec.name, started=False)
            raise
        child.wanted = True
        return child.cell.ref

    def _stop(self, child: Child) -> asyncio.Future[None]:
        child.wanted = False
        child.gave_up = False
        child.cancel_timer()
        return child.cell.stop()

    async def _restart_by_hand(self, child: Child) -> None:
        await self._stop(child)
        child.attempt = 0
        child.budget = self._new_budget()
        child.wanted = True
        child.cell.start()
        await child.cell.started()

    async def _remove(self, child: Child) -> None:
        await self._stop(child)
        self._children.pop(child.spec.name, None)

    # -- bookkeeping --------------------------------------------------------------------------------------

    @property
    def _children(self) -> dict[str, Child]:
        assert self._cell.children is not None
        return self._cell.children

    def _named(self, name: str) -> Child:
        child = self._children.get(name)
        if child is None:
            raise NoSuchChild(self._cell.path, name)
        return child

    def _child_of(self, cell: Life) -> Child | None:
        child = self._children.get(cell.spec.name)
        return child if child is not None and child.cell is cell else None

    def _adopt(self, spec: ChildSpec[Any], *, static: bool) -> Child:
        parent = self._cell
        path = f"{parent.path.rstrip('/')}/{spec.name}"
        child = Child(spec, Cell(parent.system, path, parent, spec), static=static)
        child.budget = self._new_budget()
        self._children[spec.name] = child
        return child

    def _new_budget(self) -> RestartBudget | None:
        policy = self._policy
        return RestartBudget(policy.max_restarts, policy.window_s) if policy.per_child else None

    def restarts_left(self, child: Child) -> int:
        """Return what is left of the budget that a child's next failure is charged to."""
        return (child.budget if child.budget is not None else self._budget).left(self.context.now())
