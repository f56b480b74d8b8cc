"""The crawl benchmark's own side: `python -m tests.benchmarks.crawl_ours <polite> <at once> <directory> <site>…`.

The crawl as an instance makes it, frontier on disk included. Prints pages and seconds.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, perf_counter

import uvloop

from streams.data_harvesting.fetching.client import FetchClient
from streams.data_harvesting.fetching.crawl import Crawl, Visited
from streams.data_harvesting.fetching.fetcher import Fetcher
from streams.data_harvesting.fetching.outcome import Page
from streams.data_harvesting.fetching.policy import FetchPolicy
from streams.data_harvesting.fetching.store import CrawlStore, Link, Target
from streams.data_harvesting.parsing.documents import is_light
from streams.data_harvesting.parsing.pages import ParsedPage, parse_page
from tests.benchmarks.crawl_sites import BUSY


def _now() -> datetime:
    return datetime.now(UTC)


def _parse(page: Page) -> ParsedPage:
    return parse_page(page.body, url=page.final_url, charset=page.charset, headers=page.headers)


async def _visit(target: Target, page: Page) -> Visited:
    parsed = _parse(page) if is_light(page.body) else await asyncio.to_thread(_parse, page)
    return Visited([Link(link.url) for link in parsed.links], digest=parsed.title)


async def crawl(sites: list[str], directory: Path, at_once: int, *, polite: bool) -> tuple[int, float]:
    """Crawl everything. Return how many pages came, and how long it took, seconds."""
    authorities = tuple(site.removeprefix("http://") for site in sites)
    policy = FetchPolicy(
        allow_private=authorities, concurrency_per_host=at_once, min_delay_s=0.0, max_depth=1000, patience_s=60.0
    )
    client = FetchClient(_now, monotonic)
    store = CrawlStore(directory / "frontier.sqlite3", _now)
    await client.start()
    await store.open()
    try:
        fetcher = Fetcher(lambda: client, policy, store, _now, obey_robots=polite)
        crawling = Crawl(fetcher, store, _visit, policy=policy, revisit_after_s=86_400.0, now=_now)
        await crawling.seed([Link(f"{site}/page/0.html") for site in sites])
        if polite:
            await crawling.seed([Link(f"{site}{BUSY}") for site in sites])
        begun = perf_counter()
        await crawling.run_due()
        while polite and (due := await crawling.next_due()) is not None and due < _now() + timedelta(hours=1):
            await asyncio.sleep(max(0.0, (due - _now()).total_seconds()))
            await crawling.run_due()
        return crawling.counts["fetched"], perf_counter() - begun
    finally:
        await store.close()
        await client.stop()


if __name__ == "__main__":
    _, how, connections, where, *addresses = sys.argv
    pages, took_s = uvloop.run(crawl(addresses, Path(where), int(connections), polite=how == "polite"))
    print(pages, took_s)
