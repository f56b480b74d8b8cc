"""Scrapy in the crawl benchmark: `python -m tests.benchmarks.crawl_scrapy <polite> <at once> <site>…`.

Set as fast as it goes on these sites: uvloop, no delay, no cookies, no log, no statistics. Prints pages and seconds.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from time import perf_counter
from typing import Any

import scrapy
from scrapy.crawler import CrawlerProcess

from tests.benchmarks.crawl_sites import BUSY


class Follower(scrapy.Spider):
    """Follows every link."""

    name = "follower"

    def __init__(self, sites: list[str], seeds: list[str], **arguments: Any) -> None:
        super().__init__(**arguments)
        self.start_urls = [f"{site}{seed}" for site in sites for seed in seeds]
        self.pages = 0
        self.begun_s = 0.0
        self.ended_s = 0.0

    async def start(self) -> Any:
        """Take the time, and begin."""
        self.begun_s = perf_counter()
        async for request in super().start():
            yield request

    def parse(self, response: Any) -> Iterator[Any]:
        """Count a page, and follow its links."""
        self.pages += 1
        self.ended_s = perf_counter()
        yield from response.follow_all(css="a")


def crawl(sites: list[str], at_once: int, *, polite: bool) -> tuple[int, float]:
    """Crawl everything. Return how many pages came, and how long it took, seconds."""
    process = CrawlerProcess(
        {
            "ASYNCIO_EVENT_LOOP": "uvloop.Loop",
            "TWISTED_REACTOR": "twisted.internet.asyncioreactor.AsyncioSelectorReactor",
            "CONCURRENT_REQUESTS": at_once * len(sites),
            "CONCURRENT_REQUESTS_PER_DOMAIN": at_once,
            "DOWNLOAD_DELAY": 0,
            "ROBOTSTXT_OBEY": polite,
            "COOKIES_ENABLED": False,
            "TELNETCONSOLE_ENABLED": False,
            "LOG_ENABLED": False,
            "STATS_CLASS": "scrapy.statscollectors.DummyStatsCollector",
            "CONCURRENT_ITEMS": 1,  # there are none; by default it starts 100 tasks for each page
        }
    )
    crawler = process.create_crawler(Follower)
    process.crawl(crawler, sites=sites, seeds=["/page/0.html", *([BUSY] if polite else [])])
    process.start()
    spider: Any = crawler.spider
    return spider.pages, spider.ended_s - spider.begun_s


if __name__ == "__main__":
    _, how, connections, *addresses = sys.argv
    pages, took_s = crawl(addresses, int(connections), polite=how == "polite")
    print(pages, took_s)
