"""A network on a port of its own: its merchants' pages, and the postbacks that it sends."""

from __future__ import annotations

import asyncio
import heapq
import hmac
import secrets
import sqlite3
from base64 import b64encode
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import parse_qs

import aiohttp
import msgspec
import structlog

from actors import Actor, Message, on
from config.saving import write_atomically
from streams.addresses import address_of
from streams.far_sides import FarSide
from streams.http_answer import BodyTooLarge, HttpAnswer, PeerGone, problem_answer, read_body
from streams.http_host import HttpApp, HttpHost, PortTaken
from streams.sandbox.networks.network import Network
from streams.sandbox.networks.network_store import Due, NetworkStore, Publisher
from streams.sandbox.world import Ground
from streams.webhooks import SECRET_PREFIX, read_secrets

R = TypeVar("R")

MAX_TRIES: Final = 12

_AT_A_TIME: Final = 16
_CLOSE_WITHIN_S: Final = 1.0
_FIRST_PAUSE_S: Final = 2.0
_LONGEST_PAUSE_S: Final = 300.0
_MAX_BODY_BYTES: Final = 64 * 1024
_MAX_PUBLISHERS: Final = 10_000
_SEND_TIMEOUT_S: Final = 15.0
_HTML: Final = b"text/html; charset=utf-8"
_NOT_FOUND: Final = problem_answer(404, "there is no such page here", code="http_404")
_CLOSED: Final = problem_answer(503, "no orders are taken at the moment", code="closed")
_THANKS: Final = HttpAnswer(204, b"text/plain", b"")


class Credentials(msgspec.Struct, frozen=True):
    """What publishers are known by, and know the network by.

    Attributes:
        webhook_secret: What postbacks are signed with.
        api_token: What publishers register with.
    """

    webhook_secret: str
    api_token: str


# Made at import, by one thread: msgspec crashes the process where two threads meet a type for the first time at once.
_CREDENTIALS: Final = msgspec.json.Decoder(Credentials)


class Idle(Message, frozen=True):
    """Nothing: a network is reached over HTTP only."""


