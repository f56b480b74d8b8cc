"""Pages a second on local sites, beside Scrapy on the same ones; and whether politeness, when on, is kept."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Final, Literal

import msgspec

from tests.benchmarks.crawl_sites import BUSY, CRAWL_DELAY_S, PRIVATE, RETRY_AFTER_S, Hit
from tests.benchmarks.figure import Figure

ROUNDS: Final = 3
HOSTS: Final = 6
PAGES: Final = 200
AT_ONCE: Final = 8
"""Requests at a time and host."""

POLITE_PAGES: Final = 25

_SCRAPY: Final = "Scrapy"

Crawler = Literal["crawl_ours", "crawl_scrapy"]


async def measure() -> list[Figure]:
    """Measure in rounds that take turns, so that what else the machine does falls on both; about a minute."""
    rates: dict[Crawler, list[float]] = {"crawl_ours": [], "crawl_scrapy": []}
    for _ in range(ROUNDS):
        for crawler, made in rates.items():
            pages, took_s, _ = await _crawl(crawler, "impolite", PAGES)
            if pages < HOSTS * PAGES:
                raise RuntimeError(f"{crawler} got {pages} of {HOSTS * PAGES} pages")
            made.append(pages / took_s)
    _, polite_s, ours = await _crawl("crawl_ours", "polite", POLITE_PAGES)
    _, _, theirs = await _crawl("crawl_scrapy", "polite", POLITE_PAGES)
    least_s = (POLITE_PAGES + 1) * CRAWL_DELAY_S + RETRY_AFTER_S
    return [
        Figure(
            f"pages, {HOSTS} hosts and {AT_ONCE} requests at a time to each, links parsed, politeness off",
            median(rates["crawl_ours"]),
            "/s",
            {_SCRAPY: median(rates["crawl_scrapy"])},
            f"≥ 1.5 × {_SCRAPY}",
        ),
        Figure(
            "requests against robots.txt, its Crawl-delay or a Retry-After, politeness on",
            float(violations(ours)),
            "requests",
            {f"{_SCRAPY} with ROBOTSTXT_OBEY": float(violations(theirs))},
            "≤ 0",
        ),
        Figure("that crawl took", polite_s, "s", {"least that the sites ask for": least_s}, "for information"),
    ]


def violations(hits: Iterable[Hit]) -> int:
    """Count requests that a site's robots.txt forbids, or that come too early after the one before."""
    by_host: dict[str, list[Hit]] = defaultdict(list)
    for hit in hits:
        by_host[hit.host].append(hit)
    count = 0
    for visits in by_host.values():
        paused_until = 0.0
        asked_for_pause = False
        count += sum(hit.path.startswith(PRIVATE) for hit in visits)
        for before, hit in pairwise(visits):
            if before.path == BUSY and not asked_for_pause:
                asked_for_pause, paused_until = True, before.at + RETRY_AFTER_S
            count += hit.at - before.at < CRAWL_DELAY_S or hit.at < paused_until
    return count


async def _crawl(crawler: Crawler, how: str, pages: int) -> tuple[int, float, list[Hit]]:
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.benchmarks.crawl_sites", str(HOSTS), str(pages)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=64 * 1024 * 1024,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        sites = msgspec.json.decode(await server.stdout.readline(), type=list[str])
        with tempfile.TemporaryDirectory(prefix="crawl-", dir=Path.cwd()) as directory:
            where = [directory] if crawler == "crawl_ours" else []
            words = await _output("-m", f"tests.benchmarks.{crawler}", how, str(AT_ONCE), *where, *sites)
        server.stdin.close()
        hits = msgspec.json.decode(await server.stdout.readline(), type=list[Hit])
        await server.wait()
    finally:
        if server.returncode is None:
            server.kill()
            await server.wait()
    got, took_s = words.split()
    return int(got), float(took_s), hits


async def _output(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments[:2])} failed with status {process.returncode}")
    return output.decode()
