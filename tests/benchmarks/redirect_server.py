"""What the benchmark of redirects talks to, a process of its own per server.

`python -m tests.benchmarks.redirect_server tracked|bare <directory>` prints its port when it serves, and ends with its
input. `tracked` is an instance as it is: two offers in rotation, every click durable before it is answered. `bare` is
uvicorn's own protocol and an application of two lines that answers such an answer's bytes.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, Final, cast

import structlog
import uvloop
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from orchestrator.daemon import SWITCH_INTERVAL_S
from streams.affiliate_marketing.settings import AffiliateMarketingSettings, Campaign, Link, Network, Offer
from streams.affiliate_marketing.stream import AffiliateMarketing
from streams.commons import Commons
from streams.far_sides import FarSides
from streams.neighbours import Neighbours
from streams.stream import Limits, StreamContext

HOST: Final = "127.0.0.1"
CODE: Final = "kettle"

_LOCATION: Final = b"https://shop.example/kettles?ref=benchmark&clid=YlAiJjBW_Q1nheI_Z5lxbA"
_SECRET: Final = "whsec_" + "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def _offer(merchant: str) -> Offer:
    return Offer(
        merchant=merchant,
        title="Kettles",
        network="acme",
        destination="https://shop.example/kettles?ref=benchmark",
        click_parameter="clid",
        commission="4.00",
        max_commission="20.00",
    )


_SETTINGS: Final = AffiliateMarketingSettings(
    title="Benchmark",
    tagline="",
    networks={"acme": Network("Acme", secret="ACME")},
    offers={"one": _offer("One"), "two": _offer("Two")},
    campaigns={"best": Campaign("Kettles", ("one", "two"))},
    links={CODE: Link("best", "The kettle")},
)


def _context(directory: Path) -> StreamContext[AffiliateMarketingSettings]:
    directory.mkdir(exist_ok=True)
    return StreamContext(
        id="affiliate_marketing-001",
        stream=AffiliateMarketing.name,
        directory=directory,
        host=HOST,
        port=0,
        settings=_SETTINGS,
        book="paper",
        ledger=cast("Any", None),
        log=structlog.get_logger("benchmark"),
        now=lambda: datetime.now(UTC),
        monotonic=monotonic,
        limits=Limits(),
        http=lambda: cast("Any", None),
        secret=lambda _: _SECRET,
        commons=cast("Commons", None),
        far_sides=FarSides(),
        neighbours=cast("Neighbours", None),
    )


async def _bare(scope: Any, receive: Any, send: Any) -> None:
    headers = [(b"location", _LOCATION), (b"cache-control", b"no-store"), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 302, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _wait(port: int) -> None:
    gc.collect()
    gc.freeze()  # as the daemon does
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)


async def _serve_tracked(directory: Path) -> None:
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    stream = AffiliateMarketing(_context(directory))
    await stream.start()
    running = asyncio.create_task(stream.run())
    await _wait(stream.port)
    running.cancel()
    await asyncio.wait([running])
    await stream.stop()


async def _serve_bare(_: Path) -> None:
    config = Config(_bare, http="httptools", ws="none", lifespan="off", log_config=None, access_log=False)
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: HttpToolsProtocol(config, state, {}), HOST, 0)
    await _wait(server.sockets[0].getsockname()[1])
    server.close()


if __name__ == "__main__":
    uvloop.run({"tracked": _serve_tracked, "bare": _serve_bare}[sys.argv[1]](Path(sys.argv[2])))
