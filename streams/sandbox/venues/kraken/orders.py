"""A new order in Kraken's words, checked as Kraken checks it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TypeVar

from streams.money import asset_of
from streams.sandbox.venues.decimals import NotADecimal, TooPrecise, steps_of
from streams.sandbox.venues.listings import Listing
from streams.sandbox.venues.market.feed import Side
from streams.sandbox.venues.order import Kind, NewOrder, TimeInForce

T = TypeVar("T")

# A UUID, the same without hyphens, or up to 18 characters of one's own.
_CLIENT_ID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-fA-F]{32}|[!-~]{1,18}")
_SIDES: Final[dict[str, Side]] = {"buy": "buy", "sell": "sell"}
_KINDS: Final[dict[str, Kind]] = {"limit": "limit", "market": "market"}
_TIMES: Final[dict[str, TimeInForce]] = {"": "gtc", "GTC": "gtc", "IOC": "ioc"}
_FLAGS: Final = {"fciq", "post", "viqc"}
_NOT_OFFERED: Final = ("price2", "trigger", "leverage", "reduce_only", "close", "displayvol", "starttm", "expiretm")
_GREATEST_USERREF: Final = 2**31 - 1


class KrakenError(Exception):
    """A refusal, in the venue's words: `EOrder:Insufficient funds`."""


def whole_number(parameters: Mapping[str, str], name: str) -> int | None:
    """Return a parameter that is a whole number; None where it was not sent.

    Raises:
        KrakenError: It is none, or a very large one.
    """
    value = parameters.get(name, "")
    if not value:
        return None
    if re.fullmatch(r"-?[0-9]{1,18}", value) is None:
        raise KrakenError(f"EGeneral:Invalid arguments:{name}")
    return int(value)


def userref_of(parameters: Mapping[str, str]) -> int | None:
    """Return the number that an owner gave an order; None for none.

    Raises:
        KrakenError: It is not one of 32 bits.
    """
    userref = whole_number(parameters, "userref")
    if userref is not None and abs(userref) > _GREATEST_USERREF:
        raise KrakenError("EGeneral:Invalid arguments:userref")
    return userref


def new_order(parameters: Mapping[str, str], account: str, listing: Listing, middle_ticks: int) -> NewOrder:
    """Return the order that parameters ask for.

    Args:
        parameters: Of `POST /0/private/AddOrder`.
        account: Whose order it is.
        listing: The pair.
        middle_ticks: The market's price.

    Raises:
        KrakenError: Why it is not taken.
    """
    side = _named(_SIDES, parameters, "type")
    kind = _named(_KINDS, parameters, "ordertype")
    time = _named(_TIMES, parameters, "timeinforce")
    flags = {flag for flag in parameters.get("oflags", "").split(",") if flag}
    if flags - _FLAGS:
        raise KrakenError("EGeneral:Invalid arguments:oflags")
    for name in _NOT_OFFERED:
        if parameters.get(name, "") not in ("", "none", "0"):
            raise KrakenError(f"EGeneral:Invalid arguments:{name}")
    client_id, userref = parameters.get("cl_ord_id", ""), userref_of(parameters)
    if client_id and (_CLIENT_ID.fullmatch(client_id) is None or userref is not None):
        raise KrakenError("EGeneral:Invalid arguments:cl_ord_id")
    post_only, by_cost = "post" in flags, "viqc" in flags
    if kind == "market" and (post_only or parameters.get("timeinforce", "")):
        raise KrakenError("EGeneral:Invalid arguments:" + ("oflags" if post_only else "timeinforce"))
    if by_cost and kind != "market":
        raise KrakenError("EGeneral:Invalid arguments:viqc")
    ticks = lots = budget = 0
    if kind == "limit":
        ticks = _steps(parameters, "price", listing.price_decimals)
    if by_cost:
        budget = _steps(parameters, "volume", asset_of(listing.quote).scale)
        cost = budget
    else:
        lots = _steps(parameters, "volume", listing.lot_decimals)
        if lots < listing.min_lots:
            raise KrakenError("EGeneral:Invalid arguments:volume minimum not met")
        if lots > listing.max_lots:
            raise KrakenError("EGeneral:Invalid arguments:volume")
        cost = listing.cost_units(ticks or middle_ticks, lots)
    if cost < listing.min_cost_units:
        raise KrakenError("EOrder:Cost minimum not met")
    return NewOrder(
        account=account,
        symbol=listing.symbol,
        side=side,
        kind=kind,
        time_in_force=time,
        ticks=ticks,
        lots=lots,
        budget_units=budget,
        client_id=client_id,
        userref=userref,
        post_only=post_only,
    )


def _named(values: Mapping[str, T], parameters: Mapping[str, str], name: str) -> T:
    try:
        return values[parameters.get(name, "")]
    except KeyError:
        raise KrakenError(f"EGeneral:Invalid arguments:{name}") from None


def _steps(parameters: Mapping[str, str], name: str, places: int) -> int:
    """Return a positive number of steps. What is finer than a step is refused, as the venue does with prices."""
    try:
        steps = steps_of(parameters.get(name, ""), places)
    except NotADecimal:
        raise KrakenError(f"EGeneral:Invalid arguments:{name}") from None
    except TooPrecise:
        raise KrakenError(_TOO_PRECISE.format(name=name, places=places)) from None
    if not steps:
        raise KrakenError(f"EGeneral:Invalid arguments:{name}")
    return steps


_TOO_PRECISE: Final = "EOrder:Invalid {name}:can only be specified up to {places} decimals."
