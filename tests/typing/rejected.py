"""What type checkers must reject: every line marked `# E:` with mypy's code, and no other."""

from __future__ import annotations

import asyncio

from actors import Actor, ActorRef, ActorSystem, ChildSpec, Message, Request, on


class Deposit(Message, frozen=True):
    cents: int


class Balance(Request[int], frozen=True):
    pass


class Unknown(Message, frozen=True):
    pass


class Weather(Request[str], frozen=True):
    pass


# -- wrong messages -------------------------------------------------------------------------------------------


async def wrong_messages(ref: ActorRef[Deposit | Balance], narrow: ActorRef[Deposit]) -> None:
    ref.tell(Unknown())  # E: arg-type
    ref.tell("deposit")  # E: arg-type
    ref.tell(Weather())  # E: arg-type
    narrow.tell(Balance())  # E: arg-type
    await ref.send(Unknown())  # E: arg-type
    wider: ActorRef[Deposit | Balance | Unknown] = ref  # E: assignment
    wider.tell(Unknown())


# -- wrong requests and replies -------------------------------------------------------------------------------


async def wrong_requests(ref: ActorRef[Deposit | Balance], narrow: ActorRef[Deposit]) -> None:
    await ref.ask(Weather(), timeout=1)  # E: arg-type
    await narrow.ask(Balance(), timeout=1)  # E: arg-type
    await ref.ask(Deposit(1), timeout=1)  # E: arg-type
    text: str = await ref.ask(Balance(), timeout=1)  # E: arg-type
    number: int = ref.ask(Balance(), timeout=1)  # E: assignment
    print(text, number)


# -- wrong handlers -------------------------------------------------------------------------------------------


class WrongResult(Actor[Balance]):
    @on(Balance)  # E: arg-type
    def balance(self, message: Balance) -> str:
        return "much"


class WrongAsyncResult(Actor[Balance]):
    @on(Balance)  # E: arg-type
    async def balance(self, message: Balance) -> str:
        return "much"


class WrongDeferredResult(Actor[Balance]):
    @on(Balance)  # E: arg-type
    def balance(self, message: Balance) -> asyncio.Future[str]:
        return asyncio.get_running_loop().create_future()


class WrongArgument(Actor[Deposit]):
    @on(Deposit)  # E: arg-type
    def deposit(self, message: Unknown) -> None: ...


class WrongAsyncArgument(Actor[Deposit]):
    @on(Deposit)  # E: arg-type
    async def deposit(self, message: Unknown) -> None: ...


class ResultOfAMessage(Actor[Deposit]):
    @on(Deposit)  # E: arg-type
    def deposit(self, message: Deposit) -> int:
        return message.cents


class NoResultOfARequest(Actor[Balance]):
    @on(Balance)  # E: arg-type
    def balance(self, message: Balance) -> None: ...


class NotAMessage(Actor[Deposit]):
    @on(str)  # E: arg-type
    def text(self, message: str) -> None: ...


# -- wrong references -----------------------------------------------------------------------------------------


class Account(Actor[Deposit | Balance]):
    @on(Deposit)
    def deposit(self, message: Deposit) -> None:
        self.context.schedule(1.0, Unknown())  # E: arg-type

    @on(Balance)
    def balance(self, message: Balance) -> int:
        return 0


async def wrong_references(system: ActorSystem) -> None:
    ref: ActorRef[Unknown] = await system.spawn(ChildSpec("account", Account))  # E: arg-type
    ref.tell(Unknown())
    account = await system.spawn(Account, name="account")
    account.tell(Unknown())  # E: arg-type
