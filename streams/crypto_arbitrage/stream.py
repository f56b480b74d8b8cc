"""The stream: an instance that looks for differences in price, and takes those that pay."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Coroutine, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final

import msgspec

from streams.crypto_arbitrage.access import Access, secret_names_of
from streams.crypto_arbitrage.amounts import show_amount
from streams.crypto_arbitrage.blueprint import blueprint
from streams.crypto_arbitrage.bookkeeper import Bookkeeper
from streams.crypto_arbitrage.ccxt_client import CcxtMissing
from streams.crypto_arbitrage.ccxt_venue import CcxtVenue
from streams.crypto_arbitrage.costing import Accounts, ledger_units
from streams.crypto_arbitrage.decisions import Decisions
from streams.crypto_arbitrage.desks import Desks
from streams.crypto_arbitrage.funnel import Funnel
from streams.crypto_arbitrage.journal import Journal
from streams.crypto_arbitrage.residual import Residual, residuals_of
from streams.crypto_arbitrage.routes import Routes, routes_of
from streams.crypto_arbitrage.scout import Scout
from streams.crypto_arbitrage.settings import CryptoArbitrageSettings
from streams.crypto_arbitrage.switch import ErrorRate, Halted, KillSwitch
from streams.crypto_arbitrage.trader import Patience, Trader, TraderHooks
from streams.crypto_arbitrage.trip import Outcome
from streams.crypto_arbitrage.venue import Venue
from streams.front import Front
from streams.http_host import HttpApp
from streams.stream import Health, Stream, StreamContext

_LOOK_AROUND_S: Final = 5.0
_WAYS_PER_LOOK: Final = 3

_GONE_WRONG: Final[frozenset[Outcome]] = frozenset({"unwound", "residual"})
"""Trips that count as failed where instances are compared. One that missed its prices has lost nothing."""


class Halt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Open the kill switch: nothing is traded until `rearm`.

    Attributes:
        reason: For people.
    """

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] = "by hand"


