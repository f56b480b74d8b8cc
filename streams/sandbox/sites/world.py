"""The paper world of `data_harvesting`: the sites that are harvested, and those who buy what is made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from actors import Actor
from streams.sandbox.sites.agora import Agora
from streams.sandbox.sites.chance import Chance
from streams.sandbox.sites.customer import DatasetCustomer
from streams.sandbox.sites.gazette import Gazette
from streams.sandbox.sites.jobs import Jobs
from streams.sandbox.sites.library import Library, Mirror
from streams.sandbox.sites.market import Market
from streams.sandbox.sites.server import SiteServer
from streams.sandbox.sites.site import Site
from streams.sandbox.sites.weather import Weather
from streams.sandbox.world import MakeServer, PaperWorld, Visit

SITES: Final[tuple[type[Site], ...]] = (Gazette, Market, Agora, Jobs, Weather, Library, Mirror)

VISITS_PER_DOWNLOAD: Final = 60.0
"""A dataset is bought more seldom than an API is called: at 15 visits a minute, every four minutes."""


class SitesWorld(PaperWorld):
    """Has seven sites, and sends every instance one customer."""

    def servers(self) -> Mapping[str, MakeServer]:
        """Return the sites' servers."""
        return {f"site.{kind.name}": partial(self._server, kind) for kind in SITES}

    def visitor(self, visit: Visit) -> Callable[[], Actor[Any]] | None:
        """Return what makes an instance's customer; None where it has no datasets."""
        names = sorted(visit.settings.get("datasets", {}))
        if not names:
            return None
        ground = self.ground
        return partial(
            DatasetCustomer,
            instance=visit.instance,
            base_url=visit.url,
            desk=visit.desk,
            datasets=names,
            purse=ground.directory / visit.instance,
            http=ground.http,
            downloads_per_minute=ground.visits_per_minute / VISITS_PER_DOWNLOAD,
            seed=f"{ground.seed}/{visit.instance}",
        )

    def _server(self, kind: type[Site], port: int) -> SiteServer:
        ground = self.ground
        # A mirror has what its original has.
        site = kind(Chance(f"{ground.seed}/{'library' if kind is Mirror else kind.name}"))
        return SiteServer(site, ground.host, port, ground.now, ground.monotonic, ground.far_sides)
