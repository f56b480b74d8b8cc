"""The sandbox: gives every instance its visitors, in mode `sandbox` only, and tells people who is on the far side."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import structlog

from actors import Actor, ActorError, ActorRef, ChildSpec, FindChild, Message, RemoveChild, Request, StartChild, on
from config.saving import write_atomically
from orchestrator.events import Event, EventBus
from orchestrator.fleet.messages import GetInstance, ListInstances, NotFound
from orchestrator.fleet.paper_worlds import PaperWorlds
from orchestrator.fleet.view import InstanceView
from streams.addresses import address_of
from streams.far_sides import FarSide, FarSides
from streams.sandbox.world import Visit

_log = structlog.get_logger("sandbox")


class InstanceReady(Message, frozen=True):
    """An instance is ready for visitors."""

    id: str


class InstanceGone(Message, frozen=True):
    """An instance is gone."""

    id: str


class FarSidesChanged(Message, frozen=True):
    """A server of the paper world has come or gone."""


class ListFarSides(Request[tuple[FarSide, ...]], frozen=True):
    """Who is on the far side now."""


class Sandbox(Actor[InstanceReady | InstanceGone | FarSidesChanged | ListFarSides]):
    """Follows the fleet, and keeps a visitor for every instance that the paper world has one for.

    Args:
        fleet: The deployment manager.
        instances: The supervisor of the instances.
        visitors: The supervisor of the visitors.
        events: Where the fleet tells what happens.
        worlds: The paper worlds.
        far_sides: Who is on the far side.
        told: The file in which people find the far sides; 0600, for it has their credentials.
        sends_visitors: Whether there are visitors at all.
    """

    mailbox_capacity = 20_000

    def __init__(
        self,
        fleet: ActorRef[GetInstance | ListInstances],
        instances: ActorRef[Any],
        visitors: ActorRef[Any],
        events: EventBus,
        worlds: PaperWorlds,
        far_sides: FarSides,
        told: Path,
        *,
        sends_visitors: bool = True,
    ) -> None:
        self._fleet = fleet
        self._instances = instances
        self._visitors = visitors
        self._events = events
        self._worlds = worlds
        self._far_sides = far_sides
        self._told = told
        self._sends_visitors = sends_visitors
        self._unsubscribe: Callable[[], None] | None = None

    async def on_start(self) -> None:
        """Follow the fleet from now on."""
        self._far_sides.on_change = lambda: self.context.ref.tell(FarSidesChanged())
        self.context.ref.tell(FarSidesChanged())
        if self._sends_visitors:
            self._unsubscribe = self._events.subscribe(("instance.ready", "instance.stopped"), self._heed)
            self.context.start_task(self._welcome_all)

    async def on_stop(self, reason: BaseException | None) -> None:
        """Stop following; the far sides are about to go."""
        self._far_sides.on_change = None
        if self._unsubscribe is not None:
            self._unsubscribe()
        with suppress(OSError):
            await asyncio.to_thread(self._told.unlink, missing_ok=True)

    @on(ListFarSides)
    def list_far_sides(self, _: ListFarSides) -> tuple[FarSide, ...]:
        """Say who is on the far side."""
        return self._far_sides.all()

    @on(FarSidesChanged)
    async def tell_people(self, _: FarSidesChanged) -> None:
        """Write the far sides where people find them."""
        content = msgspec.json.format(msgspec.json.encode(self._far_sides.all()), indent=2) + b"\n"
        try:
            await asyncio.to_thread(write_atomically, self._told, content)
        except OSError as error:
            _log.warning("sandbox.far_sides_untold", file=str(self._told), reason=str(error))

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
        """Give an instance its visitor, unless it has one."""
        try:
            if await self._visitors.ask(FindChild(message.id), 5.0) is None:
                await self._send_visitor(await self._fleet.ask(GetInstance(message.id), 10.0))
        except NotFound:
            pass  # it was scaled away meanwhile
        except ActorError as error:
            # An instance without a visitor is no reason to fail: failures here are charged to the whole daemon.
            _log.warning("sandbox.visitor_absent", instance=message.id, reason=str(error))

    @on(InstanceGone)
    async def dismiss(self, message: InstanceGone) -> None:
        """Take the visitor of an instance that is gone away."""
        try:
            if await self._visitors.ask(FindChild(message.id), 5.0) is not None:
                await self._visitors.ask(RemoveChild(message.id), 10.0)
        except ActorError as error:
            _log.warning("sandbox.visitor_stays", instance=message.id, reason=str(error))

    async def _send_visitor(self, view: InstanceView) -> None:
        desk = await self._instances.ask(FindChild(view.id), 5.0)
        world = self._worlds.of(view.stream)
        if desk is None or world is None:
            return
        make = await asyncio.to_thread(
            world.visitor, Visit(view.id, address_of(view.host, view.port), view.settings, desk)
        )
        if make is not None:
            await self._visitors.ask(StartChild(ChildSpec(view.id, make)), 10.0)
