"""Alerts to a receiver on loopback that checks them with the specification's own library."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from config.health_monitoring import HealthMonitoring
from orchestrator.fleet.health import webhook as module
from orchestrator.fleet.health.webhook import GIVE_UP_AFTER_S, QUEUE_MOST, Courier, Target, target_of

SECRET = "whsec_" + "c2VjcmV0IHRoYXQgaXMgbG9uZyBlbm91Z2ggMTIz"
OTHER_SECRET = "whsec_" + "YW5vdGhlciBzZWNyZXQgdGhhdCBpcyBsb25nIGVub3VnaA=="


class Receiver:
    """A server that answers as it is told to, and keeps what it got."""

    def __init__(self) -> None:
        self.answers: list[web.Response] = []
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.elsewhere = 0
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.got.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        return self.answers.pop(0) if self.answers else web.Response(status=204)

    async def refuse(self, _: web.Request) -> web.Response:
        self.elsewhere += 1
        return web.Response(status=204)


class Post:
    """A courier whose waiting takes no time, and the receiver it goes to."""

    def __init__(self, receiver: Receiver, session: aiohttp.ClientSession) -> None:
        self.receiver = receiver
        self.target: Target | None = Target(receiver.url, SECRET)
        self.slept_s: list[float] = []
        self.clock_s = 0.0
        self.courier = Courier(
            lambda: self.target, lambda: session, lambda: datetime.now(UTC), lambda: self.clock_s, self._sleep
        )

    async def _sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.clock_s += seconds
        await asyncio.sleep(0)

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not done():
                await asyncio.sleep(0.005)


@asynccontextmanager
async def _post() -> AsyncIterator[Post]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    app.router.add_route("*", "/elsewhere", receiver.refuse)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    receiver.url = f"http://{host}:{port}/hook"
    async with aiohttp.ClientSession() as session:
        post = Post(receiver, session)
        task = asyncio.create_task(post.courier.run())
        try:
            yield post
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await runner.cleanup()


@pytest.fixture
async def post() -> AsyncIterator[Post]:
    async with _post() as made:
        yield made


async def test_a_receiver_can_verify_what_it_gets_and_reads_what_happened(post: Post) -> None:
    post.courier.submit("inc_1_1", "health.alert", {"incident": "inc_1", "instance": "stall-001"})
    await post.until(lambda: post.courier.statistics().delivered == 1)
    ((headers, body),) = post.receiver.got
    told: Any = Webhook(SECRET).verify(body, headers)
    assert told["type"] == "health.alert"
    assert told["data"] == {"incident": "inc_1", "instance": "stall-001"}
    assert headers["webhook-id"] == "inc_1_1"
    assert datetime.fromisoformat(told["timestamp"]).tzinfo is not None
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER_SECRET).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body.replace(b"stall-001", b"stall-002"), headers)


async def test_while_a_secret_is_replaced_receivers_with_either_can_verify(post: Post) -> None:
    assert post.target is not None
    post.target = Target(post.target.url, f"{SECRET} {OTHER_SECRET}")
    post.courier.submit("inc_1_1", "health.alert", {})
    await post.until(lambda: post.courier.statistics().delivered == 1)
    ((headers, body),) = post.receiver.got
    for secret in (SECRET, OTHER_SECRET):
        Webhook(secret).verify(body, headers)


async def test_what_fails_is_tried_again_under_the_same_id_and_later_each_time_and_in_order(post: Post) -> None:
    post.receiver.answers = [
        web.Response(status=500),
        web.Response(status=404),
        web.Response(status=503, headers={"Retry-After": "77"}),
    ]
    post.courier.submit("first", "health.alert", {"n": 1})
    post.courier.submit("second", "health.recovered", {"n": 2})
    await post.until(lambda: post.courier.statistics().delivered == 2)
    assert [headers["webhook-id"] for headers, _ in post.receiver.got] == ["first"] * 4 + ["second"]
    assert 0.8 <= post.slept_s[0] <= 1.2
    assert 4 <= post.slept_s[1] <= 6
    assert post.slept_s[2] == 77
    for headers, body in post.receiver.got:
        Webhook(SECRET).verify(body, headers)
    assert post.courier.statistics().problem is None


async def test_a_receiver_that_cannot_be_reached_is_said_to_be_and_then_news_get_old(post: Post) -> None:
    good = post.target
    post.target = Target("http://127.0.0.1:9/hook", SECRET)
    post.courier.submit("lost", "health.alert", {})
    await post.until(lambda: post.courier.statistics().dropped == 1)
    assert post.clock_s > GIVE_UP_AFTER_S
    assert "Cannot connect" in (post.courier.statistics().problem or "")
    post.target = good
    post.courier.submit("heard", "health.alert", {})
    await post.until(lambda: post.courier.statistics().delivered == 1)


async def test_no_redirect_is_followed(post: Post) -> None:
    post.receiver.answers = [web.Response(status=307, headers={"Location": "/elsewhere"})]
    post.courier.submit("one", "health.alert", {})
    await post.until(lambda: post.courier.statistics().delivered == 1)
    assert post.receiver.elsewhere == 0
    assert len(post.receiver.got) == 2


async def test_a_receiver_that_is_gone_for_good_is_left_alone(post: Post) -> None:
    post.receiver.answers = [web.Response(status=410)]
    for number in range(3):
        post.courier.submit(str(number), "health.alert", {})
    await post.until(lambda: post.courier.statistics().dropped == 3)
    assert len(post.receiver.got) == 1


@pytest.mark.parametrize(("secret", "problem"), [(None, "not set"), ("whsec_!!", "base64"), (" ", "empty")])
async def test_without_a_secret_nothing_is_sent_unsigned(post: Post, secret: str | None, problem: str) -> None:
    assert post.target is not None
    post.target = Target(post.target.url, secret)
    post.courier.submit("one", "health.alert", {})
    await post.until(lambda: post.courier.statistics().dropped == 1)
    assert problem in (post.courier.statistics().problem or "")
    assert post.receiver.got == []
    assert "whsec" not in repr(post.target)


async def test_only_so_many_wait_and_without_an_address_none() -> None:
    target = None
    courier = Courier(lambda: target, lambda: None, lambda: datetime.now(UTC), time.monotonic)  # type: ignore[arg-type, return-value]
    courier.submit("nowhere", "health.alert", {})
    assert courier.statistics() == module.Delivery(False, 0, 0, 0, 0, None)
    target = Target("http://127.0.0.1:9/", SECRET)  # type: ignore[assignment]
    for number in range(QUEUE_MOST + 10):
        courier.submit(str(number), "health.alert", {})
    statistics = courier.statistics()
    assert (statistics.waiting, statistics.dropped) == (QUEUE_MOST, 10)


def test_the_address_and_the_name_of_the_secret_are_the_configurations() -> None:
    health = HealthMonitoring(webhook_url="https://alerts.example/", webhook_secret="MINE")
    assert target_of(health, {"MINE": SECRET}.get) == Target("https://alerts.example/", SECRET)
    assert target_of(HealthMonitoring(), lambda name: SECRET) is None
    assert json.dumps({"shown": repr(target_of(health, {"MINE": SECRET}.get))}).count(SECRET) == 0
