"""The stream: an instance that harvests, and sells what it harvested by the download."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from streams.addresses import address_of
from streams.commons import Lease
from streams.data_harvesting.blueprint import blueprint
from streams.data_harvesting.datasets.dataset import Dataset
from streams.data_harvesting.docs_page import docs_page
from streams.data_harvesting.fetching.client import FetchClient
from streams.data_harvesting.fetching.crawl import Crawl
from streams.data_harvesting.fetching.store import CrawlStore
from streams.data_harvesting.harvester import Harvester
from streams.data_harvesting.openapi import openapi_document
from streams.data_harvesting.reading import check_selectors
from streams.data_harvesting.settings import DataHarvestingSettings
from streams.data_harvesting.shop import DatasetShop
from streams.data_harvesting.territory import SiteUnknown, Territory, survey
from streams.data_harvesting.watchful_fetcher import WatchfulFetcher
from streams.front import Front
from streams.http_host import HttpApp
from streams.metering.accounts import UnbookedCalls
from streams.metering.key_desk import KEYS_FILE, KeyDesk, SellsAtDesk
from streams.metering.key_store import KeyStore
from streams.metering.limits import MeterLimits
from streams.metering.meter import Meter
from streams.stream import Health, Stream, StreamContext

DATASETS_DIRECTORY: Final = "datasets"

EVIDENCE_BYTES: Final = 16 * 1024
"""A download up to this size is its own evidence; of a larger one the books keep name and digest, and the instance
the version itself."""

_LOOK_FOR_SITES_S: Final = 2.0
_FRONTIER: Final = "frontier-{fingerprint}.sqlite3"


class Checkpoint(msgspec.Struct, frozen=True):
    """What is in neither the ledger nor the instance's files.

    Attributes:
        unbooked_calls: Downloads that cost nothing, by key.
    """

    unbooked_calls: UnbookedCalls = {}


class DataHarvesting(SellsAtDesk, Stream[DataHarvestingSettings]):
    """One harvester: its frontier, its datasets, its keys, its meter and its port."""

    name = "data_harvesting"
    settings_type = DataHarvestingSettings
    paper_world = "streams.sandbox.sites.world:SitesWorld"

    def __init__(self, context: StreamContext[DataHarvestingSettings]) -> None:
        super().__init__(context)
        settings = context.settings
        self._keys = KeyStore(context.directory / KEYS_FILE, context.now)
        self.desk = KeyDesk(self._keys, settings.plans, settings.default_plan, settings.asset, context.book)
        self._meter = Meter(
            stream=context.stream,
            instance=context.id,
            asset=settings.asset,
            keys=self._keys,
            ledger=context.ledger,
            now=context.now,
            monotonic=context.monotonic,
            log=context.log,
            limits=MeterLimits(max_proof_bytes=EVIDENCE_BYTES),
        )
        self._datasets = {
            name: Dataset(
                name,
                recipe,
                context.directory / DATASETS_DIRECTORY / name,
                context.now,
                context.log,
                keep_versions=settings.keep_versions,
                max_version_bytes=settings.max_version_bytes,
            )
            for name, recipe in settings.datasets.items()
        }
        self._harvester = Harvester(
            self._datasets,
            settings.version_every_s,
            settings.fetch.product_token,
            context.now,
            context.monotonic,
            context.log,
        )
        self._crawl: Crawl | None = None
        self._lease: Lease[FetchClient] | None = None
        self._front = Front(context.host, context.port, context.traffic, context.share.requests)
        self._harvesting = "not begun"

    @classmethod
    def blueprint(cls, n: int) -> Sequence[DataHarvestingSettings]:
        """Return n distinct harvesters."""
        return blueprint(n)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._front.port

    async def start(self) -> None:
        """Load keys and datasets, read what was sold, and listen.

        Raises:
            ValueError: A recipe's selector is malformed.
            KeyJournalDamaged: The file of the keys has a line that is no event.
            CurrentDamaged: The file of a dataset is not what this program wrote.
            CannotListen: The address is taken, or not this machine's.
            LedgerUnavailable: The ledger cannot read.
            ActorError: The ledger does not answer.
        """
        await self._keys.load()
        await self._meter.start()
        # Loading parser and web framework takes half a second, once in the process: not on the event loop.
        app = await asyncio.to_thread(self._prepare)
        for dataset in self._datasets.values():
            await dataset.open()
        await self._front.open(app, self._shop())

    async def run(self) -> None:
        """Harvest, and settle bookings whose outcome is not known, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._meter.run(), name="meter")
            group.create_task(self._harvest(), name="harvest")

    async def stop(self) -> None:
        """Finish the requests in progress, then close the port, the datasets and the share in the fetcher."""
        lease, self._lease = self._lease, None
        try:
            await self._front.close(self.context.close_within_s)
        finally:
            for dataset in self._datasets.values():
                await dataset.close()
            if lease is not None:
                await lease.release()

    def health(self) -> Health:
        """Tell whether a customer who comes now is served."""
        here = self._front.health()
        return Health(ready=True, detail=self._harvesting) if here.ready else here

    def pause(self) -> None:
        """Answer 503 with Retry-After, and begin no visits, until `resume`."""
        self._front.pause()
        self._harvester.pause()

    def resume(self) -> None:
        """Serve and visit again."""
        self._front.resume()
        self._harvester.resume()

    def checkpoint(self) -> bytes:
        """Return the counts that no ledger knows. What was visited and found is in the instance's files."""
        unbooked = self._meter.unbooked_calls()
        return msgspec.json.encode(Checkpoint(unbooked)) if unbooked else b""

    def restore(self, checkpoint: bytes) -> None:
        """Take up a former `checkpoint`.

        Raises:
            msgspec.MsgspecError: It is none.
        """
        if checkpoint:
            self._meter.restore_unbooked(msgspec.json.decode(checkpoint, type=Checkpoint).unbooked_calls)

    def funnel(self) -> dict[str, int]:
        """Return counts from the address to the sold download, then those that took another way."""
        crawled = self._crawl.counts if self._crawl is not None else {}
        harvested = self._harvester.counts
        sold = self._meter.funnel()
        counts = {
            "seen": crawled.get("found", 0),
            "fetched": crawled.get("fetched", 0),
            "not_modified": crawled.get("unchanged", 0),
            "disallowed": crawled.get("refused.robots", 0),
            "gone": crawled.get("gone", 0),
            "records": harvested["records"],
            "changed": harvested["changed"],
            "removed": harvested["removed"],
            "versions": harvested["versions"],
            "sold": sold["booked"],
        }
        counts |= {reason: harvested[reason] for reason in sorted(harvested) if reason.startswith("rejected_")}
        for reason, count in sorted(crawled.items()):
            what, _, why = reason.partition(".")
            if what == "failed":
                counts[f"fetch_failed_{why}"] = count
            elif what == "refused" and why != "robots":
                counts[f"not_fetched_{why}"] = count
        return counts | sold

    def describe(self) -> dict[str, Any]:
        """Return what is harvested and sold, and how the port stands."""
        settings = self.context.settings
        return {
            "title": settings.title,
            "asset": settings.asset,
            "harvesting": self._harvesting,
            "datasets": {name: _description(dataset) for name, dataset in self._datasets.items()},
            "rejected_last": self._harvester.rejections,
            "plans": list(settings.plans),
            "keys": len(self._keys),
            "http": self._front.stats(),
        }

    def _prepare(self) -> HttpApp:
        for name, recipe in self.context.settings.datasets.items():
            try:
                check_selectors(recipe)
            except ValueError as error:
                raise ValueError(f"datasets.{name}.{error}") from None
        from streams.data_harvesting.app import http_app

        return http_app()

    async def _harvest(self) -> None:
        context = self.context
        territory = await self._survey()
        self._lease = await context.commons.lease(FetchClient.KEY, lambda: FetchClient(context.now, context.monotonic))
        file = _FRONTIER.format(fingerprint=territory.fingerprint)
        await asyncio.to_thread(_remove_others, context.directory, file)
        async with _open_store(context.directory / file, context.now, territory.policy.max_urls) as store:
            fetcher = WatchfulFetcher(
                self._lease.get,
                territory.policy,
                store,
                context.now,
                self._harvester.forget,
                context.share.errands,
            )
            crawl = self._crawl = Crawl(
                fetcher,
                store,
                self._harvester.visit,
                policy=territory.policy,
                revisit_after_s=3_600.0,
                now=context.now,
            )
            await crawl.seed(territory.seeds)
            self._harvesting = ""
            await self._harvester.run(crawl, territory.authorities)

    async def _survey(self) -> Territory:
        """Return where to harvest, as soon as all sites are known."""
        context = self.context
        told = False
        while True:
            try:
                return await asyncio.to_thread(
                    survey, context.settings.datasets, context.settings.fetch, context.far_sides
                )
            except SiteUnknown as error:
                self._harvesting = str(error)
                if not told:
                    context.log.warning("harvest.site_unknown", site=error.site, reason=str(error))
                    told = True
            await asyncio.sleep(_LOOK_FOR_SITES_S)

    def _shop(self) -> DatasetShop:
        context, settings = self.context, self.context.settings
        return DatasetShop(
            id=context.id,
            settings=settings,
            datasets=self._datasets,
            meter=self._meter,
            health=self.health,
            log=context.log,
            openapi=lambda: msgspec.json.encode(openapi_document(settings, self._base_url())),
            docs=lambda: docs_page(settings, self._base_url()).encode(),
        )

    def _base_url(self) -> str:
        return address_of(self.context.host, self.port)


@contextlib.asynccontextmanager
async def _open_store(path: Path, now: Callable[[], datetime], max_urls: int) -> AsyncIterator[CrawlStore]:
    store = CrawlStore(path, now, max_urls)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def _remove_others(directory: Path, file: str) -> None:
    """Remove the frontiers of former recipes and sites."""
    for other in directory.glob(_FRONTIER.format(fingerprint="*") + "*"):
        if not other.name.startswith(file):
            other.unlink(missing_ok=True)


def _description(dataset: Dataset) -> dict[str, Any]:
    newest = dataset.newest
    return {
        "title": dataset.recipe.title,
        "price": dataset.recipe.price,
        "versions": len(dataset.manifests),
        "version": newest.version if newest is not None else None,
        "records": newest.records if newest is not None else 0,
        "withheld": newest.withheld if newest is not None else {},
        "licences": newest.licences if newest is not None else {},
    }
