"""Where a recipe's addresses are: sites that go by a name are looked up, all others are where they say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

import msgspec

from streams.data_harvesting.fetching import store_schema
from streams.data_harvesting.fetching.policy import FetchPolicy
from streams.data_harvesting.fetching.store import Link
from streams.data_harvesting.fetching.urls import authority_of
from streams.data_harvesting.harvester import kind_of
from streams.data_harvesting.recipe import Address, Recipe, SitePath
from streams.far_sides import FarSides

_FINGERPRINT: Final = 16
_ENCODER: Final = msgspec.json.Encoder(order="sorted")


class SiteUnknown(Exception):
    """A site goes by a name that nobody knows here, or not yet.

    Attributes:
        site: The name.
    """

    def __init__(self, site: str) -> None:
        super().__init__(
            f"there is no site {site!r} here: in the sandbox it may be starting; live, name a URL in its place"
        )
        self.site = site


class Territory(msgspec.Struct, frozen=True):
    """Where an instance harvests.

    Attributes:
        seeds: Where to begin.
        authorities: By dataset, `host:port` of the hosts that its recipe may visit.
        policy: The rules; what the sandbox's sites listen on is reachable by it.
        fingerprint: Changes with recipes, sites, what may be reached, and the form of frontiers: one that was made for
            others is of no use.
    """

    seeds: tuple[Link, ...]
    authorities: dict[str, frozenset[str]]
    policy: FetchPolicy
    fingerprint: str


def survey(recipes: Mapping[str, Recipe], policy: FetchPolicy, far_sides: FarSides) -> Territory:
    """Return where an instance harvests. Blocks: it loads what takes addresses apart.

    Raises:
        SiteUnknown: A site is not known by its name.
        ValueError: An address is none.
    """
    seeds: list[Link] = []
    authorities: dict[str, frozenset[str]] = {}
    named: set[str] = set()
    for name, recipe in recipes.items():
        urls: list[str] = []
        for role, address in recipe.addresses():
            url = _url_of(address, far_sides)
            if isinstance(address, SitePath):
                named.add(urlsplit(url).netloc)
            urls.append(url)
            seeds.append(Link(url, kind_of(role, name)))
        authorities[name] = frozenset(map(authority_of, urls))
    policy = msgspec.structs.replace(policy, allow_private=(*policy.allow_private, *sorted(named)))
    return Territory(tuple(seeds), authorities, policy, _fingerprint(recipes, seeds, policy))


def _url_of(address: Address, far_sides: FarSides) -> str:
    if isinstance(address, str):
        return address
    far_side = far_sides.find(address.site)
    if far_side is None:
        raise SiteUnknown(address.site)
    return far_side.url + address.path


def _fingerprint(recipes: Mapping[str, Recipe], seeds: Iterable[Link], policy: FetchPolicy) -> str:
    reached = (policy.ports, policy.allow_private, policy.product_token)
    content = _ENCODER.encode([store_schema.VERSION, recipes, [(seed.url, seed.kind) for seed in seeds], reached])
    return sha256(content).hexdigest()[:_FINGERPRINT]
