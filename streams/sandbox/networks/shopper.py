"""The shoppers of one agency: one actor that plays all of them, over real HTTP.

They follow a link to the merchant; whether they buy is the merchant's to know. Some of those who come are bots, some
browsers fetch ahead, and some people click twice.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final

import aiohttp
import msgspec
import structlog

from actors import Actor, Message, on
from streams.far_sides import FarSides
from streams.sandbox.networks.network_store import Publisher
from streams.sandbox.readers.browsers import CRAWLERS, browser

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

TIMEOUT_S: Final = 10.0

_LONGEST_PAUSE_S: Final = 300.0
_FIRST_WITHIN_S: Final = 2.0
_BOTS: Final = 0.1
_PREFETCHES: Final = 0.04
_DOUBLE_CLICKS: Final = 0.06


class Arrive(Message, frozen=True):
    """Somebody comes."""


class Shoppers(Actor[Arrive]):
    """Follows the links of one instance, at the intervals of a Poisson process.

    Args:
        instance: The instance.
        url: Where it listens.
        codes: Its links.
        publishers: What it is to each network, by the network's name there.
        far_sides: Where the networks are.
        http: Makes the shared HTTP client session.
        now: The time, aware UTC: shoppers of another hour are other people.
        visits_per_minute: How often somebody comes on average.
        seed: What decides.
    """

    handler_limit_s = 60.0

    def __init__(
        self,
        instance: str,
        url: str,
        codes: tuple[str, ...],
        publishers: Mapping[str, Publisher],
        far_sides: FarSides,
        http: Callable[[], aiohttp.ClientSession],
        now: Callable[[], datetime],
        visits_per_minute: float,
        seed: str,
    ) -> None:
        self._instance = instance
        self._url = url
        self._codes = codes
        self._publishers = publishers
        self._far_sides = far_sides
        self._http = http
        self._interval_s = 60.0 / visits_per_minute
        self._now = now
        self._seed = seed
        self._rng = random.Random(seed)  # noqa: S311 - repeatable shoppers, not a secret
        self._registered: dict[str, str] = {}
        self._log: FilteringBoundLogger = structlog.get_logger("sandbox.shoppers").bind(shoppers_of=instance)

    async def on_start(self) -> None:
        """Think of when the first one comes: not all at once."""
        self._rng.seed(f"{self._seed}/{self._now():%Y-%m-%d %H:%M}")
        self.context.schedule(self._rng.uniform(0.1, min(_FIRST_WITHIN_S, self._interval_s)), Arrive())

    @on(Arrive)
    async def arrive(self, _: Arrive) -> None:
        """Let somebody follow a link, and think of who comes next."""
        try:
            await self._register_everywhere()
            await self._shop()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._log.debug("shopper.turned_away", reason=str(error) or type(error).__name__)
        finally:
            self.context.schedule(min(self._rng.expovariate(1 / self._interval_s), _LONGEST_PAUSE_S), Arrive())

    async def _register_everywhere(self) -> None:
        """Tell the networks where postbacks go: publishers do so when they join, and when a network has moved."""
        for name, publisher in self._publishers.items():
            network = self._far_sides.find(f"network.{name}")
            if network is None or self._registered.get(name) == network.url:
                continue
            async with self._http().put(
                f"{network.url}/publishers/{self._instance}",
                data=msgspec.json.encode(publisher),
                headers={"Authorization": f"Bearer {network.credentials['api_token']}"},
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            ) as response:
                await response.read()
                if response.ok:
                    self._registered[name] = network.url

    async def _shop(self) -> None:
        rng = self._rng
        code, kind = rng.choice(self._codes), rng.random()
        agent = rng.choice(CRAWLERS) if kind < _BOTS else _browser(rng)
        headers = {"User-Agent": agent}
        if _BOTS <= kind < _BOTS + _PREFETCHES:
            headers["Sec-Purpose"] = "prefetch"
        clicks = 2 if kind > 1 - _DOUBLE_CLICKS else 1
        merchant = ""
        for _ in range(clicks):
            merchant = await self._follow(f"{self._url}/c/{code}?s1=page-{rng.randint(1, 40)}", headers)
        if merchant:
            await self._follow(merchant, headers)

    async def _follow(self, url: str, headers: dict[str, str]) -> str:
        """Open a page, and return where it leads; empty where it stays."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with self._http().get(url, headers=headers, allow_redirects=False, timeout=timeout) as response:
            await response.read()
            return response.headers.get("Location", "") if response.status == 302 else ""


def _browser(rng: random.Random) -> str:
    """Return somebody's browser, with its build: in an hour, hardly anybody comes with another's."""
    return browser(rng).replace(".0.0.0", f".0.{rng.randint(4000, 6999)}.{rng.randint(0, 250)}")
