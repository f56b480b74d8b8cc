"""An instance as its customers and its operator see it: real HTTP on loopback, booked in the real ledger."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from multidict import CIMultiDictProxy
from structlog.testing import capture_logs

from streams.api_services.settings import ApiServicesSettings
from streams.api_services.shop import Shop
from streams.api_services.stream import ApiServices
from streams.booking import BookName
from streams.http_host import PortTaken
from streams.metering.key_store import KeyRefused, NoSuchKey
from streams.metering.plan import Plan
from streams.metering.selling import SellsByKey
from streams.stream import Limits
from tests.streams.contexts import context_for, open_commons
from tests.streams.ledgers import LedgerBench, open_ledger

IBAN = "/v1/iban?value=DE89370400440532013000"
FORM = "application/x-www-form-urlencoded"
SETTINGS = ApiServicesSettings(
    title="Checks",
    tagline="Is it valid?",
    products={"iban": "0.002", "isbn": "0", "qr": "0.01", "readable": "0.05", "diff": "0.001"},
    plans={
        "basic": Plan(rate_per_s=1000.0, burst=2000),
        "trial": Plan(rate_per_s=1.0, burst=2, quota=100, credit="0.004"),
    },
    default_plan="basic",
)


class Reply:
    """An answer, read whole."""

    def __init__(self, status: int, headers: CIMultiDictProxy[str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def json(self) -> Any:
        """Return what the body says."""
        return json.loads(self.body)

    def problem(self) -> dict[str, Any]:
        """Return the problem that the answer explains."""
        assert self.headers["content-type"] == "application/problem+json"
        members: dict[str, Any] = self.json()
        assert members["status"] == self.status
        assert set(members) >= {"type", "title", "status", "code", "detail"}
        return members


class Customer:
    """Calls an instance over HTTP.

    Attributes:
        shop: The instance.
        bench: Its ledger.
        time: The wall clock, which the test holds.
    """

    def __init__(self, shop: ApiServices, bench: LedgerBench, session: aiohttp.ClientSession) -> None:
        self.shop = shop
        self.bench = bench
        self.session = session
        self.time = datetime(2026, 11, 23, 12, tzinfo=UTC)

    async def ask(
        self,
        path: str = IBAN,
        key: str | None = None,
        *,
        method: str = "GET",
        body: object = None,
        data: bytes | None = None,
        **headers: str,
    ) -> Reply:
        """Send a request and read the whole answer."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            sent["authorization"] = f"Bearer {key}"
        if body is not None:
            data = json.dumps(body).encode()
            sent.setdefault("content-type", "application/json")
        url = f"http://127.0.0.1:{self.shop.port}{path}"
        async with self.session.request(
            method, url, data=data, headers=sent, skip_auto_headers=["content-type"], allow_redirects=False
        ) as response:
            return Reply(response.status, response.headers, await response.read())

    async def key(self, **terms: Any) -> str:
        """Make a key."""
        return (await self.shop.create_key(**terms)).key

    async def booked(self, book: BookName = "paper") -> list[str | None]:
        """Return the amounts of all transactions."""
        return [entry.amount for entry in await self.bench.entries(book)]