class Rearm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Close the kill switch; the losses of today so far are forgiven."""


class Checkpoint(msgspec.Struct, frozen=True):
    """What is in neither the ledger nor the journal.

    Attributes:
        halted: The kill switch.
        forgiven: Results of today that no longer count towards a halt, by home asset; ledger units.
        forgiven_day: The day that they are of.
    """

    halted: Halted | None = None
    forgiven: dict[str, int] = {}
    forgiven_day: str = ""


class NoRoutes(Exception):
    """Nothing that the settings name can be traded."""


class CryptoArbitrage(Stream[CryptoArbitrageSettings]):
    """One trader: its ways, its journal, its switch, and a share in the desks of its venues."""

    name = "crypto_arbitrage"
    settings_type = CryptoArbitrageSettings
    paper_world = "streams.sandbox.venues.world:VenuesWorld"
    actions: ClassVar[Mapping[str, type[msgspec.Struct]]] = {"halt": Halt, "rearm": Rearm}
    patience: ClassVar[Patience] = Patience()

    def __init__(self, context: StreamContext[CryptoArbitrageSettings]) -> None:
        super().__init__(context)
        self._funnel = Funnel()
        self._decisions = Decisions(context.now)
        self._switch = KillSwitch(context.directory, context.now)
        self._journal = Journal(context.directory)
        self._errors = ErrorRate()
        self._wake = asyncio.Event()
        self._desks = Desks(context, self.make_venue, self._wake)
        self._routes = Routes((), {}, ())
        self._scout: Scout | None = None
        self._trader: Trader | None = None
        self._bookkeeper = Bookkeeper(
            self._journal,
            context.ledger,
            book=context.book,
            stream=context.stream,
            instance=context.id,
            rejected=self._halt,
            log=context.log,
        )
        self._front = Front(context.host, context.port, context.traffic, context.share.requests)
        self._heard_s: dict[str, float] = {}
        self._forgiven: dict[str, int] = {}
        self._forgiven_day = ""
        self._reconciled = False
        self._paused = False

    @classmethod
    def blueprint(cls, n: int) -> Sequence[CryptoArbitrageSettings]:
        """Return n distinct routes."""
        return blueprint(n)

    @classmethod
    def secret_names(cls, settings: CryptoArbitrageSettings) -> Sequence[str]:
        """Return the names of the venues' keys."""
        return [name for venue in settings.venues for name in secret_names_of(venue, settings.account)]

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._front.port

    def make_venue(self, access: Access) -> Venue:
        """Return the client of a venue; no work is done before it is opened."""
        return CcxtVenue(access, self.context.http, self.context.monotonic)

    # -- the life of an instance ----------------------------------------------------------------------------------

    async def start(self) -> None:
        """Take up the journal and the switch, share in the desks, find the ways, and listen.

        Raises:
            CcxtMissing: The extra `arbitrage` is not installed.
            JournalDamaged: What a former life did is not known.
            StartFailed: A venue cannot be reached; its cause says why.
            NoRoutes: Nothing that the settings name can be traded.
            CannotListen: The address is taken, or not this machine's.
        """
        context = self.context
        if await asyncio.to_thread(importlib.util.find_spec, "ccxt") is None:
            raise CcxtMissing
        await self._switch.load()
        await self._journal.load()
        await self._desks.open()
        self._routes = routes = routes_of(context.settings, self._desks.markets())
        if not routes.crossings and not any(routes.rounds.values()):
            reasons = ", ".join(f"{each.symbol} on {each.venue}: {each.reason}" for each in routes.left_out)
            raise NoRoutes(f"no way leads anywhere with these settings ({reasons or 'no triangle closes'})")
        self._scout = Scout(context.settings, routes, self._funnel, context.monotonic, context.now)
        self._trader = Trader(
            self._journal,
            self._desks.get,
            Accounts(context.stream, context.id),
            max_unwind_loss_ppm=context.settings.max_unwind_loss_ppm,
            patience=self.patience,
            funnel=self._funnel,
            hooks=TraderHooks(self._bookkeeper.wake, self._count_order),
            now=context.now,
            monotonic=context.monotonic,
            log=context.log,
        )
        app, served = await asyncio.to_thread(self._load_page)
        await self._front.open(app, served)
        for venue in context.settings.venues:
            self._desks.watch(venue, routes.symbols(venue))

    async def run(self) -> None:
        """Reconcile what a former life left open, then trade and book, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._bookkeeper.run(), name=f"{self.context.id} books")
            tasks.create_task(self._trade(), name=f"{self.context.id} trades")

    async def stop(self) -> None:
        """Close. A trip in progress stays in the journal, and is reconciled by the next life."""
        try:
            await self._front.close(self.context.close_within_s)
        finally:
            await self._desks.close()

    def _load_page(self) -> tuple[HttpApp, Any]:
        from streams.crypto_arbitrage.page import Standing, page_app

        return page_app(), Standing(self.context.id, self.context.log, self.health, self._standing)

    # -- trading --------------------------------------------------------------------------------------------------

    async def _trade(self) -> None:
        trader = self._trader
        assert trader is not None
        outcome = await trader.resume()
        if outcome is not None:
            self._decisions.note("a trip of a former life", outcome)
        for home in self._homes():
            await self._check_losses(home)
        self._reconciled = True
        while True:
            self._wake.clear()
            await self._look_around()
            if await self._take_turn():
                await asyncio.sleep(self.context.settings.pause_s)
                continue
            try:
                async with asyncio.timeout(_LOOK_AROUND_S):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _take_turn(self) -> bool:
        # Before it looks at prices: those that it waited with would be old.
        async with self.context.share.errands.turn():
            changed = self._desks.changed()
            return not self._paused and self._switch.halted is None and await self._take_one(changed)

    async def _take_one(self, changed: Mapping[str, set[str]]) -> bool:
        """Look at what changed, and make the first trip that is worth it. Returns whether one was made."""
        scout, trader = self._scout, self._trader
        assert scout is not None
        assert trader is not None
        for way in scout.first_look(changed, self._desks.seen)[:_WAYS_PER_LOOK]:
            plan, reason = scout.plan(way, await self._desks.books(way), self._desks)
            if plan is None:
                self._decisions.note(way.name, reason)
                continue
            began_s = self.context.monotonic()
            outcome = await self._finish(trader.make(plan))
            self._decisions.note(way.name, outcome or "taken by another", show_amount(plan.expected))
            if outcome is not None:
                self.context.traffic.note(self.context.monotonic() - began_s, failed=outcome in _GONE_WRONG)
                await self._check_losses(plan.home)
                return True
        return False

    async def _finish(self, trip: Coroutine[Any, Any, Outcome | None]) -> Outcome | None:
        """Make a trip; told to stop, go on with it for a moment, for half a trip is worse than none.

        What is not over then is in the journal, and the next life finds out what came of it.
        """
        task = asyncio.create_task(trip, name=f"{self.context.id} trip")
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait((task,), timeout=self.patience.finish_within_s)
            task.cancel()
            await asyncio.wait((task,))
            if not task.cancelled() and (error := task.exception()) is not None:
                self.context.log.warning("trip.broken_off", reason=f"{type(error).__name__}: {error}")
            raise

    # -- the kill switch ------------------------------------------------------------------------------------------

    async def _halt(self, reason: str) -> None:
        if await self._switch.halt(reason):
            self.context.log.error("trading.halted", reason=reason)

    async def _look_around(self) -> None:
        """Open the switch where a venue is silent, a clock is off, or too much goes wrong."""
        if self._switch.halted is not None:
            await self._switch.save()
            return
        settings, now_s = self.context.settings, self.context.monotonic()
        for venue in settings.venues:
            desk = self._desks.find(venue)
            if desk is not None:
                self._heard_s[venue] = desk.heard_s
            if now_s - self._heard_s.setdefault(venue, now_s) > settings.max_silence_s:
                await self._halt(f"{venue} has said nothing for {settings.max_silence_s:g} s")
            if desk is not None and desk.clock.beyond(settings.max_clock_offset_s * 1e3):
                offset_s = desk.clock.best.offset_ms / 1e3
                await self._halt(f"the clock of {venue} and ours are {abs(offset_s):.2f} s apart")
        if self._errors.above(settings.max_error_share):
            await self._halt(f"more than {settings.max_error_share:.0%} of the last orders failed")

    async def _check_losses(self, home: str) -> None:
        limit = self.context.settings.loss_limit(home)
        if limit is None:
            return
        lost = -self._result_today(home)
        if lost > ledger_units(limit, home):
            await self._halt(f"today's loss in {home} is above {self.context.settings.max_daily_loss[home]}")

    def _result_today(self, home: str) -> int:
        day = self.context.now().date().isoformat()
        forgiven = self._forgiven.get(home, 0) if day == self._forgiven_day else 0
        return self._journal.memory.result_of(day, home) - forgiven

    def _count_order(self, failed: bool) -> None:
        self._errors.count(failed=failed)

    async def act(self, action: msgspec.Struct) -> Any:
        """Open or close the kill switch."""
        match action:
            case Halt():
                await self._halt(action.reason)
            case Rearm():
                self._forgiven_day = self.context.now().date().isoformat()
                memory = self._journal.memory
                self._forgiven = {home: memory.result_of(self._forgiven_day, home) for home in self._homes()}
                self._errors.forget()
                if await self._switch.rearm():
                    self.context.log.warning("trading.rearmed")
                self._wake.set()
            case _:
                return await super().act(action)
        return self._describe_switch()

    # -- what people see ------------------------------------------------------------------------------------------

    def health(self) -> Health:
        """Tell whether it trades."""
        if self._paused:
            return Health(ready=False, detail="paused")
        if not self._front.is_open:
            return Health(ready=False, detail="not listening")
        halted = self._switch.halted
        if halted is not None:
            return Health(ready=False, detail=f"halted: {halted.reason}; `rearm` lets it trade again")
        if self._trader is not None and self._trader.asking:
            return Health(ready=True, detail=self._trader.asking)
        return Health(ready=True, detail="" if self._reconciled else "reconciling what a former life left open")

    def pause(self) -> None:
        """Begin no trip until `resume`; one that is under way is finished."""
        self._paused = True

    def resume(self) -> None:
        """Trade again."""
        self._paused = False
        self._wake.set()

    def checkpoint(self) -> bytes:
        """Return how the switch stands."""
        return msgspec.json.encode(Checkpoint(self._switch.halted, self._forgiven, self._forgiven_day))

    def restore(self, checkpoint: bytes) -> None:
        """Take up a former `checkpoint`; it can open the switch, never close it.

        Raises:
            msgspec.MsgspecError: It is none.
        """
        if checkpoint:
            former = msgspec.json.decode(checkpoint, type=Checkpoint)
            self._switch.take_over(former.halted)
            self._forgiven, self._forgiven_day = former.forgiven, former.forgiven_day

    def funnel(self) -> dict[str, int]:
        """Return how far prices came, then what stopped them."""
        return self._funnel.counts()

    def describe(self) -> dict[str, Any]:
        """Return venues, ways, inventory, the switch, the last decisions, and what is carried."""
        settings, memory = self.context.settings, self._journal.memory
        return {
            "title": settings.title,
            "venues": {venue: self._desks.describe(venue) for venue in settings.venues},
            "ways": {
                "across": [crossing.way.name for crossing in self._routes.crossings],
                "round": {venue: len(ways) for venue, ways in self._routes.rounds.items()},
                "left_out": msgspec.to_builtins(self._routes.left_out),
            },
            "switch": self._describe_switch(),
            "trip": None if memory.plan is None else {"id": memory.plan.id, "route": memory.plan.route},
            "unbooked": len(memory.unbooked),
            "results": {day: dict(result) for day, result in memory.results.items()},
            "carried": msgspec.to_builtins(self._residuals()),
            "decisions": msgspec.to_builtins(self._decisions.all()),
            "http": self._front.stats(),
        }

    def _describe_switch(self) -> dict[str, Any]:
        halted = self._switch.halted
        return {"halted": halted is not None, **({} if halted is None else msgspec.to_builtins(halted))}

    def _residuals(self) -> list[Residual]:
        return residuals_of(self._journal.memory.holdings, self.context.settings.venues, self._desks.seen)

    def _homes(self) -> tuple[str, ...]:
        return self.context.settings.homes

    def _standing(self) -> dict[str, Any]:
        return {"id": self.context.id, **self.describe(), "funnel": self.funnel()}
