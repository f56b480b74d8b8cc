"""The paper world's sites on real sockets, for tests of what harvests them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import aiohttp

from actors import ActorSystem
from streams.far_sides import FarSides
from streams.sandbox.sites.server import SiteServer
from streams.sandbox.sites.world import SITES, SitesWorld
from streams.sandbox.world import Ground


def no_client() -> aiohttp.ClientSession:
    """Stand for the shared client where nobody uses it."""
    raise AssertionError("nobody visits here")


class OpenSites:
    """Sites that are open.

    Attributes:
        far_sides: Where they are.
        servers: By name.
        world: Whose they are.
    """

    def __init__(self, world: SitesWorld, far_sides: FarSides) -> None:
        self.world = world
        self.far_sides = far_sides
        self.servers: dict[str, SiteServer] = {}

    def url(self, site: str) -> str:
        """Return a site's address."""
        far_side = self.far_sides.find(f"site.{site}")
        assert far_side is not None
        return far_side.url

    def paths(self, site: str, *, robots: bool = False) -> list[str]:
        """Return what was asked for of a site, in order."""
        return [each.path for each in self.servers[site].watch.log if robots or each.path != "/robots.txt"]

    def violations(self) -> dict[str, dict[str, int]]:
        """Return all broken rules, by site."""
        return {name: dict(server.watch.violations) for name, server in self.servers.items() if server.watch.violations}


@asynccontextmanager
async def open_sites(
    directory: Path,
    names: Iterable[str] = tuple(kind.name for kind in SITES),
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    http: Callable[[], aiohttp.ClientSession] = no_client,
    visits_per_minute: float = 120.0,
    ports: dict[str, int] | None = None,
) -> AsyncIterator[OpenSites]:
    """Open sites of the paper world."""
    far_sides = FarSides()
    ground = Ground(
        directory=directory / "world",
        host="127.0.0.1",
        seed=7,
        visits_per_minute=visits_per_minute,
        http=http,
        now=now,
        monotonic=monotonic,
        far_sides=far_sides,
    )
    sites = OpenSites(SitesWorld(ground), far_sides)
    async with ActorSystem("sites-bench") as system:
        for name, make in sites.world.servers().items():
            site = name.removeprefix("site.")
            if site in names:
                server = make((ports or {}).get(site, 0))
                assert isinstance(server, SiteServer)
                sites.servers[site] = server
                await system.spawn(lambda server=server: server, site)
        yield sites
