"""The sandbox: gives every instance its customers, in mode `sandbox` only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from actors import Actor, ActorError, ActorRef, ChildSpec, FindChild, Message, RemoveChild, StartChild, on
from orchestrator.events import Event, EventBus
from orchestrator.fleet.messages import GetInstance, ListInstances, NotFound
from orchestrator.fleet.view import InstanceView
from streams.sandbox.api_customer import ApiCustomer, Purchase, address_of, purchases_of

if TYPE_CHECKING:
    import aiohttp

_log = structlog.get_logger("sandbox")


class InstanceReady(Message, frozen=True):
    """An instance is ready for customers."""

    id: str


class InstanceGone(Message, frozen=True):
    """An instance is gone."""

    id: str


class Sandbox(Actor[InstanceReady | InstanceGone]):
    """Follows the fleet, and keeps a customer for every instance that sells.

    Args:
        fleet: The deployment manager.
        instances: The supervisor of the instances.
        customers: The supervisor of the customers.
        events: Where the fleet tells what happens.
        directory: Where customers keep their keys.
        http: Makes the shared HTTP client session.
        calls_per_minute: How often each instance is called.
        seed: What decides on everything that is random here.
    """

    mailbox_capacity = 20_000

    def __init__(
        self,
        fleet: ActorRef[GetInstance | ListInstances],
        instances: ActorRef[Any],
        customers: ActorRef[Any],
        events: EventBus,
        directory: Path,
        http: Callable[[], aiohttp.ClientSession],
        calls_per_minute: float,
        seed: int,
    ) -> None:
        self._fleet = fleet
        self._instances = instances
        self._customers = customers
        self._events = events
        self._directory = directory
        self._http = http
        self._calls_per_minute = calls_per_minute
        self._seed = seed
        self._unsubscribe: Callable[[], None] | None = None
        self._examples: dict[str, Any] | None = None

    async def on_start(self) -> None:
        """Follow the fleet from now on."""
        await asyncio.to_thread(self._directory.mkdir, mode=0o700, parents=True, exist_ok=True)
        self._unsubscribe = self._events.subscribe(("instance.ready", "instance.stopped"), self._heed)
        self.context.start_task(self._welcome_all)

    async def on_stop(self, reason: BaseException | None) -> None:
        """Stop following."""
        if self._unsubscribe is not None:
            self._unsubscribe()

    async def _welcome_all(self) -> None:
        cursor = None
        while True:
            try:
                page = await self._fleet.ask(ListInstances(state="ready", limit=1000, cursor=cursor), 10.0)
            except ActorError as error:
                # Those that are ready later come by themselves.
                _log.warning("sandbox.fleet_unseen", reason=str(error))
                return
            for row in page.items:
                self.context.ref.tell(InstanceReady(row.id))
            cursor = page.next_cursor
            if cursor is None:
                return

    def _heed(self, event: Event) -> None:
        instance = event.fields["instance"]
        self.context.ref.tell(InstanceReady(instance) if event.name == "instance.ready" else InstanceGone(instance))

    @on(InstanceReady)
    async def welcome(self, message: InstanceReady) -> None:
        """Give an instance its customer, unless it has one."""
        try:
            if await self._customers.ask(FindChild(message.id), 5.0) is None:
                await self._send_customer(await self._fleet.ask(GetInstance(message.id), 10.0))
        except NotFound:
            pass  # it was scaled away meanwhile
        except ActorError as error:
            # An instance without a customer is no reason to fail: failures here are charged to the whole daemon.
            _log.warning("sandbox.customer_absent", instance=message.id, reason=str(error))

    @on(InstanceGone)
    async def dismiss(self, message: InstanceGone) -> None:
        """Take the customer of an instance that is gone away."""
        try:
            if await self._customers.ask(FindChild(message.id), 5.0) is not None:
                await self._customers.ask(RemoveChild(message.id), 10.0)
        except ActorError as error:
            _log.warning("sandbox.customer_stays", instance=message.id, reason=str(error))

    async def _send_customer(self, view: InstanceView) -> None:
        desk = await self._instances.ask(FindChild(view.id), 5.0)
        purchases = await self._purchases_of(view)
        if not purchases or desk is None:
            return
        make = partial(
            ApiCustomer,
            instance=view.id,
            base_url=address_of(view.host, view.port),
            desk=desk,
            purchases=purchases,
            purse=self._directory / view.id,
            http=self._http,
            calls_per_minute=self._calls_per_minute,
            seed=f"{self._seed}/{view.id}",
        )
        await self._customers.ask(StartChild(ChildSpec(view.id, make)), 10.0)

    async def _purchases_of(self, view: InstanceView) -> list[Purchase]:
        if view.stream != "api_services":
            return []
        if self._examples is None:
            self._examples = await asyncio.to_thread(_examples)
        return purchases_of(view.settings, self._examples)


def _examples() -> dict[str, Any]:
    # Imported where it is needed: a fleet without this stream has no use for all that its products stand on.
    from streams.api_services.products import PRODUCTS

    return {name: msgspec.to_builtins(product.example) for name, product in PRODUCTS.items()}