class NetworkServer(Actor[Idle]):
    """One network.

    Args:
        name: Its name; it makes itself known as `network.<name>`.
        ground: What the paper world stands on.
        port: The port to listen on if it is free.
    """

    def __init__(self, name: str, ground: Ground, port: int) -> None:
        self._name = name
        self._ground = ground
        self._port = port
        self._network = Network(name, ground.seed, ground.now)
        self._store = NetworkStore(ground.directory / f"{name}.sqlite3")
        self._thread: ThreadPoolExecutor | None = None
        self._host: HttpHost | None = None
        self._publishers: dict[str, tuple[Publisher, int]] = {}
        self._outbox: list[tuple[float, int, Due]] = []
        self._sending = asyncio.Lock()
        self._wake = asyncio.Event()
        self._credentials = Credentials("", "")
        self._key = b""
        self._log = structlog.get_logger("sandbox.network").bind(network=name)

    async def on_start(self) -> None:
        """Take up a former life, and listen."""
        await asyncio.to_thread(self._ground.directory.mkdir, mode=0o700, parents=True, exist_ok=True)
        self._credentials = await asyncio.to_thread(_credentials, self._ground.directory / f"{self._name}.json")
        (self._key,) = read_secrets(self._credentials.webhook_secret)
        self._thread = ThreadPoolExecutor(1, f"network-{self._name}")
        await self._in_thread(self._store.open)
        self._publishers = await self._in_thread(self._store.publishers)
        self._queue(await self._in_thread(self._store.outbox))
        try:
            self._host = await self._listen(self._port)
        except PortTaken:
            self._host = await self._listen(0)
        self.context.start_task(self._send_all)
        url = address_of(self._ground.host, self._host.port)
        known_by = {"webhook_secret": self._credentials.webhook_secret, "api_token": self._credentials.api_token}
        self._ground.far_sides.add(FarSide(f"network.{self._name}", url, known_by))

    async def on_stop(self, reason: BaseException | None) -> None:
        """Close; what was not sent is sent in the next life."""
        host, self._host = self._host, None
        if host is not None:
            self._ground.far_sides.remove(f"network.{self._name}")
            await host.close(_CLOSE_WITHIN_S)
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.submit(self._store.close)
            await asyncio.to_thread(thread.shutdown)

    @on(Idle)
    def idle(self, _: Idle) -> None:
        """Do nothing."""

    async def serve(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request; an ASGI application."""
        _, area, *rest = scope["path"].split("/")
        answer = _NOT_FOUND
        if area == "m" and len(rest) == 2 and scope["method"] in ("GET", "HEAD"):
            answer = await self._merchant_page(rest[0], rest[1], scope)
        elif area == "publishers" and len(rest) == 1 and scope["method"] == "PUT":
            answer = await self._register(rest[0], scope, receive)
        elif area == "healthz":
            answer = HttpAnswer(200, b"application/json", b'{"status":"ok"}')
        await answer(scope, receive, send)

    async def _merchant_page(self, name: str, offer: str, scope: Any) -> HttpAnswer:
        known = self._publishers.get(name)
        if known is None or offer not in known[0].offers:
            return _NOT_FOUND
        publisher, orders = known
        ids = parse_qs(scope["query_string"].decode("latin-1")).get(publisher.offers[offer].parameter, [])
        if ids and scope["method"] == "GET":
            messages = self._network.visit(name, publisher, offer, ids[0][:64], orders)
            if messages:
                self._publishers[name] = publisher, orders + 1
                try:
                    self._queue(await self._in_thread(self._store.order, name, messages))
                except sqlite3.Error as error:
                    now, counted = self._publishers[name]
                    self._publishers[name] = now, counted - 1
                    self._log.warning("network.order_refused", publisher=name, reason=str(error))
                    return _CLOSED
                self._wake.set()
        title = offer.replace("-", " ").title().encode()
        return HttpAnswer(200, _HTML, b"<!doctype html><html lang=en><title>%s</title><h1>%s</h1>" % (title, title))

    async def _register(self, name: str, scope: Any, receive: Any) -> HttpAnswer:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        token = headers.get(b"authorization", b"").removeprefix(b"Bearer ")
        if not hmac.compare_digest(token, self._credentials.api_token.encode()):
            return problem_answer(401, "the token is not this network's", code="unauthorized")
        if name not in self._publishers and len(self._publishers) >= _MAX_PUBLISHERS:
            return problem_answer(403, "this network takes no more publishers", code="full")
        try:
            body = await read_body(receive, headers.get(b"content-length"), _MAX_BODY_BYTES)
            publisher = msgspec.json.decode(body, type=Publisher)
        except (BodyTooLarge, PeerGone, msgspec.MsgspecError) as error:
            return problem_answer(400, str(error), code="unread")
        _, orders = self._publishers.get(name, (publisher, 0))
        self._publishers[name] = publisher, orders
        await self._in_thread(self._store.register, name, publisher)
        return _THANKS

    def _queue(self, due: list[Due]) -> None:
        for each in due:
            heapq.heappush(self._outbox, (each.due_s, each.number, each))

    async def send_due(self) -> None:
        """Send all that is due by now; those that cannot be delivered are due again later."""
        async with self._sending:
            now_s = self._ground.now().timestamp()
            while self._outbox and self._outbox[0][0] <= now_s:
                batch: list[Due] = []
                while self._outbox and self._outbox[0][0] <= now_s and len(batch) < _AT_A_TIME:
                    batch.append(heapq.heappop(self._outbox)[2])
                ends = await asyncio.gather(*(self._send(due) for due in batch))
                await self._in_thread(
                    self._store.sent, [due.number for due, end in zip(batch, ends, strict=True) if end]
                )

    async def _send_all(self) -> None:
        while True:
            self._wake.clear()
            await self.send_due()
            wait_s = self._outbox[0][0] - self._ground.now().timestamp() if self._outbox else None
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()

    async def _send(self, due: Due) -> bool:
        """Send a postback; tell whether that was the end of it."""
        outgoing = due.outgoing
        known = self._publishers.get(outgoing.publisher)
        if known is None:
            return True
        status = 0
        try:
            async with self._ground.http().post(
                known[0].postback_url,
                data=outgoing.body.encode(),
                headers=self._network.headers(outgoing, self._key),
                timeout=aiohttp.ClientTimeout(total=_SEND_TIMEOUT_S),
            ) as response:
                status = response.status
                await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._log.debug("network.postback_failed", publisher=outgoing.publisher, reason=str(error))
        if 200 <= status < 300 or 400 <= status < 500 or due.tries + 1 >= MAX_TRIES:
            return True
        pause_s = min(_FIRST_PAUSE_S * 2**due.tries, _LONGEST_PAUSE_S)
        later = Due(due.number, self._ground.now().timestamp() + pause_s, due.tries + 1, outgoing)
        await self._in_thread(self._store.put_off, later.number, later.due_s, later.tries)
        self._queue([later])
        return False

    async def _listen(self, port: int) -> HttpHost:
        host = HttpHost(_app(), self._ground.host, port, {"network": self})
        await host.start()
        return host

    async def _in_thread(self, function: Callable[..., R], *args: Any) -> R:
        assert self._thread is not None
        future: Awaitable[R] = asyncio.get_running_loop().run_in_executor(self._thread, function, *args)
        return await asyncio.shield(future)


@lru_cache(maxsize=1)
def _app() -> HttpApp:
    return HttpApp(_serve)


async def _serve(scope: Any, receive: Any, send: Any) -> None:
    server: NetworkServer = scope["state"]["network"]
    await server.serve(scope, receive, send)


def _credentials(file: Path) -> Credentials:
    try:
        return _CREDENTIALS.decode(file.read_bytes())
    except FileNotFoundError:
        made = Credentials(SECRET_PREFIX + b64encode(secrets.token_bytes(32)).decode(), secrets.token_urlsafe(32))
        write_atomically(file, msgspec.json.encode(made))
        return made
