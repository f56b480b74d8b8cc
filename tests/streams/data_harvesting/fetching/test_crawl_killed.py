"""A crawl that is killed and started again, as a process of its own, before a server that remembers."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from pathlib import Path

from tests.streams.data_harvesting.fetching.sites import html, serving

ROOT = Path(__file__).resolve().parents[4]
PAGES = 120
AT_ONCE = 4

CRAWL = """
import asyncio, re, sys, time
from datetime import UTC, datetime
from pathlib import Path
from streams.data_harvesting.fetching.client import FetchClient
from streams.data_harvesting.fetching.crawl import Crawl, Visited
from streams.data_harvesting.fetching.fetcher import Fetcher
from streams.data_harvesting.fetching.policy import FetchPolicy
from streams.data_harvesting.fetching.store import CrawlStore, Link

async def main(url, authority, path, at_once):
    now = lambda: datetime.now(UTC)
    client, store = FetchClient(now, time.monotonic), CrawlStore(Path(path), now)
    policy = FetchPolicy(
        allow_private=(authority,), min_delay_s=0, concurrency_per_host=int(at_once), max_depth=1000, patience_s=1
    )
    await client.start()
    await store.open()
    async def visit(target, page):
        print(target.url, flush=True)
        return Visited([Link(url + link) for link in re.findall("href='(.*?)'", page.body.decode())])
    fetcher = Fetcher(lambda: client, policy, store, now)
    crawl = Crawl(fetcher, store, visit, policy=policy, revisit_after_s=3600, now=now)
    await crawl.seed([Link(url + "/0")])
    await crawl.run_due()
    await store.close()
    await client.stop()
    print("done", flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_crawl_that_is_killed_and_restarted_fetches_nothing_twice_without_need(tmp_path: Path) -> None:
    async with serving() as site:
        site.robots("User-agent: *\nDisallow: /private")
        for number in range(PAGES):
            children = (child for child in (2 * number + 1, 2 * number + 2) if child < PAGES)
            site.answers[f"/{number}"] = html("".join(f"<a href='/{child}'>x</a>" for child in children))
        kills = 0
        for kill_after in (20, 45, PAGES):
            crawl = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", CRAWL),
                *(site.url, f"{site.host}:{site.port}", str(tmp_path / "frontier.sqlite3"), str(AT_ONCE)),
                stdout=asyncio.subprocess.PIPE,
                cwd=ROOT,
            )
            assert crawl.stdout is not None
            seen = 0
            while (line := await crawl.stdout.readline()) and line != b"done\n":
                seen += 1
                if seen == kill_after:
                    crawl.kill()
                    kills += 1
            await crawl.wait()
            assert line in (b"done\n", b"")
        assert kills >= 2
        fetched = Counter(site.paths)
    assert fetched["/robots.txt"] == 1
    assert set(fetched) == {"/robots.txt", *(f"/{number}" for number in range(PAGES))}
    # What was on its way at a kill has to be fetched again; nothing else has.
    assert sum(fetched.values()) - len(fetched) <= kills * AT_ONCE
