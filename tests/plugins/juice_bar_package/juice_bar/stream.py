"""A bar: `GET /juice` is a glass, booked with its receipt. Its settings say how well it is run."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from streams.booking import Book, BookingRejected, Evidence, LedgerUnavailable, Posting
from streams.http_answer import JSON_TYPE, HttpAnswer, problem_answer
from streams.http_app import health_answer
from streams.http_host import HttpApp, HttpHost
from streams.stream import Health, Stream

MICRO_USD = 2_000_000


class BarSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a bar is run.

    Attributes:
        sign: What stands above the door.
        squeeze_s: How long a glass takes.
        jams_every: The press jams at every so many glasses; 0 for never.
        receipts: Whether there is a receipt for each glass, by which it can be booked.
    """

    sign: str
    squeeze_s: float = 0.0
    jams_every: int = 0
    receipts: bool = True


class Bar(Stream[BarSettings]):
    """One bar."""

    settings_type = BarSettings

    @classmethod
    def blueprint(cls, n: int) -> Sequence[BarSettings]:
        return [BarSettings(f"No. {number}") for number in range(1, n + 1)]

    async def start(self) -> None:
        context = self.context
        self.glasses, self.opened = 0, context.now().isoformat()
        self.host = HttpHost(HttpApp(serve), context.host, context.port, {"bar": self}, traffic=context.traffic)
        await self.host.start()

    async def stop(self) -> None:
        if hasattr(self, "host"):
            await self.host.close(3.0)

    def health(self) -> Health:
        return Health(ready=True)

    async def pour(self) -> HttpAnswer:
        settings, me = self.context.settings, self.context
        self.glasses += 1
        number = f"{self.opened}/{self.glasses}"
        await asyncio.sleep(settings.squeeze_s)
        if settings.jams_every and self.glasses % settings.jams_every == 0:
            return problem_answer(500, "the press is jammed", code="jammed")
        receipt = f"one juice, number {number}".encode() if settings.receipts else b""
        booking = Book(
            f"{me.id}/{number}",
            me.book,
            "juice",
            self.name,
            me.id,
            me.now(),
            (
                Posting(f"asset:cash:{me.id}", "USD", MICRO_USD),
                Posting(f"income:{self.name}:{me.id}", "USD", -MICRO_USD),
            ),
            Evidence("bar.receipt", number, receipt),
        )
        try:
            await me.ledger.ask(booking, timeout=5)
        except BookingRejected:
            return HttpAnswer(200, JSON_TYPE, b'{"price": "on the house"}')
        except LedgerUnavailable as error:
            return problem_answer(503, str(error), code="later", headers=[(b"retry-after", b"5")])
        return HttpAnswer(200, JSON_TYPE, b'{"price": "2.00 USD"}')


class GoodBar(Bar):
    name = "juice_good"


class SlowBar(Bar):
    name = "juice_slow"


class JammedBar(Bar):
    name = "juice_jammed"


class UnprovenBar(Bar):
    name = "juice_unproven"


class SilentBar(Bar):
    name = "juice_silent"


async def serve(scope: Any, receive: Any, send: Any) -> None:
    """Answer what comes to any bar of the process."""
    bar: Bar = scope["state"]["bar"]
    if scope["path"] == "/juice":
        answer = await bar.pour()
    elif scope["path"] == "/healthz":
        answer = health_answer(bar.context.id, bar.health())
    else:
        answer = problem_answer(404, "there is only /juice here", code="http_404")
    await answer(scope, receive, send)
