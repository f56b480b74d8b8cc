"""The legs of one trip, as a machine: events in, commands out, nothing else.

    leg 1 ── filled ──▶ leg 2, sized by what leg 1 brought ── … ──▶ over
      │ nothing            │ nothing, or not all
      ▼                    ▼
     over          look at the books again ──▶ unwind (order after order, until a deadline) ──▶ over

An order whose outcome is unknown is asked about, and nothing else happens until it is known. What cannot be got
rid of stays as a residual, at what it has cost.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from streams.crypto_arbitrage.amounts import PPM, PRICE_ONE, down_to
from streams.crypto_arbitrage.conversion import sellable
from streams.crypto_arbitrage.order import Order, OrderReport, changes_of
from streams.crypto_arbitrage.plan import Leg, Plan

Outcome: TypeAlias = Literal["done", "missed", "unwound", "residual"]
"""`done`: all legs went through. `missed`: the first got nothing. `unwound`: what was left over was sold again.
`residual`: something is left that could not be."""


class Begin(msgspec.Struct, frozen=True):
    """Everything is reserved and journaled."""


class Over(msgspec.Struct, frozen=True):
    """The open order is over; it may have been filled in part, or not at all."""

    report: OrderReport


class NotPlaced(msgspec.Struct, frozen=True):
    """The open order surely does not exist."""

    reason: str


class Unclear(msgspec.Struct, frozen=True):
    """Nobody knows whether the open order exists."""

    reason: str


class SecondLook(msgspec.Struct, frozen=True):
    """What the books say now of getting rid of something; None where nobody takes it."""

    leg: Leg | None


class TimeUp(msgspec.Struct, frozen=True):
    """The deadline of the unwinding has passed."""


Event: TypeAlias = Begin | Over | NotPlaced | Unclear | SecondLook | TimeUp


class Send(msgspec.Struct, frozen=True):
    """Journal this order, then send it."""

    order: Order


class Ask(msgspec.Struct, frozen=True):
    """Ask the venue about this order, by its client id, until it is known what came of it."""

    order: Order


class LookAgain(msgspec.Struct, frozen=True):
    """Look at the books: how can this be turned into the home asset? The deadline runs from the first such look."""

    asset: str
    units: int


class Finish(msgspec.Struct, frozen=True):
    """Release what is reserved; the trip is over."""

    outcome: Outcome
    left: dict[str, int]


Command: TypeAlias = Send | Ask | LookAgain | Finish


class Trip(msgspec.Struct, frozen=True):
    """How far a trip is.

    Attributes:
        plan: What was planned.
        leg: The number of the leg that is open or next; the number of legs where it unwinds.
        sent: How many orders were sent.
        open: The order whose outcome is awaited.
        held: What the fills so far brought and did not spend, besides the home asset; units by asset.
        filled: Whether anything was filled.
        broken: Whether a leg got nothing, or was not worth an order.
        unwound: Whether an order was sent to get rid of what was left over.
        over: Whether it has ended.
    """

    plan: Plan
    leg: int = 0
    sent: int = 0
    open: Order | None = None
    held: dict[str, int] = {}
    filled: bool = False
    broken: bool = False
    unwound: bool = False
    over: bool = False

    @property
    def unwinding(self) -> bool:
        """Whether it gets rid of what is left over."""
        return self.leg >= len(self.plan.legs)


class OutOfTurn(Exception):
    """An event that cannot happen in this state: a defect here, never the venue's doing."""

    def __init__(self, trip: Trip, event: Event) -> None:
        super().__init__(f"{type(event).__name__} does not follow in trip {trip.plan.id} at leg {trip.leg}")


