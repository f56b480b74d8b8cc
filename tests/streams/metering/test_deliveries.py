"""Bodies that are too large for their proof: told by name and digest, and had again where they stand."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from streams.booking import Evidence
from streams.metering.account import Account
from streams.metering.answer import (
    Answer,
    Delivery,
    MeteredCall,
    Proof,
    ProvenRequest,
    Response,
    decode_proof,
    encode_proof,
)
from streams.metering.refusal import AnswerTooLarge, DeliveryGone, IdempotencyConflict
from tests.streams.metering.test_meter import PRICE, TERMS, Shop, header, open_shop

LARGE = b"x" * 300_000


class Shelf:
    """Delivers bodies by name; what was taken off it is gone."""

    def __init__(self, body: bytes = LARGE) -> None:
        self.bodies = {"datasets/events/1.jsonl": body}
        self.performed = 0
        self.fetched_again = 0

    async def perform(self) -> Response:
        self.performed += 1
        ((what, body),) = self.bodies.items()
        delivery = Delivery(what, hashlib.sha256(body).hexdigest(), len(body), f"0-{len(body) - 1}", "key_1")
        return Response(200, "application/jsonl", body, ((b"etag", b'"1"'),), delivery)

    async def redeliver(self, delivery: Delivery) -> bytes | None:
        self.fetched_again += 1
        return self.bodies.get(delivery.what)


async def download(shop: Shop, account: Account, shelf: Shelf, content: bytes = b"latest") -> Answer:
    call = MeteredCall(account, "GET", "/v1/datasets", hashlib.sha256(content).digest(), PRICE, "order-1")
    return await shop.meter.serve(call, shelf.perform, shelf.redeliver)


async def test_a_large_body_is_proven_by_its_name_and_digest(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        shelf = Shelf()
        answer = await download(shop, await shop.account(), shelf)
        assert answer.response.body == LARGE
        found = await shop.meter._till.find(shop.keys.all()[0][0], "idem/order-1")
        assert found is not None
        proof = found.proof.response
        assert proof.body == b""
        assert proof.delivery is not None
        assert proof.delivery.sha256 == hashlib.sha256(LARGE).hexdigest()
        assert (proof.delivery.what, proof.delivery.size_bytes) == ("datasets/events/1.jsonl", len(LARGE))


async def test_a_large_body_is_not_copied_to_find_out_that_it_is_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[int] = []

    def encode(proof: Proof) -> bytes:
        encoded.append(len(proof.response.body))
        return encode_proof(proof)

    monkeypatch.setattr("streams.metering.meter.encode_proof", encode)
    async with open_shop(tmp_path) as shop:
        await download(shop, await shop.account(), Shelf())
    assert encoded == [0]


async def test_a_small_body_is_its_own_proof(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        account = await shop.account()
        shelf = Shelf(b"small")
        first = await download(shop, account, shelf)
        shelf.bodies.clear()
        again = await download(shop, account, shelf)
        assert again.response == first.response
        assert shelf.fetched_again == 0


async def test_a_repetition_gets_the_same_bytes_and_pays_nothing(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        account = await shop.account()
        shelf = Shelf()
        first = await download(shop, account, shelf)
        again = await download(shop, account, shelf)
        assert again.response == first.response
        assert header(again, "x-receipt") == header(first, "x-receipt")
        assert header(again, "idempotent-replayed") == "true"
        assert (shelf.performed, shelf.fetched_again) == (1, 1)
        assert await shop.booked() == ["api.call"]
        with pytest.raises(IdempotencyConflict):
            await download(shop, account, shelf, b"another")


async def test_after_a_kill_the_ledger_knows_what_was_delivered(tmp_path: Path) -> None:
    shelf = Shelf()
    async with open_shop(tmp_path) as shop:
        key, _ = await shop.keys.create(TERMS)
        await download(shop, shop.meter.authenticate(f"Bearer {key}".encode()), shelf)
    async with open_shop(tmp_path) as shop:
        again = await download(shop, shop.meter.authenticate(f"Bearer {key}".encode()), shelf)
        assert again.response.body == LARGE
        assert shelf.performed == 1
        assert await shop.booked() == ["api.call"]


async def test_what_is_kept_no_more_is_said_to_be_gone_and_charged_no_more(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        account = await shop.account()
        shelf = Shelf()
        await download(shop, account, shelf)
        shelf.bodies.clear()
        with pytest.raises(DeliveryGone):
            await download(shop, account, shelf)
        assert await shop.booked() == ["api.call"]
        assert shop.meter.funnel()["refused_delivery_gone"] == 1


async def test_without_a_name_a_large_body_is_refused(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:

        async def perform() -> Response:
            return Response(200, "text/plain", LARGE)

        with pytest.raises(AnswerTooLarge):
            await shop.call(await shop.account(), perform=perform)
        assert await shop.booked() == []


def test_the_proof_of_an_ordinary_call_has_no_word_more_than_before() -> None:
    proof = Proof(ProvenRequest("GET", "/", b"d"), Response(200, "text/plain", b"hello"), "0.002 USD")
    artefact = encode_proof(proof)
    assert b"delivery" not in artefact
    assert b"headers" not in artefact
    assert decode_proof(Evidence("api.response", "1", artefact)) == proof
