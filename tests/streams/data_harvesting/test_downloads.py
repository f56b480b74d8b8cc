"""An instance as its customers and its operator see it: real HTTP on loopback, booked in the real ledger."""

from __future__ import annotations

import asyncio
import csv
import io
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from streams.data_harvesting.datasets.manifest import Manifest
from streams.data_harvesting.field import Field
from streams.data_harvesting.recipe import LicenceRule, Recipe
from streams.data_harvesting.record import Terms, record_of
from streams.data_harvesting.settings import DataHarvestingSettings
from streams.data_harvesting.stream import EVIDENCE_BYTES
from streams.metering.plan import Plan
from streams.metering.selling import SellsByKey
from tests.streams.data_harvesting.bench import Customer, Reply, open_customer

PAGE = "http://site.example/prices"
RECIPE = Recipe(
    title="Prices",
    description="What things cost.",
    price="0.05",
    pages=(PAGE,),
    fields={"id": Field(), "price": Field("decimal"), "note": Field(required=False)},
    key=("id",),
    licence=LicenceRule(attribution="The market"),
)
SETTINGS = DataHarvestingSettings(
    title="Prices & Co",
    tagline="Every price <today>.",
    datasets={
        "prices": RECIPE,
        "other": msgspec.structs.replace(RECIPE, title="Other", price="0.02", pages=(PAGE + "/other",)),
    },
    plans={
        "basic": Plan(rate_per_s=1000.0, burst=2000),
        "trial": Plan(rate_per_s=1000.0, burst=2000, quota=2, credit="0.12"),
    },
    default_plan="basic",
    keep_versions=3,
)
LATEST = "/v1/datasets/prices/latest"


async def stock(customer: Customer, *rows: tuple[str, str], withheld: str = "", note: str = "") -> Manifest | None:
    """Give the instance's dataset records, as a visit of its page would, and publish them."""
    dataset = customer.stream._datasets["prices"]
    terms = Terms("" if withheld else "CC-BY-4.0", withheld)
    records = [
        record_of(RECIPE, {"id": id_, "price": price, "note": note}, PAGE, "2026-11-25T12:00:00Z", terms)
        for id_, price in rows
    ]
    await dataset.absorb(records)
    return await dataset.publish()


def many(count: int) -> list[tuple[str, str]]:
    """Return so many rows that no evidence holds them."""
    return [(f"item-{number}", "1.50") for number in range(count)]


def shop(directory: Path, **more: Any) -> Any:
    return open_customer(directory, SETTINGS, runs=False, **more)


async def test_a_download_is_delivered_charged_and_booked(tmp_path: Path) -> None:
    async with shop(tmp_path) as customer:
        manifest = await stock(customer, ("a", "1.50"), ("b", "2.00"))
        reply = await customer.ask(LATEST, await customer.key())
        assert reply.status == 200
        assert [(each["id"], each["price"], each["_licence"]) for each in reply.records()] == [
            ("a", "1.50", "CC-BY-4.0"),
            ("b", "2.00", "CC-BY-4.0"),
        ]
        assert reply.headers["content-type"] == "application/jsonl"
        assert reply.headers["x-charge"] == "0.05 USD"
        assert reply.headers["x-dataset-version"] == "1"
        assert reply.headers["x-content-sha256"] == sha256(reply.body).hexdigest() == manifest.sha256
        (entry,) = await customer.bench.entries()
        assert (entry.id, entry.amount, entry.stream) == (reply.headers["x-receipt"], "0.05", "data_harvesting")
        assert customer.stream.funnel()["sold"] == 1


async def test_csv_is_the_same_version_and_costs_the_same(tmp_path: Path) -> None:
    async with shop(tmp_path) as customer:
        await stock(customer, ("a", "1.50"), ("b", "2.00"))
        reply = await customer.ask(f"{LATEST}?format=csv", await customer.key())
        assert reply.headers["content-type"] == "text/csv; charset=utf-8"
        rows = list(csv.DictReader(io.StringIO(reply.body.decode())))
        assert [(row["id"], row["price"], row["_source"]) for row in rows] == [("a", "1.50", PAGE), ("b", "2.00", PAGE)]
        assert await customer.booked() == ["0.05"]


