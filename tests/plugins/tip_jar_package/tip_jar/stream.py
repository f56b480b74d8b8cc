"""The jar: takes receipts that a payment provider has signed, and books each once."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import Any

import msgspec

from streams.booking import Book, BookingRejected, Evidence, LedgerUnavailable, Posting
from streams.http_answer import JSON_TYPE, HttpAnswer, problem_answer, read_body
from streams.http_app import health_answer
from streams.http_host import HttpApp, HttpHost
from streams.stream import Health, Stream


class TipJarSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose jar it is."""

    street: str


class Tip(msgspec.Struct, frozen=True):
    """What a receipt says: the provider's number of the payment, and whole micro-dollars."""

    id: str
    micro_usd: int


def sign(secret: str, receipt: bytes) -> str:
    """Return the provider's signature of a receipt."""
    return hmac.new(secret.encode(), receipt, hashlib.sha256).hexdigest()


class TipJar(Stream[TipJarSettings]):
    """One jar. `POST /tips` with a receipt, and its signature in `X-Signature`."""

    name = "tip_jar"
    settings_type = TipJarSettings
    paper_world = "tip_jar.patrons:PatronsWorld"

    @classmethod
    def blueprint(cls, n: int) -> Sequence[TipJarSettings]:
        return [TipJarSettings(f"{number} Main Street") for number in range(1, n + 1)]

    async def start(self) -> None:
        context = self.context
        provider = context.far_sides.find("provider.tips")
        secret = context.secret("TIP_SECRET") if provider is None else provider.credentials["secret"]
        if secret is None:
            raise RuntimeError("the provider's secret is missing: set TIP_SECRET in .env")
        self.secret, self.tips = secret, 0
        self.host = HttpHost(HttpApp(serve), context.host, context.port, {"jar": self})
        await self.host.start()

    async def stop(self) -> None:
        if hasattr(self, "host"):
            await self.host.close(3.0)

    def health(self) -> Health:
        return Health(ready=True)

    def funnel(self) -> dict[str, int]:
        return {"tips": self.tips}

    async def take(self, receipt: bytes, signature: bytes) -> HttpAnswer:
        if not hmac.compare_digest(sign(self.secret, receipt).encode(), signature):
            return problem_answer(401, "this is not the provider's signature", code="forged")
        tip, me = msgspec.json.decode(receipt, type=Tip), self.context
        postings = (
            Posting(f"asset:clearing:{me.id}", "USD", tip.micro_usd),
            Posting(f"income:{self.name}:{me.id}", "USD", -tip.micro_usd),
        )
        evidence = Evidence("provider.receipt", tip.id, receipt)
        booking = Book(tip.id, me.book, "tip", self.name, me.id, me.now(), postings, evidence)
        try:
            booked = await me.ledger.ask(booking, timeout=5)
        except BookingRejected as rejection:
            return problem_answer(409, str(rejection), code="rejected")
        except LedgerUnavailable as error:
            return problem_answer(503, str(error), code="later", headers=[(b"retry-after", b"5")])
        self.tips += not booked.replayed
        return HttpAnswer(200, JSON_TYPE, msgspec.json.encode({"transaction": booked.id}))


async def serve(scope: Any, receive: Any, send: Any) -> None:
    """Answer what comes to any jar of the process."""
    jar: TipJar = scope["state"]["jar"]
    if scope["path"] == "/tips" and scope["method"] == "POST":
        headers = dict(scope["headers"])
        body = await read_body(receive, headers.get(b"content-length"), 4096)
        answer = await jar.take(body, headers.get(b"x-signature", b""))
    elif scope["path"] == "/healthz":
        answer = health_answer(jar.context.id, jar.health())
    else:
        answer = problem_answer(404, "there is only /tips here", code="http_404")
    await answer(scope, receive, send)
