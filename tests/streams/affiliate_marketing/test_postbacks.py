"""Postbacks as networks send them, forgers included: signatures, replays, quarantine, and what is booked."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actors import Refusal
from streams.affiliate_marketing.settings import Network
from streams.booking import FindBooking
from streams.webhooks import sign
from tests.streams.affiliate_marketing.agencies import CHROME, KEY, NOW, offer, open_agency, settings

KEY_OF_MSG_A = "affiliate_marketing-001/acme/order-1/msg_a/0-expect"
OTHER_KEY = b"somebody else's key, also 32 bytes"


async def test_a_pending_commission_is_approved_and_paid_on_evidence(tmp_path: Path) -> None:
    async with open_agency(tmp_path) as agency:
        click = await agency.click()
        body = agency.event(click)
        assert await agency.post(body, "msg_a") == (200, {"id": "msg_a", "result": "accepted"})
        assert await agency.sums() == {"expected": "4.00"}
        agency.time = NOW + timedelta(days=40)
        await agency.report(click, "approved", at=timedelta(hours=1))
        assert await agency.sums() == {"earned": "4.00", "due": "4.00"}
        await agency.report(click, "paid", at=timedelta(days=30))
        assert await agency.sums() == {"earned": "4.00", "paid": "4.00"}
        first, *_ = await agency.entries()
        assert (first.kind, first.evidence.kind) == ("affiliate.pending", "network.postback")
        kept = await agency.bench.ref.ask(FindBooking("paper", KEY_OF_MSG_A), 5.0)
        assert kept is not None
        assert kept.evidence.artefact.endswith(b"\r\n\r\n" + body)
        assert b"\r\nwebhook-signature: v1," in kept.evidence.artefact
        (order,) = await agency.act("orders")
        assert (order["state"], order["attribution"]["policy"]) == ("paid", 1)
        assert order["attribution"]["window_s"] == 24 * 3600


FORGERIES: list[dict[str, Any]] = [
    {"key": OTHER_KEY},
    {"signed_at": NOW - timedelta(minutes=6)},
    {"signed_at": NOW + timedelta(minutes=6)},
    {"webhook_signature": "v1," + b64encode(bytes(32)).decode()},
    {"webhook_signature": "v2,anything v1,*** v1a,x"},
    {"webhook_signature": ""},
    {"webhook_timestamp": "soon"},
    {"webhook_timestamp": "9" * 400},
]


async def test_a_forged_postback_is_401_and_leaves_nothing(tmp_path: Path) -> None:
    async with open_agency(tmp_path) as agency:
        body = agency.event(await agency.click(), "approved")
        for change in FORGERIES:
            status, problem = await agency.post(body, "msg_x", **change)
            assert (status, problem["code"]) == (401, "not_signed"), change
        assert await agency.entries() == []
        assert await agency.act("quarantine") == []
        assert agency.stream.funnel()["refused_signature"] == len(FORGERIES)


async def test_a_changed_body_is_forged(tmp_path: Path) -> None:
    async with open_agency(tmp_path) as agency:
        click = await agency.click()
        timestamp = str(int(NOW.timestamp()))
        signature = sign(KEY, "msg_1", int(timestamp), agency.event(click, commission="1.00"))
        status, _ = await agency.post(agency.event(click, commission="9.00"), "msg_1", webhook_signature=signature)
        assert status == 401


async def test_while_a_secret_is_replaced_both_are_good(tmp_path: Path) -> None:
    async with open_agency(tmp_path) as agency:
        click = await agency.click()
        agency.secrets["ACME_SECRET"] += " whsec_" + b64encode(OTHER_KEY).decode()
        for number, key in enumerate((KEY, OTHER_KEY)):
            assert (await agency.post(agency.event(click, order_id=f"o{number}"), key=key))[0] == 200
        body = agency.event(click, order_id="both")
        both = " ".join(sign(key, "msg_b", int(NOW.timestamp()), body) for key in (b"x" * 32, OTHER_KEY))
        assert (await agency.post(body, "msg_b", webhook_signature=both))[0] == 200


async def test_a_replay_gets_the_same_answer_and_has_no_effect(tmp_path: Path) -> None:
    async with open_agency(tmp_path) as agency:
        click = await agency.click()
        body = agency.event(click, "approved")
        answers = await asyncio.gather(*(agency.post(body, "msg_r") for _ in range(20)))
        assert all(answer == (200, {"id": "msg_r", "result": "accepted"}) for answer in answers)
        assert len(await agency.entries()) == 1
        status, problem = await agency.post(agency.event(click, "paid"), "msg_r")
        assert (status, problem["code"]) == (409, "id_reused")
        assert len(await agency.entries()) == 1
    async with open_agency(tmp_path) as agency:
        assert await agency.post(body, "msg_r") == (200, {"id": "msg_r", "result": "accepted"})
        assert len(await agency.entries()) == 1


async def test_what_cannot_be_attributed_is_quarantined_and_earns_nothing(tmp_path: Path) -> None:
    networks = {"acme": Network("Acme", secret="ACME_SECRET"), "apex": Network("Apex", secret="ACME_SECRET")}
    async with open_agency(tmp_path, settings(networks=networks)) as agency:
        click = await agency.click()
        day = timedelta(days=1, minutes=1)
        agency.time = NOW + timedelta(days=2)
        for number, body in enumerate(
            (
                agency.event("A" * 22),
                agency.event("not an id"),
                agency.event(click, ordered=day, at=day),
                agency.event(click, ordered=-timedelta(minutes=6)),
                agency.event(click, ordered=timedelta(days=3)),
                agency.event(click, commission="20.01"),
                agency.event(click, currency="EUR"),
                agency.event(click, commission="-1"),
                agency.event(click, commission="0.0000001"),
                agency.event(click, status="sold"),
                b"\xff{",
            )
        ):
            assert await agency.post(body, f"m{number}") == (200, {"id": f"m{number}", "result": "quarantined"})
        assert (await agency.post(agency.event(click), path="/postback/apex"))[1]["result"] == "quarantined"
        assert await agency.quarantine() == [
            *("unknown_click", "unknown_click", "expired_click", "before_click", "from_the_future", "above_limit"),
            *("wrong_currency", "malformed", "malformed", "malformed", "malformed", "foreign_click"),
        ]
        assert await agency.entries() == []
        assert agency.stream.funnel()["in_quarantine"] == 12


async def test_an_operator_releases_or_dismisses_what_is_in_quarantine(tmp_path: Path) -> None:
    async with open_agency(tmp_path) as agency:
        click = await agency.click()
        await agency.post(agency.event(click, "approved", commission="30.00"))
        await agency.post(agency.event("B" * 22, "approved", order_id="order-2"))
        await agency.post(agency.event("C" * 22, order_id="order-3"))
        high, lost, bad = [each["postback"] for each in await agency.act("quarantine")]
        assert (await agency.act("release", postback=high))["verdict"] == "accepted"
        with pytest.raises(Refusal, match="name the offer"):
            await agency.act("release", postback=lost)
        await agency.act("release", postback=lost, offer="kettles")
        await agency.act("dismiss", postback=bad, reason="a test of theirs")
        with pytest.raises(Refusal, match="no postback"):
            await agency.act("release", postback=bad)
        assert await agency.quarantine() == []
        assert await agency.sums() == {"earned": "34.00", "due": "34.00"}


async def test_while_the_ledger_is_unavailable_networks_are_told_to_come_again(tmp_path: Path) -> None:
    async with open_agency(tmp_path) as agency:
        click = await agency.click()
        agency.bench.faults.fault = "unavailable"
        status, problem = await agency.post(agency.event(click, "approved"), "msg_u")
        assert (status, problem["code"]) == (503, "try_again")
        agency.bench.faults.clear()
        assert (await agency.post(agency.event(click, "approved"), "msg_u"))[0] == 200
        assert await agency.sums() == {"earned": "4.00", "due": "4.00"}
        assert len(await agency.entries()) == 1


async def test_what_was_kept_is_booked_after_a_restart_without_the_network(tmp_path: Path) -> None:
    async with open_agency(tmp_path) as agency:
        click = await agency.click()
        agency.time = NOW + timedelta(days=2)
        agency.bench.faults.fault = "crash"  # it books, and its answer is lost
        assert (await agency.post(agency.event(click, "approved"), "msg_1"))[0] == 503
        agency.bench.faults.fault = "unavailable"
        assert (await agency.post(agency.event(click, "paid", at=timedelta(days=1)), "msg_2"))[0] == 503
    async with open_agency(tmp_path) as agency:
        while "due" in await agency.sums():
            await asyncio.sleep(0.01)
        assert await agency.sums() == {"earned": "4.00", "paid": "4.00"}
        assert len(await agency.entries()) == 2


async def test_a_network_that_cannot_sign_uses_a_secret_path_from_its_addresses(tmp_path: Path) -> None:
    fields = {"click_id": "subid", "order_id": "txn", "commission": "payout"}
    network = Network("Old", signing="secret_path", addresses=("127.0.0.0/8",), fields=fields)
    elsewhere = Network("Far", signing="secret_path", addresses=("192.0.2.0/24",))
    chosen = settings({"kettles": offer(network="old")}, networks={"old": network, "far": elsewhere})
    async with open_agency(tmp_path, chosen) as agency:
        click = await agency.click()
        url = (await agency.act("postback_address", network="old", offer="kettles"))["url"]
        query = f"?subid={click}&txn=o-1&payout=4.00&status=approved"
        for _ in range(2):
            async with agency.session.get(url + query) as response:
                assert (response.status, (await response.json())["result"]) == (200, "accepted")
        assert await agency.sums() == {"earned": "4.00", "due": "4.00"}
        assert len(await agency.entries()) == 1
        async with agency.session.get(url[:-1] + ("0" if url[-1] != "0" else "1") + query) as response:
            assert response.status == 404
        token = agency.stream.postbacks.token("far", "kettles")
        async with agency.session.get(f"{agency.url}/postback/far/{token}{query}") as response:
            assert response.status == 404
        assert (await agency.post(agency.event(click), path="/postback/old"))[0] == 404


async def test_a_body_that_is_too_large_is_413(tmp_path: Path) -> None:
    async with open_agency(tmp_path) as agency:
        assert (await agency.post(b"x" * 40_000))[0] == 413
        assert (await agency.post(b"{}", path="/postback/nobody"))[0] == 404


async def test_a_pending_commission_that_expired_is_booked_anew_when_it_is_approved(tmp_path: Path) -> None:
    async with open_agency(tmp_path, settings({"kettles": offer(pending_days=1)})) as agency:
        click = await agency.click()
        await agency.report(click)
        agency.time = NOW + timedelta(days=3)
        await agency.report(click, "approved", at=timedelta(days=3))
        kinds = [entry.kind for entry in await agency.entries()]
        assert kinds == ["affiliate.pending", "affiliate.commission"]


async def test_clicks_go_where_orders_turn_out_to_be_worth_most(tmp_path: Path) -> None:
    chosen = settings({"poor": offer(commission="1.00"), "rich": offer(commission="1.00")})
    async with open_agency(tmp_path, chosen) as agency:

        async def clicks(count: int, browser: str) -> dict[str, int]:
            before = Counter(agency.stream.describe()["clicks"])
            for number in range(count):
                agency.time += timedelta(seconds=1)
                click = await agency.click(f"{CHROME} {browser} {number}")
                found = await agency.stream._find_click(click)
                assert found is not None
                if found.offer == "rich":
                    await agency.report(click, "approved", order_id=f"{browser}-{number}", commission="20.00")
            return Counter(agency.stream.describe()["clicks"]) - before

        await clicks(15, "a")
        later = await clicks(30, "b")
        assert later["rich"] > 3 * later.get("poor", 0)
        checkpoint = agency.stream.checkpoint()
    async with open_agency(tmp_path, chosen, checkpoint=checkpoint) as agency:
        assert agency.stream.describe()["rotation"]["rich"]["conversions"] > 1
