"""What the benchmark of priorities talks to: one process with three real instances that share one loop and one ledger.

`python -m tests.benchmarks.priority_server <directory>` prints one line of JSON when it serves. Each line of its input
is the weights of the three as a JSON array; it answers with how often requests had to wait since the line before. It
ends with its input. Two more ports answer a bare application of two lines: one by turns, one without.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import msgspec
import uvloop

from actors import ActorSystem, Supervisor
from orchestrator.booked import BookingNews
from orchestrator.daemon import SWITCH_INTERVAL_S
from orchestrator.events import EventBus
from orchestrator.logs import LogSystem, configure
from orchestrator.money.ledger import Ledger
from streams.api_services.settings import ApiServicesSettings
from streams.api_services.stream import ApiServices
from streams.commons import Commons
from streams.http_host import HttpApp, HttpHost
from streams.metering.plan import Plan
from streams.turns import Shares
from tests.streams.contexts import context_for

HOST: Final = "127.0.0.1"
INSTANCES: Final = ("api_services-001", "api_services-002", "api_services-003")

_RATE_PER_S: Final = 1_000_000.0
_SETTINGS: Final = ApiServicesSettings(
    title="Benchmark",
    tagline="",
    products={"iban": "0.002"},
    plans={"plan": Plan(rate_per_s=10_000, burst=10_000)},
    default_plan="plan",
)


class Serving(msgspec.Struct, frozen=True):
    """Where what is served: ports and keys of the instances, and the ports of the bare application."""

    ports: tuple[int, ...]
    keys: tuple[str, ...]
    by_turns: int
    without: int


async def _bare(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def _serve(directory: Path, log: LogSystem) -> None:
    instances = directory / "instances"
    instances.mkdir(parents=True)
    shares = Shares()
    async with ActorSystem("benchmark") as system, AsyncExitStack() as closing:
        news = BookingNews(EventBus(), log.write)
        ledger = await system.spawn(lambda: Ledger(directory / "ledger.sqlite3", instances, news), "ledger")
        commons = Commons(await system.spawn(lambda: Supervisor(), "commons"))
        streams = []
        for name in INSTANCES:
            context = context_for(
                _SETTINGS,
                instances / name,
                ledger,
                commons,
                stream=ApiServices.name,
                instance=name,
                share=shares.of(name),
            )
            stream = ApiServices(context)
            await stream.start()
            closing.push_async_callback(stream.stop)
            settling = asyncio.create_task(stream.run())
            closing.push_async_callback(asyncio.wait, [settling])
            closing.callback(settling.cancel)
            streams.append(stream)
        share = shares.of("bare")
        bare = [HttpHost(HttpApp(_bare), HOST, 0, {}, turns=turns) for turns in (share.requests, None)]
        for host in bare:
            await host.start()
            closing.push_async_callback(host.close, 1.0)
        keys = [(await stream.create_key(rate=_RATE_PER_S)).key for stream in streams]
        gc.collect()
        gc.freeze()  # as the daemon does
        _say(Serving(tuple(stream.port for stream in streams), tuple(keys), bare[0].port, bare[1].port))
        waited = 0
        while line := await asyncio.to_thread(sys.stdin.readline):
            shares.weigh(dict(zip(INSTANCES, msgspec.json.decode(line, type=tuple[float, ...]), strict=True)))
            before, waited = waited, shares.requests.waited
            _say(waited - before)


def _say(document: object) -> None:
    sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
    sys.stdout.flush()


def main(directory: Path) -> None:
    """Serve until the input ends."""
    with configure(directory / "daemon.jsonl", instances=directory / "instances", console="off") as log:
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        uvloop.run(_serve(directory, log))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
