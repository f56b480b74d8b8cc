"""Asking an actor how it is, and what its answer means."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Any, Final

from actors import ActorError, ActorRef, Request
from orchestrator.fleet.health.probe import Probe
from orchestrator.fleet.instance import Condition
from orchestrator.fleet.view import InstanceRow

LONGEST_DETAIL: Final = 500


class Question:
    """A request that is sent at once, and how long its answer took.

    Args:
        ref: Who is asked.
        request: What.
        timeout_s: How long it may take.

    Attributes:
        took_s: How long the answer took; None while there is none.
    """

    def __init__(self, ref: ActorRef[Any], request: Request[Any], timeout_s: float):
        self.took_s: float | None = None
        # Not the loop's clock: it ticks in milliseconds, and a well actor answers in microseconds.
        self._began_s = perf_counter()
        self._reply: asyncio.Future[Any] | ActorError
        try:
            self._reply = ref.ask(request, timeout_s)
        except ActorError as error:  # it does not take such messages
            self._reply = error
        else:
            self._reply.add_done_callback(self._came)

    def _came(self, reply: asyncio.Future[Any]) -> None:
        if not reply.cancelled() and reply.exception() is None:
            self.took_s = perf_counter() - self._began_s

    async def answer(self) -> Any:
        """Return the answer, or the exception that came instead of one."""
        if isinstance(self._reply, ActorError):
            return self._reply
        try:
            answer = await self._reply
        except Exception as error:  # noqa: BLE001 - an ask passes on whatever the other side failed with
            return error
        if self.took_s is None:
            self._came(self._reply)  # several came in one turn of the loop, and this one is told of later in it
        return answer


def verdict_on(row: InstanceRow, answer: Any, question: Question) -> Probe:
    """Return what an instance's answer, or the failure that came instead, says of it."""
    if isinstance(answer, ActorError):
        return Probe("unanswered", str(answer))
    if not isinstance(answer, Condition):
        return Probe("not_ready", f"its health check failed: {type(answer).__name__}: {answer}"[:LONGEST_DETAIL])
    health = answer.health
    # A standby waits for its turn, and who was paused by hand was meant to be.
    if health.ready or answer.paused or row.state in ("paused", "standby"):
        return Probe(None, health.detail, question.took_s)
    return Probe("not_ready", health.detail or "it says that it is not ready", question.took_s)
