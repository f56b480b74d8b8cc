"""The stream: an instance that publishes a site, and earns from its sponsors and members."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar, Final

import msgspec

from streams.addresses import address_of
from streams.content_monetization.actions import AddArticle, AlreadyThere, EndContract, NoSuchContract
from streams.content_monetization.ad_desk import AdDesk, DeskRules
from streams.content_monetization.ad_token import TokenMint, derived, instance_secret
from streams.content_monetization.article import parse_article
from streams.content_monetization.article_files import store_article
from streams.content_monetization.blueprint import blueprint
from streams.content_monetization.bookkeeper import Bookkeeper
from streams.content_monetization.crawlers import crawler_patterns
from streams.content_monetization.delivery_log import DeliveryLog
from streams.content_monetization.membership import Membership
from streams.content_monetization.neighbour_sources import NeighbourSources
from streams.content_monetization.newsroom import Newsroom
from streams.content_monetization.overview import contracts_overview, estimates
from streams.content_monetization.publication import PAGE_HEADERS, Publication
from streams.content_monetization.rotation import Placement
from streams.content_monetization.settings import ContentMonetizationSettings
from streams.content_monetization.terms import terms_of
from streams.content_monetization.visitor import Doorkeeper
from streams.content_monetization.visitor_memory import VisitorMemory
from streams.front import Front, app_of
from streams.http_host import HttpApp
from streams.metering.accounts import UnbookedCalls
from streams.metering.api_key import digest_of
from streams.metering.key_desk import KEYS_FILE, KeyDesk, SellsAtDesk
from streams.metering.key_store import KeyStore
from streams.metering.limits import MeterLimits
from streams.metering.meter import Meter
from streams.stream import Health, Stream, StreamContext

SIGNING_FILE: Final = "signing.key"
JOURNAL_FILE: Final = "deliveries.jsonl"

_FIRST_LOOK_S: Final = 3.0
_BEARER: Final = b"bearer "
_FUNNEL: Final = ("served", "gross", "billable", "clicks", "clicks_billable", "statements", "booked")


class Checkpoint(msgspec.Struct, frozen=True):
    """What is in neither the ledger nor the instance's files.

    Attributes:
        unbooked_calls: Articles read that cost nothing, by key.
    """

    unbooked_calls: UnbookedCalls = {}


class ContentMonetization(SellsAtDesk, Stream[ContentMonetizationSettings]):
    """One site: its articles, its sponsors, its members and its port."""

    name = "content_monetization"
    settings_type = ContentMonetizationSettings
    paper_world = "streams.sandbox.readers.world:ReadersWorld"
    actions: ClassVar = {"add_article": AddArticle, "end_contract": EndContract}

    def __init__(self, context: StreamContext[ContentMonetizationSettings]) -> None:
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
            limits=MeterLimits(max_proof_bytes=context.limits.max_response_bytes),
        )
        self._placements = _placements(context)
        self._log = DeliveryLog(
            context.directory / JOURNAL_FILE,
            context.now,
            timedelta(seconds=max(settings.view_life_s, settings.click_life_s)),
        )
        self._bookkeeper = Bookkeeper(
            self._log,
            context.ledger,
            context.book,
            context.stream,
            context.id,
            context.log,
            settings.first_statement_s,
            settings.statement_interval_s,
            self._sweep,
        )
        self._sources = NeighbourSources(context)
        self._newsroom = Newsroom(context, self._sources)
        self._ads: AdDesk | None = None
        self._publication: Publication | None = None
        self._front = Front(context.host, context.port, context.traffic, context.share.requests)

    @classmethod
    def blueprint(cls, n: int) -> Sequence[ContentMonetizationSettings]:
        """Return n distinct sites."""
        return blueprint(n)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._front.port

    async def start(self) -> None:
        """Take up what was delivered and not booked, build the site, and listen.

        Raises:
            JournalDamaged: The file of the deliveries has a line that is no event.
            NotStored: It cannot be written.
            KeyJournalDamaged: The file of the keys has a line that is no event.
            CannotListen: The address is taken, or not this machine's.
            LedgerUnavailable: The ledger cannot read.
            ActorError: The ledger does not answer.
        """
        context, settings = self.context, self.context.settings
        secret = await asyncio.to_thread(instance_secret, context.directory / SIGNING_FILE)
        await self._keys.load()
        await self._meter.start()
        await self._log.open(placement.terms for placement in self._placements)
        await self._sources.load()
        app = await app_of(_load)  # and the list of crawlers
        self._ads = AdDesk(
            self._placements,
            self._log,
            TokenMint(derived(secret, "token")),
            VisitorMemory(settings.visitor_views_minute),
            DeskRules(settings.view_after_s, settings.view_life_s, settings.click_life_s),
        )
        doorkeeper = Doorkeeper(
            derived(secret, "visitor"), settings.data_centres, self._is_own_key, behind_proxy=settings.behind_proxy
        )
        self._publication = Publication(
            id=context.id,
            site=lambda: self._newsroom.site,
            desk=self._ads,
            doorkeeper=doorkeeper,
            membership=Membership(self._meter, settings.article_units(), PAGE_HEADERS),
            on_delivery=self._bookkeeper.stir,
            now=context.now,
            monotonic=context.monotonic,
            health=self.health,
            log=context.log,
        )
        # The port may be any free one, and the site's addresses have it in them; nobody knows it before it is open.
        if settings.base_url or context.port:
            await self._newsroom.open(settings.base_url or address_of(context.host, context.port))
            await self._front.open(app, self._publication)
        else:
            await self._front.open(app, self._publication)
            await self._newsroom.open(address_of(context.host, self._front.port))

    async def run(self) -> None:
        """Book what is delivered, and keep the site up to date, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._meter.run())
            tasks.create_task(self._bookkeeper.run())
            tasks.create_task(self._watch_files())
            if self.context.settings.datasets or self.context.settings.affiliate_links:
                tasks.create_task(self._ask_neighbours())

    async def stop(self) -> None:
        """Finish the requests in progress, close the port, and bring to the disk what was delivered."""
        try:
            await self._front.close(self.context.close_within_s)
        finally:
            await self._bookkeeper.close()

    def health(self) -> Health:
        """Tell whether a reader who comes now is served."""
        return self._front.health()

    def pause(self) -> None:
        """Answer 503 with Retry-After until `resume`."""
        self._front.pause()

    def resume(self) -> None:
        """Serve again."""
        self._front.resume()

    def checkpoint(self) -> bytes:
        """Return the counts that no ledger knows."""
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
        """Return counts from the page to the booking, then why claims were not billable, then what members did."""
        counts: dict[str, int] = {}
        if self._publication is not None and self._ads is not None:
            counts |= self._publication.counts
            counts |= self._ads.counts
            counts["waiting"] = self._ads.waiting
        counts |= self._bookkeeper.counts
        members = {f"members_{name}": count for name, count in self._meter.funnel().items() if count}
        steps = {step: counts.get(step, 0) for step in _FUNNEL}
        return steps | {name: counts[name] for name in sorted(counts) if name not in steps} | members

    def describe(self) -> dict[str, Any]:
        """Return the site, its contracts, and apart from them what is only an estimate."""
        settings = self.context.settings
        site = self._newsroom.site if self._front.is_open else None
        return {
            "title": settings.title,
            "asset": settings.asset,
            "articles": 0 if site is None else sum(path.startswith("/articles/") for path in site.pages),
            "rejected_articles": self._newsroom.rejected,
            "datasets": [f"{used.seller}/{used.name}/{used.version}" for used in self._sources.taken.datasets],
            "affiliate_links": len(self._sources.taken.links),
            "contracts": contracts_overview(self._log, self._placements, self.context.now()),
            "estimates": estimates(self._log, settings, 0 if self._ads is None else self._ads.waiting),
            "plans": list(settings.plans),
            "keys": len(self._keys),
            "http": self._front.stats(),
        }

    async def act(self, action: msgspec.Struct) -> Any:
        """Put an article on the site, or end a contract; see `actions`.

        Raises:
            NotAnArticle: The text is none.
            AlreadyThere: There is one of that name, and it is not to be replaced.
            NoSuchContract: There is none of that id in force.
        """
        match action:
            case AddArticle():
                return await self._add_article(action)
            case EndContract(contract=contract):
                return await self._end_contract(contract)
            case _:
                return await super().act(action)

    async def _add_article(self, action: AddArticle) -> dict[str, Any]:
        article = parse_article(action.slug, action.markdown)
        try:
            await asyncio.to_thread(
                store_article, self.context.directory, article, action.markdown, replace=action.replace
            )
        except FileExistsError:
            raise AlreadyThere(article.slug) from None
        await self._newsroom.refresh()
        return {
            "path": article.path,
            "published": article.published,
            "is_shown": article.path in self._newsroom.site.pages,
        }

    async def _end_contract(self, contract: str) -> dict[str, Any]:
        now = self.context.now()
        in_force = [each.contract.id for each in self._placements if self._log.account(each.contract.id).holds_at(now)]
        if contract not in in_force:
            raise NoSuchContract(contract, in_force)
        self._log.end(contract)
        await self._log.flush()
        self._bookkeeper.stir()
        return {"contract": contract, "ended_at": self._log.account(contract).ended_at}

    async def _watch_files(self) -> None:
        while True:
            await asyncio.sleep(self.context.settings.source_interval_s)
            await self._newsroom.refresh()

    async def _ask_neighbours(self) -> None:
        interval_s = self.context.settings.source_interval_s
        longest_s = interval_s * 16
        # The neighbours are starting, too.
        await asyncio.sleep(_FIRST_LOOK_S)
        while True:
            await self._sources.settle()
            if await self._sources.poll():
                await self._newsroom.refresh()
                await self._sources.settle()
            await asyncio.sleep(interval_s)
            interval_s = min(interval_s * 2, longest_s)

    def _sweep(self) -> None:
        if self._ads is not None:
            self._ads.sweep(self.context.monotonic())

    def _is_own_key(self, authorization: bytes) -> bool:
        if authorization[: len(_BEARER)].lower() != _BEARER:
            return False
        record = self._keys.find(digest_of(authorization[len(_BEARER) :].strip()))
        return record is not None and record.own


def _placements(context: StreamContext[ContentMonetizationSettings]) -> tuple[Placement, ...]:
    """Return the contracts that may be shown: in the live book, none whose sponsor cannot exist."""
    settings = context.settings
    shown = [contract for contract in settings.contracts if context.book == "paper" or not contract.is_paper]
    return tuple(Placement(contract, terms_of(contract, settings.asset)) for contract in shown)


def _load() -> HttpApp:
    from streams.content_monetization.app import http_app

    crawler_patterns()
    return http_app()
