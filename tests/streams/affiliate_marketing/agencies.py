"""A real instance on loopback with a real ledger, and a network that signs what the test makes it say."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

import aiohttp
import msgspec

from orchestrator.money.report import Entry
from streams.affiliate_marketing.caps import Cap
from streams.affiliate_marketing.settings import AffiliateMarketingSettings, Campaign, Link, Network, Offer
from streams.affiliate_marketing.stream import AffiliateMarketing
from streams.booking import BookName
from streams.far_sides import FarSide, FarSides
from streams.money import format_amount, parse_amount
from streams.webhooks import sign
from tests.streams.contexts import context_for, open_commons
from tests.streams.ledgers import LedgerBench, open_ledger

KEY = b"a network's signing key, 32 bytes"
SECRET = "whsec_" + b64encode(KEY).decode()
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"
)
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def offer(**changes: Any) -> Offer:
    """Return an offer of the network `acme`."""
    usual = Offer(
        merchant="Hearthside",
        title="Kettles",
        network="acme",
        destination="https://shop.example/kettles?ref=us",
        click_parameter="clid",
        commission="4.00",
        max_commission="20.00",
        window_hours=24,
    )
    return msgspec.structs.replace(usual, **changes)


def settings(
    offers: dict[str, Offer] | None = None,
    *,
    fallback: str | None = None,
    rotated: tuple[str, ...] | None = None,
    networks: dict[str, Network] | None = None,
) -> AffiliateMarketingSettings:
    """Return an agency with one campaign and one link, `kettle`."""
    offers = offers if offers is not None else {"kettles": offer()}
    return AffiliateMarketingSettings(
        title="Kettle & Crumb",
        tagline="",
        networks=networks if networks is not None else {"acme": Network("Acme", secret="ACME_SECRET")},
        offers=offers,
        campaigns={"best": Campaign("Kettles", rotated or tuple(offers), fallback, {"s1": "pub1"})},
        links={"kettle": Link("best", "The kettle")},
    )


CAPPED = settings(
    {"capped": offer(cap=Cap(total=100)), "rest": offer(destination="https://rest.example/")},
    rotated=("capped",),
    fallback="rest",
)


class Visit(msgspec.Struct, frozen=True):
    """What a visitor got."""

    status: int
    location: str
    headers: dict[str, str]

    @property
    def click_id(self) -> str | None:
        """The click id in the location; None where there is none."""
        found = parse_qs(urlsplit(self.location).query).get("clid")
        return found[0] if found else None


class Agency:
    """An instance under test.

    Attributes:
        stream: The instance.
        bench: Its ledger.
        session: The visitors' HTTP client.
        time: The wall clock, which the test holds.
        secrets: What is in `.env`.
    """

    def __init__(self, bench: LedgerBench, session: aiohttp.ClientSession) -> None:
        self.stream: AffiliateMarketing
        self.bench = bench
        self.session = session
        self.time = NOW
        self.secrets = {"ACME_SECRET": SECRET}
        self._postbacks = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.stream.port}"

    async def visit(
        self, path: str = "/c/kettle", agent: str | None = CHROME, method: str = "GET", **headers: str
    ) -> Visit:
        """Follow a link, up to the redirect."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if agent is not None:
            sent["User-Agent"] = agent
        async with self.session.request(
            method, self.url + path, headers=sent, skip_auto_headers=["User-Agent"], allow_redirects=False
        ) as response:
            await response.read()
            found = {name.lower(): value for name, value in response.headers.items()}
            return Visit(response.status, response.headers.get("Location", ""), found)

    async def click(self, agent: str = CHROME) -> str:
        """Follow the link, and return the click's id."""
        visit = await self.visit(agent=agent)
        assert visit.status == 302
        assert visit.click_id is not None
        return visit.click_id

    def event(
        self,
        click_id: str,
        status: str = "pending",
        order_id: str = "order-1",
        commission: str = "4.00",
        *,
        at: timedelta = timedelta(),
        ordered: timedelta = timedelta(minutes=1),
        **data: Any,
    ) -> bytes:
        """Return what a network says of an order."""
        said = {
            "order_id": order_id,
            "click_id": click_id,
            "commission": commission,
            "currency": "USD",
            "ordered_at": (NOW + ordered).isoformat(),
            **data,
        }
        event = {"type": f"conversion.{status}", "timestamp": (NOW + at).isoformat(), "data": said}
        return json.dumps(event).encode()

    async def post(
        self,
        body: bytes,
        webhook_id: str | None = None,
        *,
        key: bytes = KEY,
        signed_at: datetime | None = None,
        path: str = "/postback/acme",
        **headers: str,
    ) -> tuple[int, dict[str, Any]]:
        """Send a signed postback; return the answer's status and body."""
        if webhook_id is None:
            self._postbacks += 1
            webhook_id = f"msg_{self._postbacks}"
        timestamp_s = int((signed_at or self.time).timestamp())
        sent = {
            "webhook-id": webhook_id,
            "webhook-timestamp": str(timestamp_s),
            "webhook-signature": sign(key, webhook_id, timestamp_s, body),
            "content-type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        async with self.session.post(self.url + path, data=body, headers=sent) as response:
            answer: dict[str, Any] = json.loads(await response.read())
            return response.status, answer

    async def report(self, click_id: str, status: str = "pending", **event: Any) -> None:
        """Send a postback that is accepted."""
        answer = await self.post(self.event(click_id, status, **event))
        assert answer[0] == 200, answer
        assert answer[1]["result"] == "accepted", answer

    async def quarantine(self) -> list[str]:
        """Return why postbacks are in quarantine, oldest first."""
        return [each["reason"] for each in await self.act("quarantine")]

    async def act(self, action: str, **arguments: Any) -> Any:
        """Do what an operator may ask."""
        return await self.stream.act(msgspec.convert(arguments, AffiliateMarketing.actions[action]))

    async def entries(self) -> list[Entry]:
        """Return all transactions, oldest first."""
        return await self.bench.entries()

    async def sums(self) -> dict[str, str]:
        """Return what the accounts hold, all lines that count together: by account and state of the line."""
        return await sums(self.bench)


class Books(Protocol):
    """Transactions, or some of them."""

    async def entries(self) -> list[Entry]: ...


async def sums(bench: Books) -> dict[str, str]:
    """Return the balances: `earned`, `expected`, `paid`, `due`; zeroes are left out."""
    totals = {"earned": 0, "expected": 0, "paid": 0, "due": 0}
    for entry in await bench.entries():
        pending = entry.state in ("pending", "voided", "expired") or entry.kind == "affiliate.pending"
        for posting in entry.postings:
            units = parse_amount(posting.amount, posting.asset)
            if pending:
                totals["expected"] -= units if posting.account.startswith("income:") and entry.state == "pending" else 0
            elif posting.account.startswith("income:"):
                totals["earned"] -= units
            elif posting.account.startswith("asset:cash:"):
                totals["paid"] += units
            else:
                totals["due"] += units
    return {name: format_amount(units, "USD") for name, units in totals.items() if units}


@asynccontextmanager
async def open_agency(
    directory: Path,
    chosen: AffiliateMarketingSettings | None = None,
    *,
    checkpoint: bytes = b"",
    far_sides: tuple[FarSide, ...] = (),
    time: datetime = NOW,
    book: BookName = "paper",
) -> AsyncIterator[Agency]:
    """Start an instance in a directory, new or old."""
    known = FarSides()
    for far_side in far_sides:
        known.add(far_side)
    async with (
        open_ledger(directory) as bench,
        open_commons() as commons,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        agency = Agency(bench, session)
        agency.time = time
        agency.stream = AffiliateMarketing(
            context_for(
                chosen if chosen is not None else settings(),
                directory / "instances" / "affiliate_marketing-001",
                bench.ref,
                commons,
                stream="affiliate_marketing",
                now=lambda: agency.time,
                secret=lambda name: agency.secrets.get(name),
                far_sides=known,
                book=book,
            )
        )
        agency.stream.restore(checkpoint)
        running: asyncio.Task[None] | None = None
        try:
            await agency.stream.start()
            running = asyncio.create_task(agency.stream.run())
            yield agency
        finally:
            if running is not None:
                running.cancel()
                await asyncio.wait((running,))
            await agency.stream.stop()
