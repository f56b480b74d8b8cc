"""For tests of actors: a virtual clock, probes, and a check that nothing is left behind.

Needs no test framework. With pytest-asyncio, put the clock under all tests of a folder by its `conftest.py`:

    def pytest_asyncio_loop_factories(config, item):
        return {"virtual": VirtualClockLoop}
"""

from __future__ import annotations

import asyncio
import selectors
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar, TypeVar, TypeVarTuple

from actors.actor import Actor
from actors.child import ChildSpec
from actors.message import Message, Request
from actors.system import ActorSystem
from actors.vitals import ActorVitals

T = TypeVar("T")
M = TypeVar("M", bound=Message | Request[Any])
R = TypeVar("R")
Ts = TypeVarTuple("Ts")

_STALLED_S = 5.0
_LOOP_PASSES = 20


class Stalled(RuntimeError):
    """Every task waits, and there is no timer left that could wake one."""


class Leak(AssertionError):
    """A block left an actor, a task or a timer behind."""


# -- the clock ------------------------------------------------------------------------------------------------


class _JumpingSelector(selectors.DefaultSelector):
    """Where the loop would sleep until its next timer, it moves the clock there instead.

    Attributes:
        now_s: The virtual time.
        jobs: Jobs in executors: time stands still until they are done.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.jobs = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is None or self.jobs:
            # Only a thread or a peer can go on now, and those live in real time.
            ready = super().select(_STALLED_S)
            if not ready and not self.jobs:
                raise Stalled(f"nothing happened for {_STALLED_S:g} s of real time, and no timer is set")
            return ready
        # Nanoseconds, so that sums of delays do not drift off the instants that a test names.
        self.now_s = round(self.now_s + timeout, 9)
        return ready


class VirtualClockLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock starts at 0 and jumps to the next timer whenever there is nothing to do.

    Sixty seconds pass in microseconds, and always in the same order. Sockets work, and the clock stands still
    while a job runs in an executor (`asyncio.to_thread`, aiofiles); but it does not wait for peers in other
    processes or for threads of other kinds, so a timeout on those fires at once.

    Raises:
        Stalled: From whatever runs the loop, when all tasks wait and no timer is set, for 5 s of real time.
    """

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Return the virtual time, seconds."""
        return self._jumping.now_s

    def advance(self, seconds: float) -> None:
        """Let time pass without giving anybody a turn, as a handler does that blocks the loop."""
        self._jumping.now_s = round(self._jumping.now_s + seconds, 9)

    def run_in_executor(self, executor: Any, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """Run a function in a thread; the clock stands still until it returns."""
        job: asyncio.Future[T] = super().run_in_executor(executor, func, *args)
        self._jumping.jobs += 1
        job.add_done_callback(self._job_is_done)
        return job

    def _job_is_done(self, _: asyncio.Future[Any]) -> None:
        self._jumping.jobs -= 1


def run_virtual(main: Callable[[*Ts], Awaitable[T]], *args: *Ts) -> T:
    """Run an async function on a `VirtualClockLoop` of its own, and return its result.

    What `asyncio.run` guarantees holds: tasks that are left are cancelled, and the loop is closed.
    """

    async def run() -> T:
        return await main(*args)

    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        return runner.run(run())


# -- probes ---------------------------------------------------------------------------------------------------


class Probe:
    """Records what it gets, in order, for a test to look at.

    It stands at the end of a reference (`child`) or of the event stream (`events.subscribe(probe.record)`).

    Attributes:
        received: Everything so far, `expect`ed or not.
    """

    def __init__(self) -> None:
        self.received: list[Any] = []
        self._unseen: deque[Any] = deque()
        self._arrival: asyncio.Future[None] | None = None
        self._replies: dict[int, asyncio.Future[Any]] = {}

    def child(self, name: str, *accepts: type[M]) -> ChildSpec[M]:
        """Describe an actor that hands all messages of these types to the probe.

        It answers a request when the test does, by `answer`. The probe outlives the actor's restarts.
        """
        return ChildSpec(name, lambda: _actor_of(self, accepts))

    def record(self, message: Any) -> None:
        """Note a message."""
        self.received.append(message)
        self._unseen.append(message)
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    def record_request(self, request: Request[Any]) -> asyncio.Future[Any]:
        """Note a request, and return the future that `answer` resolves."""
        reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._replies[id(request)] = reply
        self.record(request)
        return reply

    async def expect(self, kind: type[T], timeout_s: float = 1.0) -> T:
        """Return the next message, which must be of this type.

        Raises:
            AssertionError: Something else came, or nothing within the timeout.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self._until_arrival()
        except TimeoutError:
            raise AssertionError(f"expected {kind.__name__}, but nothing came within {timeout_s:g} s") from None
        message = self._unseen.popleft()
        if not isinstance(message, kind):
            raise AssertionError(f"expected {kind.__name__}, but {message!r} came")  # noqa: TRY004
        return message

    async def expect_nothing(self, for_s: float = 1.0) -> None:
        """Return after a while during which nothing came.

        Raises:
            AssertionError: Something came, or was there already and not expected yet.
        """
        try:
            async with asyncio.timeout(for_s):
                await self._until_arrival()
        except TimeoutError:
            return
        raise AssertionError(f"expected nothing, but {self._unseen[0]!r} came")

    def skip(self) -> None:
        """Forget what came so far and was not expected."""
        self._unseen.clear()

    def answer(self, request: Request[R], reply: R) -> None:
        """Answer a request that was received.

        Raises:
            AssertionError: It was not received, or was answered already, or nobody waits any more.
        """
        pending = self._replies.pop(id(request), None)
        if pending is None or pending.done():
            raise AssertionError(f"nobody waits for an answer to {request!r}")
        pending.set_result(reply)

    async def _until_arrival(self) -> None:
        while not self._unseen:
            self._arrival = asyncio.get_running_loop().create_future()
            await self._arrival


