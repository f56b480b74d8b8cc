"""The same Idempotency-Key again: the answers that are kept, and the calls that are still in progress.

The ledger is the memory that lasts: a booking's key holds the Idempotency-Key, its evidence the answer. What
is here only spares it: recent answers, up to a number of bytes, and one flight per key at a time.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from typing import Final, TypeAlias

import msgspec

from streams.metering.account import Account
from streams.metering.answer import Answer, MeteredCall, Proof
from streams.metering.refusal import (
    CallRefused,
    IdempotencyConflict,
    IdempotencyInProgress,
    IdempotencyKeyInvalid,
)

CallName: TypeAlias = tuple[str, str]
"""A key's id and the Idempotency-Key that came with it: no customer meets another's."""

_PRINTABLE: Final = re.compile(r"[\x20-\x7e]{1,255}")
_OVERHEAD_BYTES: Final = 1024


def name_of(account: Account, idempotency_key: str) -> CallName:
    """Return what a repetition of an account's call is recognised by.

    Raises:
        IdempotencyKeyInvalid: The Idempotency-Key is not 1 to 255 printable ASCII characters.
    """
    if _PRINTABLE.fullmatch(idempotency_key) is None:
        raise IdempotencyKeyInvalid
    return account.record.id, idempotency_key


class KeptAnswer(msgspec.Struct, frozen=True):
    """An answer that was delivered, and the receipt of its booking; None where it cost nothing."""

    proof: Proof
    receipt_id: str | None


class KeptAnswers:
    """The answers used last, up to a number of bytes."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._answers: OrderedDict[CallName, KeptAnswer] = OrderedDict()

    def keep(self, name: CallName, answer: KeptAnswer) -> None:
        """Keep an answer; the ones that were not used for longest make room."""
        if (former := self._answers.pop(name, None)) is not None:
            self._bytes -= _size_of(former)
        self._answers[name] = answer
        self._bytes += _size_of(answer)
        while self._bytes > self._max_bytes:
            _, oldest = self._answers.popitem(last=False)
            self._bytes -= _size_of(oldest)

    def find(self, name: CallName) -> KeptAnswer | None:
        """Return the answer that was given before, if it is still here."""
        if (answer := self._answers.get(name)) is not None:
            self._answers.move_to_end(name)
        return answer


def _size_of(answer: KeptAnswer) -> int:
    return len(answer.proof.response.body) + _OVERHEAD_BYTES


class Flight:
    """A call with an Idempotency-Key that is being worked on; repetitions wait for it."""

    __slots__ = ("_landed", "call")

    def __init__(self, call: MeteredCall) -> None:
        self.call = call
        self._landed: asyncio.Future[Answer | CallRefused | None] = asyncio.get_running_loop().create_future()

    def land(self, outcome: Answer | CallRefused | None) -> None:
        """Tell those who wait how it ended; None where it ended without an outcome, so that one of them tries."""
        self._landed.set_result(outcome)

    async def join(self, call: MeteredCall, timeout_s: float) -> Answer | None:
        """Wait for the outcome of the first call, as a repetition of it.

        Returns:
            The answer, or None where the first call came to nothing.

        Raises:
            IdempotencyConflict: This is another request.
            IdempotencyInProgress: The first call has not ended in time.
            CallRefused: The first call was refused, and so this is.
        """
        first = self.call
        if first.digest != call.digest or first.method != call.method or first.path != call.path:
            raise IdempotencyConflict
        try:
            async with asyncio.timeout(timeout_s):
                outcome = await asyncio.shield(self._landed)
        except TimeoutError:
            raise IdempotencyInProgress from None
        if isinstance(outcome, CallRefused):
            raise outcome
        return outcome
