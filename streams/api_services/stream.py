"""The stream: an instance that sells API calls by key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from streams.api_services.blueprint import blueprint
from streams.api_services.docs_page import docs_page
from streams.api_services.heavy_work import HeavyWork
from streams.api_services.openapi import openapi_document
from streams.api_services.settings import ApiServicesSettings
from streams.api_services.shop import Offer, Shop
from streams.front import Front, app_of
from streams.http_host import HttpApp
from streams.metering.accounts import UnbookedCalls
from streams.metering.key_desk import KEYS_FILE, KeyDesk, SellsAtDesk
from streams.metering.key_store import KeyStore
from streams.metering.limits import MeterLimits
from streams.metering.meter import Meter
from streams.stream import Health, Stream, StreamContext


class Checkpoint(msgspec.Struct, frozen=True):
    """What is in neither the ledger nor the instance's files.

    Attributes:
        unbooked_calls: Calls that cost nothing, by key.
    """

    unbooked_calls: UnbookedCalls = {}


class ApiServices(SellsAtDesk, Stream[ApiServicesSettings]):
    """One shop: its keys, its meter and its port."""

    name = "api_services"
    settings_type = ApiServicesSettings
    paper_world = "streams.sandbox.api_customers:ApiCustomersWorld"

    def __init__(self, context: StreamContext[ApiServicesSettings]) -> None:
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
        self._heavy_work = HeavyWork()
        self._front = Front(context.host, context.port, context.traffic, context.share.requests)

    @classmethod
    def blueprint(cls, n: int) -> Sequence[ApiServicesSettings]:
        """Return n distinct shops."""
        return blueprint(n)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._front.port

    async def start(self) -> None:
        """Load the keys, read what they have used, and listen.

        Raises:
            KeyJournalDamaged: The file of the keys has a line that is no event.
            CannotListen: The address is taken, or not this machine's.
            LedgerUnavailable: The ledger cannot read.
            ActorError: The ledger does not answer.
        """
        await self._keys.load()
        await self._meter.start()
        await self._front.open(await app_of(_load_app), self._shop())

    async def run(self) -> None:
        """Settle bookings whose outcome is not known, until cancelled."""
        await self._meter.run()

    async def stop(self) -> None:
        """Finish the requests in progress, then close the port."""
        try:
            await self._front.close(self.context.close_within_s)
        finally:
            self._heavy_work.close()

    def health(self) -> Health:
        """Tell whether a customer who comes now is served."""
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
        """Return counts from the request to the booking, then those that took another way."""
        return self._meter.funnel()

    def describe(self) -> dict[str, Any]:
        """Return what is sold, and how the port stands."""
        settings = self.context.settings
        return {
            "title": settings.title,
            "products": dict(settings.products),
            "asset": settings.asset,
            "plans": list(settings.plans),
            "keys": len(self._keys),
            "http": self._front.stats(),
        }

    def _shop(self) -> Shop:
        context, settings = self.context, self.context.settings
        return Shop(
            id=context.id,
            offers={name: Offer(product, settings.price_units(name)) for name, product in settings.offered().items()},
            meter=self._meter,
            heavy_work=self._heavy_work,
            limits=context.limits,
            now=context.now,
            health=self.health,
            log=context.log,
            openapi=lambda: msgspec.json.encode(openapi_document(settings, self._base_url())),
            docs=lambda: docs_page(settings, self._base_url()).encode(),
        )

    def _base_url(self) -> str:
        host = self.context.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


def _load_app() -> HttpApp:
    from streams.api_services.app import http_app

    return http_app()
