"""What a paid call does: it is answered, it is booked, and both only once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, TypeAlias

import aiohttp
import pytest

from tests.end_to_end.daemon_process import IBAN, DaemonProcess
from tests.end_to_end.http_calls import request

FIRST: Final = "api_services-001"

NewEntries: TypeAlias = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def daemon(shared_daemon: DaemonProcess) -> DaemonProcess:
    return shared_daemon


@pytest.fixture
def new_entries(daemon: DaemonProcess) -> NewEntries:
    """Return what was booked since the test began."""
    before = len(list(daemon.entries()))
    return lambda: list(daemon.entries())[before:]


def books(daemon: DaemonProcess) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = daemon.call("system.status")["books"]
    return found


def test_a_call_books_exactly_its_price_with_its_evidence(daemon: DaemonProcess, new_entries: NewEntries) -> None:
    key = daemon.key(FIRST, label="a customer")
    price = daemon.call("fleet.get", {"id": FIRST})["settings"]["products"]["iban"]
    reply = daemon.buy(FIRST, key)
    assert reply.status == 200
    assert reply.json()["valid"] is True
    assert reply.headers["x-charge"] == f"{price} USD"
    assert reply.headers["ratelimit-policy"]

    (entry,) = new_entries()
    assert entry["id"] == reply.headers["x-receipt"]
    assert (entry["amount"], entry["asset"], entry["book"], entry["state"]) == (price, "USD", "paper", "posted")
    assert (entry["stream"], entry["instance"], entry["kind"]) == ("api_services", FIRST, "api.call")
    assert sum(Decimal(posting["amount"]) for posting in entry["postings"]) == 0
    assert entry["evidence"]["kind"] == "api.response"
    assert len(bytes.fromhex(entry["evidence"]["digest"].removeprefix("sha256:"))) == 32
    assert daemon.call("ledger.verify")["ok"] is True
    total = sum(Decimal(each["amount"]) for each in daemon.entries())
    assert {book: {asset: Decimal(net) for asset, net in nets.items()} for book, nets in books(daemon).items()} == {
        "paper": {"USD": total},
        "live": {},
    }
    (item,) = daemon.call("ledger.totals", {"book": "paper", "by": "instance"})["items"]
    assert (item["kind"], Decimal(item["amount"]), item["instance"]) == ("income", total, FIRST)

    revenue_log = daemon.home / "instances" / FIRST / "revenue_log.txt"
    deadline_s = time.monotonic() + 5
    while not revenue_log.exists() or entry["id"] not in revenue_log.read_text():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def test_a_post_is_the_same_call(daemon: DaemonProcess, new_entries: NewEntries) -> None:
    key = daemon.key(FIRST)
    reply = request(daemon.port(FIRST), "/v1/iban", key=key, body={"value": "DE89 3704 0044 0532 0130 00"})
    assert (reply.status, reply.json()["valid"]) == (200, True)
    wrong = request(daemon.port(FIRST), "/v1/iban", key=key, body={"value": "DE89370400440532013001"})
    assert (wrong.status, wrong.json()["valid"]) == (200, False)
    assert [entry["id"] for entry in new_entries()] == [reply.headers["x-receipt"], wrong.headers["x-receipt"]]


def test_the_same_idempotency_key_books_once_and_another_body_under_it_is_refused(
    daemon: DaemonProcess, new_entries: NewEntries
) -> None:
    key, port = daemon.key(FIRST), daemon.port(FIRST)
    body = {"value": "DE89370400440532013000"}
    first, again = (request(port, "/v1/iban", key=key, body=body, idempotency_key="order-7") for _ in range(2))
    assert first.status == again.status == 200
    assert first.body == again.body
    assert first.headers["x-receipt"] == again.headers["x-receipt"]
    other = request(port, "/v1/iban", key=key, body={"value": "FR7630006000011234567890189"}, idempotency_key="order-7")
    assert other.status == 409
    assert [entry["id"] for entry in new_entries()] == [first.headers["x-receipt"]]

    daemon.restart()
    after = request(port, "/v1/iban", key=key, body=body, idempotency_key="order-7")
    assert (after.status, after.body) == (200, first.body)
    assert after.headers["x-receipt"] == first.headers["x-receipt"]
    assert request(port, "/v1/iban?value=x", key=key, idempotency_key="order-7").status == 409
    assert len(new_entries()) == 1


def test_who_may_not_call_is_told_why_and_nothing_is_booked(daemon: DaemonProcess, new_entries: NewEntries) -> None:
    port = daemon.port(FIRST)
    assert request(port, IBAN).status == 401
    assert request(port, IBAN, key="ak_test_" + "x" * 38).status == 401
    assert request(port, IBAN, key=daemon.key("api_services-002")).status == 401
    assert request(port, IBAN, key=daemon.key(FIRST, credit="0.001")).status == 402
    revoked = daemon.call("keys.create", {"instance": FIRST})
    daemon.call("keys.revoke", {"instance": FIRST, "id": revoked["id"]})
    assert request(port, IBAN, key=revoked["key"]).status == 401
    assert new_entries() == []


def test_a_key_over_its_quota_or_rate_is_told_when_to_come_again(
    daemon: DaemonProcess, new_entries: NewEntries
) -> None:
    port = daemon.port(FIRST)
    for terms in ({"quota": 2, "rate": 1000}, {"rate": 2}):
        key = daemon.key(FIRST, **terms)
        statuses = [request(port, IBAN, key=key).status for _ in range(2)]
        refused = request(port, IBAN, key=key)
        assert (statuses, refused.status) == ([200, 200], 429)
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.headers["ratelimit-remaining"] == "0"
        assert {"ratelimit", "ratelimit-policy", "ratelimit-limit", "ratelimit-reset"} <= refused.headers.keys()
    assert len(new_entries()) == 4


async def test_a_thousand_calls_at_once_on_a_quota_of_500_book_exactly_500(
    daemon: DaemonProcess, new_entries: NewEntries
) -> None:
    key = await asyncio.to_thread(daemon.key, FIRST, quota=500, rate=100_000)
    port = await asyncio.to_thread(daemon.port, FIRST)
    statuses: Counter[int] = Counter()
    receipts: set[str] = set()
    gate = asyncio.Event()
    async with aiohttp.ClientSession(
        f"http://127.0.0.1:{port}",
        headers={"Authorization": f"Bearer {key}"},
        connector=aiohttp.TCPConnector(limit=250),
    ) as session:

        async def call() -> None:
            await gate.wait()
            async with session.get(IBAN) as answer:
                await answer.read()
                statuses[answer.status] += 1
                if answer.status == 200:
                    receipts.add(answer.headers["X-Receipt"])
                else:
                    assert int(answer.headers["Retry-After"]) >= 1

        async with asyncio.TaskGroup() as group:
            for _ in range(1000):
                group.create_task(call())
            gate.set()
        async with session.get("/v1/usage") as answer:
            usage = await answer.json()
    assert statuses == {200: 500, 429: 500}
    booked = await asyncio.to_thread(new_entries)
    assert len(booked) == 500
    assert {entry["id"] for entry in booked} == receipts
    assert (usage["calls"], usage["remaining"]) == (500, 0)


@pytest.mark.parametrize("path", ["/healthz", "/openapi.json"])
def test_what_is_free_needs_no_key(daemon: DaemonProcess, path: str) -> None:
    assert request(daemon.port(FIRST), path).status == 200
