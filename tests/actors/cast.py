"""The actors that play in the kernel's tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal

import anyio

from actors import Actor, ActorRef, ActorSystem, ChildSpec, Message, Refusal, Request, Supervisor, on
from actors.mailbox import Overflow


class Add(Message, frozen=True):
    n: int


class Urgent(Message, frozen=True):
    """Overtakes."""

    n: int = 0


class Crash(Message, frozen=True):
    text: str = "crash"


class Sleep(Message, frozen=True):
    """Handled asynchronously."""

    seconds: float


class End(Message, frozen=True):
    """Stop yourself."""


class Seen(Request[tuple[Any, ...]], frozen=True):
    """What was handled in this life."""


class Divide(Request[int], frozen=True):
    a: int
    b: int


class Deny(Request[int], frozen=True):
    """Answered by a refusal."""


class Wait(Request[str], frozen=True):
    """Answered asynchronously, after a while."""

    seconds: float


class Defer(Request[str], frozen=True):
    """Answered later, while the actor goes on."""

    seconds: float


class No(Refusal):
    """The answer to `Deny`."""


class Player(Actor[Add | Urgent | Crash | Sleep | End | Seen | Divide | Deny | Wait | Defer]):
    """Notes what it handles, and does what it is told."""

    def __init__(self, log: list[Any] | None = None, name: str = "") -> None:
        self.log = log if log is not None else []
        self.name = name
        self.seen: list[Any] = []

    def note(self, what: Any) -> None:
        self.seen.append(what)
        self.log.append((self.name, what) if self.name else what)

    @on(Add)
    def add(self, message: Add) -> None:
        self.note(message.n)

    @on(Urgent, urgent=True)
    def urgent(self, message: Urgent) -> None:
        self.note(f"urgent {message.n}")

    @on(Crash)
    def crash(self, message: Crash) -> None:
        raise RuntimeError(message.text)

    @on(Sleep)
    async def sleep(self, message: Sleep) -> None:
        await anyio.sleep(message.seconds)
        self.note(f"slept {message.seconds:g}")

    @on(End)
    def end(self, message: End) -> None:
        self.context.stop()

    @on(Seen)
    def tell_seen(self, message: Seen) -> tuple[Any, ...]:
        return tuple(self.seen)

    @on(Divide)
    def divide(self, message: Divide) -> int:
        return message.a // message.b

    @on(Deny)
    def deny(self, message: Deny) -> int:
        raise No("not today")

    @on(Wait)
    async def wait(self, message: Wait) -> str:
        await anyio.sleep(message.seconds)
        return f"waited {message.seconds:g}"

    @on(Defer)
    def defer(self, message: Defer) -> asyncio.Future[str]:
        return self.context.answer_later(self._later, message.seconds)

    async def _later(self, seconds: float) -> str:
        await anyio.sleep(seconds)
        return f"later {seconds:g}"


class Tiny(Player):
    """Holds three messages."""

    mailbox_capacity = 3


def tiny(overflow: Overflow) -> type[Tiny]:
    return type("TinyPlayer", (Tiny,), {"overflow": overflow})


class Staged(Actor[Add | Crash | End]):
    """Notes start and stop in a log that outlives it; start and stop take time and may fail."""

    stop_timeout_s = 5.0

    def __init__(
        self,
        name: str,
        log: list[str],
        *,
        start_s: float = 0.0,
        stop_s: float = 0.0,
        fails: Callable[[], bool] = lambda: False,
    ) -> None:
        self.name = name
        self.log = log
        self.start_s = start_s
        self.stop_s = stop_s
        self.fails = fails

    async def on_start(self) -> None:
        if self.start_s:
            await anyio.sleep(self.start_s)
        if self.fails():
            raise OSError(f"{self.name} cannot start")
        self.log.append(f"+{self.name}")

    async def on_stop(self, reason: BaseException | None) -> None:
        if self.stop_s:
            await anyio.sleep(self.stop_s)
        self.log.append(f"-{self.name}")

    @on(Add)
    def add(self, message: Add) -> None:
        self.log.append(f"{self.name}:{message.n}")

    @on(Crash)
    def crash(self, message: Crash) -> None:
        raise RuntimeError(message.text)

    @on(End)
    def end(self, message: End) -> None:
        self.context.stop()


class Troupe:
    """Makes staged children, and tells them what to do by name."""

    def __init__(self, system: ActorSystem) -> None:
        self.system = system
        self.log: list[str] = []
        self.failing: set[str] = set()

    def child(
        self,
        name: str,
        kind: Literal["permanent", "transient", "temporary"] = "permanent",
        *,
        start_s: float = 0.0,
        stop_s: float = 0.0,
    ) -> ChildSpec[Any]:
        def make() -> Staged:
            return Staged(name, self.log, start_s=start_s, stop_s=stop_s, fails=lambda: name in self.failing)

        return ChildSpec(name, make, kind=kind)

    def tell(self, path: str, message: Any) -> None:
        self.ref(path).tell(message)

    def ref(self, path: str) -> ActorRef[Any]:
        """Return the reference at a path, as nobody but a test may: through the tree."""
        cell: Any = self.system.root._cell
        for name in path.strip("/").split("/"):
            cell = cell.children[name].cell
        ref: ActorRef[Any] = cell.ref
        return ref

    def take(self) -> list[str]:
        """Return what happened since the last time."""
        taken = self.log[:]
        self.log.clear()
        return taken

    async def supervise(self, *children: ChildSpec[Any], name: str = "sup", **options: Any) -> ActorRef[Any]:
        return await self.system.spawn(lambda: Supervisor(children, **options), name=name)


async def settle(seconds: float = 0.0) -> None:
    """Let everything happen that happens by itself now, and within some seconds of virtual time."""
    if seconds:
        await asyncio.sleep(seconds)
    for _ in range(30):
        await asyncio.sleep(0)
