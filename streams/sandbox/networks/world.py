"""The paper world of affiliate_marketing: three networks, and shoppers for each agency."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import msgspec

from actors import Actor
from streams.affiliate_marketing.destination import FarPath
from streams.affiliate_marketing.settings import AffiliateMarketingSettings, Offer
from streams.sandbox.networks.network_server import NetworkServer
from streams.sandbox.networks.network_store import Publisher, Terms
from streams.sandbox.networks.shopper import Shoppers
from streams.sandbox.world import MakeServer, PaperWorld, Visit

NETWORKS: Final = ("meridian", "tradepath", "brightleaf")


class NetworksWorld(PaperWorld):
    """Three networks with their merchants."""

    def servers(self) -> Mapping[str, MakeServer]:
        """Return the networks."""
        return {name: partial(NetworkServer, name, self.ground) for name in NETWORKS}

    def visitor(self, visit: Visit) -> Callable[[], Actor[Any]] | None:
        """Return the shoppers of an instance; None where none of its merchants is in the paper world."""
        settings = msgspec.convert(visit.settings, AffiliateMarketingSettings)
        publishers = _publishers(settings, visit.url)
        if not publishers:
            return None
        return partial(
            Shoppers,
            instance=visit.instance,
            url=visit.url,
            codes=tuple(settings.links),
            publishers=publishers,
            far_sides=self.ground.far_sides,
            http=self.ground.http,
            now=self.ground.now,
            visits_per_minute=self.ground.visits_per_minute,
            seed=f"{self.ground.seed}/{visit.instance}",
        )


def _publishers(settings: AffiliateMarketingSettings, url: str) -> dict[str, Publisher]:
    """Return what an agency is to the networks of the paper world that it works with, by their names."""
    found: dict[str, Publisher] = {}
    for name, network in settings.networks.items():
        known_as = network.far_side.removeprefix("network.")
        offers = {
            offer.destination.path.rsplit("/", 1)[-1]: _terms(offer)
            for offer in settings.offers.values()
            if offer.network == name and isinstance(offer.destination, FarPath)
        }
        if known_as in NETWORKS and offers:
            found[known_as] = Publisher(f"{url}/postback/{name}", offers)
    return found


def _terms(offer: Offer) -> Terms:
    most = offer.max_units()
    is_share = offer.commission.endswith("%")
    return Terms(offer.click_parameter, most // 5 if is_share else offer.expected_units(), most, offer.currency)
