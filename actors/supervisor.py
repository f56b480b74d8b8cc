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
from actors.errors import (
    ActorError,
    ActorStopped,
    NameTaken,
    NoSuchChild,
    NotCoolingDown,
    RestartBudgetExhausted,
    StartFailed,
    Superseded,
)
from actors.events import BudgetExhausted, RestartScheduled
from actors.life import Life
from actors.ref import ActorRef
from actors.restart import RestartBudget, RestartPolicy
from actors.supervision import (
    ChildGaveUp,
    EndCooldown,
    FindChild,
    RemoveChild,
    RestartChild,
    StartChild,
    StopChild,
    SupervisorMessage,
    WhichChildren,
)
from actors.tasks import OwnedTask
from actors.vitals import ActorVitals, vitals_of

M = TypeVar("M")

Strategy: TypeAlias = Literal["one_for_one", "one_for_all", "rest_for_one"]
"""Who is restarted with a failed child: nobody; all others; those that were started after it."""

_log = logging.getLogger("actors")


class Supervisor(Actor[SupervisorMessage]):
    """Supervises its children.

    Children start in order and stop in reverse. The static ones must all start, or the supervisor has failed
    to start. Children that were added later come back with it after its own restart.
    """

    start_timeout_s = None
    stop_timeout_s = None
    waits_for_children = True
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
        self._down_too_early: list[tuple[Child, str]] = []
        self._cell: Cell

    # -- requests -----------------------------------------------------------------------------------------

    @on(StartChild)
    def start_child(self, message: StartChild) -> asyncio.Future[ActorRef[Any]]:
        """Add a child and start it."""
        child = self._add(message.spec)
        child.probation = not message.supervised_start
        return self.context.answer_later(self._ready, child, child.cell.begin())

    @on(StopChild)
    def stop_child(self, message: StopChild) -> asyncio.Future[None]:
        """Stop a child by hand."""
        return self._stop(self._named(message.name))

    @on(RestartChild)
    def restart_child(self, message: RestartChild) -> asyncio.Future[None]:
        """Restart a child by hand."""
        child = self._named(message.name)
        child.probation = False
        stopped = self._stop(child)
        command = child.command = object()
        return self.context.answer_later(self._start_again, child, command, stopped)

    @on(EndCooldown)
    def end_cooldown(self, message: EndCooldown) -> asyncio.Future[ActorRef[Any]]:
        """Start a child that cools down, now."""
        child = self._named(message.name)
        if not (self._strategy == "one_for_one" and child.gave_up and child.wanted and child.cell.is_down()):
            raise NotCoolingDown(child.cell.path)
        child.cancel_timer()
        self._renew(child)
        return self.context.answer_later(self._ready, child, child.cell.begin())

    @on(RemoveChild)
    def remove_child(self, message: RemoveChild) -> asyncio.Future[None]:
        """Stop a child and forget it."""
        child = self._children.get(message.name)
        if child is None:
            raise NoSuchChild(self._cell.path, message.name)
        return self._remove(child)

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
        cell = self.context._cell  # noqa: SLF001 - the kernel's own
        assert isinstance(cell, Cell)
        self._cell = cell
        self._know_static_children()
        for child in tuple(self._children.values()):
            child.attempt = 0
            child.started_at = None
            child.budget = self._new_budget()
            if child.wanted:
                child.gave_up = False
                try:
                    await child.cell.begin()
                except StartFailed:
                    if child.static:
                        raise
                    # The others go on: `child_failed` hears of it.
        for child, what in self._down_too_early:
            if self._is_to_run(child) and child.cell.is_down():
                self._restart_or_give_up(child, what)

    def _know_static_children(self) -> None:
        if self._cell.children is None:
            self._cell.children = {}
        names = {spec.name for spec in self._static}
        for child in tuple(self._children.values()):
            if child.static and child.spec.name not in names:
                self._remove(child)
        for spec in self._static:
            known = self._children.get(spec.name)
            if known is None:
                self._add(spec, static=True)
            else:
                known.spec = known.cell.spec = spec

    async def on_stop(self, reason: BaseException | None) -> None:
        """Stop all children, in reverse; after a failure they are suspended, and their mailboxes kept."""
        if self._group_task is not None:
            await self._group_task.cancel_and_wait()
        children = tuple(reversed(self._children.values()))
        for child in children:
            child.cancel_timer()
        stopping = []
        for child in children:
            stopped = child.cell.stop(keep_mailbox=reason is not None and not child.ends_for_good())
            if self._ordered:
                await stopped
            else:
                stopping.append(stopped)
        for stopped in stopping:
            await stopped
        for child in children:
            if child.ends_for_good():
                self._drop(child)

    # -- what cells tell ----------------------------------------------------------------------------------

    def child_started(self, cell: Life) -> None:
        """A child is ready."""
        child = self._child_of(cell)
        if child is not None:
            child.started_at = self.context.now()
            child.gave_up = False
            child.probation = False

    def child_failed(self, cell: Life) -> None:
        """A child's life has ended with a failure, and is torn down."""
        self._has_come_down(cell, str(cell.last_failure))

    def child_ended(self, cell: Life) -> None:
        """A child has stopped in order, by itself or by hand."""
        child = self._child_of(cell)
        if child is not None and child.wanted and child.spec.kind == "transient":
            child.removed = True  # its work is done
        self._has_come_down(cell, f"{cell.path} stopped, but is permanent")

    def _has_come_down(self, cell: Life, what: str) -> None:
        child = self._child_of(cell)
        if child is None or self._cell.state not in ("starting", "running"):
            return  # the supervisor's own end sees to it
        if child.ends_for_good() and child.command is None:
            self._drop(child)
            cell.stop()
        elif not child.wanted:
            return
        elif self._cell.state == "starting":
            # Restarts wait until all have been started once.
            self._down_too_early.append((child, what))
        else:
            self._restart_or_give_up(child, what)

    async def spawn(self, spec: ChildSpec[M]) -> ActorRef[M]:
        """Add a child and start it, without a message; see `ActorSystem.spawn`."""
        if self._cell.state != "running":
            raise ActorStopped(self._cell.path)
        child = self._add(spec)
        child.probation = True
        try:
            await child.cell.begin()
        except asyncio.CancelledError:
            self._remove(child)  # for nobody would know it
            raise
        return child.cell.ref

    # -- restarts -----------------------------------------------------------------------------------------

    def _restart_or_give_up(self, child: Child, what: str) -> None:
        now = self.context.now()
        budget = self._budget_of(child)
        # Siblings that go down with it cost nothing of their own: one failure, one unit.
        if not budget.spend(now, what):
            self._give_up(child, budget)
            return
        backoff = self._policy.backoff
        if child.started_at is not None and now - child.started_at >= backoff.reset_after_s:
            child.attempt = 0
        child.started_at = None
        child.attempt += 1
        delay_s = backoff.delay_s(child.attempt, self._rng)
        left = budget.left(now)
        self.context.events.publish(RestartScheduled(path=child.cell.path, delay_s=delay_s, restarts_left=left))
        if self._strategy == "one_for_one":
            self._start_after(delay_s, child)
        else:
            self._restart_group(child, delay_s)

    def _start_after(self, delay_s: float, child: Child, *, afresh: bool = False) -> None:
        child.cancel_timer()
        child.timer = self._cell.system.timers.call_later(delay_s, self._start_now, child, afresh)

    def _start_now(self, child: Child, afresh: bool) -> None:
        child.timer = None
        if self._cell.state == "running" and self._is_to_run(child) and child.cell.is_down():
            if afresh:
                self._renew(child)
            child.cell.start()

    def _restart_group(self, child: Child, delay_s: float, *, afresh: bool = False) -> None:
        # A failure in the middle of a restart begins it anew, with all who are still down from before.
        concerned = self._concerned_by(child)
        self._group = [other for other in self._children.values() if other in concerned or other in self._group]
        if self._group_task is not None:
            self._group_task.cancel()
        self._group_task = self.context.start_task(self._run_group_restart, child, delay_s, afresh, name="restart")

    async def _run_group_restart(self, failed: Child, delay_s: float, afresh: bool) -> None:
        group = tuple(self._group)
        await self._suspend(group, close_mailboxes=afresh)
        await anyio.sleep(delay_s)
        if afresh:
            self._renew(failed)
        for child in group:
            if self._is_to_run(child) and child.cell.is_down():
                try:
                    await child.cell.begin()
                except StartFailed:
                    if self._is_to_run(child):
                        return  # it counts as a failure, which begins the restart anew or gives up
        self._group = []
        self._group_task = None

    async def _suspend(self, group: Sequence[Child], *, close_mailboxes: bool) -> None:
        for child in reversed(group):
            if not child.cell.is_down():
                await child.cell.stop(keep_mailbox=not child.ends_for_good())
            if close_mailboxes:
                child.cell.close_mailbox()

    def _concerned_by(self, child: Child) -> list[Child]:
        """Return those who go down with a child, and itself, in order of their start."""
        if self._strategy == "one_for_one":
            return [child]
        children = list(self._children.values())
        return children if self._strategy == "one_for_all" else children[children.index(child) :]

    # -- giving up ----------------------------------------------------------------------------------------

    def _give_up(self, child: Child, budget: RestartBudget) -> None:
        policy = self._policy
        history = budget.history()
        self.context.events.publish(
            BudgetExhausted(path=child.cell.path, history=history, outcome=policy.when_exhausted)
        )
        if policy.when_exhausted == "escalate":
            path = child.cell.path if policy.per_child else self._cell.path
            self._cell.fail(RestartBudgetExhausted(path, policy.max_restarts, policy.window_s, history))
            return
        child.gave_up = True
        if policy.when_exhausted == "failover":
            self._tell_failover(ChildGaveUp(child.cell.path, child.spec.name, history, child.started_at is not None))
        if policy.when_exhausted == "stop":
            concerned = self._concerned_by(child)
            for other in concerned:
                other.wanted = False
            child.cell.stop()
            if len(concerned) > 1:
                self.context.start_task(self._stop_for_good, concerned, name="stop")
        elif self._strategy == "one_for_one":
            # Nobody should wait for an actor that is down for a minute.
            child.cell.close_mailbox()
            self._start_after(policy.cooldown_s, child, afresh=True)
        else:
            self._restart_group(child, policy.cooldown_s, afresh=True)

    def _tell_failover(self, message: ChildGaveUp) -> None:
        assert self._failover is not None
        try:
            self._failover.tell(message)
        except ActorError:
            _log.exception("%r could not be told that %s gave up", self._failover, message.path)

    async def _stop_for_good(self, children: Sequence[Child]) -> None:
        for child in reversed(children):
            if not child.wanted:
                await child.cell.stop()

    # -- by hand ------------------------------------------------------------------------------------------

    async def _ready(self, child: Child, starting: asyncio.Future[None]) -> ActorRef[Any]:
        await starting
        return child.cell.ref

    def _stop(self, child: Child) -> asyncio.Future[None]:
        child.command = None
        child.wanted = False
        child.gave_up = False
        child.cancel_timer()
        return child.cell.stop()

    def _remove(self, child: Child) -> asyncio.Future[None]:
        child.removed = True
        stopped = self._stop(child)
        if child.cell.is_down():
            self._drop(child)
        return stopped

    async def _start_again(self, child: Child, command: object, stopped: asyncio.Future[None]) -> None:
        await stopped
        if child.command is not command or self._cell.state != "running":
            raise Superseded(child.cell.path)
        child.command = None
        child.wanted = True
        self._renew(child)
        await child.cell.begin()

    # -- bookkeeping --------------------------------------------------------------------------------------

    @property
    def _children(self) -> dict[str, Child]:
        assert self._cell.children is not None
        return self._cell.children

    def _named(self, name: str) -> Child:
        child = self._children.get(name)
        if child is None or child.removed:
            raise NoSuchChild(self._cell.path, name)
        return child

    def _child_of(self, cell: Life) -> Child | None:
        child = self._children.get(cell.spec.name)
        return child if child is not None and child.cell is cell else None

    def _add(self, spec: ChildSpec[Any], *, static: bool = False) -> Child:
        parent = self._cell
        path = f"{parent.path.rstrip('/')}/{spec.name}"
        if spec.name in self._children:
            raise NameTaken(path)
        child = Child(spec, Cell(parent.system, path, parent, spec), static=static)
        child.budget = self._new_budget()
        self._children[spec.name] = child
        return child

    def _is_to_run(self, child: Child) -> bool:
        return child.wanted and self._child_of(child.cell) is child

    def _drop(self, child: Child) -> None:
        if self._child_of(child.cell) is child:
            del self._children[child.spec.name]

    def _new_budget(self) -> RestartBudget | None:
        policy = self._policy
        return RestartBudget(policy.max_restarts, policy.window_s) if policy.per_child else None

    def _budget_of(self, child: Child) -> RestartBudget:
        return child.budget if child.budget is not None else self._budget

    def _renew(self, child: Child) -> None:
        child.gave_up = False
        child.attempt = 0
        child.started_at = None
        self._budget_of(child).renew()

    def restarts_left(self, child: Child) -> int:
        """Return what is left of the budget that a child's next failure is charged to."""
        return self._budget_of(child).left(self.context.now())
