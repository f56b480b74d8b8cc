"""Orders and trades as a venue keeps them, and why it refuses an order."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from streams.sandbox.venues.market.feed import Side

Kind: TypeAlias = Literal["limit", "market"]
TimeInForce: TypeAlias = Literal["gtc", "ioc", "fok"]
Status: TypeAlias = Literal["open", "filled", "canceled", "expired"]


class NewOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What an account asks for.

    Attributes:
        account: Whose it is.
        symbol: The pair.
        side: What is done with the base asset.
        kind: A limit order has a price, a market order takes what there is.
        time_in_force: Until cancelled; what can be had at once; all at once or nothing.
        ticks: The worst price; 0 for a market order.
        lots: How much; 0 for a market order by `budget_units`.
        budget_units: A market order's whole cost, in units of the quote asset; 0 for one by `lots`.
        client_id: What its owner calls it; unique among the account's open orders. Empty for nothing.
        userref: A number of its owner's, as often as it likes.
        post_only: Refuse it if any of it would find its match at once.
    """

    account: str
    symbol: str
    side: Side
    kind: Kind = "limit"
    time_in_force: TimeInForce = "gtc"
    ticks: int = 0
    lots: int = 0
    budget_units: int = 0
    client_id: str = ""
    userref: int | None = None
    post_only: bool = False


class Journey(msgspec.Struct, frozen=True):
    """What was drawn for an order on its way: with the world's seed, all that it met can be drawn again.

    Attributes:
        arrival: Which of the venue's orders it was; misfortunes are drawn by it.
        latency_ms: How long it was on its way.
        step: The moment of the market that it met.
        outrun_rungs: How many of the best rungs somebody else took just before.
    """

    arrival: int
    latency_ms: int
    step: int
    outrun_rungs: int


class Order(NewOrder, frozen=True, kw_only=True):
    """An order that was taken.

    Attributes:
        id: Its number, rising.
        created_ms: When it was taken, Unix milliseconds.
        updated_ms: When it last changed.
        filled_lots: How much of it is traded.
        cost_units: What that cost, in units of the quote asset, without fees.
        fee_units: The fees, in units of the asset that they are taken in.
        status: `open` while more of it may be traded; `expired` where the venue ended it.
        reason: Why it ended, in a word; empty otherwise.
        journey: What it met on its way; None where it had none.
    """

    id: int
    created_ms: int
    updated_ms: int
    filled_lots: int = 0
    cost_units: int = 0
    fee_units: int = 0
    status: Status = "open"
    reason: str = ""
    journey: Journey | None = None

    @property
    def left_lots(self) -> int:
        """How much of it is not traded."""
        return self.lots - self.filled_lots


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """One account's side of an exchange of assets at one price.

    Attributes:
        id: Its number, rising; the other side has another.
        order_id: The order that it filled.
        account: Whose it is.
        symbol: The pair.
        side: What the account did.
        ticks: The price.
        lots: How much.
        cost_units: What it cost, in units of the quote asset, without the fee.
        fee_units: The fee.
        fee_asset: What the fee was taken in.
        maker: Whether the order had rested.
        at_ms: When, Unix milliseconds.
    """

    id: int
    order_id: int
    account: str
    symbol: str
    side: Side
    ticks: int
    lots: int
    cost_units: int
    fee_units: int
    fee_asset: str
    maker: bool
    at_ms: int


class OrderRefused(Exception):
    """An order that is not taken; nothing has changed."""


class InsufficientFunds(OrderRefused):
    """The account does not have what the order would need."""


class DuplicateClientId(OrderRefused):
    """An open order of the account has this name."""


class WouldTake(OrderRefused):
    """An order that was only to rest would find its match at once."""


class TooSmall(OrderRefused):
    """A budget that pays for no lot of what there is."""


class NoSuchOrder(Exception):
    """The account has no open order of this number."""