def step(trip: Trip, event: Event) -> tuple[Trip, Command]:
    """Return the next state, and what has to be done now.

    Raises:
        OutOfTurn: The event cannot happen in this state.
    """
    if trip.over:
        raise OutOfTurn(trip, event)
    match event:
        case Begin() if trip.open is None and trip.sent == 0:
            return _send(trip, trip.plan.legs[0])
        case Unclear() if trip.open is not None:
            return trip, Ask(trip.open)
        case Over() if trip.open is not None and event.report.client_id == trip.open.client_id:
            return _next(_settle(trip, trip.open, event.report), got_something=event.report.filled > 0)
        case NotPlaced() if trip.open is not None:
            return _next(msgspec.structs.replace(trip, open=None), got_something=False)
        case SecondLook() if trip.open is None and trip.unwinding:
            if event.leg is not None:
                return _send(msgspec.structs.replace(trip, unwound=True), event.leg)
            return _look(trip)
        case TimeUp() if trip.open is None and trip.unwinding:
            return _finish(trip, "residual")
        case _:
            raise OutOfTurn(trip, event)


def _settle(trip: Trip, order: Order, report: OrderReport) -> Trip:
    held = dict(trip.held)
    for asset, units in changes_of(order.market, order.side, report).items():
        if asset != trip.plan.home and asset in (order.market.base, order.market.quote):
            held[asset] = held.get(asset, 0) + units
    return msgspec.structs.replace(
        trip,
        open=None,
        held={asset: units for asset, units in held.items() if units},
        filled=trip.filled or report.filled > 0,
    )


def _next(trip: Trip, *, got_something: bool) -> tuple[Trip, Command]:
    """Go on after an order is over: with the next leg where something is there for it, else by unwinding."""
    if not trip.filled:
        return _finish(trip, "missed")
    if trip.unwinding:
        return _look(trip)
    legs = trip.plan.legs
    following = trip.leg + 1
    if got_something and following == len(legs):
        return _look(msgspec.structs.replace(trip, leg=following))
    if got_something:
        leg = _sized(legs[following], trip.held)
        if leg is not None:
            return _send(msgspec.structs.replace(trip, leg=following), leg)
    return _look(msgspec.structs.replace(trip, leg=len(legs), broken=True))


def _sized(leg: Leg, held: dict[str, int]) -> Leg | None:
    """Return a leg that spends no more than what the one before has brought; None where that is too little."""
    market = leg.market
    have = held.get(market.spends(leg.side), 0)
    if leg.side == "sell":
        amount = min(leg.amount, sellable(market, have))
    else:
        budget = have * PPM // (PPM + market.fee_ppm) if market.fee_on("buy") == "spent" else have
        amount = min(leg.amount, down_to(budget * PRICE_ONE // leg.limit, market.amount_step))
    if market.refuses(amount, amount * leg.limit // PRICE_ONE):
        return None
    return msgspec.structs.replace(leg, amount=amount)


def _send(trip: Trip, leg: Leg) -> tuple[Trip, Command]:
    order = trip.plan.order(trip.sent, leg)
    return msgspec.structs.replace(trip, open=order, sent=trip.sent + 1), Send(order)


def _look(trip: Trip) -> tuple[Trip, Command]:
    """Look for a way to get rid of what is left; the trip is over where nothing left is worth an order."""
    for asset, units in sorted(trip.held.items()):
        if units > 0 and _worth_an_order(trip.plan, asset, units):
            return trip, LookAgain(asset, units)
    return _finish(trip, "unwound" if trip.unwound else "residual" if trip.broken else "done")


def _worth_an_order(plan: Plan, asset: str, units: int) -> bool:
    """Return whether a market of the trip takes so little, at the prices that the plan knows."""
    for leg in plan.legs:
        market = leg.market
        if market.base == asset and market.quote == plan.home:
            amount = sellable(market, units)
            if not market.refuses(amount, amount * leg.limit // PRICE_ONE):
                return True
    return False


def _finish(trip: Trip, outcome: Outcome) -> tuple[Trip, Command]:
    return msgspec.structs.replace(trip, over=True), Finish(outcome, dict(trip.held))
