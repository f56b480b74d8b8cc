"""The stream: an instance that redirects clicks, and earns by what networks report and pay."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from actors import Refusal
from streams.affiliate_marketing.actions import (
    Dismiss,
    ImportStatement,
    ListOrders,
    ListQuarantine,
    PostbackAddress,
    Release,
    show_order,
    show_postback,
)
from streams.affiliate_marketing.blueprint import blueprint
from streams.affiliate_marketing.bots import bot_filter
from streams.affiliate_marketing.caps import CapCounter
from streams.affiliate_marketing.click_id import ClickIds
from streams.affiliate_marketing.click_journal import ClickJournal
from streams.affiliate_marketing.destination import Destination, FarPath
from streams.affiliate_marketing.instance_key import InstanceKey, open_key
from streams.affiliate_marketing.judgement import Attribution, attribution_of
from streams.affiliate_marketing.orders import Orders
from streams.affiliate_marketing.postbacks import PostbackDesk
from streams.affiliate_marketing.redirector import Redirector
from streams.affiliate_marketing.rotation import Belief, Rotation
from streams.affiliate_marketing.settings import AffiliateMarketingSettings
from streams.affiliate_marketing.statement_desk import StatementDesk
from streams.affiliate_marketing.step_booking import Bookkeeper
from streams.affiliate_marketing.visitors import HOUR_US, FirstClick, Visitors
from streams.front import Front, app_of
from streams.http_host import HttpApp
from streams.stream import Health, Stream, StreamContext
from streams.webhooks import read_secrets

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

CLICKS_DIRECTORY: Final = "clicks"
ORDERS_FILE: Final = "orders.sqlite3"
FAR_SECRET: Final = "webhook_secret"  # noqa: S105 - the name of a credential

_LATE_REPORTS_S: Final = 90 * 86_400
"""How long after the end of its window a click is kept: networks report late."""


class SecretMissing(Refusal):
    """A secret or a far side that the settings name is not there."""


class Checkpoint(msgspec.Struct, frozen=True):
    """What is in neither the ledger nor the instance's files: what the rotation has learned."""

    beliefs: dict[str, Belief] = {}


