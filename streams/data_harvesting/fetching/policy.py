"""How an instance behaves towards the sites that it visits, and what it lets them do to it."""

from __future__ import annotations

import math
import re
from typing import Annotated, Final

import msgspec

from streams.data_harvesting.fetching.reach import Reach, ReachError

_TOKEN: Final = re.compile(r"[A-Za-z_-]{3,64}")
_MAX_BODY_BYTES: Final = 256 * 1024 * 1024

Printable = Annotated[str, msgspec.Meta(pattern=r"^[ -~]*$", max_length=200)]
"""What can stand in a header."""


class FetchPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The rules of fetching; making one validates it. There is no field that turns robots.txt off.

    Attributes:
        product_token: The name that robots.txt files address us by; letters, `_` and `-`.
        contact: An address or page for the owners of sites, part of the User-Agent header.
        ports: Ports of public addresses that may be connected to.
        allow_private: What may be connected to although it is not public: `127.0.0.1:8901`, `[::1]:8901`,
            `localhost:8901` (either loopback address), or a network on all of its ports, `10.1.0.0/16`.
        concurrency_per_host: Requests to one host at a time; 1 where its robots.txt has a Crawl-delay.
        min_delay_s: Least time between two requests to one host; its Crawl-delay where that is longer.
        max_crawl_delay_s: A host that asks for a longer Crawl-delay is not visited at all.
        max_pause_s: Longest pause that a Retry-After header can bring.
        backoff_s: First pause after an error of a host; it doubles with each further one.
        max_backoff_s: Longest of those.
        patience_s: Longest that a fetch waits for its turn; past it the fetch fails and says when to come back.
        connect_timeout_s: For connecting, TLS included.
        idle_timeout_s: For the next byte.
        total_timeout_s: For one answer, whole.
        max_body_bytes: Largest body, decompressed.
        max_header_bytes: Largest single header line.
        max_redirects: Redirects that are followed, each under all rules.
        max_url_length: Longest URL, characters.
        max_depth: Links from a seed.
        max_urls: URLs that an instance remembers. Past it those found longest ago make room, so that a site with a
            page for every day until the end of time fills no disk.

    Raises:
        ValueError: A value makes no sense; says which, and what would.
    """

    product_token: str = "AutomateHarvester"  # noqa: S105 - a name, the field's word
    contact: Printable = ""
    ports: tuple[int, ...] = (80, 443)
    allow_private: tuple[str, ...] = ()
    concurrency_per_host: int = 1
    min_delay_s: float = 1.0
    max_crawl_delay_s: float = 3600.0
    max_pause_s: float = 6 * 3600.0
    backoff_s: float = 5.0
    max_backoff_s: float = 3600.0
    patience_s: float = 60.0
    connect_timeout_s: float = 10.0
    idle_timeout_s: float = 15.0
    total_timeout_s: float = 60.0
    max_body_bytes: int = 4 * 1024 * 1024
    max_header_bytes: int = 16 * 1024
    max_redirects: int = 5
    max_url_length: int = 2048
    max_depth: int = 5
    max_urls: int = 50_000

    def __post_init__(self) -> None:
        if not _TOKEN.fullmatch(self.product_token):
            raise ValueError(f"product_token: 3 to 64 letters, '_' and '-', not {self.product_token!r}")
        for port in self.ports:
            if not 1 <= port <= 65535:
                raise ValueError(f"ports: a port is from 1 to 65535, not {port}")
        self._within("concurrency_per_host", 1, 64)
        self._within("min_delay_s", 0, 86_400)
        for name in ("max_crawl_delay_s", "max_pause_s", "backoff_s", "max_backoff_s", "patience_s"):
            self._within(name, 0, 7 * 86_400)
        for name in ("connect_timeout_s", "idle_timeout_s", "total_timeout_s"):
            self._within(name, 0.01, 3600)
        self._within("max_body_bytes", 1, _MAX_BODY_BYTES)
        self._within("max_header_bytes", 1024, 1024 * 1024)
        self._within("max_redirects", 0, 20)
        self._within("max_url_length", 64, 16 * 1024)
        self._within("max_depth", 0, 1000)
        self._within("max_urls", 1000, 10_000_000)
        try:
            self.reach()
        except ReachError as error:
            raise ValueError(f"allow_private: {error}") from None

    @property
    def user_agent(self) -> str:
        """What requests say of us."""
        return f"{self.product_token}/1.0" + (f" (+{self.contact})" if self.contact else "")

    def reach(self) -> Reach:
        """Return what may be connected to."""
        return Reach.of(self.ports, self.allow_private)

    def _within(self, name: str, least: float, most: float) -> None:
        value = getattr(self, name)
        if not (math.isfinite(value) and least <= value <= most):
            raise ValueError(f"{name}: must be from {least:g} to {most:g}, not {value:g}")
