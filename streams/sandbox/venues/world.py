"""The paper world of crypto arbitrage: two venues, one market, and the keys to trade there.

Any client of Binance's spot or of Kraken's REST API trades on them when it is told the address. With ccxt, whose
classes need no change:

    client = ccxt.async_support.binance({"apiKey": …, "secret": …})       # or kraken
    client.urls["api"] = {name: url + urlsplit(at).path for name, at in client.urls["api"].items()}

`url`, keys and secrets stand in `$AUTOMATE_HOME/run/sandbox.json`, as those of `venue.binance` and `venue.kraken`:
`apiKey` and `secret` are the fleet's, `visitor_apiKey` and `visitor_secret` belong to whoever comes to look, and
have money of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from actors import Actor
from streams.sandbox.venues.customers import FLEET, VISITOR
from streams.sandbox.venues.listings import BINANCE, KRAKEN, VenueTerms
from streams.sandbox.venues.market.feed import units_of_usd
from streams.sandbox.venues.server import VenueServer
from streams.sandbox.venues.world_time import WorldTime
from streams.sandbox.world import Ground, MakeServer, PaperWorld, Visit

_FLEET_USD: Final = 100_000
_VISITOR_USD: Final = 10_000


class VenuesWorld(PaperWorld):
    """Two venues as actors; they keep keys, accounts and orders in the world's directory."""

    def servers(self) -> Mapping[str, MakeServer]:
        """Return the two venues."""
        time = WorldTime(self.ground.now, self.ground.monotonic)
        return {f"venue.{terms.name}": _maker(self.ground, terms, time) for terms in (BINANCE, KRAKEN)}

    def visitor(self, visit: Visit) -> Callable[[], Actor[Any]] | None:
        """Return nothing: traders have no visitors."""
        return None


def _maker(ground: Ground, terms: VenueTerms, time: WorldTime) -> MakeServer:
    return lambda port: VenueServer(ground, terms, time, port, deposits_of(terms))


def deposits_of(terms: VenueTerms) -> dict[str, dict[str, int]]:
    """Return what the accounts of a venue begin with, in units: of each asset the same worth, or nearly."""
    return {
        account: {asset: units_of_usd(asset, usd) for asset in terms.assets}
        for account, usd in ((FLEET, _FLEET_USD), (VISITOR, _VISITOR_USD))
    }
