"""A new order in Binance's words, checked as Binance checks it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Final

from streams.money import asset_of
from streams.sandbox.venues.binance import shapes
from streams.sandbox.venues.decimals import NotADecimal, TooPrecise, steps_of
from streams.sandbox.venues.listings import Listing
from streams.sandbox.venues.market.feed import Side
from streams.sandbox.venues.order import Kind, NewOrder, TimeInForce

_CLIENT_ID: Final = re.compile(r"[\.A-Z:/a-z0-9_-]{1,36}")
_SIDES: Final[dict[str, Side]] = {"BUY": "buy", "SELL": "sell"}
_KINDS: Final[dict[str, Kind]] = {"LIMIT": "limit", "MARKET": "market", "LIMIT_MAKER": "limit"}
_TIMES: Final[dict[str, TimeInForce]] = {"GTC": "gtc", "IOC": "ioc", "FOK": "fok"}
_NOT_OFFERED: Final = ("stopPrice", "trailingDelta", "icebergQty", "strategyId", "pegPriceType")


class BinanceError(Exception):
    """A refusal, in the venue's words.

    Attributes:
        status: The HTTP status.
        code: The venue's number for it.
    """

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


def need(parameters: Mapping[str, str], name: str) -> str:
    """Return a parameter.

    Raises:
        BinanceError: It is missing.
    """
    value = parameters.get(name, "")
    if not value:
        raise BinanceError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
    return value


def whole_number(parameters: Mapping[str, str], name: str) -> int | None:
    """Return a parameter that is a whole number; None where it was not sent.

    Raises:
        BinanceError: It is none.
    """
    value = parameters.get(name, "")
    if not value:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= 18):
        raise BinanceError(-1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.")
    return int(value)


def new_order(parameters: Mapping[str, str], account: str, listing: Listing, middle_ticks: int) -> NewOrder:
    """Return the order that parameters ask for.

    Args:
        parameters: Of `POST /api/v3/order`.
        account: Whose order it is.
        listing: The pair.
        middle_ticks: The market's price.

    Raises:
        BinanceError: Why it is not taken.
    """
    side = _SIDES.get(need(parameters, "side"))
    if side is None:
        raise BinanceError(-1117, "Invalid side.")
    kind_named = need(parameters, "type")
    kind = _KINDS.get(kind_named)
    if kind is None:
        raise BinanceError(-1116, "Invalid orderType.")
    for name in _NOT_OFFERED:
        if name in parameters:
            raise BinanceError(-1106, f"Parameter '{name}' sent when not required.")
    client_id = parameters.get("newClientOrderId") or secrets.token_urlsafe(16)
    if _CLIENT_ID.fullmatch(client_id) is None:
        raise BinanceError(
            -1100,
            f"Illegal characters found in parameter 'newClientOrderId'; legal range is '^{_CLIENT_ID.pattern}$'.",
        )
    if kind == "market":
        return _market_order(parameters, account, listing, side, client_id, middle_ticks)
    time: TimeInForce = "gtc"
    if kind_named == "LIMIT":
        named = need(parameters, "timeInForce")
        if named not in _TIMES:
            raise BinanceError(-1115, "Invalid timeInForce.")
        time = _TIMES[named]
    lots = _lots(parameters, listing)
    ticks = _ticks(parameters, listing, middle_ticks)
    if listing.cost_units(ticks, lots) < listing.min_cost_units:
        raise _filtered("NOTIONAL")
    return NewOrder(
        account=account,
        symbol=listing.symbol,
        side=side,
        kind=kind,
        time_in_force=time,
        ticks=ticks,
        lots=lots,
        client_id=client_id,
        post_only=kind_named == "LIMIT_MAKER",
    )


def _market_order(
    parameters: Mapping[str, str], account: str, listing: Listing, side: Side, client_id: str, middle_ticks: int
) -> NewOrder:
    for name in ("price", "timeInForce"):
        if name in parameters:
            raise BinanceError(-1106, f"Parameter '{name}' sent when not required.")
    lots = budget = 0
    if "quoteOrderQty" in parameters:
        if "quantity" in parameters:
            raise BinanceError(-1106, "Parameter 'quantity' sent when not required.")
        places = asset_of(listing.quote).scale
        budget = _steps(parameters, "quoteOrderQty") // 10 ** (shapes.PLACES - places)
        cost = budget
    else:
        lots = _lots(parameters, listing)
        cost = listing.cost_units(middle_ticks, lots)
    if cost < listing.min_cost_units:
        raise _filtered("NOTIONAL")
    return NewOrder(
        account=account,
        symbol=listing.symbol,
        side=side,
        kind="market",
        lots=lots,
        budget_units=budget,
        client_id=client_id,
    )


def _lots(parameters: Mapping[str, str], listing: Listing) -> int:
    step = int(10 ** (shapes.PLACES - listing.lot_decimals))
    lots, rest = divmod(_steps(parameters, "quantity"), step)
    if rest or not listing.min_lots <= lots <= listing.max_lots:
        raise _filtered("LOT_SIZE")
    return lots


def _ticks(parameters: Mapping[str, str], listing: Listing, middle_ticks: int) -> int:
    step = int(10 ** (shapes.PLACES - listing.price_decimals))
    ticks, rest = divmod(_steps(parameters, "price"), step)
    if rest or not ticks:
        raise _filtered("PRICE_FILTER")
    up, down = shapes.PRICE_BAND
    if not middle_ticks <= ticks * down <= middle_ticks * up * down:
        raise _filtered("PERCENT_PRICE_BY_SIDE")
    return ticks


def _steps(parameters: Mapping[str, str], name: str) -> int:
    try:
        return steps_of(need(parameters, name), shapes.PLACES)
    except NotADecimal:
        raise BinanceError(
            -1100,
            f"Illegal characters found in parameter '{name}'; "
            r"legal range is '^([0-9]{1,20})(\.[0-9]{1,20})?$'.",
        ) from None
    except TooPrecise:
        raise BinanceError(-1111, f"Parameter '{name}' has too much precision.") from None


def _filtered(name: str) -> BinanceError:
    return BinanceError(-1013, f"Filter failure: {name}")
