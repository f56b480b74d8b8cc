"""Makes trips: does what the machine of the legs says, journal first, and tells it what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from streams.commons import CommonDown
from streams.crypto_arbitrage.amounts import PPM, show_amount
from streams.crypto_arbitrage.conversion import Conversion, sellable, selling
from streams.crypto_arbitrage.costing import Accounts, Holding, cost_fill, ledger_units
from streams.crypto_arbitrage.depth import walk
from streams.crypto_arbitrage.desk import VenueDesk
from streams.crypto_arbitrage.funnel import Funnel
from streams.crypto_arbitrage.inventory import AlreadyReserved, Inventory, InventoryShort
from streams.crypto_arbitrage.journal import Finished, Journal, Planned, Refused, Sending, Settled
from streams.crypto_arbitrage.market import Market
from streams.crypto_arbitrage.order import Order, OrderReport, changes_of
from streams.crypto_arbitrage.plan import Leg, Plan
from streams.crypto_arbitrage.trip import (
    Ask,
    Begin,
    Command,
    Event,
    Finish,
    LookAgain,
    NotPlaced,
    Outcome,
    Over,
    SecondLook,
    Send,
    TimeUp,
    Trip,
    Unclear,
    step,
)
from streams.crypto_arbitrage.venue import OrderRefused, OutcomeUnknown, VenueUnavailable

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

_NOT_THERE_TIMES: Final = 2


class Patience(msgspec.Struct, frozen=True):
    """How long a trader waits between two looks.

    Attributes:
        look_every_s: Between two looks at a book that does not offer enough.
        first_question_s: Before the first question about an order of unknown outcome; the pauses then double.
        longest_pause_s: Between two such questions at most.
        not_there_after_s: An order that a venue does not know this long after it was sent is not going to appear:
            the window in which a venue takes a late request is shorter.
        finish_within_s: How long a trip may go on after the instance was told to stop.
    """

    look_every_s: float = 0.5
    first_question_s: float = 0.3
    longest_pause_s: float = 15.0
    not_there_after_s: float = 8.0
    finish_within_s: float = 3.0


class TraderHooks(msgspec.Struct, frozen=True):
    """Whom a trader tells.

    Attributes:
        settled: Something is decided that has to be booked.
        ordered: An order is over; True where it failed.
    """

    settled: Callable[[], None]
    ordered: Callable[[bool], None]


class Trader:
    """Makes one trip at a time.

    Args:
        journal: The instance's memory.
        desk_of: Returns the desk of a venue as it is now; raises `CommonDown` while it is down.
        accounts: The accounts of the books.
        max_unwind_loss_ppm: What is left over is not sold for less than this below what it has cost.
        patience: How long it waits between two looks.
        funnel: Where it counts.
        hooks: Whom it tells.
        now: The time, aware UTC.
        monotonic: Seconds for intervals.
        log: The instance's logger.
    """

    def __init__(
        self,
        journal: Journal,
        desk_of: Callable[[str], VenueDesk],
        accounts: Accounts,
        *,
        max_unwind_loss_ppm: int,
        patience: Patience,
        funnel: Funnel,
        hooks: TraderHooks,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        log: FilteringBoundLogger,
    ) -> None:
        self._journal = journal
        self._desk_of = desk_of
        self._patience = patience
        self._accounts = accounts
        self._max_unwind_loss_ppm = max_unwind_loss_ppm
        self._funnel = funnel
        self._hooks = hooks
        self._now = now
        self._monotonic = monotonic
        self._log = log
        self.asking: str = ""

    async def make(self, plan: Plan) -> Outcome | None:
        """Make a trip; None where what it needs is not free any more.

        Raises:
            OSError: The journal cannot be written; nothing more was sent.
        """
        with ExitStack() as reserved:
            try:
                for venue, symbols in plan.symbols().items():
                    inventory = self._desk_of(venue).inventory
                    inventory.reserve(plan.id, plan.wants().get(venue, {}), symbols)
                    reserved.callback(inventory.release, plan.id)
            except (InventoryShort, AlreadyReserved, CommonDown) as error:
                self._funnel.reject("claimed" if isinstance(error, AlreadyReserved) else "inventory")
                return None
            await self._journal.write(Planned(plan))
            return await self._drive(Trip(plan), Begin())

    async def resume(self) -> Outcome | None:
        """Reconcile the trip that a former life did not end, before anything else is traded; None where none is."""
        plan = self._journal.memory.plan
        if plan is None:
            return None
        self._log.info("trip.resumed", trip=plan.id, route=plan.route, orders=len(self._journal.memory.orders))
        with ExitStack() as reserved:
            for venue, symbols in plan.symbols().items():
                inventory = (await self._desk_up(venue)).inventory
                while True:
                    try:
                        inventory.reserve(plan.id, _as_far_as_free(plan.still_wants(venue), inventory), symbols)
                        break
                    except AlreadyReserved:
                        await asyncio.sleep(self._patience.look_every_s)
                reserved.callback(inventory.release, plan.id)
            trip, event = self._replay(plan)
            return await self._drive(trip, event)

    # -- the machine ----------------------------------------------------------------------------------------------

    async def _drive(self, trip: Trip, event: Event) -> Outcome:
        deadline_s: float | None = None
        while True:
            trip, command = step(trip, event)
            match command:
                case Send(order=order):
                    event = await self._send(trip, order)
                case Ask(order=order):
                    event = await self._ask(trip.plan, order)
                case LookAgain(asset=asset, units=units):
                    if deadline_s is None:
                        deadline_s = self._monotonic() + trip.plan.unwind_s
                    event = await self._look_again(trip.plan, asset, units, deadline_s)
                case Finish(outcome=outcome, left=left):
                    await self._journal.write(Finished(trip.plan.id, outcome))
                    self._finished(trip.plan, outcome, left)
                    return outcome

    def _replay(self, plan: Plan) -> tuple[Trip, Event]:
        """Go through what the journal knows, up to the first thing that it does not.

        From there it goes on as planned: limits are as good as they were, and what is not to be had at them any
        more is unwound after a look at the books of now. A trip that had sent nothing is not begun again.
        """
        known = {sending.order.client_id: (sending, answer) for sending, answer in self._journal.memory.orders}
        trip = Trip(plan)
        if not known:
            trip, _ = step(trip, Begin())
            return trip, NotPlaced("stopped before anything was sent")
        event: Event = Begin()
        while True:
            at, command = step(trip, event)
            following = self._known_event(plan, at, command, known)
            if following is None:
                return trip, event
            trip, event = at, following

    @staticmethod
    def _known_event(
        plan: Plan, trip: Trip, command: Command, known: Mapping[str, tuple[Sending, Settled | Refused | None]]
    ) -> Event | None:
        if isinstance(command, LookAgain):
            found = known.get(plan.order_id(trip.sent))
            if found is None:
                return None
            order = found[0].order
            return SecondLook(Leg(order.market, order.side, order.amount, order.limit))
        if not isinstance(command, Send):
            return None
        found = known.get(command.order.client_id)
        if found is None:
            return None
        answer = found[1]
        if isinstance(answer, Settled):
            return Over(answer.report)
        return NotPlaced(answer.reason) if isinstance(answer, Refused) else Unclear("stopped before it was answered")

    # -- orders ---------------------------------------------------------------------------------------------------

    async def _send(self, trip: Trip, order: Order) -> Event:
        await self._journal.write(Sending(trip.plan.id, order, self._now()))
        if trip.sent == 1:
            self._funnel.reach("sent")
        try:
            report = await self._desk_of(order.market.venue).place(order)
        except (OrderRefused, CommonDown) as error:
            return await self._refused(order, str(error))
        except OutcomeUnknown as error:
            self._log.warning("order.unknown", order=order.client_id, venue=order.market.venue, reason=str(error))
            return Unclear(str(error))
        return await self._settled(trip.plan, order, report)

    async def _ask(self, plan: Plan, order: Order) -> Event:
        """Ask about an order until it is known what came of it; nothing else is traded meanwhile."""
        sent_at = next(
            sending.at for sending, _ in self._journal.memory.orders if sending.order.client_id == order.client_id
        )
        began_s = self._monotonic() - max((self._now() - sent_at).total_seconds(), 0.0)
        pause_s, misses = self._patience.first_question_s, 0
        self.asking = f"asks {order.market.venue} what came of order {order.client_id}"
        try:
            while True:
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, self._patience.longest_pause_s)
                try:
                    report = await self._desk_of(order.market.venue).find(order)
                except (VenueUnavailable, CommonDown) as error:
                    self._log.debug("order.still_unknown", order=order.client_id, reason=str(error))
                    continue
                if report is not None:
                    return await self._settled(plan, order, report)
                misses += 1
                if misses >= _NOT_THERE_TIMES and self._monotonic() - began_s >= self._patience.not_there_after_s:
                    return await self._refused(order, "the venue does not know it")
        finally:
            self.asking = ""

    async def _refused(self, order: Order, reason: str) -> Event:
        await self._journal.write(Refused(order.client_id, reason))
        with suppress(CommonDown):
            self._desk_of(order.market.venue).inventory.gone(order.client_id)
        self._hooks.ordered(True)
        self._log.info("order.refused", order=order.client_id, venue=order.market.venue, reason=reason)
        return NotPlaced(reason)

    async def _settled(self, plan: Plan, order: Order, report: OrderReport) -> Event:
        """Decide what a fill means for the books, put it on disk, and let it be booked."""
        holdings = self._journal.memory.holdings.get(plan.home, {})
        if not report.filled:
            await self._journal.write(Settled(report, plan.home, order, (), holdings, 0))
        else:
            costed = cost_fill(self._accounts, plan.home, holdings, order, report)
            await self._journal.write(
                Settled(report, plan.home, order, costed.postings, costed.holdings, costed.income - costed.fees)
            )
            await self._take_up(plan, order, report)
            if order.client_id == plan.order_id(0):
                self._funnel.reach("filled")
        self._hooks.ordered(False)
        self._hooks.settled()
        self._log.info(
            "order.over",
            order=order.client_id,
            venue=order.market.venue,
            symbol=order.market.symbol,
            side=order.side,
            wanted=show_amount(order.amount),
            filled=show_amount(report.filled),
            cost=show_amount(report.cost),
        )
        return Over(report)

    async def _take_up(self, plan: Plan, order: Order, report: OrderReport) -> None:
        """Have the inventory know of a fill; where it may know already, the trip waits for the venue's own figures."""
        try:
            desk = self._desk_of(order.market.venue)
        except CommonDown:
            return  # it reads the venue's own figures when it is up again
        desk.inventory.traded(plan.id, order.client_id, changes_of(order.market, order.side, report))
        while desk.inventory.stale:
            try:
                await desk.read_balances()
            except VenueUnavailable as error:
                self._log.debug("venue.upkeep_failed", reason=str(error))
            if desk.inventory.stale:
                await asyncio.sleep(self._patience.look_every_s)
                desk = await self._desk_up(order.market.venue)

    # -- unwinding ------------------------------------------------------------------------------------------------

    async def _look_again(self, plan: Plan, asset: str, units: int, deadline_s: float) -> Event:
        """Look where what is left over can be sold now, until the deadline."""
        if self._monotonic() >= deadline_s:
            return TimeUp()
        best: Conversion | None = None
        for market in dict.fromkeys(leg.market for leg in plan.legs):
            if market.base == asset and market.quote == plan.home:
                offer = await self._offer(market, units)
                if offer is not None and (best is None or offer.brought * best.amount > best.brought * offer.amount):
                    best = offer
        if best is None or self._too_cheap(plan.home, asset, best):
            await asyncio.sleep(self._patience.look_every_s)
            return SecondLook(None)
        return SecondLook(Leg(best.market, "sell", best.amount, best.limit))

    async def _offer(self, market: Market, units: int) -> Conversion | None:
        """Return what a venue gives now for as much as it takes of something."""
        try:
            book = (await self._desk_of(market.venue).look(market.symbol)).book
        except (VenueUnavailable, CommonDown):
            return None
        if book.crossed or not book.bids:
            return None
        amount = sellable(market, min(units, walk(book.bids, units).amount))
        offer = selling(market, book.bids, amount)
        return None if offer is None or market.refuses(offer.amount, offer.least_cost) else offer

    def _too_cheap(self, home: str, asset: str, offer: Conversion) -> bool:
        held = self._journal.memory.holdings.get(home, {}).get(asset, Holding())
        if held.units <= 0:
            return False
        basis = held.basis * offer.spent // held.units
        return ledger_units(offer.brought, home) * PPM < basis * (PPM - self._max_unwind_loss_ppm)

    def _finished(self, plan: Plan, outcome: Outcome, left: Mapping[str, int]) -> None:
        if outcome == "done":
            self._funnel.reach("realised")
        else:
            self._funnel.reject(outcome)
        self._log.info(
            "trip.over",
            trip=plan.id,
            route=plan.route,
            outcome=outcome,
            expected=show_amount(plan.expected),
            left={asset: show_amount(units) for asset, units in left.items()},
        )

    async def _desk_up(self, venue: str) -> VenueDesk:
        while True:
            try:
                return self._desk_of(venue)
            except CommonDown:
                await asyncio.sleep(self._patience.look_every_s)


def _as_far_as_free(wants: Mapping[str, int], inventory: Inventory) -> dict[str, int]:
    return {asset: max(0, min(units, inventory.free(asset))) for asset, units in wants.items()}