async def test_the_list_is_public_and_says_what_there_is(tmp_path: Path) -> None:
    async with shop(tmp_path) as customer:
        await stock(customer, ("a", "1.50"))
        await stock(customer, ("a", "1.60"))
        listed = (await customer.ask("/v1/datasets")).json()["items"]
        assert [item["name"] for item in listed] == ["prices", "other"]
        prices = listed[0]
        assert (prices["price"], prices["asset"], prices["attribution"]) == ("0.05", "USD", "The market")
        assert prices["schema"]["properties"]["price"] == {"type": "string", "format": "decimal"}
        assert [version["version"] for version in prices["versions"]] == [2, 1]
        newest = prices["versions"][0]
        assert newest["sellable"] is True
        assert newest["changes"] == {"added": 0, "changed": 1, "removed": 0}
        reply = await customer.ask("/v1/datasets/prices/2", await customer.key())
        assert sha256(reply.body).hexdigest() == newest["sha256"]
        assert (await customer.ask("/v1/datasets/prices")).json() == prices
        assert (await customer.ask("/v1/datasets", method="HEAD")).status == 200


@pytest.mark.parametrize("size", [1, 500])
async def test_a_retry_with_the_same_key_gets_the_same_bytes_and_pays_once(tmp_path: Path, size: int) -> None:
    async with shop(tmp_path) as customer:
        await stock(customer, *many(size))
        key = await customer.key()
        first = await customer.ask(LATEST, key, idempotency_key="order-1")
        await stock(customer, ("new", "9.99"))
        again = await customer.ask(LATEST, key, idempotency_key="order-1")
        assert (again.status, again.body) == (200, first.body)
        for name in ("x-receipt", "x-charge", "x-dataset-version", "etag", "content-type"):
            assert again.headers[name] == first.headers[name]
        assert again.headers["idempotent-replayed"] == "true"
        assert await customer.booked() == ["0.05"]
        other = await customer.ask(f"{LATEST}?format=csv", key, idempotency_key="order-1")
        assert other.status == 409


@pytest.mark.parametrize("form", ["jsonl", "csv"])
@pytest.mark.parametrize("size", [1, 500])
async def test_a_kill_between_booking_and_answer_charges_once(tmp_path: Path, form: str, size: int) -> None:
    async with shop(tmp_path) as customer:
        await stock(customer, *many(size))
        key = await customer.key()
        first = await customer.ask(f"{LATEST}?format={form}", key, idempotency_key="order-1")
    # Another life of the instance knows nothing but what is on the disk.
    async with shop(tmp_path) as customer:
        await stock(customer, ("new", "9.99"))
        again = await customer.ask(f"{LATEST}?format={form}", key, idempotency_key="order-1")
        assert (again.status, again.body) == (200, first.body)
        assert again.headers["x-receipt"] == first.headers["x-receipt"]
        assert await customer.booked() == ["0.05"]


async def test_a_hundred_concurrent_repetitions_are_one_sale(tmp_path: Path) -> None:
    async with shop(tmp_path) as customer:
        await stock(customer, *many(300))
        key = await customer.key()
        replies = await asyncio.gather(*(customer.ask(LATEST, key, idempotency_key="k") for _ in range(100)))
        assert {reply.status for reply in replies} == {200}
        assert len({reply.body for reply in replies}) == 1
        assert await customer.booked() == ["0.05"]


async def test_small_downloads_are_their_own_evidence_and_large_ones_are_named_with_their_digest(
    tmp_path: Path,
) -> None:
    async with shop(tmp_path) as customer:
        key = await customer.key()
        await stock(customer, ("a", "1.50"))
        small = await customer.ask(LATEST, key, idempotency_key="small")
        await stock(customer, *many(500))
        large = await customer.ask(LATEST, key, idempotency_key="large")
        assert len(large.body) > EVIDENCE_BYTES
        (info,) = customer.stream.list_keys()
        proofs = []
        for name in ("small", "large"):
            found = await customer.stream._meter._till.find(customer.stream._keys.all()[0][0], f"idem/{name}")
            assert found is not None
            proofs.append(found.proof)
        assert proofs[0].response.body == small.body
        delivery = proofs[1].response.delivery
        assert delivery is not None
        assert proofs[1].response.body == b""
        assert msgspec.structs.asdict(delivery) == {
            "what": "datasets/prices/2.jsonl",
            "sha256": sha256(large.body).hexdigest(),
            "size_bytes": len(large.body),
            "range": f"0-{len(large.body) - 1}",
            "key": info.id,
        }


