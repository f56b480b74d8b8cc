from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from streams.data_harvesting.fetching.client import FetchClient
from streams.data_harvesting.fetching.crawl import Crawl, Visited
from streams.data_harvesting.fetching.fetcher import Fetcher
from streams.data_harvesting.fetching.outcome import Page
from streams.data_harvesting.fetching.store import CrawlStore, Link, Target
from streams.data_harvesting.fetching.urls import absolute_url
from tests.streams.data_harvesting.fetching.conftest import Clock, policy_for
from tests.streams.data_harvesting.fetching.sites import Request, Site, answer, html, serving

WEEK_S = 7 * 86_400.0


class Visitor:
    """Follows every link, and notes what it saw."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.pages: list[Page] = []

    async def visit(self, target: Target, page: Page) -> Visited:
        self.seen.append(target.url)
        self.pages.append(page)
        links = re.findall(r"href='(.*?)'", page.body.decode())
        return Visited([Link(url) for link in links if (url := absolute_url(page.final_url, link))])


@pytest.fixture
async def store(store_path: Path, clock: Clock) -> AsyncIterator[CrawlStore]:
    store = CrawlStore(store_path, clock.now)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
def crawl_of(client: FetchClient, store: CrawlStore, clock: Clock) -> Callable[..., tuple[Crawl, Visitor]]:
    def make(*sites: Site, visit: Any = None, **fields: Any) -> tuple[Crawl, Visitor]:
        policy = policy_for(*sites, **{"concurrency_per_host": 4, **fields})
        visitor = Visitor()
        fetcher = Fetcher(lambda: client, policy, store, clock.now)
        return (
            Crawl(fetcher, store, visit or visitor.visit, policy=policy, revisit_after_s=3600.0, now=clock.now),
            visitor,
        )

    return make


def tree(site: Site, pages: int) -> None:
    """A site of pages, each of which links to two further ones and back to the first."""
    for number in range(pages):
        links = "".join(f"<a href='/{child}'>x</a>" for child in (2 * number + 1, 2 * number + 2, 0) if child < pages)
        site.answers[f"/{number}"] = html(f"<p>{number}</p>{links}", etag=f'"{number}"')


async def test_everything_that_is_linked_is_visited_once(site: Site, crawl_of: Callable[..., Any]) -> None:
    tree(site, 50)
    crawl, visitor = crawl_of(site, max_depth=10)
    assert await crawl.seed([Link(f"{site.url}/0")]) == 1
    assert await crawl.run_due() == 50
    assert sorted(visitor.seen) == sorted(f"{site.url}/{number}" for number in range(50))
    assert len(site.requests) == 51
    assert crawl.counts == {"found": 50, "tries": 50, "fetched": 50, "changed": 50}
    assert await crawl.run_due() == 0


async def test_links_are_followed_to_the_depth_of_the_policy(site: Site, crawl_of: Callable[..., Any]) -> None:
    tree(site, 50)
    crawl, visitor = crawl_of(site, max_depth=2)
    await crawl.seed([Link(f"{site.url}/0")])
    await crawl.run_due()
    assert len(visitor.seen) == 7
    assert crawl.counts["too_deep"] > 0


async def test_hosts_are_visited_beside_each_other_and_found_ones_too(site: Site, crawl_of: Callable[..., Any]) -> None:
    async with serving() as other:
        gate = asyncio.Event()

        async def wait_for_other(request: Request, writer: asyncio.StreamWriter) -> None:
            await asyncio.wait_for(gate.wait(), 5)
            writer.write(html())

        async def open_gate(request: Request, writer: asyncio.StreamWriter) -> None:
            gate.set()
            writer.write(html())

        site.answers["/0"] = html(f"<a href='/slow'>x</a><a href='{other.url}/x'>x</a>")
        site.answers["/slow"] = wait_for_other
        other.answers["/x"] = open_gate
        crawl, visitor = crawl_of(site, other, concurrency_per_host=1)
        await crawl.seed([Link(f"{site.url}/0")])
        await crawl.run_due()
        assert len(visitor.seen) == 3


async def test_what_did_not_change_is_known_by_the_server_or_by_its_content(
    site: Site, crawl_of: Callable[..., Any], clock: Clock
) -> None:
    site.answers["/p"] = html("<p>one</p>", etag='"1"')
    crawl, visitor = crawl_of(site)
    await crawl.seed([Link(f"{site.url}/p")])
    await crawl.run_due()
    clock.advance(3601)
    site.answers["/p"] = answer(304, content_length="")
    await crawl.run_due()
    assert visitor.pages[-1].unchanged
    clock.advance(3601)
    site.answers["/p"] = html("<script>1234</script>\n<p>one  </p>", etag='"2"')
    await crawl.run_due()
    assert site.requests[-1].headers["if-none-match"] == '"1"'  # a 304 does not lose what is known
    assert crawl.counts["unchanged"] == 2
    clock.advance(3601)
    site.answers["/p"] = html("<p>two</p>", etag='"3"')
    await crawl.run_due()
    assert crawl.counts["changed"] == 2


async def test_what_is_gone_refused_or_failed_is_counted_by_reason_and_comes_again_when_it_makes_sense(
    site: Site, crawl_of: Callable[..., Any], clock: Clock, store: CrawlStore
) -> None:
    site.robots("User-agent: *\nDisallow: /private")
    site.answers["/gone"] = answer(410)
    site.answers["/broken"] = b"nonsense\r\n\r\n"
    site.answers["/forbidden"] = answer(403)
    crawl, _ = crawl_of(site, concurrency_per_host=1, patience_s=30.0)
    urls = [f"{site.url}/{name}" for name in ("gone", "missing", "private/x", "forbidden")]
    await crawl.seed([Link(url) for url in [*urls, "http://10.0.0.1/", "http://169.254.169.254/"]])
    await crawl.run_due()
    assert {name: count for name, count in crawl.counts.items() if name not in ("found", "tries")} == {
        "gone": 2,
        "refused.robots": 1,
        "refused.address": 2,
        "failed.client_error": 1,
    }
    assert await store.counts() == {"gone": 2, "refused": 3, "failed": 1}
    clock.advance(WEEK_S + 1)
    site.requests.clear()
    await crawl.run_due()
    assert "/gone" not in site.paths
    assert {"/missing", "/forbidden"} <= set(site.paths)


async def test_a_host_that_asks_for_a_pause_is_left_and_loses_nothing(
    site: Site, crawl_of: Callable[..., Any], clock: Clock, store: CrawlStore
) -> None:
    tree(site, 10)
    good = site.answers["/0"]
    site.answers["/0"] = answer(429, retry_after="600")
    crawl, visitor = crawl_of(site, concurrency_per_host=1)
    await crawl.seed([Link(f"{site.url}/{number}") for number in range(10)])
    await crawl.run_due()
    asked = len(site.requests)
    assert await crawl.next_due() == clock.now() + timedelta(seconds=600)
    clock.advance(599)
    assert await crawl.run_due() == 0
    assert len(site.requests) == asked
    clock.advance(2)
    site.answers["/0"] = good
    await crawl.run_due()
    assert len(set(visitor.seen)) == 10
    assert crawl.counts["fetched"] == 10


async def test_a_pause_is_kept_over_a_restart(site: Site, crawl_of: Callable[..., Any], clock: Clock) -> None:
    site.answers["/busy"] = answer(503, retry_after="600")
    crawl, _ = crawl_of(site)
    await crawl.seed([Link(f"{site.url}/busy")])
    await crawl.run_due()
    asked = len(site.requests)
    restarted, _ = crawl_of(site)
    clock.advance(300)
    assert await restarted.run_due() == 0
    assert len(site.requests) == asked


async def test_a_page_that_its_visitor_cannot_take_is_put_off_and_the_rest_goes_on(
    site: Site, crawl_of: Callable[..., Any], clock: Clock
) -> None:
    tree(site, 5)
    visitor = Visitor()

    async def visit(target: Target, page: Page) -> Visited:
        if target.url.endswith("/3"):
            raise ValueError("what is this?")
        return await visitor.visit(target, page)

    crawl, _ = crawl_of(site, visit=visit)
    await crawl.seed([Link(f"{site.url}/0")])
    await crawl.run_due()
    assert len(visitor.seen) == 4
    assert crawl.counts["visit_failed"] == 1
    assert str(crawl.last_error) == "what is this?"
    clock.advance(6)
    await crawl.run_due()
    assert crawl.counts["visit_failed"] == 2


async def test_a_run_ends_at_its_limit_and_the_next_one_goes_on(site: Site, crawl_of: Callable[..., Any]) -> None:
    tree(site, 20)
    crawl, visitor = crawl_of(site)
    await crawl.seed([Link(f"{site.url}/{number}") for number in range(20)])
    assert await crawl.run_due(limit=7) == 7
    assert len(visitor.seen) == 7
    assert await crawl.run_due() == 13
    assert len(set(visitor.seen)) == 20


async def test_a_visitor_says_when_to_come_again(site: Site, crawl_of: Callable[..., Any], clock: Clock) -> None:
    site.answers["/p"] = html()

    async def visit(target: Target, page: Page) -> Visited:
        return Visited(digest="d", revisit_after_s=10.0)

    crawl, _ = crawl_of(site, visit=visit)
    await crawl.seed([Link(f"{site.url}/p")])
    await crawl.run_due()
    assert await crawl.next_due() == clock.now() + timedelta(seconds=10)


async def test_a_cancelled_run_leaves_nothing_behind_and_can_be_gone_on_with(
    site: Site, crawl_of: Callable[..., Any]
) -> None:
    tree(site, 30)
    crawl, visitor = crawl_of(site, max_depth=10)
    await crawl.seed([Link(f"{site.url}/0")])
    running = asyncio.ensure_future(crawl.run_due())
    while len(visitor.seen) < 5:
        await asyncio.sleep(0.001)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await crawl.run_due()
    assert set(visitor.seen) == {f"{site.url}/{number}" for number in range(30)}


async def test_with_nothing_to_do_it_says_so(site: Site, crawl_of: Callable[..., Any]) -> None:
    crawl, _ = crawl_of(site)
    assert await crawl.run_due() == 0
    assert await crawl.next_due() is None
