"""The system: one loop's worth of actors, from the root supervisor down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar, overload

from actors.actor import Actor
from actors.cell import Cell
from actors.child import ChildSpec
from actors.dead_letters import DeadLetters
from actors.dispatcher import Dispatcher
from actors.errors import ActorStopped
from actors.events import EventStream
from actors.ref import ActorRef
from actors.restart import RestartPolicy
from actors.supervisor import Supervisor
from actors.timers import Timers
from actors.vitals import ActorVitals, vitals_of
from actors.watchdog import LoopWatchdog

M = TypeVar("M")


class SystemFailed(Exception):
    """The root supervisor gave up: there is nobody left to decide."""


class ActorSystem:
    """A tree of actors on the running loop.

    Use it as an asynchronous context manager: it starts an empty root supervisor, and stops every actor, in
    reverse order of their start, on leaving. Everything runs in one task group inside that block.

    Should the root supervisor give up, the block is cancelled and left with `SystemFailed`.

    Attributes:
        events: Every lifecycle change.
        dead_letters: Messages that nobody handled to their end.
        timers: The heap of deadlines.
        loop: The loop.
        forced: Whether the actors' tasks are being cancelled, without waiting for an order.
    """

    def __init__(
        self,
        name: str = "actors",
        *,
        policy: RestartPolicy | None = None,
        blocked_limit_s: float | None = None,
    ) -> None:
        """Describe a system.

        Args:
            name: For the logs.
            policy: The root supervisor's.
            blocked_limit_s: Report handlers that block the loop for longer; None for no watchdog.
        """
        self.name = name
        self.events = EventStream()
        self._policy = policy or RestartPolicy()
        self._blocked_limit_s = blocked_limit_s
        self.forced = False
        self._watchdog: LoopWatchdog | None = None
        self._tasks: asyncio.TaskGroup
        self._root: Cell
        self.loop: asyncio.AbstractEventLoop
        self.timers: Timers
        self.dispatcher: Dispatcher
        self.dead_letters: DeadLetters

    async def __aenter__(self) -> Self:
        self.loop = asyncio.get_running_loop()
        self.timers = Timers(self.loop)
        self.dispatcher = Dispatcher(self.loop, self.timers)
        self.dead_letters = DeadLetters(self.events, self.timers)
        # The standard library's group, because actors start tasks from plain callbacks, where anyio's cannot.
        # The cancel scopes inside are anyio's: a cancellation stays in force until it is obeyed.
        self._tasks = asyncio.TaskGroup()
        await self._tasks.__aenter__()
        self._root = Cell(self, "/", None, ChildSpec(self.name, lambda: Supervisor(policy=self._policy)))
        try:
            await self._root.begin()
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        if self._blocked_limit_s is not None:
            self._watchdog = LoopWatchdog("/", limit_s=self._blocked_limit_s, publish=self.events.publish)
            self._watchdog.start(self.loop)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        forced: BaseException | None = None
        try:
            if self._root.state != "down":
                await self._root.stop()
            if self._watchdog is not None:
                await asyncio.to_thread(self._watchdog.stop)
        except asyncio.CancelledError as cancelled:
            # Cancelled once more while the actors stop: then they are cancelled too.
            forced = cancelled
            self.forced = True
            self.dispatcher.close()
            if self._watchdog is not None:
                self._watchdog.stop(wait=False)
        try:
            await self._tasks.__aexit__(type(forced) if forced else None, forced, None)
        except BaseExceptionGroup as group:
            failed, rest = group.split(SystemFailed)
            if failed is None or rest is not None:
                raise
            raise SystemFailed(f"the root of {self.name} gave up: {self._root.last_failure}") from error
        finally:
            # Whoever still asks, or waits for an answer, is told at once that there will be none.
            self._root.end_at_once()
            self.dispatcher.close()
            self.timers.close()

    @overload
    async def spawn(self, actor: ChildSpec[M]) -> ActorRef[M]: ...

    @overload
    async def spawn(self, actor: Callable[[], Actor[M]], name: str) -> ActorRef[M]: ...

    async def spawn(self, actor: Any, name: str | None = None) -> ActorRef[Any]:
        """Start an actor below the root and return its reference once it is ready.

        Cancelled while it starts, the actor is stopped and forgotten.

        Raises:
            NameTaken: There is a child of that name.
            StartFailed: Its first start failed; it is forgotten.
            ActorStopped: The system is stopping.
        """
        spec = actor if isinstance(actor, ChildSpec) else ChildSpec(name or "", actor)
        root = self._root.actor
        if not isinstance(root, Supervisor):
            raise ActorStopped(self._root.path)
        return await root.spawn(spec)

    @property
    def root(self) -> ActorRef[Any]:
        """The root supervisor; see `Supervisor` for what it can be asked."""
        return self._root.ref

    def tree(self) -> ActorVitals:
        """Describe every actor."""
        return vitals_of(self._root)

    def start_soon(self, function: Callable[..., Coroutine[Any, Any, Any]], *args: Any, name: str) -> asyncio.Task[Any]:
        """Run a coroutine in the system's task group. For the kernel: actors use `ActorContext.start_task`."""
        return self._tasks.create_task(function(*args), name=name)

    def root_failed(self) -> None:
        """Called by the root's cell, all actors being down: nobody is left to decide."""
        self.start_soon(self._fail, name="/:failed")

    async def _fail(self) -> None:
        raise SystemFailed
