"""The work of an instance: its recipes' pages are visited, read and absorbed, and versions made of what changed.

What makes a kill harmless: a page is absorbed in one transaction before the crawl marks it as visited, and absorbing
it again changes nothing. What changed and was not published is known by the current state's revision.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter, deque
from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Protocol

from streams.commons import CommonDown
from streams.data_harvesting.datasets.dataset import Dataset
from streams.data_harvesting.fetching.crawl import Visited
from streams.data_harvesting.fetching.outcome import Page
from streams.data_harvesting.fetching.store import Link, Target
from streams.data_harvesting.reading import DocumentRejected, Reading, read_document
from streams.data_harvesting.recipe import Recipe, Role

if TYPE_CHECKING:
    from collections.abc import Iterable

    from structlog.typing import FilteringBoundLogger

ROLES: Final[tuple[Role, ...]] = ("feed", "sitemap", "page")

_SLICE: Final = 25
_LONGEST_REST_S: Final = 60.0
_SHORTEST_REST_S: Final = 2.0
_AFTER_FAILURE_S: Final = 15.0
_SLOWER: Final = 2.0
_FASTER: Final = 0.5
_MAX_SAMPLES: Final = 10


class Crawling(Protocol):
    """What a harvester needs of its crawl; see `streams.data_harvesting.fetching.crawl.Crawl`."""

    @property
    def last_error(self) -> Exception | None: ...  # noqa: D102

    async def run_due(self, limit: int | None = None) -> int: ...  # noqa: D102

    async def next_due(self) -> datetime | None: ...  # noqa: D102


class Harvester:
    """Harvests the datasets of one instance.

    Args:
        datasets: By name.
        version_every_s: Least time between two versions of a dataset.
        product_token: The name that pages may address directives to.
        now: The time, aware UTC.
        monotonic: Seconds for intervals.
        log: The instance's logger.
    """

    def __init__(
        self,
        datasets: Mapping[str, Dataset],
        version_every_s: float,
        product_token: str,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        log: FilteringBoundLogger,
    ) -> None:
        self._datasets = datasets
        self._authorities: Mapping[str, frozenset[str]] = {}
        self._version_every_s = version_every_s
        self._product_token = product_token
        self._now = now
        self._monotonic = monotonic
        self._log = log
        self._counts: Counter[str] = Counter()
        self._rejections: deque[str] = deque(maxlen=_MAX_SAMPLES)
        self._published_s: dict[str, float] = {}
        self._waiting: set[str] = set(datasets)
        self._told: Exception | None = None
        self._go = asyncio.Event()
        self._go.set()

    @property
    def counts(self) -> Counter[str]:
        """What came of the pages: `records`, `changed`, `removed`, `versions`, and `rejected_…` by reason."""
        return self._counts

    @property
    def rejections(self) -> list[str]:
        """What was rejected last, for people."""
        return list(self._rejections)

    def pause(self) -> None:
        """Begin no further visits until `resume`; those in progress end."""
        self._go.clear()

    def resume(self) -> None:
        """Visit again."""
        self._go.set()

    async def run(self, crawl: Crawling, authorities: Mapping[str, frozenset[str]]) -> None:
        """Visit what is due, publish what changed, rest until something is due; until cancelled.

        Args:
            crawl: Knows what is due, and calls `visit`.
            authorities: By dataset, `host:port` of the hosts that its recipe may visit.
        """
        self._authorities = authorities
        while True:
            await self._go.wait()
            try:
                visited = await crawl.run_due(_SLICE)
                self._tell_of(crawl.last_error)
                await self._publish_due(idle=visited < _SLICE)
                rest_s = 0.0 if visited >= _SLICE else await self._rest_s(crawl)
            except (OSError, sqlite3.Error, CommonDown) as error:
                # The disk is full, or what the process shares is down. Nothing is half done; all can be done later.
                self._log.warning(
                    "harvest.delayed", reason=f"{type(error).__name__}: {error}", retry_in_s=_AFTER_FAILURE_S
                )
                rest_s = _AFTER_FAILURE_S
            await asyncio.sleep(rest_s)

    async def visit(self, target: Target, page: Page) -> Visited:
        """Read a page and absorb what it has; the crawl's callback."""
        role, name = parts_of(target.kind)
        dataset = self._datasets[name]
        recipe = dataset.recipe
        digest = target.digest if page.unchanged else digest_of_page(page)
        if digest == target.digest:
            return Visited(digest=digest, revisit_after_s=self._revisit_after_s(recipe, target, changed=False))
        try:
            reading = await asyncio.to_thread(
                read_document, recipe, role, page, self._authorities[name], self._now(), self._product_token
            )
        except DocumentRejected as error:
            self._reject(Counter({error.code: 1}), (f"{page.final_url}: {error}",))
            return Visited(digest=digest, revisit_after_s=self._revisit_after_s(recipe, target, changed=False))
        changed = await self._absorb(dataset, page, reading)
        self._reject(Counter(reading.rejected), reading.samples)
        deeper = target.depth < recipe.depth
        return Visited(
            links=[Link(found.url, kind_of(found.role, name)) for found in reading.links] if deeper else (),
            digest=digest,
            revisit_after_s=self._revisit_after_s(recipe, target, changed=changed),
        )

    async def forget(self, url: str) -> None:
        """Take note that there is nothing at an address any more; doing it again changes nothing."""
        for name, dataset in self._datasets.items():
            if dataset.recipe.vanished == "drop":
                absorbed = await dataset.absorb((), url)
                self._count(name, absorbed.added, absorbed.changed, absorbed.removed)

    def _tell_of(self, error: Exception | None) -> None:
        if error is not None and error is not self._told:
            self._told = error
            self._log.warning("harvest.visit_failed", exc_info=error)

    async def _absorb(self, dataset: Dataset, page: Page, reading: Reading) -> bool:
        drops = reading.complete and dataset.recipe.vanished == "drop"
        absorbed = await dataset.absorb(reading.records, page.final_url if drops else "", reading.still_there)
        self._counts["records"] += len(reading.records)
        self._count(dataset.name, absorbed.added, absorbed.changed, absorbed.removed)
        return bool(absorbed)

    def _count(self, name: str, added: int, changed: int, removed: int) -> None:
        self._counts["changed"] += added + changed
        self._counts["removed"] += removed
        if added or changed or removed:
            self._waiting.add(name)

    def _reject(self, rejected: Counter[str], samples: Iterable[str]) -> None:
        for reason, count in rejected.items():
            self._counts[f"rejected_{reason}"] += count
        self._rejections.extend(samples)

    async def _publish_due(self, *, idle: bool) -> None:
        """Publish what changed: the first version when a first round is through, others at their intervals."""
        for name in sorted(self._waiting):
            dataset = self._datasets[name]
            if dataset.newest is None and not idle:
                continue
            now_s = self._monotonic()
            if now_s - self._published_s.get(name, -self._version_every_s) < self._version_every_s:
                continue
            manifest = await dataset.publish()
            self._waiting.discard(name)
            if manifest is not None:
                self._published_s[name] = now_s
                self._counts["versions"] += 1
                self._log.info(
                    "dataset.version_made",
                    dataset=name,
                    version=manifest.version,
                    records=manifest.records,
                    withheld=manifest.withheld,
                )

    async def _rest_s(self, crawl: Crawling) -> float:
        due = await crawl.next_due()
        rest_s = _LONGEST_REST_S if due is None else (due - self._now()).total_seconds()
        for name in self._waiting:
            since_s = self._monotonic() - self._published_s.get(name, 0.0)
            rest_s = min(rest_s, self._version_every_s - since_s)
        return min(max(rest_s, _SHORTEST_REST_S), _LONGEST_REST_S)

    def _revisit_after_s(self, recipe: Recipe, target: Target, *, changed: bool) -> float:
        """Return when to come again: sooner to what changes, later to what does not."""
        if target.visited_at is None:
            return recipe.every_s
        interval_s = (self._now() - target.visited_at).total_seconds()
        wanted_s = interval_s * (_FASTER if changed else _SLOWER)
        return min(max(wanted_s, recipe.every_s), recipe.at_most_every_s)


def digest_of_page(page: Page) -> str:
    """Return the digest of all that a reading goes by: what nobody sees on the page, such as the terms, included."""
    content = sha256(page.body)
    content.update(page.headers.get("x-robots-tag", "").encode())
    content.update(page.terms.digest.encode())
    return content.hexdigest()


def kind_of(role: Role, dataset: str) -> str:
    """Return what the frontier keeps of an address: what it leads to, and for which dataset."""
    return f"{role}/{dataset}"


def parts_of(kind: str) -> tuple[Role, str]:
    """Return the role and the dataset of what the frontier keeps."""
    role, _, dataset = kind.partition("/")
    return next(known for known in ROLES if known == role), dataset
