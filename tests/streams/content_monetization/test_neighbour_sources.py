"""What a site takes from its neighbours: real servers on loopback, honest ones and others."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from lxml import html
from multidict import CIMultiDict

from streams.content_monetization.harvested import ListedDataset, ListedVersion, dataset_article, licensed_rows
from streams.content_monetization.rendered_text import render
from streams.neighbours import Neighbour, Neighbours
from tests.streams.content_monetization.sites import INSTANCE, NOW, Site, open_site, settings

ROWS = [
    {"name": "Rye | loaf", "price": 3.5, "_source": "https://shop.example/1", "_licence": "CC-BY-4.0"},
    {
        "name": "<b>Oat</b> [x](javascript:1)",
        "price": None,
        "_source": "https://shop.example/2",
        "_licence": "CC-BY-4.0",
    },
    {"name": "No such link", "price": 2, "_source": "javascript:alert(1)", "_licence": "CC-BY-4.0"},
    {"name": "Secret", "price": 1, "_source": "https://other.example/3", "_licence": ""},
]


def lines(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


class Neighbourhood(Neighbours):
    """A harvester and an affiliate instance, which do as they are told.

    Attributes:
        asked: Requests by path.
        versions: Lines of the dataset's versions, oldest first.
        links: What the affiliate lists.
        is_away: Whether the fleet does not answer.
    """

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.headers: list[CIMultiDict[str]] = []
        self.versions = [lines(ROWS)]
        self.lie = b""
        self.sellable = True
        self.price = "0.25"
        self.links: Any = [{"code": "a", "url": "http://127.0.0.1:1/c/a", "title": "A grinder", "merchant": "Shop"}]
        self.status = 200
        self.is_away = False
        self.url = ""

    async def of(self, stream: str) -> tuple[Neighbour, ...]:
        if self.is_away:
            raise LookupError(stream)
        return (Neighbour(f"{stream}-001", stream, self.url),)

    async def own_key(self, instance: str) -> str:
        return f"ak_test_{instance}"

    async def list_datasets(self, request: web.Request) -> web.Response:
        self.asked["list"] += 1
        versions = [
            {
                "version": number,
                "sha256": sha256(body).hexdigest(),
                "records": len(body.splitlines()),
                "size_bytes": len(body),
                "created_at": "2026-11-20T10:00:00Z",
                "sellable": self.sellable,
                "licences": {"CC-BY-4.0": 2},
                "withheld": {},
                "sources": {"shop.example": 2},
                "changes": {"added": 2, "changed": 1, "removed": 0},
            }
            for number, body in enumerate(self.versions, start=1)
        ]
        item = {
            "name": "bread_prices",
            "title": "Bread prices",
            "description": "What bread costs.",
            "price": self.price,
            "asset": "USD",
            "attribution": "By the Bakers' Register",
            "formats": ["jsonl", "csv"],
            "schema": {},
            "versions": versions[::-1],
        }
        return web.json_response({"items": [item]}, status=self.status)

    async def download(self, request: web.Request) -> web.Response:
        self.asked["download"] += 1
        self.headers.append(request.headers.copy())
        return web.Response(body=self.lie or self.versions[int(request.match_info["version"]) - 1])

    async def list_links(self, request: web.Request) -> web.Response:
        self.asked["links"] += 1
        if isinstance(self.links, str):
            return web.Response(text=self.links)
        return web.json_response({"items": self.links})


@asynccontextmanager
async def neighbourhood() -> AsyncIterator[Neighbourhood]:
    made = Neighbourhood()
    app = web.Application()
    app.router.add_get("/v1/datasets", made.list_datasets)
    app.router.add_get("/v1/datasets/bread_prices/{version}", made.download)
    app.router.add_get("/links.json", made.list_links)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()


@asynccontextmanager
async def open_with(tmp_path: Path, around: Neighbourhood, **values: Any) -> AsyncIterator[Site]:
    wanted = {"datasets": 1, "affiliate_links": 1, "source_interval_s": 3600.0} | values
    async with open_site(tmp_path, settings(**wanted), neighbours=around) as site:
        yield site


async def poll(site: Site) -> bool:
    changed = await site.stream._sources.poll()
    if changed:
        await site.stream._newsroom.refresh()
    await site.stream._sources.settle()
    return changed


async def test_a_dataset_becomes_an_article_of_its_licensed_records_and_a_transfer(tmp_path: Path) -> None:
    async with neighbourhood() as around, open_with(tmp_path, around) as site:
        assert await poll(site)
        page = html.document_fromstring((await site.ask("/articles/data-bread-prices")).text)
        cells = [cell.text_content() for cell in page.iter("td")]
        assert cells == ["Rye | loaf", "3.5", "<b>Oat</b> [x](javascript:1)", "", "No such link", "2"]
        text = page.text_content()
        assert "2 were added, 1 changed" not in text
        assert "Data: By the Bakers' Register" in text
        (source,) = page.xpath('//a[text() = "shop.example"]/@href')
        assert source == "https://shop.example/1"
        assert "Sources: shop.example." in text
        assert "Licence: CC-BY-4.0." in text
        assert "other.example" not in text
        assert around.headers[0]["Authorization"] == "Bearer ak_test_data_harvesting-001"
        assert around.headers[0]["Idempotency-Key"] == f"{INSTANCE}-bread_prices-1"
        assert around.headers[0]["x-own-traffic"] == "1"
        entries = await site.bench.entries()
        assert [(entry.kind, entry.instance) for entry in entries] == [
            ("dataset.used", "data_harvesting-001"),
            ("dataset.used", INSTANCE),
        ]
        assert all(posting.account.split(":")[1] == "internal" for entry in entries for posting in entry.postings)
        assert not await poll(site)
        assert (around.asked["download"], len(await site.bench.entries())) == (1, 2)


async def test_a_new_version_replaces_the_article_and_says_what_changed(tmp_path: Path) -> None:
    async with neighbourhood() as around, open_with(tmp_path, around) as site:
        await poll(site)
        around.versions.append(lines(ROWS[:1]))
        assert await poll(site)
        text = (await site.ask("/articles/data-bread-prices")).text
        assert "edition 2" in text
        assert "2 were added, 1 changed and 0 removed" in text
        assert len(await site.bench.entries()) == 4
        assert site.stream.describe()["datasets"] == ["data_harvesting-001/bread_prices/2"]


async def test_a_kill_between_download_and_booking_books_the_transfer_once(tmp_path: Path) -> None:
    async with neighbourhood() as around:
        async with open_with(tmp_path, around) as site:
            await site.stream._sources.poll()
            assert await site.bench.entries() == []
        for _ in range(2):
            async with open_with(tmp_path, around) as site:
                assert (await site.ask("/articles/data-bread-prices")).status == 200
                await site.stream._sources.settle()
                assert len(await site.bench.entries()) == 2
        assert around.asked["download"] == 1


async def test_links_of_an_affiliate_stand_in_articles_with_their_disclosure(tmp_path: Path) -> None:
    async with neighbourhood() as around, open_with(tmp_path, around) as site:
        assert "affiliate links" not in (await site.ask("/articles/grind-first")).text
        assert await poll(site)
        page = (await site.ask("/articles/grind-first")).text
        assert '<a rel="sponsored nofollow noopener" href="http://127.0.0.1:1/c/a">A grinder</a>' in page
        assert "affiliate links" in page
        assert "127.0.0.1:1" not in (await site.ask("/feed.xml")).text


@pytest.mark.parametrize(
    "links",
    [
        [{"url": "javascript:alert(1)", "title": "x"}],
        [{"url": "http://a.example/ b", "title": "x"}],
        [{"url": "//a.example/", "title": "x"}],
        [{"url": "http://[", "title": "x"}],
        [{"url": "http://a.example/", "title": " \x00 "}],
        [{"title": "x"}],
        "not json",
        {"a": 1},
        "x" * (1024 * 1024 + 1),
    ],
    ids=lambda links: str(links)[:30],
)
async def test_links_that_are_none_are_not_taken(tmp_path: Path, links: Any) -> None:
    async with neighbourhood() as around, open_with(tmp_path, around, datasets=0) as site:
        around.links = links
        assert not await poll(site)


async def test_a_neighbour_that_lies_fails_or_is_away_costs_nothing_but_its_content(tmp_path: Path) -> None:
    async with neighbourhood() as around, open_with(tmp_path, around, affiliate_links=0) as site:
        around.lie = lines([{"name": "other", "_licence": "CC0-1.0"}])
        assert not await poll(site)
        around.lie, around.versions = b"", [lines(ROWS[3:])]
        assert not await poll(site)
        around.versions, around.sellable = [lines(ROWS)], False
        assert not await poll(site)
        around.sellable, around.status = True, 503
        assert not await poll(site)
        around.status, around.is_away = 200, True
        assert not await poll(site)
        around.is_away, good = False, around.url
        around.url = "http://127.0.0.1:9"
        assert not await poll(site)
        assert (await site.ask("/")).status == 200
        around.url = good
        assert await poll(site)


@pytest.mark.parametrize("price", ["0", "free"])
async def test_what_costs_nothing_is_no_transfer(tmp_path: Path, price: str) -> None:
    async with neighbourhood() as around, open_with(tmp_path, around) as site:
        around.price = price
        assert await poll(site)
        assert await site.bench.entries() == []
        assert site.stream._sources.taken.datasets[0].is_booked


async def test_only_named_datasets_are_taken_where_names_are_given(tmp_path: Path) -> None:
    async with neighbourhood() as around, open_with(tmp_path, around, dataset_names=("other",)) as site:
        await poll(site)
        assert around.asked["download"] == 0


async def test_a_damaged_file_of_sources_is_as_good_as_none(tmp_path: Path) -> None:
    place = tmp_path / "instances" / INSTANCE
    place.mkdir(parents=True)
    (place / "sources.json").write_text("{")
    async with neighbourhood() as around, open_with(tmp_path, around) as site:
        assert await poll(site)


async def test_a_site_asks_by_itself_and_a_start_does_not_wait_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from streams.content_monetization import stream

    monkeypatch.setattr(stream, "_FIRST_LOOK_S", 0.0)
    async with neighbourhood() as around, open_with(tmp_path, around) as site:
        async with asyncio.timeout(10):
            while (await site.ask("/articles/data-bread-prices")).status != 200:
                await asyncio.sleep(0.01)
            while len(await site.bench.entries()) < 2:
                await asyncio.sleep(0.01)


def test_a_table_is_bounded_whatever_the_dataset() -> None:
    rows = [{f"c{column}": "x" * 500 for column in range(30)} | {"_licence": "MIT"} for _ in range(500)]
    version = ListedVersion(1, "", 500, NOW, True)
    article = dataset_article(ListedDataset("X" * 200, "T\n" * 200, "d" * 900, "1", "USD"), version, rows)
    assert len(article.text) < 20_000
    rendered = render(article.slug, article.text).html
    assert rendered.count("<tr>") == 21
    assert "The table shows 20 of 500." in rendered
    assert len(article.slug) <= 80


def test_lines_that_are_no_records_are_left_out() -> None:
    assert licensed_rows(b'{"a": 1, "_licence": "MIT"}\n[]\n\xff\n{"a": 2}\n{"_licence": null}\n') == [
        {"a": 1, "_licence": "MIT"}
    ]
