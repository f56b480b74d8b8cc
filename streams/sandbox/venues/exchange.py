"""The matching of one venue: exact, by price and then by time. Knows neither clocks nor files nor dialects.

Orders meet two kinds of offers: the makers' ladder, which stands for the rest of the world, and the resting orders
of other accounts. At the same price the ladder was there first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from streams.sandbox.venues.balances import FEES, MARKET, Balance, Balances
from streams.sandbox.venues.consumption import Consumption, RungKey
from streams.sandbox.venues.listings import Listing, VenueTerms
from streams.sandbox.venues.market.feed import SIDES, Ladder, Ladders, Rung, Side
from streams.sandbox.venues.order import (
    DuplicateClientId,
    InsufficientFunds,
    Journey,
    NewOrder,
    NoSuchOrder,
    Order,
    Status,
    TooSmall,
    Trade,
    WouldTake,
)
from streams.sandbox.venues.resting import RestingOrders


class Changes(msgspec.Struct):
    """What has changed since it was last asked for; to be stored as one.

    Attributes:
        orders: New or changed orders, by number.
        trades: New trades.
        balances: Balances by account and asset.
        taken: Epoch and lots by rung.
    """

    orders: dict[int, Order] = {}
    trades: list[Trade] = []
    balances: dict[tuple[str, str], Balance] = {}
    taken: dict[RungKey, tuple[int, int]] = {}

    def __bool__(self) -> bool:
        return bool(self.orders or self.trades or self.balances or self.taken)


class Placed(msgspec.Struct, frozen=True):
    """What became of an order at once.

    Attributes:
        order: As it stands.
        trades: What it traded.
    """

    order: Order
    trades: tuple[Trade, ...]


class Meeting(msgspec.Struct, frozen=True):
    """An offer that an order can take.

    Attributes:
        ticks: At what price.
        lots: How much of it.
        resting: The order that offers it, or
        rung: the rung that does.
    """

    ticks: int
    lots: int
    resting: Order | None = None
    rung: Rung | None = None


class _Plan(msgspec.Struct):
    meetings: list[Meeting] = []
    own: list[Order] = []
    stopped_by_own: bool = False

    @property
    def lots(self) -> int:
        return sum(meeting.lots for meeting in self.meetings)


class Exchange:
    """Takes, matches and ends orders.

    Args:
        terms: How the venue deals.
        last_order_id: The greatest number that was given to an order.
        last_trade_id: The same of trades.

    Attributes:
        balances: Who has what.
        consumption: What was taken of the makers' offers.
        resting: The open orders.
    """

    def __init__(self, terms: VenueTerms, last_order_id: int = 0, last_trade_id: int = 0) -> None:
        self.terms = terms
        self.balances = Balances()
        self.consumption = Consumption()
        self._order_id = last_order_id
        self._trade_id = last_trade_id
        self.resting = RestingOrders()
        self._changes = Changes()

    # -- reading --------------------------------------------------------------------------------------------------

    def offers(self, symbol: str, side: Side, ladder: Ladder) -> Iterator[tuple[int, int]]:
        """Yield price and lots of all that orders of a side can take, by price, best first."""
        ticks = lots = 0
        for meeting in self._offers(symbol, side, ladder):
            if meeting.ticks == ticks:
                lots += meeting.lots
            else:
                if lots:
                    yield ticks, lots
                ticks, lots = meeting.ticks, meeting.lots
        if lots:
            yield ticks, lots

    # -- orders ---------------------------------------------------------------------------------------------------

    def place(self, new: NewOrder, ladders: Ladders, at_ms: int, journey: Journey | None = None) -> Placed:
        """Take an order, and match it at once as far as it goes.

        Args:
            new: The order.
            ladders: What the makers offer.
            at_ms: When it is, Unix milliseconds.
            journey: What it met on its way, to be kept with it.

        Raises:
            OrderRefused: Why it is not taken; nothing has changed.
        """
        listing = self.terms.listings[new.symbol]
        if new.client_id and self.resting.by_name(new.account, new.client_id) is not None:
            raise DuplicateClientId
        ladder = ladders.offered_to(new.side)
        plan = self._plan(new, listing, ladder)
        if new.post_only and (plan.meetings or plan.own):
            raise WouldTake
        if new.budget_units and not plan.meetings:
            raise TooSmall
        if new.time_in_force == "fok" and plan.lots < new.lots:
            plan = _Plan()
        self._require_funds(new, listing, plan)
        self._order_id += 1
        fields = msgspec.structs.asdict(new)
        if new.budget_units:
            fields["lots"] = plan.lots
        order = Order(**fields, id=self._order_id, created_ms=at_ms, updated_ms=at_ms, journey=journey)
        for own in plan.own:
            self._end(own, "expired", "self_trade", at_ms)
        trades = []
        for meeting in plan.meetings:
            order, trade = self._meet(order, listing, ladder, meeting, at_ms)
            trades.append(trade)
        if not order.left_lots:
            order = msgspec.structs.replace(order, status="filled")
        elif new.time_in_force != "gtc" or new.kind == "market":
            reason = "ioc" if new.kind == "market" else new.time_in_force
            order = msgspec.structs.replace(order, status="expired", reason=reason)
        elif plan.stopped_by_own:
            order = msgspec.structs.replace(order, status="expired", reason="self_trade")
        else:
            self._rest(order)
        self._changes.orders[order.id] = order
        return Placed(order, tuple(trades))

    def cancel(self, account: str, order_id: int, at_ms: int) -> Order:
        """End an open order at its owner's wish.

        Raises:
            NoSuchOrder: The account has no such open order.
        """
        order = self.resting.get(order_id)
        if order is None or order.account != account:
            raise NoSuchOrder
        return self._end(order, "canceled", "user", at_ms)

    def settle(self, symbol: str, ladders: Ladders, at_ms: int) -> None:
        """Let the makers take what rests at prices that they have come to; at the resting order's price."""
        listing = self.terms.listings[symbol]
        for side in SIDES:
            ladder = ladders.offered_to(side)
            for order in self.resting.queue(symbol, side):
                for rung in tuple(self.consumption.visible(symbol, side, ladder)):
                    if not order.left_lots or not _reaches(side, order.ticks, rung.ticks):
                        break
                    lots = min(rung.lots, order.left_lots)
                    self.consumption.take(symbol, side, ladder, rung.index, lots)
                    order = self._be_taken(order, listing, lots, at_ms)

    def take_away(self, symbol: str, side: Side, ladder: Ladder, rungs: int) -> None:
        """Let somebody else be faster: the best rungs that orders of a side could take are gone."""
        for rung in tuple(self.consumption.visible(symbol, side, ladder))[:rungs]:
            self.consumption.take(symbol, side, ladder, rung.index, rung.lots)

    def deposit(self, account: str, asset: str, units: int) -> None:
        """Give an account units from the rest of the world."""
        self.balances.move(MARKET, account, asset, units)

    # -- what is stored -------------------------------------------------------------------------------------------

    def restore(self, order: Order) -> None:
        """Take up an open order that was stored; what it holds is part of the stored balances."""
        self.resting.add(order)

    def changes(self) -> Changes:
        """Return what has changed since the last call."""
        changes, self._changes = self._changes, Changes()
        changes.balances = {key: self.balances.of(*key) for key in self.balances.changed}
        changes.taken = {key: self.consumption.of(key) for key in self.consumption.changed}
        self.balances.changed.clear()
        self.consumption.changed.clear()
        return changes

    # -- how it is done -------------------------------------------------------------------------------------------

    def _offers(self, symbol: str, side: Side, ladder: Ladder) -> Iterator[Meeting]:
        rungs: Iterable[Meeting] = (
            Meeting(rung.ticks, rung.lots, rung=rung) for rung in self.consumption.visible(symbol, side, ladder)
        )
        other: Side = "sell" if side == "buy" else "buy"
        orders = iter(self.resting.queue(symbol, other))
        ahead = next(orders, None)
        for rung in rungs:
            while ahead is not None and ahead.ticks != rung.ticks and _reaches(side, rung.ticks, ahead.ticks):
                yield Meeting(ahead.ticks, ahead.left_lots, resting=ahead)
                ahead = next(orders, None)
            yield rung
        while ahead is not None:
            yield Meeting(ahead.ticks, ahead.left_lots, resting=ahead)
            ahead = next(orders, None)

    def _plan(self, new: NewOrder, listing: Listing, ladder: Ladder) -> _Plan:
        plan = _Plan()
        left_lots, left_units = new.lots, new.budget_units
        for offer in self._offers(new.symbol, new.side, ladder):
            if new.kind == "limit" and not _reaches(new.side, new.ticks, offer.ticks):
                break
            lots = min(offer.lots, left_lots)
            if new.budget_units:
                lots = min(offer.lots, left_units // listing.cost_units(offer.ticks, 1))
            if not lots:
                break
            if offer.resting is not None and offer.resting.account == new.account:
                if not self.terms.expire_maker:
                    plan.stopped_by_own = True
                    break
                plan.own.append(offer.resting)
                continue
            plan.meetings.append(msgspec.structs.replace(offer, lots=lots))
            left_lots -= lots
            left_units -= listing.cost_units(offer.ticks, lots)
        return plan

    def _require_funds(self, new: NewOrder, listing: Listing, plan: _Plan) -> None:
        if new.side == "sell":
            asset, needed = listing.base, listing.base_units(new.lots or plan.lots)
        else:
            asset = listing.quote
            costs = [listing.cost_units(meeting.ticks, meeting.lots) for meeting in plan.meetings]
            needed = sum(costs)
            if not self.terms.fee_on_received:
                needed += sum(self.terms.fee_units(cost, maker=False) for cost in costs)
            if new.kind == "limit":
                # A venue wants the whole order covered at its worst price, also what will find no match.
                needed += self._promise(listing, new.side, new.ticks, new.lots - plan.lots)
                needed = max(needed, self._promise(listing, new.side, new.ticks, new.lots))
        if self.balances.of(new.account, asset).free < needed:
            raise InsufficientFunds

    def _promise(self, listing: Listing, side: Side, ticks: int, lots: int) -> int:
        """Return the units that an order of a price and size holds."""
        if side == "sell":
            return listing.base_units(lots)
        cost = listing.cost_units(ticks, lots)
        return cost if self.terms.fee_on_received else cost + self.terms.fee_units(cost, maker=False)

    def _meet(
        self, order: Order, listing: Listing, ladder: Ladder, meeting: Meeting, at_ms: int
    ) -> tuple[Order, Trade]:
        """Let an order that has just come take of an offer."""
        resting = meeting.resting
        if meeting.rung is not None:
            self.consumption.take(order.symbol, order.side, ladder, meeting.rung.index, meeting.lots)
        if resting is not None:
            self._release(resting, listing, resting.left_lots - meeting.lots)
        self._swap(order.side, order.account, MARKET if resting is None else resting.account, listing, meeting)
        traded = self._record(order, listing, meeting, at_ms, maker=False)
        if resting is not None:
            self._shorten(self._record(resting, listing, meeting, at_ms, maker=True)[0])
        return traded

    def _be_taken(self, order: Order, listing: Listing, lots: int, at_ms: int) -> Order:
        """Let the makers take a part of what rests."""
        meeting = Meeting(order.ticks, lots)
        self._release(order, listing, order.left_lots - lots)
        self._swap(order.side, order.account, MARKET, listing, meeting)
        return self._shorten(self._record(order, listing, meeting, at_ms, maker=True)[0])

    def _swap(self, side: Side, account: str, other: str, listing: Listing, meeting: Meeting) -> None:
        buyer, seller = (account, other) if side == "buy" else (other, account)
        self.balances.move(buyer, seller, listing.quote, listing.cost_units(meeting.ticks, meeting.lots))
        self.balances.move(seller, buyer, listing.base, listing.base_units(meeting.lots))

    def _record(
        self, order: Order, listing: Listing, meeting: Meeting, at_ms: int, *, maker: bool
    ) -> tuple[Order, Trade]:
        """Take the fee of one side, and write down what it traded."""
        cost = listing.cost_units(meeting.ticks, meeting.lots)
        asset, basis = listing.quote, cost
        if self.terms.fee_on_received and order.side == "buy":
            asset, basis = listing.base, listing.base_units(meeting.lots)
        # What an order holds covers its fee but for the rounding of many small parts, which the venue bears.
        fee = min(self.terms.fee_units(basis, maker=maker), self.balances.of(order.account, asset).free)
        self.balances.move(order.account, FEES, asset, fee)
        self._trade_id += 1
        trade = Trade(
            id=self._trade_id,
            order_id=order.id,
            account=order.account,
            symbol=order.symbol,
            side=order.side,
            ticks=meeting.ticks,
            lots=meeting.lots,
            cost_units=cost,
            fee_units=fee,
            fee_asset=asset,
            maker=maker,
            at_ms=at_ms,
        )
        self._changes.trades.append(trade)
        order = msgspec.structs.replace(
            order,
            filled_lots=order.filled_lots + meeting.lots,
            cost_units=order.cost_units + cost,
            fee_units=order.fee_units + fee,
            updated_ms=at_ms,
        )
        return order, trade

    def _release(self, order: Order, listing: Listing, left_lots: int) -> None:
        """Free what a resting order no longer holds when so much is left of it."""
        asset = listing.quote if order.side == "buy" else listing.base
        before = self._promise(listing, order.side, order.ticks, order.left_lots)
        after = self._promise(listing, order.side, order.ticks, left_lots)
        self.balances.hold(order.account, asset, after - before)

    def _rest(self, order: Order) -> None:
        listing = self.terms.listings[order.symbol]
        asset = listing.quote if order.side == "buy" else listing.base
        self.balances.hold(order.account, asset, self._promise(listing, order.side, order.ticks, order.left_lots))
        self.resting.add(order)

    def _shorten(self, order: Order) -> Order:
        """Keep what is left of a resting order that has traded."""
        if order.left_lots:
            self.resting.replace(order)
        else:
            self.resting.remove(order)
            order = msgspec.structs.replace(order, status="filled")
        self._changes.orders[order.id] = order
        return order

    def _end(self, order: Order, status: Status, reason: str, at_ms: int) -> Order:
        self._release(order, self.terms.listings[order.symbol], 0)
        self.resting.remove(order)
        order = msgspec.structs.replace(order, status=status, reason=reason, updated_ms=at_ms)
        self._changes.orders[order.id] = order
        return order


def _reaches(side: Side, limit_ticks: int, offer_ticks: int) -> bool:
    """Tell whether an order of a side takes an offer at a price."""
    return offer_ticks <= limit_ticks if side == "buy" else offer_ticks >= limit_ticks