def _actor_of(probe: Probe, accepts: tuple[type[M], ...]) -> Actor[M]:
    class ProbeActor(Actor[M]):
        functions: ClassVar[dict[type, Callable[[Any, Any], Any]]] = {
            kind: _record_request if issubclass(kind, Request) else _record for kind in accepts
        }

        def __init__(self) -> None:
            self.probe = probe

    return ProbeActor()


def _record(actor: Any, message: Any) -> None:
    actor.probe.record(message)


def _record_request(actor: Any, request: Any) -> asyncio.Future[Any]:
    reply: asyncio.Future[Any] = actor.probe.record_request(request)
    return reply


# -- leaks ----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def no_leaks(system: ActorSystem | None = None) -> AsyncIterator[None]:
    """Check that a block leaves no task behind, and with a system given, no actor and no timer either.

    What is just ending gets a few passes of the loop. A block that raises is not checked.

    Raises:
        Leak: Something is left; all of it is named.
    """
    tasks, actors, timers = asyncio.all_tasks(), _paths(system), _timers(system)
    yield
    left: list[str] = []
    for _ in range(_LOOP_PASSES):
        await asyncio.sleep(0)
        left = [f"task {task.get_name()}: {task.get_coro()!r}" for task in asyncio.all_tasks() - tasks]
        left += [f"actor {path}" for path in sorted(_paths(system) - actors)]
        if _timers(system) > timers:
            left.append(f"{_timers(system) - timers} timers")
        if not left:
            return
    raise Leak(f"left behind: {'; '.join(left)}")


def _timers(system: ActorSystem | None) -> int:
    return 0 if system is None else system.timers.scheduled


def _paths(system: ActorSystem | None) -> set[str]:
    return set() if system is None else set(_below(system.tree()))


def _below(vitals: ActorVitals) -> Iterator[str]:
    yield vitals.path
    for child in vitals.children:
        yield from _below(child)
