"""An actor's lives: start, failure, stop. What survives a restart stays here; the actor itself does not."""

from __future__ import annotations

import abc
import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import anyio

from actors import errors
from actors.actor import Actor, ActorContext
from actors.events import ActorFailed, ActorRestarted, ActorStarted, ActorStopped, Failure
from actors.mailbox import Mailbox
from actors.message import SignOfLife
from actors.ref import ActorRef
from actors.tasks import OwnedTask, is_being_cancelled
from actors.timers import RepeatingTimer, Timer

if TYPE_CHECKING:
    from actors.child import Child, ChildSpec
    from actors.supervisor import Supervisor
    from actors.system import ActorSystem

State: TypeAlias = Literal["starting", "running", "stopping", "down", "stopped"]
"""`down`: failed or suspended; its mailbox is kept while its supervisor decides."""

_log = logging.getLogger("actors")


class Life(abc.ABC):
    """The lifecycle half of a cell.

    Attributes:
        ready: Whether a sender need not wake the actor: it stands in the dispatcher's queue, or cannot run
            now and will look for itself when it can.
        ref: The one reference object; all who know the actor share it.
        attention: Whether the batch that is being handled must be left: the state changed, or something
            urgent came.
        handled: Messages handled so far, in all lives.
        busy_s: Seconds spent in handlers, the waiting of asynchronous ones included.
        current: The handler, or `on_start`, that runs as a task now.
        queue: The mailbox's user lane, here for the sake of the hot path; so is the next.
        dispatcher: The system's.
        children: A supervisor's children, by name and in order; they survive its restarts.
        restarts: Lives that began after a failure.
    """

    __slots__ = (
        "_has_failed",
        "_idle",
        "_keep_mailbox",
        "_start_error",
        "_started",
        "_stop_requested",
        "_stop_waiters",
        "_tasks",
        "_timers",
        "actor",
        "attention",
        "busy_s",
        "children",
        "current",
        "dispatcher",
        "functions",
        "handled",
        "last_failure",
        "mailbox",
        "parent",
        "path",
        "queue",
        "ready",
        "ref",
        "restarts",
        "spec",
        "state",
        "system",
        "urgent_functions",
    )

    def __init__(self, system: ActorSystem, path: str, parent: Life | None, spec: ChildSpec[Any]) -> None:
        self.system = system
        self.path = path
        self.parent = parent
        self.spec = spec
        self.ref: ActorRef[Any] = ActorRef(self)
        self.actor: Actor[Any] | None = None
        self.functions: dict[type, Callable[[Any, Any], Any]] = {}
        self.urgent_functions: dict[type, Callable[[Any, Any], Any]] = {}
        self.mailbox = Mailbox(Actor.mailbox_capacity, Actor.overflow)
        self.queue = self.mailbox.user
        self.dispatcher = system.dispatcher
        self.state: State = "down"
        self.ready = True
        self.current: OwnedTask | None = None
        self.attention = False
        self.busy_s = 0.0
        self.handled = 0
        self.children: dict[str, Child] | None = None
        self.restarts = 0
        self.last_failure: Failure | None = None
        self._has_failed = False
        self._keep_mailbox = False
        self._stop_requested = False
        self._tasks: set[OwnedTask] | None = None
        self._timers: set[Timer | RepeatingTimer] | None = None
        self._idle: asyncio.Future[None] | None = None
        self._started: asyncio.Future[None] | None = None
        self._start_error: BaseException | None = None
        self._stop_waiters: list[asyncio.Future[None]] | None = None

    @abc.abstractmethod
    def look_for_work(self) -> None:
        """Have waiting messages handled, or be ready to be woken."""

    @abc.abstractmethod
    def drain(self) -> None:
        """Handle at most one batch of messages."""

    @abc.abstractmethod
    def wake(self) -> None:
        """Have the messages handled soon. Only when not `ready`."""

    @abc.abstractmethod
    def put_slowly(self, entry: Any) -> None:
        """Take an entry that is urgent, not accepted, or that found the mailbox full or closed."""

    @abc.abstractmethod
    def tell_self(self, message: Any) -> None:
        """Deliver a timer's message."""

    def accepted(self) -> tuple[str, ...]:
        """Return the names of the message types that are declared."""
        declared = {*self.functions, *self.urgent_functions} - {SignOfLife}
        return tuple(sorted(message.__name__ for message in declared))

    def is_free(self) -> bool:
        """Whether it can handle a message now."""
        return self.state == "running" and self.current is None

    def is_down(self) -> bool:
        """Whether nothing of a life is left, so that another may begin."""
        return self.actor is None and self.state in ("down", "stopped")

    # -- start ------------------------------------------------------------------------------------------

    def begin(self) -> asyncio.Future[None]:
        """Begin a life like `start`; the future is resolved when it is ready, or fails with `StartFailed`.

        It belongs to one waiter, who may cancel it without consequence.
        """
        self._started = started = self.system.loop.create_future()
        self.start()
        return started

    def start(self) -> None:
        """Begin a life. The actor must be down; it may be running, or down again, when this returns."""
        assert self.is_down(), f"{self.path} is {self.state}"
        self.state = "starting"
        self.ready = True
        try:
            actor = self.spec.factory()
        except Exception as error:
            self.mailbox.reopen()
            self.fail(error)
            return
        kind = type(actor)
        actor.context = ActorContext(self)
        self.actor = actor
        self.functions = kind.functions
        self.urgent_functions = kind.urgent_functions
        self.mailbox.reconfigure(kind.mailbox_capacity, kind.overflow)
        self.mailbox.reopen()
        if kind.on_start is Actor.on_start:
            self._has_started()
        else:
            self.current = OwnedTask("on_start")
            self.system.start_soon(self._run_start, self.current, actor, name=self.path)

    async def _run_start(self, task: OwnedTask, actor: Actor[Any]) -> None:
        timeout_s = actor.start_timeout_s
        timer = self.system.timers.call_later(timeout_s, task.cancel) if timeout_s is not None else None
        failure: Exception | None = None
        try:
            await task.run(actor.on_start())
        except Exception as error:
            failure = error
        finally:
            if timer is not None:
                timer.cancel()
            self.become_idle()
        if self.state != "starting":
            return
        if failure is None and task.cancelled:
            failure = errors.StartTimeout(self.path, timeout_s or 0.0)
        if failure is not None:
            failure.add_note(f"while {self.path} started")
            self.fail(failure)
        else:
            self._has_started()

    def _has_started(self) -> None:
        self.state = "running"
        if self._has_failed:
            self._has_failed = False
            self.restarts += 1
            self.system.events.publish(ActorRestarted(path=self.path, restarts=self.restarts))
        else:
            self.system.events.publish(ActorStarted(path=self.path))
        if self.parent is not None:
            self._supervisor().child_started(self)
        started, self._started = self._started, None
        if started is not None and not started.done():
            started.set_result(None)
        self.look_for_work()

    def _tell_starter(self, error: BaseException) -> None:
        """Tell whoever waits for the start that it has failed, and that nothing of it is left."""
        started, self._started = self._started, None
        if started is not None and not started.done():
            started.set_exception(errors.StartFailed(self.path, error))

    # -- failure ----------------------------------------------------------------------------------------

    def fail(self, error: BaseException, message: Any = None) -> None:
        """End this life with a failure; the supervisor decides what follows."""
        if self.state not in ("starting", "running") or self.system.forced:
            # It was ending anyway: a second failure changes nothing, but nobody should have to guess at it.
            _log.warning("%s failed while %s", self.path, self.state, exc_info=error)
            return
        self._has_failed = True
        if self.state == "starting":
            self._start_error = error
        self.state = "down"
        self.attention = True
        self.ready = True
        self.last_failure = Failure(
            type(error).__name__, str(error), message=None if message is None else type(message).__name__
        )
        self.system.events.publish(ActorFailed(path=self.path, failure=self.last_failure, error=error))
        self._tear_down(error, patient=False)

    # -- stop -------------------------------------------------------------------------------------------

    def stop(self, *, keep_mailbox: bool = False) -> asyncio.Future[None]:
        """End this life in order; the future that is returned is resolved when it has ended.

        The current handler is finished, then `on_stop` runs, both within the actor's deadline; what is left
        after it is cancelled.

        Args:
            keep_mailbox: Suspend: the messages that wait are kept for the next life. A stop for good that
                comes on top is stronger.
        """
        stopped: asyncio.Future[None] = self.system.loop.create_future()
        if self.state == "stopped":
            stopped.set_result(None)
            return stopped
        # Each caller gets a future of its own: one who gives up does not take the others along.
        self._stop_waiters = [*(self._stop_waiters or ()), stopped]
        if self._stop_requested:
            self._keep_mailbox = self._keep_mailbox and keep_mailbox
            return stopped
        self._stop_requested = True
        self._keep_mailbox = keep_mailbox
        if self.state in ("starting", "running"):
            patient = self.state == "running"
            self.state = "stopping"
            self.attention = True
            self.ready = True
            self._tear_down(None, patient=patient)
        elif self.actor is None:
            self._has_ended()
        # Otherwise a failed life is being torn down, and its end is the end that was asked for.
        return stopped

    def end_at_once(self) -> None:
        """End for good, and all below, where no life is left that could end in order."""
        self.actor = None
        for child in reversed(tuple((self.children or {}).values())):
            child.cancel_timer()
            child.cell.end_at_once()
        if self.state != "stopped":
            self._keep_mailbox = False
            self._has_ended()

    def close_mailbox(self) -> None:
        """Answer all who wait here and below, and accept nothing until the next start."""
        for child in (self.children or {}).values():
            child.cell.close_mailbox()
        self.mailbox.close()
        for entry, room in self.mailbox.take_all():
            message = entry
            if type(entry) is tuple:
                message, reply, _, _ = entry
                if not reply.done():
                    reply.set_exception(errors.ActorStopped(self.path))
            if room is not None:
                room.set_exception(errors.ActorStopped(self.path))
            else:
                self.system.dead_letters.add(self.path, message, "stopped")

    def _tear_down(self, reason: BaseException | None, *, patient: bool) -> None:
        self._cancel_timers()
        actor = self.actor
        if actor is None or (self.current is None and not self._tasks and type(actor).on_stop is Actor.on_stop):
            self._life_ended()
        else:
            self.system.start_soon(self._run_tear_down, actor, reason, patient, name=f"{self.path}:stop")

    async def _run_tear_down(self, actor: Actor[Any], reason: BaseException | None, patient: bool) -> None:
        deadline_s = self.spec.stop_deadline_s(actor)
        with anyio.move_on_after(deadline_s) as limit:
            if self.current is not None:
                if not patient:
                    self.current.cancel()
                await self._until_idle()
            try:
                await actor.on_stop(reason)
            except asyncio.CancelledError:
                if is_being_cancelled():
                    raise
                _log.exception("%s was interrupted while it stopped", self.path)
            except Exception:
                _log.exception("%s failed while it stopped", self.path)
        if limit.cancelled_caught:
            _log.error("%s did not stop within %g s: cancelled", self.path, deadline_s)
        if self.current is not None:
            self.current.cancel()
            await self._until_idle()
        while self._tasks:
            # Again and again, for a task may start another one as it ends.
            tasks = tuple(self._tasks)
            for task in tasks:
                task.cancel()
            for task in tasks:
                await task.wait()
        self._life_ended()

    async def _until_idle(self) -> None:
        while self.current is not None:
            if self._idle is None:
                self._idle = self.system.loop.create_future()
            await asyncio.shield(self._idle)

    def become_idle(self) -> None:
        """Note that the task of the current handler has ended."""
        self.current = None
        if self._idle is not None:
            self._idle.set_result(None)
            self._idle = None

    def _life_ended(self) -> None:
        self._cancel_timers()  # those that the last handler, or `on_stop`, has added
        self.actor = None
        self._tasks = None
        self.state = "down"
        start_error, self._start_error = self._start_error, None
        if start_error is not None:
            self._tell_starter(start_error)
        if self._stop_requested:
            self._has_ended()
        elif self.parent is not None:
            self._supervisor().child_failed(self)
        else:
            self.system.root_failed()

    def _has_ended(self) -> None:
        suspended = self._keep_mailbox
        self._stop_requested = self._keep_mailbox = False
        if not suspended:
            self.state = "stopped"
            self._has_failed = False
            for child in reversed(tuple((self.children or {}).values())):
                child.cell.end_at_once()  # what a failure had suspended
            self.close_mailbox()
            self.system.events.publish(ActorStopped(path=self.path))
        self._tell_starter(errors.ActorStopped(self.path))
        waiters, self._stop_waiters = self._stop_waiters, None
        for waiter in waiters or ():
            if not waiter.done():
                waiter.set_result(None)
        if not suspended and self.parent is not None and self.parent.actor is not None:
            self._supervisor().child_ended(self)

    def _supervisor(self) -> Supervisor:
        from actors.supervisor import Supervisor

        # A supervisor outlives its children's lives: it takes them down before it ends itself.
        assert self.parent is not None
        assert isinstance(self.parent.actor, Supervisor)
        return self.parent.actor

    # -- tasks and timers of the present life -------------------------------------------------------------

    def start_task(self, function: Callable[..., Awaitable[object]], args: tuple[Any, ...], name: str) -> OwnedTask:
        """Run an async function that ends with this life at the latest."""
        self._assert_alive()
        task = OwnedTask(name)
        if self._tasks is None:
            self._tasks = set()
        self._tasks.add(task)
        self.system.start_soon(self._run_task, task, function, args, name=f"{self.path}:{name}")
        return task

    async def _run_task(
        self, task: OwnedTask, function: Callable[..., Awaitable[object]], args: tuple[Any, ...]
    ) -> None:
        failure: Exception | None = None
        try:
            await task.run(function(*args))
        except Exception as error:
            failure = error
        finally:
            if self._tasks is not None:
                self._tasks.discard(task)
            task.ended()
        if failure is not None:
            failure.add_note(f"in the task {task.name!r} of {self.path}")
            self.fail(failure)

    def schedule(self, delay_s: float, message: Any) -> Timer:
        """Tell the actor something later in this life."""
        timers = self.system.timers
        return timers.start(Timer(timers, self.tell_self, (message,), self._owned_timers()), delay_s)

    def schedule_every(self, interval_s: float, message: Any) -> RepeatingTimer:
        """Tell the actor something at a fixed rate in this life."""
        timers = self.system.timers
        return RepeatingTimer(timers, interval_s, lambda: self.tell_self(message), self._owned_timers())

    def _assert_alive(self) -> None:
        # What is begun after the end of a life would belong to nobody.
        if self.actor is None:
            raise errors.ActorStopped(self.path)

    def _cancel_timers(self) -> None:
        for timer in tuple(self._timers or ()):
            timer.cancel()
        self._timers = None

    def _owned_timers(self) -> set[Timer | RepeatingTimer]:
        self._assert_alive()
        if self._timers is None:
            self._timers = set()
        return self._timers
