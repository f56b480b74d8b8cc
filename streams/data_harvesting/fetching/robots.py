"""What a robots.txt says to us, by RFC 9309. Pure: fetching and keeping it is the cache's affair."""

from __future__ import annotations

import math
import re
from typing import Final

import msgspec
from protego import Protego

from streams.data_harvesting.fetching.outcome import RobotsTerms

MAX_ROBOTS_BYTES: Final = 500 * 1024
"""How much is parsed; RFC 9309 (2.5) asks for at least 500 KiB. What follows is as if it were not there."""

_MAX_LINE: Final = 16 * 1024
_MAX_SITEMAPS: Final = 1000
_MAX_TERMS: Final = 20
_TOKEN: Final = re.compile(r"[A-Za-z_-]+|\*(?!\S)")
# Misspellings that large crawlers have learned to read.
_FIELDS: Final = {
    **dict.fromkeys(("user-agent", "useragent", "user agent"), "agent"),
    **dict.fromkeys(("disallow", "dissallow", "dissalow", "disalow", "diasllow", "disallaw"), "disallow"),
    "allow": "allow",
    **dict.fromkeys(("crawl-delay", "crawldelay", "crawl delay"), "delay"),
    **dict.fromkeys(("sitemap", "site-map", "sitemaps"), "sitemap"),
    "license": "license",
    "content-signal": "signal",
}
_SIGNAL: Final = re.compile(r"([a-z0-9_-]{1,40})\s*=\s*([a-z0-9_-]{1,40})", re.IGNORECASE | re.ASCII)


class Robots(msgspec.Struct, frozen=True):
    """The rules of one origin for one product token.

    Attributes:
        rules: What may be fetched; None for a verdict on everything.
        verdict: Whether everything may be fetched, where there are no rules.
        crawl_delay_s: Least time between requests; None where nothing is said.
        sitemaps: Sitemaps that it names, as they stand there.
        terms: What it says about the use of what may be fetched.
    """

    rules: Protego | None
    verdict: bool
    crawl_delay_s: float | None = None
    sitemaps: tuple[str, ...] = ()
    terms: RobotsTerms = RobotsTerms()

    def allows(self, url: str) -> bool:
        """Return whether a URL may be fetched. robots.txt itself always may."""
        return self.verdict if self.rules is None else self.rules.can_fetch(url, "us")


ALLOW_ALL: Final = Robots(None, verdict=True)
DISALLOW_ALL: Final = Robots(None, verdict=False)


class _Group:
    """A group of a robots.txt: whom it speaks to, and what it says."""

    __slots__ = ("agents", "delay_s", "rules", "signals")

    def __init__(self) -> None:
        self.agents: set[str] = set()
        self.rules: list[str] = []
        self.delay_s: float | None = None
        self.signals: dict[str, str] = {}


def parse_robots(body: bytes, product_token: str) -> Robots:
    """Read a robots.txt.

    A group speaks to us where its product token is ours, whatever the case; all of those count together. Only
    where there is none do the groups for `*` count. Fields that are not the standard's neither end a group nor
    begin one.

    Args:
        body: The file; of one that is too large, the beginning.
        product_token: Our name.
    """
    groups: list[_Group] = []
    licenses: list[str] = []
    sitemaps: list[str] = []
    open_for_agents = False
    for line in _lines(body):
        field, value = _field_of(line)
        if field == "agent":
            if not open_for_agents:
                groups.append(_Group())
                open_for_agents = True
            token = _TOKEN.match(value)
            groups[-1].agents.add(token[0].lower() if token else "")
        elif field in ("allow", "disallow"):
            open_for_agents = False
            if groups and value:
                groups[-1].rules.append(f"{field}: {value}")
        elif field == "sitemap" and value and len(sitemaps) < _MAX_SITEMAPS:
            sitemaps.append(value)
        elif field == "license" and value and len(licenses) < _MAX_TERMS:
            licenses.append(value)
        elif field == "delay" and groups:
            groups[-1].delay_s = _delay_of(value, groups[-1].delay_s)
        elif field == "signal" and groups:
            groups[-1].signals.update(
                (name.lower(), said.lower()) for name, said in _SIGNAL.findall(value)[:_MAX_TERMS]
            )
    ours = [group for group in groups if product_token.lower() in group.agents]
    ours = ours or [group for group in groups if "*" in group.agents]
    delays = [group.delay_s for group in ours if group.delay_s is not None]
    signals = {name: said for group in ours for name, said in group.signals.items()}
    rules = "\n".join(rule for group in ours for rule in group.rules)
    return Robots(
        rules=Protego.parse(f"user-agent: *\n{rules}") if rules else None,
        verdict=True,
        crawl_delay_s=max(delays, default=None),
        sitemaps=tuple(sitemaps),
        terms=RobotsTerms(tuple(licenses), signals),
    )


def _lines(body: bytes) -> list[str]:
    if len(body) > MAX_ROBOTS_BYTES:
        body = body[:MAX_ROBOTS_BYTES]
        # Half a line can say the opposite of a whole one.
        body = body[: max(body.rfind(b"\n"), body.rfind(b"\r")) + 1]
    text = body.decode("utf-8-sig", "replace")
    return [line[:_MAX_LINE] for line in re.split(r"[\r\n]+", text)]


def _field_of(line: str) -> tuple[str, str]:
    line = line.partition("#")[0].strip()
    name, colon, value = line.partition(":")
    if not colon or name.strip().lower() not in _FIELDS:
        # "Disallow /private" is read as it is meant.
        name, _, value = line.partition(" ")
    return _FIELDS.get(name.strip().lower(), ""), value.strip()


def _delay_of(value: str, before: float | None) -> float | None:
    try:
        delay_s = float(value)
    except ValueError:
        return before
    if not math.isfinite(delay_s) or delay_s < 0:
        return before
    return max(delay_s, before or 0.0)
