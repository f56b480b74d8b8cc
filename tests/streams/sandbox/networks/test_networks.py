"""The networks and shoppers of the paper world, with a real instance between them."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from actors import Actor, ActorRef, ActorSystem
from streams.affiliate_marketing.blueprint import blueprint
from streams.affiliate_marketing.stream import AffiliateMarketing
from streams.far_sides import FarSides
from streams.money import parse_amount
from streams.sandbox.networks.fate import buys, story_of
from streams.sandbox.networks.network_server import NetworkServer
from streams.sandbox.networks.world import NETWORKS, NetworksWorld
from streams.sandbox.world import Ground, Visit
from tests.streams.affiliate_marketing.agencies import CHROME, NOW, settings, sums
from tests.streams.contexts import context_for, open_commons
from tests.streams.ledgers import LedgerBench, open_ledger

DESK: ActorRef[Any] = None  # type: ignore[assignment]


class World:
    """Three networks and an agency.

    Attributes:
        time: The clock of all of them.
    """

    def __init__(self, directory: Path, session: aiohttp.ClientSession, bench: LedgerBench) -> None:
        self.time = NOW
        self.far_sides = FarSides()
        self.bench = bench
        self.stream: AffiliateMarketing
        self.servers: dict[str, NetworkServer] = {}
        self.session = session
        self.ground = Ground(
            directory=directory / "sandbox",
            host="127.0.0.1",
            seed=7,
            visits_per_minute=6000,
            http=lambda: session,
            now=lambda: self.time,
            monotonic=lambda: 0.0,
            far_sides=self.far_sides,
        )
        self.paper = NetworksWorld(self.ground)

    @property
    def visit(self) -> Visit:
        settings = msgspec.to_builtins(self.stream.context.settings)
        return Visit(self.stream.context.id, f"http://127.0.0.1:{self.stream.port}", settings, DESK)

    def make(self, name: str) -> Actor[Any]:
        server = self.servers[name] = self.paper.servers()[name](0)  # type: ignore[assignment]
        return server

    async def pass_time(self, seconds: float) -> None:
        """Let all that is due by then be sent, second by second."""
        for _ in range(round(seconds)):
            self.time += timedelta(seconds=1)
            for server in self.servers.values():
                await server.send_due()

    async def shop(self, agent: str, link: int = 0) -> None:
        code = list(self.stream.context.settings.links)[link]
        async with self.session.get(f"{self.visit.url}/c/{code}", headers={"User-Agent": agent}) as response:
            assert response.status == 200


@asynccontextmanager
async def open_world(directory: Path, *, start: datetime = NOW) -> AsyncIterator[World]:
    async with (
        open_ledger(directory) as bench,
        open_commons() as commons,
        aiohttp.ClientSession() as session,
        ActorSystem("paper") as system,
    ):
        world = World(directory, session, bench)
        world.time = start
        for name in NETWORKS:
            await system.spawn(make_of(world, name), name)
        context = context_for(
            blueprint(2)[1],
            directory / "instances" / "affiliate_marketing-001",
            bench.ref,
            commons,
            stream="affiliate_marketing",
            now=lambda: world.time,
            far_sides=world.far_sides,
        )
        world.stream = AffiliateMarketing(context)
        await world.stream.start()
        running = asyncio.create_task(world.stream.run())
        shoppers = world.paper.visitor(world.visit)
        assert shoppers is not None
        visitor = shoppers()
        await visitor._register_everywhere()  # type: ignore[attr-defined]
        try:
            yield world
        finally:
            running.cancel()
            await asyncio.wait((running,))
            await world.stream.stop()


def make_of(world: World, name: str) -> Callable[[], Actor[Any]]:
    return lambda: world.make(name)


async def test_the_first_shopper_buys_and_the_commission_is_booked_approved_and_paid(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        await world.shop(CHROME)
        await world.pass_time(1)
        assert set(await sums(world.bench)) == {"expected"}
        await world.pass_time(3)
        assert set(await sums(world.bench)) == {"earned", "due"}
        await world.pass_time(40)
        assert set(await sums(world.bench)) == {"earned", "paid"}
        assert all(entry.evidence.kind == "network.postback" for entry in await world.bench.entries())


async def test_what_was_due_while_everything_was_down_is_sent_after_a_restart(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        await world.shop(CHROME)
    async with open_world(tmp_path, start=NOW + timedelta(hours=1)) as world:
        # The instance has another port now, which the network learns when it registers; then it tries again.
        await world.pass_time(5)
        assert set(await sums(world.bench)) == {"earned", "paid"}


async def test_whatever_networks_do_only_what_is_signed_and_attributed_earns(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        for shopper in range(150):
            await world.shop(f"{CHROME} {shopper}", shopper % 3)
        await world.pass_time(500)
        funnel = world.stream.funnel()
        assert funnel["refused_signature"] > 0
        assert funnel["replayed"] > 0
        assert funnel["in_quarantine"] > 0
        orders = await world.stream._orders.all(None, 1000)
        booked = Counter[tuple[str, str]]()
        for entry in await world.bench.entries():
            if entry.kind != "affiliate.pending":
                booked.update(
                    {(p.account.split(":")[0], p.asset): parse_amount(p.amount, p.asset) for p in entry.postings}
                )
        for asset in ("USD", "EUR"):
            earned = sum(order.standing.earned for order in orders if order.currency == asset)
            assert -booked["income", asset] == earned > 0
        assert {"cancelled", "approved", "paid"} <= {order.standing.state for order in orders}


async def test_shoppers_find_the_way_by_themselves(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world, ActorSystem("shoppers") as system:
        make = world.paper.visitor(world.visit)
        assert make is not None
        await system.spawn(make, "shoppers")
        while not (world.stream.funnel()["unique"] >= 20 and world.stream.funnel().get("filtered_bot")):
            await asyncio.sleep(0.01)


async def test_publishers_register_with_a_token(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        network = world.far_sides.find("network.meridian")
        assert network is not None
        for token, status in ((b64encode(bytes(20)).decode(), 401), (network.credentials["api_token"], 400)):
            answer = world.session.put(
                f"{network.url}/publishers/someone", data=b"{}", headers={"Authorization": f"Bearer {token}"}
            )
            async with answer as response:
                assert response.status == status
        assert (tmp_path / "sandbox" / "meridian.json").stat().st_mode & 0o777 == 0o600


def test_fates_are_repeatable_and_all_kinds_happen() -> None:
    stories = [story_of(f"seed {number}") for number in range(400)]
    assert stories == [story_of(f"seed {number}") for number in range(400)]
    assert {saying.defect for story in stories for saying in story} == {
        *("none", "twice", "bad_signature", "stale", "foreign_click", "too_much", "malformed")
    }
    assert 0.2 < sum(buys(f"seed {number}") for number in range(1000)) / 1000 < 0.4


def test_an_agency_without_merchants_in_the_paper_world_has_no_shoppers(tmp_path: Path) -> None:
    ground = Ground(
        tmp_path,
        "127.0.0.1",
        1,
        15,
        lambda: None,
        lambda: NOW,
        lambda: 0.0,
        FarSides(),  # type: ignore[arg-type, return-value]
    )
    visit = Visit("affiliate_marketing-001", "http://127.0.0.1:1", msgspec.to_builtins(settings()), DESK)
    assert NetworksWorld(ground).visitor(visit) is None
