"""What type checkers must accept without a word."""

from __future__ import annotations

import asyncio
from typing import assert_type

from actors import Actor, ActorRef, ActorSystem, ChildSpec, Message, Request, StartChild, Supervisor, on


class Deposit(Message, frozen=True):
    cents: int


class Balance(Request[int], frozen=True):
    pass


class Statement(Request[list[str]], frozen=True):
    lines: int


class Flush(Request[None], frozen=True):
    pass


class Account(Actor[Deposit | Balance | Statement | Flush]):
    def __init__(self) -> None:
        self.cents = 0

    @on(Deposit)
    def deposit(self, message: Deposit) -> None:
        self.cents += message.cents

    @on(Balance)
    def balance(self, message: Balance) -> int:
        return self.cents

    @on(Statement, urgent=True)
    async def statement(self, message: Statement) -> list[str]:
        return [str(self.cents)] * message.lines

    @on(Flush)
    def flush(self, message: Flush) -> asyncio.Future[None]:
        return self.context.answer_later(self._flush, 1.0)

    async def _flush(self, seconds: float) -> None:
        self.context.schedule(seconds, Deposit(0))
        self.context.schedule_every(seconds, Balance())
        assert_type(self.context.ref, ActorRef[Deposit | Balance | Statement | Flush])


class Auditor(Actor[Deposit]):
    @on(Deposit)
    async def audit(self, message: Deposit) -> None:
        await asyncio.sleep(0)


async def use(ref: ActorRef[Deposit | Balance | Statement | Flush]) -> None:
    ref.tell(Deposit(1))
    await ref.send(Deposit(1))
    assert_type(await ref.ask(Balance(), timeout=1), int)
    assert_type(await ref.ask(Statement(3), timeout=1), list[str])
    assert_type(ref.ask(Balance(), timeout=1), asyncio.Future[int])
    await ref.ask(Flush(), timeout=1)
    total: int = sum(await asyncio.gather(ref.ask(Balance(), timeout=1), ref.ask(Balance(), timeout=1)))
    # Whoever accepts more can stand where less is asked for.
    narrower: ActorRef[Deposit] = ref
    narrower.tell(Deposit(total))


async def spawn(system: ActorSystem) -> None:
    assert_type(await system.spawn(Account, name="account"), ActorRef[Deposit | Balance | Statement | Flush])
    assert_type(await system.spawn(ChildSpec("auditor", Auditor)), ActorRef[Deposit])
    supervisor = await system.spawn(lambda: Supervisor([ChildSpec("account", Account)]), name="supervisor")
    child = await supervisor.ask(StartChild(ChildSpec("auditor", Auditor)), timeout=1)
    child.tell(Deposit(1))