async def test_what_was_paid_for_and_is_kept_no_more_is_said_to_be_gone(tmp_path: Path) -> None:
    async with shop(tmp_path) as customer:
        key = await customer.key()
        await stock(customer, *many(500))
        assert (await customer.ask(LATEST, key, idempotency_key="order-1")).status == 200
        for number in range(3):
            await stock(customer, ("a", f"{number}.00"))
        again = await customer.ask(LATEST, key, idempotency_key="order-1")
        assert (again.status, again.json()["code"]) == (410, "delivery_gone")
        assert (await customer.ask("/v1/datasets/prices/1", key)).status == 404
        assert await customer.booked() == ["0.05"]


async def test_a_quota_and_a_credit_end_downloads_but_not_lists(tmp_path: Path) -> None:
    async with shop(tmp_path) as customer:
        await stock(customer, ("a", "1.50"))
        by_quota = await customer.key(plan="trial", credit="10")
        assert [(await customer.ask(LATEST, by_quota)).status for _ in range(3)] == [200, 200, 429]
        by_credit = await customer.key(plan="trial", quota=100)
        replies = [await customer.ask(LATEST, by_credit) for _ in range(3)]
        assert [reply.status for reply in replies] == [200, 200, 402]
        assert (await customer.ask("/v1/datasets")).status == 200
        usage = (await customer.ask("/v1/usage", by_credit)).json()
        assert (usage["spent"], usage["credit"], usage["calls"]) == ("0.10", "0.12", 2)
        assert await customer.booked() == ["0.05"] * 4


async def test_concurrent_downloads_never_overshoot_a_quota(tmp_path: Path) -> None:
    async with shop(tmp_path) as customer:
        await stock(customer, *many(100))
        key = await customer.key(quota=20)
        replies = await asyncio.gather(*(customer.ask(LATEST, key) for _ in range(60)))
        assert Counter(reply.status for reply in replies) == {200: 20, 429: 40}
        assert await customer.booked() == ["0.05"] * 20


async def test_what_may_not_be_sold_is_not(tmp_path: Path) -> None:
    async with shop(tmp_path) as customer:
        key = await customer.key()
        await stock(customer, ("a", "1.50"), withheld="unknown_licence")
        reply = await customer.ask(LATEST, key)
        assert (reply.status, reply.json()["code"]) == (403, "not_for_sale")
        version = (await customer.ask("/v1/datasets/prices")).json()["versions"][0]
        assert (version["sellable"], version["withheld"]) == (False, {"unknown_licence": 1})
        await stock(customer, ("b", "2.00"))
        assert [each["id"] for each in (await customer.ask(LATEST, key)).records()] == ["b"]
        assert await customer.booked() == ["0.05"]


async def test_what_is_not_there_costs_nothing_and_says_what_is(tmp_path: Path) -> None:
    async with shop(tmp_path) as customer:
        key = await customer.key()
        early = await customer.ask(LATEST, key)
        assert (early.status, early.json()["code"]) == (404, "unknown_version")
        assert "being harvested" in early.json()["detail"]
        await stock(customer, ("a", "1.50"))
        misspelt = await customer.ask("/v1/datasets/price/latest", key)
        assert "did you mean 'prices'?" in misspelt.json()["detail"]
        statuses = [
            (await customer.ask(path, key)).status
            for path in (
                "/v1/datasets/prices/2",
                "/v1/datasets/prices/0001",
                "/v1/datasets/prices/..%2F..%2Fkeys.jsonl",
                "/v1/datasets/nothing",
                f"{LATEST}?format=xml",
                f"{LATEST}?limit=1",
            )
        ]
        assert statuses == [404, 404, 404, 404, 422, 422]
        assert await customer.booked() == []


