"""The actor: a class with declared handlers, and the context in which it runs."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from types import UnionType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeAlias, TypeVar, Union, get_args, get_origin

from actors.errors import HandlersIncomplete, Interrupted
from actors.mailbox import Overflow
from actors.message import HandledBy, Message, Request, SignOfLife
from actors.tasks import OwnedTask, is_being_cancelled

if TYPE_CHECKING:
    from actors.events import EventStream
    from actors.life import Life
    from actors.ref import ActorRef
    from actors.timers import RepeatingTimer, Timer

M = TypeVar("M")
R = TypeVar("R")
HandlerT = TypeVar("HandlerT")


def on(message: type[HandledBy[HandlerT]], *, urgent: bool = False) -> Callable[[HandlerT], HandlerT]:
    """Declare a method as the handler of a message type.

    A plain `def` runs at once, on the fast path. An `async def` runs as a task while the mailbox waits: an
    actor handles one message at a time. A handler of a `Request` returns the reply; a `def` may return an
    `asyncio.Future` of it, and the actor goes on with the next message meanwhile.

    Args:
        message: The type, exactly: subclasses need handlers of their own.
        urgent: Such messages overtake all others and find room in a full mailbox.
    """

    def declare(function: HandlerT) -> HandlerT:
        declared = vars(function).setdefault("__handles__", [])
        declared.append((message, urgent))
        return function

    return declare


class Actor(Generic[M]):
    """Base of all actors: state with one owner, reached by messages of type `M` only.

    Constructors do no work: no loop, no I/O, since they run on the loop and again at each restart.

    Attributes:
        mailbox_capacity: Messages that wait at most.
        overflow: What happens to one more; see `Overflow`.
        handler_limit_s: An asynchronous handler that runs longer is cancelled, and the actor has failed.
        start_timeout_s: How long `on_start` may take; None for no limit.
        stop_timeout_s: How long the current handler and `on_stop` may take together; None for no limit.
    """

    mailbox_capacity: ClassVar[int] = 1024
    overflow: ClassVar[Overflow] = "wait"
    handler_limit_s: ClassVar[float | None] = 30.0
    start_timeout_s: ClassVar[float | None] = 30.0
    stop_timeout_s: ClassVar[float | None] = 5.0

    waits_for_children: ClassVar[bool] = False
    functions: ClassVar[dict[type, Callable[[Any, Any], Any]]] = {}
    urgent_functions: ClassVar[dict[type, Callable[[Any, Any], Any]]] = {}
    context: ActorContext[M]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.functions, cls.urgent_functions = _collect_handlers(cls)

    async def on_start(self) -> None:
        """Prepare; the actor is ready when this returns, and has failed to start when it raises."""

    async def on_stop(self, reason: BaseException | None) -> None:
        """Clean up. Called once after each start, a failed one included.

        Args:
            reason: None for an ordered stop, otherwise the failure.
        """


def _show_life(actor: Actor[Any], message: SignOfLife) -> None:
    """Answer; that this runs is all there is to say."""


Actor.urgent_functions = {SignOfLife: _show_life}


_Functions: TypeAlias = dict[type, Callable[[Any, Any], Any]]


def _collect_handlers(cls: type[Actor[Any]]) -> tuple[_Functions, _Functions]:
    """Return the handlers of ordinary and of urgent messages, inherited ones included."""
    ordinary, urgent = dict(cls.functions), dict(cls.urgent_functions)
    for name, attribute in vars(cls).items():
        for message, overtakes in getattr(attribute, "__handles__", ()):
            if not inspect.isfunction(attribute):
                raise HandlersIncomplete(f"{cls.__qualname__}.{name} handles messages but is not a method")
            ordinary.pop(message, None)
            urgent.pop(message, None)
            (urgent if overtakes else ordinary)[message] = attribute
    wanted = _message_types(cls)
    if wanted is not None:
        declared = {*ordinary, *urgent} - {SignOfLife}
        missing = [message.__name__ for message in wanted if message not in declared]
        surplus = sorted(message.__name__ for message in declared if message not in wanted)
        if missing or surplus:
            raise HandlersIncomplete(
                f"{cls.__qualname__} must declare a handler for exactly the messages it names; "
                f"missing: {', '.join(missing) or 'none'}; not named: {', '.join(surplus) or 'none'}"
            )
    return ordinary, urgent


def _message_types(cls: type[Actor[Any]]) -> tuple[type, ...] | None:
    """Return the messages in `Actor[…]` of the class's bases; None where it is still generic or inherited."""
    for base in vars(cls).get("__orig_bases__", ()):
        origin = get_origin(base)
        if isinstance(origin, type) and issubclass(origin, Actor):
            (named,) = get_args(base)[:1]
            parts = get_args(named) if get_origin(named) in (Union, UnionType) else (named,)
            if all(isinstance(part, type) and issubclass(part, (Message, Request)) for part in parts):
                return tuple(parts)
    return None


def _name_of(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


class ActorContext(Generic[M]):
    """What the kernel gives a running actor, as `self.context`, from `on_start` to `on_stop`."""

    __slots__ = ("_cell",)

    def __init__(self, cell: Life) -> None:
        self._cell = cell

    @property
    def ref(self) -> ActorRef[M]:
        """The actor's own reference."""
        return self._cell.ref

    @property
    def path(self) -> str:
        """The actor's place in the tree."""
        return self._cell.path

    @property
    def events(self) -> EventStream:
        """The system's lifecycle events."""
        return self._cell.system.events

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop on which all actors of the system run."""
        return self._cell.system.loop

    def now(self) -> float:
        """Return monotonic seconds, the virtual clock's under test."""
        return self._cell.system.loop.time()

    def start_task(self, function: Callable[..., Awaitable[object]], *args: Any, name: str | None = None) -> OwnedTask:
        """Run an async function beside the handlers.

        It belongs to the actor: its failure is the actor's, and it is cancelled when the actor stops or
        restarts, after `on_stop`.
        """
        return self._cell.start_task(function, args, name or _name_of(function))

    def answer_later(self, function: Callable[..., Awaitable[R]], *args: Any) -> asyncio.Future[R]:
        """Run an async function beside the handlers and return the future of its result.

        For a handler whose reply takes time: return the future, and the actor goes on. A failure of the
        function is the asker's, not the actor's.
        """
        future: asyncio.Future[R] = self._cell.system.loop.create_future()

        async def answer() -> None:
            try:
                result = await function(*args)
            except asyncio.CancelledError as error:
                if is_being_cancelled():
                    future.cancel()
                    raise
                if not future.done():
                    future.set_exception(Interrupted(error))
            except Exception as error:
                if not future.done():
                    future.set_exception(error)
            else:
                if not future.done():
                    future.set_result(result)

        self.start_task(answer, name=_name_of(function))
        return future

    def schedule(self, delay_s: float, message: M) -> Timer:
        """Tell the actor itself something after a delay. Forgotten when the actor restarts."""
        return self._cell.schedule(delay_s, message)

    def schedule_every(self, interval_s: float, message: M) -> RepeatingTimer:
        """Tell the actor itself something at a fixed rate; ticks that were missed are skipped, not made up."""
        return self._cell.schedule_every(interval_s, message)

    def stop(self) -> None:
        """Stop the actor after the current message, as if its supervisor had asked it to."""
        self._cell.stop()
