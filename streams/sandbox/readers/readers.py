"""The readers of one site: one actor that plays all of them, over real HTTP.

Most are people: they open the index or an article, look at it for a second or more, and seldom follow a link. Some are
crawlers and scripts, which a site must tell from people. What counts is up to the site; readers do not know.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import aiohttp
import msgspec
import structlog

from actors import Actor, ActorError, ActorRef, Message, on
from config.saving import write_atomically
from streams.metering.messages import CreateKey
from streams.sandbox.readers.browsers import CRAWLERS, FEED_READER, browser
from streams.sandbox.readers.reading import Seen, look_at

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

TIMEOUT_S: Final = 10.0
MEMBERS: Final = 6
"""Readers of a site who become members, at most."""

_MAX_PAGE_BYTES: Final = 2 * 1024 * 1024
_LONGEST_PAUSE_S: Final = 300.0
_FIRST_S: Final = 1.0


class Arrive(Message, frozen=True):
    """Someone comes to the site; think of who comes next."""


class Look(Message, frozen=True):
    """Someone has had a page before them for a while.

    Attributes:
        agent: Their browser.
        tokens: The sponsors that were in view.
        page: Where they are.
        advertised: Affiliate links on it.
    """

    agent: str
    tokens: tuple[str, ...]
    page: str
    advertised: tuple[str, ...]


class Follow(Message, frozen=True):
    """Someone follows a link.

    Attributes:
        agent: Their browser.
        url: Where it leads.
        page: Where they were.
    """

    agent: str
    url: str
    page: str


class Readers(Actor[Arrive | Look | Follow]):
    """Comes to one site again and again, as many people.

    Args:
        instance: Whose site it is.
        base_url: Where it is.
        desk: Where members buy keys.
        purse: The file in which members keep them.
        http: Makes the shared HTTP client session.
        visits_per_minute: How often someone comes, on average.
        seed: What decides on who comes, when, and what they do.
    """

    handler_limit_s = 60.0

    def __init__(
        self,
        instance: str,
        base_url: str,
        desk: ActorRef[CreateKey],
        purse: Path,
        http: Callable[[], aiohttp.ClientSession],
        visits_per_minute: float,
        seed: str,
    ) -> None:
        self._base_url = base_url
        self._host = urlsplit(base_url).hostname
        self._desk = desk
        self._purse = purse
        self._http = http
        self._interval_s = 60.0 / visits_per_minute
        self._rng = random.Random(seed)  # noqa: S311 - repeatable readers, not a secret
        self._keys: list[str] = []
        self._bought: set[tuple[str, str]] = set()
        self._articles: tuple[str, ...] = ()
        self._for_members = ""
        self._feed_tag = ""
        self._is_first = True
        self._log = structlog.get_logger("sandbox.readers").bind(readers_of=instance)
        self._kinds: list[tuple[float, Callable[[], Awaitable[None]]]] = [
            (0.62, self._person),
            (0.06, self._member),
            (0.08, self._feed_reader),
            (0.12, self._crawler),
            (0.05, self._headless),
            (0.03, self._prefetcher),
            (0.02, self._hasty),
            (0.02, self._forger),
        ]

    async def on_start(self) -> None:
        """Take up the members' keys of a former life."""
        self._keys = await asyncio.to_thread(_read_keys, self._purse)
        self.context.schedule(self._rng.uniform(0.1, _FIRST_S), Arrive())

    @on(Arrive)
    async def arrive(self, _: Arrive) -> None:
        """Be someone who comes, and schedule the next one."""
        weights, kinds = zip(*self._kinds, strict=True)
        # A site that has just opened gets a person first.
        kind = self._person if self._is_first else self._rng.choices(kinds, weights)[0]
        try:
            await self._try(kind())
        finally:
            pause_s = self._rng.expovariate(1 / self._interval_s)
            self.context.schedule(min(pause_s, _LONGEST_PAUSE_S), Arrive())

    @on(Look)
    async def look(self, message: Look) -> None:
        """Tell the site what was in view, and perhaps follow a link."""
        await self._try(self._tell(message.agent, message.tokens, message.page))
        chance = self._rng.random()
        if chance < 0.08:
            url = f"{self._base_url}/go/{self._rng.choice(message.tokens)}"
        elif chance < 0.13 and message.advertised:
            url = self._rng.choice(message.advertised)
        else:
            return
        self.context.schedule(self._rng.uniform(0.5, 4.0), Follow(message.agent, url, message.page))

    @on(Follow)
    async def follow(self, message: Follow) -> None:
        """Follow a link to its redirect, and no further: what is beyond is the world."""
        # Readers of the paper world stay on this machine, whatever a page says.
        if urlsplit(message.url).hostname == self._host:
            headers = {"Referer": self._base_url + message.page}
            await self._try(self._get(message.url, message.agent, headers))

    async def _person(self) -> None:
        agent = browser(self._rng)
        if not self._articles or self._rng.random() < 0.4:
            seen = await self._open("/", agent)
            self._articles = seen.articles
            self._be_seen("/", agent, seen)
        if self._articles:
            path = f"/articles/{self._rng.choice(self._articles)}"
            self._be_seen(path, agent, await self._open(path, agent))

    async def _member(self) -> None:
        agent = browser(self._rng)
        for slug in (self._for_members,) if self._for_members else self._articles:
            self._for_members = (await self._open(f"/articles/{slug}", agent)).for_members
            if self._for_members:
                await self._read_as_member(self._for_members, agent)
                return

    async def _read_as_member(self, slug: str, agent: str) -> None:
        key = await self._key_for(slug)
        url, headers = f"{self._base_url}/members/{slug}", {"Authorization": f"Bearer {key}"}
        status, _, _ = await self._get(url, agent, headers)
        if status == 401:
            self._keys.remove(key)
            await self._fill_purse()

    async def _feed_reader(self) -> None:
        headers = {"If-None-Match": self._feed_tag} if self._feed_tag else {}
        _, _, answered = await self._get(f"{self._base_url}/feed.xml", FEED_READER, headers)
        self._feed_tag = answered.get("etag", "")

    async def _crawler(self) -> None:
        agent = self._rng.choice(CRAWLERS)
        await self._get(f"{self._base_url}/sitemap.xml", agent)
        if self._articles:
            await self._open(f"/articles/{self._rng.choice(self._articles)}", agent)

    async def _headless(self) -> None:
        # A script that calls itself a browser, and runs nothing of the page.
        await self._open("/", browser(self._rng))

    async def _prefetcher(self) -> None:
        seen = await self._open("/", agent := browser(self._rng), {"Sec-Purpose": "prefetch"})
        await self._tell(agent, seen.tokens or ("nothing",), "/")

    async def _hasty(self) -> None:
        seen = await self._open("/", agent := browser(self._rng))
        await self._tell(agent, seen.tokens, "/")
        await self._tell(browser(self._rng), seen.tokens, "/")

    async def _forger(self) -> None:
        await self._tell(browser(self._rng), ("".join(self._rng.choices("abcdefgh-_0123", k=120)),), "/")

    def _be_seen(self, page: str, agent: str, seen: Seen) -> None:
        if seen.tokens:
            self._is_first = False
            delay_s = self._rng.uniform(1.15, 3.0)
            self.context.schedule(delay_s, Look(agent, seen.tokens, page, seen.advertised))

    async def _key_for(self, slug: str) -> str:
        """Return the key of a member who has not read an article, if there is one or room for one more."""
        for key in self._keys:
            if (key, slug) not in self._bought:
                self._bought.add((key, slug))
                return key
        if len(self._keys) >= MEMBERS:
            return self._rng.choice(self._keys)
        made = await self._desk.ask(CreateKey(label="sandbox reader"), timeout=5.0)
        self._keys.append(made.key)
        self._bought.add((made.key, slug))
        await self._fill_purse()
        return made.key

    async def _fill_purse(self) -> None:
        await asyncio.to_thread(write_atomically, self._purse, msgspec.json.encode(self._keys))

    async def _open(self, path: str, agent: str, headers: dict[str, str] | None = None) -> Seen:
        _, html, _ = await self._get(self._base_url + path, agent, headers)
        return look_at(html)

    async def _get(
        self, url: str, agent: str, headers: dict[str, str] | None = None
    ) -> tuple[int, str, CIMultiDictProxy[str]]:
        sent = {"User-Agent": agent, **(headers or {})}
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with self._http().get(url, headers=sent, timeout=timeout, allow_redirects=False) as response:
            body = await response.content.read(_MAX_PAGE_BYTES)
            return response.status, body.decode("utf-8", "replace"), response.headers

    async def _tell(self, agent: str, tokens: tuple[str, ...], page: str) -> None:
        if not tokens:
            return
        headers = {"User-Agent": agent, "Referer": self._base_url + page, "Content-Type": "text/plain"}
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with self._http().post(
            f"{self._base_url}/b", data="\n".join(tokens), headers=headers, timeout=timeout
        ) as response:
            await response.read()

    async def _try(self, doing: Awaitable[object]) -> None:
        """Do something that may fail: a site that restarts, or is full, is come back to, as people do."""
        try:
            await doing
        except (aiohttp.ClientError, TimeoutError, ActorError, OSError) as error:
            self._log.debug("readers.turned_away", reason=str(error) or type(error).__name__)


def _read_keys(purse: Path) -> list[str]:
    try:
        return msgspec.json.decode(purse.read_bytes(), type=list[str])
    except (OSError, msgspec.MsgspecError):
        # Without it they become members anew.
        return []