async def test_nobody_downloads_without_a_key(tmp_path: Path) -> None:
    async with shop(tmp_path) as customer:
        await stock(customer, ("a", "1.50"))
        key = await customer.key()
        replies = [
            await customer.ask(LATEST),
            await customer.ask(LATEST, "nonsense"),
            await customer.ask("/v1/datasets/no-such/latest"),
        ]
        assert {reply.status for reply in replies} == {401}
        assert (await customer.ask(f"{LATEST}?key={key}")).status == 400
        (info,) = customer.stream.list_keys()
        await customer.stream.revoke_key(info.id)
        assert (await customer.ask(LATEST, key)).status == 401
        assert await customer.booked() == []


async def test_who_has_the_newest_learns_that_for_nothing(tmp_path: Path) -> None:
    async with shop(tmp_path) as customer:
        key = await customer.key()
        await stock(customer, ("a", "1.50"))
        etag = (await customer.ask(LATEST, key)).headers["etag"]
        known = await customer.ask(LATEST, key, if_none_match=f'"x", W/{etag}')
        assert (known.status, known.body) == (304, b"")
        await stock(customer, ("a", "1.60"))
        assert (await customer.ask(LATEST, key, if_none_match=etag)).status == 200
        assert await customer.booked() == ["0.05", "0.05"]


async def test_the_fleets_own_downloads_are_metered_and_never_billed(tmp_path: Path) -> None:
    async with shop(tmp_path) as customer:
        await stock(customer, ("a", "1.50"))
        key = await customer.key(own=True, quota=2)
        replies = [await customer.ask(LATEST, key) for _ in range(3)]
        assert [reply.status for reply in replies] == [200, 200, 429]
        assert "x-charge" not in replies[0].headers
        assert await customer.booked() == []
        checkpoint = customer.stream.checkpoint()
    async with shop(tmp_path, checkpoint=checkpoint) as customer:
        assert (await customer.ask(LATEST, key)).status == 429


async def test_while_the_ledger_cannot_book_nothing_is_delivered(tmp_path: Path) -> None:
    async with shop(tmp_path) as customer:
        await stock(customer, ("a", "1.50"))
        key = await customer.key(quota=1)
        customer.bench.faults.fault = "unavailable"
        refused = await customer.ask(LATEST, key)
        assert (refused.status, refused.headers["retry-after"]) == (503, "7")
        customer.bench.faults.clear()
        assert (await customer.ask(LATEST, key)).status == 200
        assert await customer.booked() == ["0.05"]


async def test_a_version_that_was_damaged_is_not_delivered_and_not_charged(tmp_path: Path) -> None:
    async with shop(tmp_path) as customer:
        await stock(customer, ("a", "1.50"))
        for file in customer.directory.glob("datasets/prices/versions/*/records.jsonl.gz"):
            file.write_bytes(b"garbage")
        reply = await customer.ask(LATEST, await customer.key())
        assert (reply.status, reply.json()["code"]) == (503, "unreadable")
        assert await customer.booked() == []


async def test_page_and_openapi_document_say_what_is_sold(tmp_path: Path) -> None:
    async with shop(tmp_path) as customer:
        page = (await customer.ask("/")).body.decode()
        assert "Every price &lt;today&gt;." in page
        assert "/v1/datasets/prices/latest" in page
        assert "<today>" not in page
        document = (await customer.ask("/openapi.json")).json()
        OpenAPIV31SpecValidator(document).validate()
        operation = document["paths"]["/v1/datasets/prices/{version}"]["get"]
        assert operation["x-price"] == {"amount": "0.05", "currency": "USD"}
        assert {"200", "304", "402", "403", "404", "409", "410", "429", "503"} <= set(operation["responses"])
        health: Reply = await customer.ask("/healthz")
        assert health.json() == {"status": "ok", "instance": "data_harvesting-007"}


async def test_it_sells_by_key_and_pauses(tmp_path: Path) -> None:
    async with shop(tmp_path) as customer:
        assert isinstance(customer.stream, SellsByKey)
        await stock(customer, ("a", "1.50"))
        key = await customer.key()
        customer.stream.pause()
        assert not customer.stream.health().ready
        assert (await customer.ask(LATEST, key)).status == 503
        customer.stream.resume()
        assert (await customer.ask(LATEST, key)).status == 200
