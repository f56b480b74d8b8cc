"""Readers of the paper world at a real site: people are counted, the others are not."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import aiohttp
import pytest

from actors import Actor, ActorSystem, ChildSpec, on
from streams.content_monetization.crawlers import is_bot
from streams.far_sides import FarSides
from streams.metering.messages import CreateKey
from streams.metering.selling import NewKey
from streams.sandbox.readers.browsers import CRAWLERS, FEED_READER, browser
from streams.sandbox.readers.readers import Follow, Look, Readers
from streams.sandbox.readers.reading import look_at
from streams.sandbox.readers.world import ReadersWorld
from streams.sandbox.world import Ground, Visit
from tests.streams.content_monetization.sites import Site, contract, open_site, settings


class Desk(Actor[CreateKey]):
    """Sells the site's keys."""

    def __init__(self, site: Site) -> None:
        self._site = site

    @on(CreateKey)
    async def create(self, message: CreateKey) -> NewKey:
        return await self._site.stream.create_key(label=message.label)


@asynccontextmanager
async def readers_at(
    site: Site, directory: Path, seed: int = 1, visits_per_minute: float = 60_000.0
) -> AsyncIterator[tuple[ActorSystem, Any]]:
    async with ActorSystem("readers") as system:
        desk = await system.spawn(ChildSpec("desk", lambda: Desk(site)))
        ground = Ground(
            directory=directory,
            host="127.0.0.1",
            seed=seed,
            visits_per_minute=visits_per_minute,
            http=lambda: site.session,
            now=lambda: datetime.now(UTC),
            monotonic=monotonic,
            far_sides=FarSides(),
        )
        visit = Visit("content_monetization-001", site.url, {}, desk)
        world = ReadersWorld(ground)
        make = await asyncio.to_thread(world.visitor, visit)
        assert make is not None
        assert world.servers() == {}
        yield system, await system.spawn(ChildSpec("readers", make))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    # People look for a second or more; here, the second is shorter.
    uniform = random.Random.uniform
    monkeypatch.setattr(random.Random, "uniform", lambda self, a, b: uniform(self, a, b) / 100)


async def test_readers_bring_every_kind_of_claim_and_only_people_are_billable(tmp_path: Path) -> None:
    terms = settings(contract("mille"), contract("click", kind="cpc", rate="0.20"), view_after_s=0.0)
    async with open_site(tmp_path, terms) as site, readers_at(site, tmp_path / "world") as (system, _):
        kinds = (
            *("billable", "clicks_billable", "members_delivered", "not_modified"),
            *("filtered_bot", "filtered_prefetch", "filtered_replayed", "filtered_forged"),
        )
        await until(lambda: min(site.counts(*kinds)) > 0)
        site.check_sum()
        await site.state()
        booked = {kind for kind, _ in await site.booked()}
        assert booked == {"content.statement", "api.call"}
        (vitals,) = (child for child in system.tree().children if child.path == "/readers")
        assert (vitals.condition, vitals.restarts) == ("running", 0)


async def test_the_first_who_comes_is_a_person(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        for seed in range(4):
            before = site.counts("billable")[0]
            async with readers_at(site, tmp_path / str(seed), seed, visits_per_minute=0.01):
                await until(lambda before=before: site.counts("billable")[0] > before)  # type: ignore[misc]
        assert sum(count for name, count in site.stream.funnel().items() if name.startswith("filtered")) == 0


async def test_members_keep_their_keys_over_a_restart_and_throw_away_one_that_is_revoked(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        for _ in range(2):
            delivered = site.counts("members_delivered")[0]
            async with readers_at(site, tmp_path / "world"):
                await until(lambda delivered=delivered: site.counts("members_replayed")[0] > 0)  # type: ignore[misc]
        assert len(site.stream.list_keys()) <= 6
        for key in site.stream.list_keys():
            await site.stream.revoke_key(key.id)
        async with readers_at(site, tmp_path / "world"):
            await until(lambda: any(key.revoked_at is None for key in site.stream.list_keys()))


async def test_a_site_that_is_away_is_come_back_to(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site, readers_at(site, tmp_path / "world") as (system, _):
        site.stream.pause()
        await asyncio.sleep(0.1)
        site.stream.resume()
        await until(lambda: site.counts("billable")[0] > 0)
        (vitals,) = (child for child in system.tree().children if child.path == "/readers")
        assert vitals.restarts == 0


async def test_readers_do_not_leave_this_machine(tmp_path: Path) -> None:
    asked: list[str] = []

    class Session:
        def get(self, url: str, **_: object) -> None:
            asked.append(url)
            raise aiohttp.ClientError

    async with ActorSystem("readers") as system:
        desk: Any = None
        make = lambda: Readers("x", "http://127.0.0.1:1", desk, tmp_path / "p", Session, 0.01, "1")  # noqa: E731
        ref = await system.spawn(ChildSpec("readers", make))  # type: ignore[arg-type]
        ref.tell(Follow("agent", "http://elsewhere.example/x", "/"))
        ref.tell(Follow("agent", "http://127.0.0.1:2/c/abc", "/"))
        ref.tell(Look("agent", (), "/", ()))
        await until(lambda: len(asked) >= 1 and "http://127.0.0.1:2/c/abc" in asked)
        assert not any("elsewhere" in url for url in asked)


def test_what_a_page_shows_is_seen() -> None:
    seen = look_at(
        '<a href="/articles/a">A</a><a href="/articles/a">A</a><aside data-token="t1"></aside>'
        '<form action="/members/m"></form><a rel="sponsored nofollow noopener" href="http://x/c?a=1&amp;b=2">y</a>'
    )
    assert (seen.articles, seen.tokens, seen.for_members) == (("a",), ("t1",), "m")
    assert seen.advertised == ("http://x/c?a=1&b=2",)


def test_people_have_many_browsers_and_the_others_give_themselves_away() -> None:
    rng = random.Random(1)
    agents = {browser(rng) for _ in range(2000)}
    assert len(agents) > 200
    assert not any(map(is_bot, agents))
    assert all(map(is_bot, (*CRAWLERS, FEED_READER)))