class AffiliateMarketing(Stream[AffiliateMarketingSettings]):
    """One agency: its links, its orders and its port.

    Attributes:
        redirector: Its links.
        postbacks: Where networks report to it.
    """

    name = "affiliate_marketing"
    settings_type = AffiliateMarketingSettings
    paper_world = "streams.sandbox.networks.world:NetworksWorld"
    actions: ClassVar[Mapping[str, type[msgspec.Struct]]] = {
        "import_statement": ImportStatement,
        "orders": ListOrders,
        "quarantine": ListQuarantine,
        "release": Release,
        "dismiss": Dismiss,
        "postback_address": PostbackAddress,
    }

    redirector: Redirector
    postbacks: PostbackDesk

    def __init__(self, context: StreamContext[AffiliateMarketingSettings]) -> None:
        super().__init__(context)
        settings = context.settings
        keep_s = _LATE_REPORTS_S + max((offer.window_s for offer in settings.offers.values()), default=0)
        self._caps = CapCounter({name: offer.cap for name, offer in settings.offers.items()})
        self._journal = ClickJournal(context.directory / CLICKS_DIRECTORY, self._caps, keep_s * 1_000_000)
        self._bots = bot_filter()
        self._rotation = Rotation(
            {name: offer.expected_units() for name, offer in settings.offers.items()},
            delay_s=settings.rotation.delay_hours * 3600,
            half_life_s=settings.rotation.half_life_days * 86_400,
            rng=random.Random(context.id),  # noqa: S311 - a draw among offers, not a secret
        )
        self._orders = Orders(
            file=context.directory / ORDERS_FILE,
            offers=settings.offers,
            bookkeeper=Bookkeeper(context.stream, context.id, context.book),
            ledger=context.ledger,
            now=context.now,
            log=context.log,
            worth_changed=self._worth_changed,
        )
        self._statements = StatementDesk(settings.networks, self._orders, context.now)
        self._ids: ClickIds | None = None
        self._front = Front(context.host, context.port, context.traffic, context.share.requests)
        self._links = b""

    @classmethod
    def blueprint(cls, n: int) -> Sequence[AffiliateMarketingSettings]:
        """Return n distinct agencies."""
        return blueprint(n)

    @property
    def id(self) -> str:
        """The instance's id."""
        return self.context.id

    @property
    def log(self) -> FilteringBoundLogger:
        """The instance's logger."""
        return self.context.log

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._front.port

    async def start(self) -> None:
        """Resolve the destinations, read what clicks and orders there were, and listen.

        Raises:
            SecretMissing: A far side or a signing secret that the settings name is not there.
            ClicksDamaged: The files of the clicks cannot be trusted.
            InstanceKeyDamaged: The instance's key is not whole.
            CannotListen: The address is taken, or not this machine's.
        """
        context = self.context
        destinations = {name: self._destination(name) for name in context.settings.offers}
        for network in context.settings.networks:
            self._secrets_of(network)
        key = await asyncio.to_thread(open_key, context.directory)
        visitors = Visitors(key.key_for("visitors"))
        await self._recall(visitors)
        await self._orders.start()
        self._ids = ClickIds(key.key_for("click ids"))
        self._open_desks(key, self._ids, visitors, destinations)
        await self._front.open(await app_of(_load_app), self)
        self._links = self._public_links()

    async def run(self) -> None:
        """Book what could not be booked when it came, until cancelled."""
        # Not at the start, which a hundred instances make at once; the first click would wait for it otherwise.
        await self._bots.load()
        await self._orders.run()

    async def stop(self) -> None:
        """Finish the requests in progress, then close the port and the files."""
        try:
            await self._front.close(self.context.close_within_s)
        finally:
            await self._journal.close()
            await self._orders.stop()

    def health(self) -> Health:
        """Tell whether a click that comes now is served."""
        return self._front.health()

    def pause(self) -> None:
        """Answer 503 with Retry-After until `resume`; networks send their postbacks again then."""
        self._front.pause()

    def resume(self) -> None:
        """Serve again."""
        self._front.resume()

    def checkpoint(self) -> bytes:
        """Return what the rotation has learned."""
        return msgspec.json.encode(Checkpoint(self._rotation.beliefs()))

    def restore(self, checkpoint: bytes) -> None:
        """Take up a former `checkpoint`.

        Raises:
            msgspec.MsgspecError: It is none.
        """
        if checkpoint:
            self._rotation.restore(msgspec.json.decode(checkpoint, type=Checkpoint).beliefs)

    def links(self) -> bytes:
        """Return the public links, JSON: what publishers may place."""
        return self._links

    def funnel(self) -> dict[str, int]:
        """Return counts from the visit to the booking, then those that took another way."""
        if not self._front.is_open and self._ids is None:
            return {}
        clicks, postbacks, orders = self.redirector.counts, self.postbacks.counts, self._orders.counts
        usual = ("gross", "duplicates", "unique")
        counts = {name: clicks[name] for name in usual}
        counts["postbacks"] = postbacks["postbacks"]
        counts["accepted"] = orders["accepted"]
        counts |= {f"orders_{state}": count for state, count in self._orders.states().items() if state != "quarantined"}
        counts["in_quarantine"] = self._orders.states().get("quarantined", 0)
        for rest in (clicks, postbacks, orders):
            counts |= {name: count for name, count in sorted(rest.items()) if name not in counts}
        return counts

    def describe(self) -> dict[str, Any]:
        """Return what is offered, what clicks turn out to be worth, and how the port stands."""
        settings = self.context.settings
        return {
            "title": settings.title,
            "networks": list(settings.networks),
            "offers": {
                name: {"merchant": offer.merchant, "commission": f"{offer.commission} {offer.currency}"}
                for name, offer in settings.offers.items()
            },
            "links": list(settings.links),
            "clicks": {name: count.total for name, count in self._caps.counts().items()},
            "orders": self._orders.states(),
            "rotation": msgspec.to_builtins(self._rotation.beliefs()),
            "http": self._front.stats(),
        }

    async def act(self, action: msgspec.Struct) -> Any:
        """Do what an operator asks; see `streams.affiliate_marketing.actions`.

        Raises:
            Refusal: It cannot be done; says why.
        """
        match action:
            case ImportStatement():
                return await self._statements.import_statement(action.network, action.csv)
            case ListOrders():
                return [show_order(order) for order in await self._orders.all(action.network, action.limit)]
            case ListQuarantine():
                return [show_postback(each) for each in await self._orders.quarantine(action.limit)]
            case Release():
                return show_postback(await self._release(action))
            case Dismiss():
                return show_postback(await self._orders.dismiss(action.postback, action.reason))
            case PostbackAddress():
                return {"url": self._postback_address(action)}
            case _:
                return await super().act(action)

    def _open_desks(
        self, key: InstanceKey, ids: ClickIds, visitors: Visitors, destinations: dict[str, Destination]
    ) -> None:
        context = self.context
        self.redirector = Redirector(
            settings=context.settings,
            destinations=destinations,
            journal=self._journal,
            ids=ids,
            visitors=visitors,
            caps=self._caps,
            rotation=self._rotation,
            bots=self._bots,
            now=context.now,
        )
        self.postbacks = PostbackDesk(
            settings=context.settings,
            secrets_of=self._secrets_of,
            token_key=key.key_for("postback tokens"),
            find_click=self._find_click,
            orders=self._orders,
            now=context.now,
            log=context.log,
        )

    async def _recall(self, visitors: Visitors) -> None:
        since_us = _us(self.context.now()) - HOUR_US
        found = await self._journal.open(since_us)
        for place, click in found.recent:
            if visitors.first_click(click.visitor, click.at_us) is None:
                visitors.remember(click.visitor, FirstClick(click.at_us, place, click.offer))

    async def _find_click(self, click_id: str) -> Attribution | None:
        assert self._ids is not None
        place = self._ids.open(click_id)
        click = None if place is None else await self._journal.read(place)
        return None if click is None else attribution_of(click)

    async def _release(self, action: Release) -> Any:
        postback = await self._orders.quarantined(action.postback)
        attribution = None if postback.claim is None else await self._find_click(postback.claim.click_id)
        return await self._orders.release(action.postback, action.offer, attribution)

    def _destination(self, name: str) -> Destination:
        offer = self.context.settings.offers[name]
        url = offer.destination
        if isinstance(url, FarPath):
            far_side = self.context.far_sides.find(url.far_side)
            if far_side is None:
                raise SecretMissing(
                    f"offers.{name}.destination: there is no far side {url.far_side!r}; outside the sandbox a "
                    "destination is a URL"
                )
            url = far_side.url + url.path.replace("{instance}", self.context.id)
        return Destination(url, offer.click_parameter)

    def _secrets_of(self, name: str) -> tuple[bytes, ...]:
        network = self.context.settings.networks[name]
        if network.signing != "standard_webhooks":
            return ()
        # Looked up each time: a secret may be replaced while the instance runs.
        text = self.context.secret(network.secret) if network.secret else None
        if text is None and network.far_side:
            far_side = self.context.far_sides.find(network.far_side)
            text = None if far_side is None else far_side.credentials.get(FAR_SECRET)
        if text is None:
            raise SecretMissing(f"networks.{name}: its signing secret is not in .env, nor known in the sandbox")
        return read_secrets(text)

    def _postback_address(self, action: PostbackAddress) -> str:
        network = self.context.settings.networks.get(action.network)
        if network is None:
            raise Refusal(f"there is no network {action.network!r} here")
        url = f"{self._base_url()}/postback/{action.network}"
        if network.signing == "standard_webhooks":
            return url
        offer = self.context.settings.offers.get(action.offer or "")
        if offer is None or offer.network != action.network:
            raise Refusal(f"name an offer of the network {action.network!r}: its path is secret per offer")
        return f"{url}/{self.postbacks.token(action.network, action.offer or '')}"

    def _public_links(self) -> bytes:
        settings = self.context.settings
        items = []
        for code, link in settings.links.items():
            first = settings.offers[settings.campaigns[link.campaign].offers[0]]
            url = f"{self._base_url()}/c/{code}"
            items.append({"code": code, "url": url, "title": link.title, "merchant": first.merchant})
        return msgspec.json.encode({"items": items})

    def _worth_changed(self, offer: str, units: int) -> None:
        if offer in self.context.settings.offers:
            self._rotation.earned(offer, units, self.context.now().timestamp())

    def _base_url(self) -> str:
        host = self.context.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


def _load_app() -> HttpApp:
    from streams.affiliate_marketing.app import http_app

    return http_app()


def _us(instant: datetime) -> int:
    return int(instant.timestamp() * 1_000_000)
