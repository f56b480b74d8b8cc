"""What the benchmark of API calls talks to: one process, made as the daemon makes itself, with three ports.

`python -m tests.benchmarks.api_server <directory>` prints one line of JSON when it serves, and ends with its input.

The first port is an instance as it is: metered, its calls booked by the real ledger. The second is the same
application, host, settings and product with a meter that lets everything pass. The third is uvicorn's own
protocol and an application of two lines that answers the first one's bytes.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import uvloop
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from actors import ActorSystem, Supervisor
from orchestrator.booked import BookingNews
from orchestrator.daemon import SWITCH_INTERVAL_S
from orchestrator.events import EventBus
from orchestrator.logs import LogSystem, configure
from orchestrator.money.ledger import Ledger
from streams.api_services.app import http_app
from streams.api_services.heavy_work import HeavyWork
from streams.api_services.settings import ApiServicesSettings
from streams.api_services.shop import Offer, Shop
from streams.api_services.stream import ApiServices
from streams.commons import Commons
from streams.http_host import AsgiApp, HttpHost
from streams.metering.account import Account, Usage
from streams.metering.allowance import Allowance, period_at
from streams.metering.answer import Answer, MeteredCall
from streams.metering.key_journal import KeyRecord
from streams.metering.meter import Perform
from streams.metering.plan import Plan
from tests.streams.contexts import context_for

INSTANCE: Final = "api_services-001"
HOST: Final = "127.0.0.1"
TARGET: Final = "/v1/iban?value=DE89370400440532013000"

_RATE_PER_S: Final = 1_000_000.0
_SETTINGS: Final = ApiServicesSettings(
    title="Benchmark",
    tagline="",
    products={"iban": "0.002"},
    plans={"plan": Plan(rate_per_s=10_000, burst=10_000)},
    default_plan="plan",
)


class Serving(msgspec.Struct, frozen=True):
    """Where what is served, and the key that opens it."""

    metered: int
    unmetered: int
    bare: int
    key: str


class Unmetered:
    """Lets everything pass, and counts nothing."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def authenticate(self, _: bytes | None) -> Account:
        """Ask nobody who they are."""
        return self._account

    async def serve(self, _: MeteredCall, perform: Perform) -> Answer:
        """Do the work."""
        return Answer(await perform(), [])

    def refuse(self, account: Account, code: str) -> None:
        """Count nothing."""

    def usage(self, account: Account) -> Usage:
        """Return how the account stands."""
        return account.usage(_SETTINGS.asset, datetime.now(UTC))


def _account() -> Account:
    """Return an account of a key that was never made."""
    now = datetime.now(UTC)
    record = KeyRecord(
        id="key",
        digest="",
        display="",
        book="paper",
        plan="plan",
        label="",
        rate_per_s=_RATE_PER_S,
        burst=1,
        quota=None,
        credit=None,
        own=False,
        created_at=now,
    )
    return Account(record, Allowance(None, None, period_at(now)))


async def _exchange(port: int, key: str) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Make one call, and return the headers and the body of its answer."""
    reader, writer = await asyncio.open_connection(HOST, port)
    fields = f"Host: {HOST}\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n"
    writer.write(f"GET {TARGET} HTTP/1.1\r\n{fields}\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    status, *lines = head.split(b"\r\n")
    if b" 200 " not in status:
        raise RuntimeError(f"the call was answered {head!r} {body!r}")
    headers = [(name, value) for name, _, value in (line.partition(b": ") for line in lines)]
    return [header for header in headers if header[0] != b"connection"], body


def _answer_of(headers: list[tuple[bytes, bytes]], body: bytes) -> AsgiApp:
    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return answer


async def _serve_bare(app: AsgiApp) -> asyncio.Server:
    config = Config(cast("Any", app), http="httptools", ws="none", lifespan="off", log_config=None, access_log=False)
    config.load()
    state = ServerState()
    return await asyncio.get_running_loop().create_server(lambda: HttpToolsProtocol(config, state, {}), HOST, 0)


def _shop_without_meter(stream: ApiServices) -> Shop:
    context = stream.context
    settings = context.settings
    return Shop(
        id=context.id,
        offers={name: Offer(product, settings.price_units(name)) for name, product in settings.offered().items()},
        meter=Unmetered(_account()),
        heavy_work=HeavyWork(),
        limits=context.limits,
        now=context.now,
        health=stream.health,
        log=context.log,
        openapi=bytes,
        docs=bytes,
    )


async def _serve(directory: Path, log: LogSystem) -> None:
    instances = directory / "instances"
    (instances / INSTANCE).mkdir(parents=True)
    async with ActorSystem("benchmark") as system:
        news = BookingNews(EventBus(), log.write)
        ledger = await system.spawn(lambda: Ledger(directory / "ledger.sqlite3", instances, news), "ledger")
        commons = Commons(await system.spawn(lambda: Supervisor(), "commons"))
        context = context_for(
            _SETTINGS, instances / INSTANCE, ledger, commons, stream=ApiServices.name, instance=INSTANCE
        )
        stream = ApiServices(context)
        await stream.start()
        settling = asyncio.create_task(stream.run())
        unmetered = HttpHost(http_app(), HOST, 0, {"served": _shop_without_meter(stream)})
        await unmetered.start()
        key = (await stream.create_key(rate=_RATE_PER_S)).key
        bare = await _serve_bare(_answer_of(*await _exchange(stream.port, key)))
        gc.collect()
        gc.freeze()  # as the daemon does
        serving = Serving(stream.port, unmetered.port, bare.sockets[0].getsockname()[1], key)
        sys.stdout.write(msgspec.json.encode(serving).decode() + "\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
        bare.close()
        await unmetered.close(1.0)
        settling.cancel()
        await asyncio.wait([settling])
        await stream.stop()


def main(directory: Path) -> None:
    """Serve until the input ends."""
    with configure(directory / "daemon.jsonl", instances=directory / "instances", console="off") as log:
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        uvloop.run(_serve(directory, log))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
