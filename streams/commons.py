"""Things that several instances of a process share: a client of a venue, a crawler's connections.

The first that leases one makes and starts it, the last that releases it ends it. What fails is made anew, and
its leases lead to the new one.
"""

from __future__ import annotations

import abc
import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar, cast

from actors import Actor, ActorRef, ChildSpec, NoSuchChild, Refusal, RemoveChild, StartChild

C = TypeVar("C", bound="Common")

_START_S = 60.0
_STOP_S = 20.0


class Common(abc.ABC):
    """Something shared. The order of calls is `start`, `run`, `stop`; a failure in any of them makes a new one."""

    @abc.abstractmethod
    async def start(self) -> None:
        """Open what is needed."""

    async def run(self) -> None:  # noqa: B027 - what only serves has nothing to do here
        """Work until cancelled. Returning early is fine."""

    @abc.abstractmethod
    async def stop(self) -> None:
        """Close. Also called after a failure, and after a start that failed."""


class CommonDown(Refusal):
    """Something shared has failed and is not up again yet."""

    rpc_code = -32002

    def __init__(self, key: str) -> None:
        super().__init__(f"{key} is down, and will be up again")
        self.key = key


class Commons:
    """Everything that is shared in a process.

    Args:
        supervisor: Keeps what is shared running.
    """

    def __init__(self, supervisor: ActorRef[Any]) -> None:
        self._supervisor = supervisor
        self._slots: dict[str, _Slot] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self._serial = 0

    async def lease(self, key: str, make: Callable[[], C]) -> Lease[C]:
        """Take a share in what has this key; the first one makes it.

        Args:
            key: What is shared: equal keys must mean equal things, their settings included.
            make: Makes it, also after a failure. Constructors do no work.

        Raises:
            StartFailed: It could not be started; its cause says why.
            ActorError: Its supervisor does not answer.
        """
        async with self._turn(key):
            slot = self._slots.get(key)
            if slot is None:
                slot = _Slot(key)
                self._serial += 1
                slot.child = f"{key.replace('/', '.')}.{self._serial}"
                spec = ChildSpec(slot.child, lambda: _Host(slot, make))
                try:
                    await self._supervisor.ask(StartChild(spec), _START_S)
                except BaseException:
                    await self._remove(slot.child)
                    raise
                self._slots[key] = slot
            slot.leases += 1
        return Lease(self, slot)

    async def release(self, slot: _Slot) -> None:
        """Count one share less; end what nobody shares any more.

        The share is given back also where this is cancelled while it waits for its turn: the next one to give one
        back ends what is shared.
        """
        slot.leases -= 1
        async with self._turn(slot.key):
            if slot.leases == 0 and self._slots.get(slot.key) is slot:
                del self._slots[slot.key]
                await self._remove(slot.child)

    def _turn(self, key: str) -> asyncio.Lock:
        return self._turns.setdefault(key, asyncio.Lock())

    async def _remove(self, child: str) -> None:
        with suppress(NoSuchChild):
            await self._supervisor.ask(RemoveChild(child), _STOP_S)


class _Slot:
    __slots__ = ("child", "key", "leases", "present")

    def __init__(self, key: str) -> None:
        self.key = key
        self.child = ""
        self.leases = 0
        self.present: Common | None = None


class Lease(Generic[C]):
    """A share in something; made by `Commons.lease`."""

    def __init__(self, commons: Commons, slot: _Slot) -> None:
        self._commons = commons
        self._slot: _Slot | None = slot
        self._key = slot.key

    def get(self) -> C:
        """Return what is shared as it is now; ask again after whatever may have made it fail.

        Raises:
            CommonDown: It has failed and is not up again yet, or the share was given back.
        """
        if self._slot is None or self._slot.present is None:
            raise CommonDown(self._key)
        return cast("C", self._slot.present)

    async def release(self) -> None:
        """Give the share back; the last one to do so ends it. Doing it again changes nothing."""
        slot, self._slot = self._slot, None
        if slot is not None:
            await self._commons.release(slot)


class _Host(Actor[Any]):
    """The actor around something shared."""

    start_timeout_s = _START_S
    stop_timeout_s = _STOP_S / 2

    def __init__(self, slot: _Slot, make: Callable[[], Common]) -> None:
        self._slot = slot
        self._make = make
        self._common: Common | None = None

    async def on_start(self) -> None:
        self._common = common = self._make()
        await common.start()
        self._slot.present = common
        self.context.start_task(common.run, name="run")

    async def on_stop(self, reason: BaseException | None) -> None:
        self._slot.present = None
        if self._common is not None:
            await self._common.stop()