@asynccontextmanager
async def open_shop(
    directory: Path,
    settings: ApiServicesSettings = SETTINGS,
    *,
    book: BookName = "paper",
    limits: Limits | None = None,
    port: int = 0,
    checkpoint: bytes = b"",
) -> AsyncIterator[Customer]:
    """Start an instance in a directory, new or old, and become its customer."""
    place = directory / "instances" / "api_services-007"
    async with (
        open_ledger(directory) as bench,
        open_commons() as commons,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        customer: Customer
        shop = ApiServices(
            context_for(
                settings,
                place,
                bench.ref,
                commons,
                stream="api_services",
                instance="api_services-007",
                port=port,
                book=book,
                now=lambda: customer.time,
                monotonic=asyncio.get_running_loop().time,
                limits=limits,
            )
        )
        customer = Customer(shop, bench, session)
        shop.restore(checkpoint)
        running: asyncio.Task[None] | None = None
        try:
            await shop.start()
            running = asyncio.create_task(shop.run())
            yield customer
        finally:
            if running is not None:
                running.cancel()
                await asyncio.wait((running,))
            await shop.stop()


async def test_a_call_is_answered_charged_and_booked(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as customer:
        response = await customer.ask(IBAN, await customer.key())
        assert response.status == 200
        assert (response.json())["valid"] is True
        assert response.headers["x-charge"] == "0.002 USD"
        (entry,) = await customer.bench.entries()
        assert (entry.id, entry.amount) == (response.headers["x-receipt"], "0.002")
        assert response.headers["ratelimit-policy"] == '"rate";q=2000;w=2'
        assert response.headers["ratelimit"].startswith('"rate";r=')
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cache-control"] == "no-store"
        assert "server" not in response.headers


async def test_a_post_is_the_same_product(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as customer:
        key = await customer.key()
        get = await customer.ask(IBAN, key)
        post = await customer.ask("/v1/iban", key, method="POST", body={"value": "DE89370400440532013000"})
        assert post.json() == get.json()
        assert await customer.booked() == ["0.002", "0.002"]


async def test_a_thousand_concurrent_calls_on_a_quota_of_five_hundred(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as customer:
        key = await customer.key(quota=500)
        responses = await asyncio.gather(*(customer.ask(IBAN, key) for _ in range(1000)))
        assert Counter(response.status for response in responses) == {200: 500, 429: 500}
        assert all("retry-after" in response.headers for response in responses if response.status == 429)
        assert await customer.booked() == ["0.002"] * 500
        receipts = {response.headers.get("x-receipt") for response in responses if response.status == 200}
        assert receipts == {entry.id for entry in await customer.bench.entries()}


async def test_unknown_revoked_and_malformed_keys_get_the_same_401(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as customer:
        made = await customer.shop.create_key()
        assert (await customer.ask(IBAN, made.key)).status == 200
        await customer.shop.revoke_key(made.id)
        responses = [
            await customer.ask(IBAN, made.key),
            await customer.ask(IBAN, "ak_test_" + "0" * 38),
            await customer.ask(IBAN, "nonsense"),
            await customer.ask(IBAN),
            await customer.ask(IBAN, authorization="Basic YTpi"),
        ]
        assert {response.status for response in responses} == {401}
        assert len({response.body for response in responses}) == 1
        assert {response.headers["www-authenticate"] for response in responses} == {'Bearer realm="api"'}
        assert len(await customer.booked()) == 1


@pytest.mark.parametrize("parameter", ["key={}", "value={}", "access_token=abc", "api_key=abc", "x={}"])
async def test_a_key_in_the_address_is_refused(tmp_path: Path, parameter: str) -> None:
    async with open_shop(tmp_path) as customer:
        key = await customer.key()
        for written in (key, key.replace("_", "%5F")):
            response = await customer.ask(f"{IBAN}&{parameter.format(written)}", key)
            assert response.status == 400
            assert response.problem()["code"] == "key_in_query"
            assert key not in (response.body.decode())
        assert (await customer.ask(f"/v1/usage?{parameter.format(key)}")).status == 400
        assert await customer.booked() == []


async def test_the_same_idempotency_key_gives_the_same_answer_byte_for_byte(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as customer:
        key = await customer.key()
        body = {"value": "hello"}
        first = await customer.ask("/v1/qr", key, method="POST", body=body, idempotency_key="k")
        again = await customer.ask("/v1/qr", key, method="POST", data=b' { "value" : "hello" }', idempotency_key="k")
        other = await customer.ask("/v1/qr", key, method="POST", body={"value": "bye"}, idempotency_key="k")
        assert (first.status, again.status, other.status) == (200, 200, 409)
        assert again.body == first.body
        assert again.headers["idempotent-replayed"] == "true"
        for name in ("x-receipt", "x-charge", "content-type"):
            assert again.headers[name] == first.headers[name]
        assert await customer.booked() == ["0.01"]


async def test_an_idempotency_key_covers_the_path_and_the_method(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as customer:
        key = await customer.key()
        assert (await customer.ask(IBAN, key, idempotency_key="k")).status == 200
        body = {"value": "DE89370400440532013000"}
        post = await customer.ask("/v1/iban", key, method="POST", body=body, idempotency_key="k")
        isbn = await customer.ask("/v1/isbn?value=9780306406157", key, idempotency_key="k")
        assert (post.status, isbn.status) == (409, 409)
        assert (await customer.ask(IBAN, key, idempotency_key="x" * 256)).status == 400


def malformed(customer: Customer, key: str, **headers: str) -> list[Awaitable[Reply]]:
    """Return requests that no product could be called with, for various reasons."""
    return [
        customer.ask("/v1/iban", key, **headers),
        customer.ask("/v1/iban?" + "&".join("a=b" for _ in range(65)), key, **headers),
        customer.ask("/v1/iban", key, method="POST", data=b"{", **headers),
        customer.ask("/v1/iban", key, method="POST", body={"valu": "x"}, **headers),
        customer.ask("/v1/iban", key, method="POST", data=b"a=b", content_type="text/plain", **headers),
    ]


async def test_a_used_idempotency_key_is_a_conflict_also_for_a_malformed_request(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as customer:
        key = await customer.key()
        assert (await customer.ask(IBAN, key, idempotency_key="k")).status == 200
        kept = await asyncio.gather(*malformed(customer, key, idempotency_key="k"))
    async with open_shop(tmp_path) as customer:
        booked = await asyncio.gather(*malformed(customer, key, idempotency_key="k"))
        assert [reply.status for reply in kept + booked] == [409] * 10
        assert {reply.problem()["code"] for reply in kept + booked} == {"idempotency_conflict"}
        assert (await customer.ask(IBAN, key, idempotency_key="k")).headers["idempotent-replayed"] == "true"
        assert await customer.booked() == ["0.002"]


async def test_a_malformed_request_does_not_use_its_idempotency_key_up(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as customer:
        key = await customer.key()
        for _ in range(2):
            refused = await asyncio.gather(*malformed(customer, key, idempotency_key="k"))
            assert [reply.status for reply in refused] == [422, 400, 400, 422, 415]
        response = await customer.ask(IBAN, key, idempotency_key="k")
        assert (response.status, "idempotent-replayed" in response.headers) == (200, False)


@pytest.mark.parametrize("path", [IBAN, "/v1/iban"])
async def test_an_empty_idempotency_key_is_refused_by_the_name_of_its_header(tmp_path: Path, path: str) -> None:
    async with open_shop(tmp_path) as customer:
        key = await customer.key()
        for written in ("", " "):
            reader, writer = await asyncio.open_connection("127.0.0.1", customer.shop.port)
            head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n"
            writer.write(f"{head}Idempotency-Key:{written}\r\n\r\n".encode())
            answer = (await reader.read()).decode()
            writer.close()
            await writer.wait_closed()
            assert answer.startswith("HTTP/1.1 400 ")
            problem = json.loads(answer.partition("\r\n\r\n")[2])
            assert problem["code"] == "idempotency_key_invalid"
            assert "Idempotency-Key" in problem["detail"]
        assert await customer.booked() == []


async def test_concurrent_calls_with_one_idempotency_key_are_booked_once(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as customer:
        key = await customer.key()
        responses = await asyncio.gather(*(customer.ask(IBAN, key, idempotency_key="k") for _ in range(20)))
        assert {response.status for response in responses} == {200}
        assert len({response.headers["x-receipt"] for response in responses}) == 1
        assert await customer.booked() == ["0.002"]


async def test_credit_ends_exactly_at_the_boundary_and_usage_tells(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as customer:
        key = await customer.key(credit="0.006", label="mine")
        statuses = [(await customer.ask(IBAN, key)).status for _ in range(4)]
        assert statuses == [200, 200, 200, 402]
        usage = (await customer.ask("/v1/usage", key)).json()
        assert usage["label"] == "mine"
        assert (usage["calls"], usage["spent"], usage["credit"], usage["asset"]) == (3, "0.006", "0.006", "USD")
        assert (usage["period"], usage["quota"], usage["remaining"]) == ("2026-11", None, None)
        assert usage["period_ends"] == "2026-12-01T00:00:00Z"
        assert (await customer.ask("/v1/usage")).status == 401


async def test_a_plans_rate_quota_and_credit_hold_for_its_keys(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as customer:
        key = await customer.key(plan="trial")
        responses = [await customer.ask(IBAN, key) for _ in range(3)]
        assert [response.status for response in responses] == [200, 200, 429]
        refused = responses[-1]
        assert refused.headers["retry-after"] == "1"
        members = refused.problem()
        assert (members["code"], members["title"]) == ("rate_exceeded", "Too Many Requests")
        assert members["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"


async def test_a_failed_request_is_explained_and_not_charged(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as customer:
        key = await customer.key(quota=1)
        cases: list[tuple[int, str, Reply]] = [
            (422, "invalid_request", await customer.ask("/v1/iban", key)),
            (422, "invalid_request", await customer.ask("/v1/iban?valu=x", key)),
            (400, "malformed_json", await customer.ask("/v1/iban", key, method="POST", data=b"{")),
            (400, "malformed_query", await customer.ask("/v1/iban?" + "&".join("a=b" for _ in range(65)), key)),
            (
                415,
                "unsupported_media_type",
                await customer.ask("/v1/iban", key, method="POST", data=b"a=b", content_type="text/plain"),
            ),
            (
                415,
                "unsupported_encoding",
                await customer.ask("/v1/iban", key, method="POST", body={}, content_encoding="gzip"),
            ),
        ]
        for status, code, response in cases:
            assert response.status == status
            assert response.problem()["code"] == code
        assert await customer.booked() == []
        assert (await customer.ask(IBAN, key)).status == 200


async def test_a_post_without_a_body_takes_the_parameters_from_the_query(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as customer:
        key = await customer.key()
        get = await customer.ask(IBAN, key)
        for media_type in ("application/json", FORM, "text/plain"):
            post = await customer.ask(IBAN, key, method="POST", data=b"", content_type=media_type)
            assert (post.status, post.body) == (200, get.body)
        nothing = await customer.ask("/v1/iban", key, method="POST")
        assert (nothing.status, nothing.problem()["field"]) == (422, "value")
        both = await customer.ask(IBAN, key, method="POST", body={"value": "x"})
        assert (both.status, both.problem()["field"]) == (422, "value")
        assert await customer.booked() == ["0.002"] * 4


@pytest.mark.parametrize("media_type", [FORM, f"{FORM}; charset=utf-8", "text/plain", "application/octet-stream"])
async def test_a_json_object_is_taken_whatever_it_is_called(tmp_path: Path, media_type: str) -> None:
    async with open_shop(tmp_path) as customer:
        key = await customer.key()
        data = b' \r\n{"value": "DE89370400440532013000"}'
        response = await customer.ask("/v1/iban", key, method="POST", data=data, content_type=media_type)
        assert (response.status, response.json()["valid"]) == (200, True)
        broken = await customer.ask("/v1/iban", key, method="POST", data=b'{"value"', content_type=media_type)
        assert (broken.status, broken.problem()["code"]) == (400, "malformed_json")


async def test_a_form_is_taken_where_a_query_would_be(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as customer:
        key = await customer.key()

        async def send(path: str, data: bytes) -> Reply:
            return await customer.ask(path, key, method="POST", data=data, content_type=FORM)

        spaced = await send("/v1/iban", b"value=DE89+3704%200044+0532+0130+00")
        assert (spaced.status, spaced.json()["valid"]) == (200, True)
        refused = [
            (422, "invalid_request", await send("/v1/iban", b"valu=x")),
            (422, "invalid_request", await send("/v1/iban", b"value=x&value=y")),
            (422, "invalid_request", await send(IBAN, b"value=x")),
            (400, "malformed_form", await send("/v1/iban", b"value=%ff")),
            (400, "malformed_form", await send("/v1/iban", b"&".join([b"a=b"] * 65))),
            (415, "unsupported_media_type", await send("/v1/readable", b"html=x")),
        ]
        for status, code, response in refused:
            assert (response.status, response.problem()["code"]) == (status, code)
        assert await customer.booked() == ["0.002"]


async def test_a_body_that_is_too_large_is_refused_declared_or_not(tmp_path: Path) -> None:
    async with open_shop(tmp_path, limits=Limits(max_request_bytes=1000)) as customer:
        key = await customer.key()
        body = {"value": "x" * 2000}
        declared = await customer.ask("/v1/iban", key, method="POST", body=body)
        assert declared.status == 413
        assert declared.problem()["code"] == "body_too_large"

        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(20):
                yield b" " * 100

        url = f"http://127.0.0.1:{customer.shop.port}/v1/iban"
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        async with customer.session.post(url, data=chunks(), headers=headers) as undeclared:
            assert undeclared.status == 413


async def test_an_answer_that_is_too_large_is_refused_without_charge(tmp_path: Path) -> None:
    async with open_shop(tmp_path, limits=Limits(max_response_bytes=2000)) as customer:
        key = await customer.key()
        body = {"value": "hello " * 50, "format": "png", "scale": 20}
        response = await customer.ask("/v1/qr", key, method="POST", body=body)
        assert response.status == 413
        assert response.problem()["code"] == "answer_too_large"
        assert await customer.booked() == []


async def test_a_ledger_that_cannot_book_makes_503_and_recovers_by_itself(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as customer:
        key = await customer.key(quota=1, credit="0.002")
        customer.bench.faults.fault = "unavailable"
        refused = await customer.ask(IBAN, key)
        assert (refused.status, refused.headers["retry-after"]) == (503, "7")
        assert "x-charge" not in refused.headers
        customer.bench.faults.clear()
        assert (await customer.ask(IBAN, key)).status == 200
        assert await customer.booked() == ["0.002"]


async def test_free_products_and_own_traffic_are_served_and_not_booked(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as customer:
        made = await customer.shop.create_key(quota=2)
        free = await customer.ask("/v1/isbn?value=9780306406157", made.key)
        own = await customer.ask(IBAN, await customer.key(own=True))
        for response in (free, own):
            assert response.status == 200
            assert "x-charge" not in response.headers
        assert await customer.booked() == []
        checkpoint = customer.shop.checkpoint()
    async with open_shop(tmp_path, checkpoint=checkpoint) as customer:
        usage = (await customer.ask("/v1/usage", made.key)).json()
        assert (usage["calls"], usage["remaining"]) == (1, 1)


async def test_keys_and_quota_survive_a_restart(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as customer:
        key = await customer.key(quota=3)
        for _ in range(2):
            assert (await customer.ask(IBAN, key)).status == 200
    async with open_shop(tmp_path) as customer:
        assert [(await customer.ask(IBAN, key)).status for _ in range(2)] == [200, 429]
        customer.time += timedelta(days=8)
        assert (await customer.ask(IBAN, key)).status == 200


async def test_a_long_product_runs_beside_short_ones(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as customer:
        key = await customer.key()
        html = "<html><body><article>" + "<p>Some words to read.</p>" * 300 + "</article></body></html>"
        long, short = await asyncio.gather(
            customer.ask("/v1/readable", key, method="POST", body={"html": html}), customer.ask(IBAN, key)
        )
        assert (long.status, short.status) == (200, 200)
        assert sorted(filter(None, await customer.booked())) == ["0.002", "0.05"]


async def test_work_that_takes_too_long_is_given_up_without_charge(tmp_path: Path) -> None:
    async with open_shop(tmp_path, limits=Limits(request_timeout_s=0.0)) as customer:
        key = await customer.key(quota=1)
        response = await customer.ask("/v1/readable", key, method="POST", body={"html": "<p>x</p>"})
        assert response.status == 503
        assert response.problem()["code"] == "timed_out"
        assert await customer.booked() == []
        assert (await customer.ask(IBAN, key)).status == 200


async def test_a_customer_who_leaves_in_the_middle_of_a_request_is_not_charged(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as customer:
        key = await customer.key()
        _, writer = await asyncio.open_connection("127.0.0.1", customer.shop.port)
        head = f"POST /v1/iban HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: 50\r\n\r\n"
        writer.write(head.encode() + b'{"value":')
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        while customer.shop.describe()["http"]["connections"]:
            await asyncio.sleep(0.001)
        assert await customer.booked() == []
        assert (await customer.ask(IBAN, key)).status == 200


async def test_a_defect_of_a_product_is_logged_answered_500_and_not_charged(tmp_path: Path) -> None:
    def fail(_: object, __: datetime) -> object:
        raise ZeroDivisionError

    async with open_shop(tmp_path) as customer:
        key = await customer.key(quota=1)
        host = customer.shop._front._host
        assert host is not None
        shop: Shop = host._app_state["served"]
        offers = dict(shop._offers)
        broken = msgspec.structs.replace(offers["iban"], product=dataclasses.replace(offers["iban"].product, run=fail))
        shop._offers = {"iban": broken}
        await shop._heavy_work.prepare(offers["iban"].product)
        with capture_logs() as logs:
            response = await customer.ask(IBAN, key)
        assert (response.status, response.problem()["code"]) == (500, "internal")
        assert [entry["event"] for entry in logs] == ["request.failed"]
        assert isinstance(logs[0]["exc_info"], ZeroDivisionError)
        shop._offers = offers
        assert (await customer.ask(IBAN, key)).status == 200
        assert await customer.booked() == ["0.002"]


async def test_an_unknown_product_names_the_nearest(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as customer:
        near = await customer.ask("/v1/iban2", await customer.key())
        far = await customer.ask("/v1/zzzz")
        assert (near.status, far.status) == (404, 404)
        assert "did you mean 'iban'?" in near.problem()["detail"]
        assert "iban, " in far.problem()["detail"]
        # In the catalogue, but not sold here.
        assert (await customer.ask("/v1/vat?value=DE136695976")).status == 404


async def test_other_paths_and_methods_are_refused_with_problem_details(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as customer:
        nothing = await customer.ask("/nothing/here")
        assert (nothing.status, nothing.problem()["code"]) == (404, "http_404")
        wrong = await customer.ask("/v1/iban", method="DELETE")
        assert (wrong.status, wrong.problem()["code"]) == (405, "http_405")
        assert {"GET", "POST"} <= set(wrong.headers["allow"].replace(" ", "").split(","))
        assert (await customer.ask(IBAN, method="HEAD")).status == 405
        options = await customer.ask("/v1/iban", method="OPTIONS")
        assert options.status == 204
        assert {"GET", "POST"} <= set(options.headers["allow"].replace(" ", "").split(","))
        assert "access-control-allow-origin" not in options.headers


async def test_the_public_pages_need_no_key(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as customer:
        health = await customer.ask("/healthz")
        assert (health.status, health.json()) == (200, {"status": "ok", "instance": "api_services-007"})
        openapi = await customer.ask("/openapi.json")
        assert set(openapi.json()["paths"]) >= {"/v1/iban", "/v1/qr"}
        assert f":{customer.shop.port}" in openapi.body.decode()
        docs = await customer.ask("/")
        assert (docs.status, docs.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "Checks" in docs.body.decode()
        assert "default-src 'none'" in docs.headers["content-security-policy"]
        for path in ("/healthz", "/openapi.json", "/"):
            head = await customer.ask(path, method="HEAD")
            assert (head.status, head.body) == (200, b"")
            assert int(head.headers["content-length"]) > 0


async def test_a_paused_instance_says_so_and_serves_again_when_resumed(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as customer:
        key = await customer.key()
        customer.shop.pause()
        refused = await customer.ask(IBAN, key)
        assert (refused.status, refused.headers["retry-after"]) == (503, "5")
        health = await customer.ask("/healthz")
        assert (health.status, health.json()["status"]) == (503, "paused")
        assert not customer.shop.health().ready
        customer.shop.resume()
        assert (await customer.ask(IBAN, key)).status == 200
        assert customer.shop.health().ready


async def test_stopping_finishes_the_request_in_progress(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as customer:
        key = await customer.key()
        customer.bench.faults.fault = "stalled"
        asking = asyncio.create_task(customer.ask(IBAN, key))
        while customer.bench.faults.submitted == 0:
            await asyncio.sleep(0.001)
        stopping = asyncio.create_task(customer.shop.stop())
        await asyncio.sleep(0.01)
        assert not stopping.done()
        customer.bench.faults.clear()
        response = await asking
        await stopping
        assert (response.status, response.headers["connection"]) == (200, "close")
        assert await customer.booked() == ["0.002"]
        assert not customer.shop.health().ready


async def test_a_taken_port_fails_the_start(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as customer:
        port = customer.shop.port
        (tmp_path / "other").mkdir()
        with pytest.raises(PortTaken, match=str(port)):
            async with open_shop(tmp_path / "other", port=port):
                pytest.fail("it must not start")


async def test_the_operator_makes_lists_and_revokes_keys(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as customer:
        shop = customer.shop
        assert isinstance(shop, SellsByKey)
        made = await shop.create_key(plan="trial", label="Anna", rate=5.5, quota=7, credit="1.5")
        (info,) = shop.list_keys()
        assert (info.id, info.plan, info.label, info.book) == (made.id, "trial", "Anna", "paper")
        assert (info.rate_per_s, info.burst, info.quota, info.credit, info.asset) == (5.5, 6, 7, "1.50", "USD")
        assert made.key.startswith(info.display.rstrip("…"))
        assert info.revoked_at is None
        await shop.revoke_key(made.id)
        assert shop.list_keys()[0].revoked_at == customer.time
        with pytest.raises(NoSuchKey):
            await shop.revoke_key("key_unknown")


@pytest.mark.parametrize(
    ("terms", "complaint"),
    [
        ({"plan": "gold"}, "no plan 'gold' here; there are basic, trial"),
        ({"quota": -1}, "quota"),
        ({"rate": 0.0}, "rate"),
        ({"rate": float("nan")}, "rate"),
        ({"credit": "ten"}, "not a decimal amount"),
        ({"credit": "-1"}, "credit"),
        ({"book": "live"}, "makes no live keys"),
    ],
)
async def test_a_key_that_makes_no_sense_is_refused(tmp_path: Path, terms: dict[str, Any], complaint: str) -> None:
    async with open_shop(tmp_path) as customer:
        with pytest.raises(KeyRefused, match=complaint):
            await customer.shop.create_key(**terms)
        assert customer.shop.list_keys() == ()


async def test_an_instance_in_live_makes_live_keys_and_books_there(tmp_path: Path) -> None:
    async with open_shop(tmp_path, book="live") as customer:
        live, paper = await customer.key(), await customer.key(book="paper")
        assert (live[:8], paper[:8]) == ("ak_live_", "ak_test_")
        for key in (live, paper):
            assert (await customer.ask(IBAN, key)).status == 200
        assert (await customer.booked("live"), await customer.booked("paper")) == (["0.002"], ["0.002"])


async def test_the_funnel_and_the_description_tell_what_happened(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as customer:
        key = await customer.key()
        await customer.ask(IBAN, key)
        await customer.ask("/v1/iban", key)
        funnel = customer.shop.funnel()
        assert [funnel[step] for step in ("requests", "authenticated", "admitted", "delivered", "booked")] == [
            2,
            2,
            1,
            1,
            1,
        ]
        assert funnel["refused_invalid_request"] == 1
        description = customer.shop.describe()
        assert (description["keys"], description["http"]["requests"]) == (1, 2)
