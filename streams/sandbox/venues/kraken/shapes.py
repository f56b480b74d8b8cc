"""What a venue has, in the shapes of Kraken's spot API."""

from __future__ import annotations

from typing import Any, Final

from streams.money import asset_of
from streams.sandbox.venues.balances import Balance
from streams.sandbox.venues.decimals import text_of
from streams.sandbox.venues.listings import Listing, VenueTerms
from streams.sandbox.venues.market.day import Day
from streams.sandbox.venues.order import NewOrder, Order, Trade

# The older assets have names of four letters there, and Bitcoin one of its own.
_IDS: Final = {"BTC": "XXBT", "ETH": "XETH", "XRP": "XXRP", "LTC": "XLTC", "USD": "ZUSD"}
_ALTNAMES: Final = {"BTC": "XBT"}
_PPM_PER_PERCENT: Final = 10_000
_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRSTVWXYZ"[:32]
_TXID_DIGITS: Final = 16
_TXIDS: Final = 32**_TXID_DIGITS
# Odd, hence it can be undone: numbers that follow each other look nothing alike.
_SPREAD: Final = 0x9E3779B97F4A7C15F39D
_UNSPREAD: Final = pow(_SPREAD, -1, _TXIDS)


def asset_id(asset: str) -> str:
    """Return an asset's name there: `XXBT`."""
    return _IDS.get(asset, asset)


def altname(asset: str) -> str:
    """Return an asset's other name there: `XBT`."""
    return _ALTNAMES.get(asset, asset)


def pair_id(listing: Listing) -> str:
    """Return a pair's name there: `XXBTZUSD`, but `XBTUSDT`."""
    base, quote = listing.base, listing.quote
    # Four-letter names are used where both have one, and for a currency's pairs with what has none.
    if quote in _IDS and (base in _IDS or quote == "USD"):
        return asset_id(base) + asset_id(quote)
    return altname(base) + altname(quote)


def pair_altname(listing: Listing) -> str:
    """Return a pair's other name there: `XBTUSD`."""
    return altname(listing.base) + altname(listing.quote)


def txid(letter: str, number: int) -> str:
    """Return an order's (`O`) or a trade's (`T`) name there: `OQCLML-BW3P3-BUCMWZ`."""
    spread = (2 * number + (letter == "T")) * _SPREAD % _TXIDS
    digits = "".join(_ALPHABET[spread >> shift & 31] for shift in range(5 * (_TXID_DIGITS - 1), -1, -5))
    return f"{letter}{digits[:5]}-{digits[5:10]}-{digits[10:]}"


def number_of(letter: str, name: str) -> int | None:
    """Return the number behind such a name; None where it is none."""
    digits = name[1:].replace("-", "")
    if name[:1] != letter or len(digits) != _TXID_DIGITS or any(digit not in _ALPHABET for digit in digits):
        return None
    spread = 0
    for digit in digits:
        spread = spread << 5 | _ALPHABET.index(digit)
    number, odd = divmod(spread * _UNSPREAD % _TXIDS, 2)
    return number if number < 2**62 and odd == (letter == "T") else None


def amount(units: int, asset: str) -> str:
    """Return an amount of an asset."""
    return text_of(units, asset_of(asset).scale, decimals_of(asset))


def decimals_of(asset: str) -> int:
    """Return the places of an asset's amounts there."""
    return 10 if asset in ("BTC", "ETH", "LTC") else 8


def price(listing: Listing, ticks: int) -> str:
    """Return a price."""
    return text_of(ticks, listing.price_decimals)


def volume(listing: Listing, lots: int) -> str:
    """Return an amount of a pair's base asset."""
    return text_of(lots, listing.lot_decimals, 8)


def cost(listing: Listing, units: int) -> str:
    """Return an amount of a pair's quote asset."""
    return text_of(units, asset_of(listing.quote).scale)


def seconds(unix_ms: int) -> float:
    """Return a time."""
    return unix_ms / 1000


def asset_shown(asset: str) -> dict[str, Any]:
    """Return what `GET /0/public/Assets` says of an asset."""
    return {
        "aclass": "currency",
        "altname": altname(asset),
        "decimals": decimals_of(asset),
        "display_decimals": 5 if asset_of(asset).scale == 8 else 4,
        "status": "enabled",
    }


def pair_shown(terms: VenueTerms, listing: Listing) -> dict[str, Any]:
    """Return what `GET /0/public/AssetPairs` says of a pair."""
    return {
        "altname": pair_altname(listing),
        "wsname": f"{altname(listing.base)}/{altname(listing.quote)}",
        "aclass_base": "currency",
        "base": asset_id(listing.base),
        "aclass_quote": "currency",
        "quote": asset_id(listing.quote),
        "lot": "unit",
        "cost_decimals": asset_of(listing.quote).scale,
        "pair_decimals": listing.price_decimals,
        "lot_decimals": listing.lot_decimals,
        "lot_multiplier": 1,
        "leverage_buy": [],
        "leverage_sell": [],
        "fees": [[0, terms.taker_ppm / _PPM_PER_PERCENT]],
        "fees_maker": [[0, terms.maker_ppm / _PPM_PER_PERCENT]],
        "fee_volume_currency": "ZUSD",
        "margin_call": 80,
        "margin_stop": 40,
        "ordermin": text_of(listing.min_lots, listing.lot_decimals),
        "costmin": text_of(listing.min_cost_units, asset_of(listing.quote).scale),
        "tick_size": text_of(1, listing.price_decimals),
        "status": "online",
    }


def levels(listing: Listing, offers: list[tuple[int, int]], now_ms: int) -> list[list[Any]]:
    """Return a side of a book."""
    return [[price(listing, ticks), volume(listing, lots), now_ms // 1000] for ticks, lots in offers]


def ticker(
    listing: Listing, day: Day, bids: list[tuple[int, int]], asks: list[tuple[int, int]], last_ticks: int
) -> dict[str, Any]:
    """Return what `GET /0/public/Ticker` says of a pair. Today and the last 24 hours are one here."""

    def best(offers: list[tuple[int, int]]) -> list[str]:
        ticks, lots = (offers or [(0, 0)])[0]
        amount_ = text_of(lots, listing.lot_decimals, 3)
        return [price(listing, ticks), str(lots // 10**listing.lot_decimals), amount_]

    average = day.cost_units // (day.lots * listing.cost_units(1, 1)) if day.lots else last_ticks
    return {
        "a": best(asks),
        "b": best(bids),
        "c": [price(listing, last_ticks), volume(listing, 0)],
        "v": [volume(listing, day.lots)] * 2,
        "p": [price(listing, average)] * 2,
        "t": [day.trades] * 2,
        "l": [price(listing, day.low_ticks)] * 2,
        "h": [price(listing, day.high_ticks)] * 2,
        "o": price(listing, day.open_ticks),
    }


def balance_extended(asset: str, balance: Balance) -> dict[str, str]:
    """Return what `POST /0/private/BalanceEx` says of an asset."""
    return {"balance": amount(balance.total, asset), "hold_trade": amount(balance.held, asset)}


def description(listing: Listing, order: NewOrder) -> str:
    """Return an order in a sentence."""
    kind = f"limit {price(listing, order.ticks)}" if order.kind == "limit" else "market"
    return f"{order.side} {volume(listing, order.lots)} {pair_altname(listing)} @ {kind}"


_REASONS: Final = {
    "user": "User requested",
    "ioc": "Immediate or cancel",
    "self_trade": "Self trade prevention",
}


def order_shown(listing: Listing, order: Order, trade_ids: list[int] | None) -> dict[str, Any]:
    """Return an order; with its trades, if they are given."""
    status = {"open": "open", "filled": "closed", "canceled": "canceled", "expired": "canceled"}[order.status]
    if order.kind == "market" and order.status == "expired":
        status = "closed"  # it took what there was
    average = order.cost_units // (order.filled_lots * listing.cost_units(1, 1)) if order.filled_lots else 0
    shown: dict[str, Any] = {
        "refid": None,
        "userref": order.userref,
        "status": status,
        "opentm": seconds(order.created_ms),
        "starttm": 0,
        "expiretm": 0,
        "descr": {
            "pair": pair_altname(listing),
            "type": order.side,
            "ordertype": order.kind,
            "price": price(listing, order.ticks),
            "price2": "0",
            "leverage": "none",
            "order": description(listing, order),
            "close": "",
        },
        "vol": volume(listing, order.lots),
        "vol_exec": volume(listing, order.filled_lots),
        "cost": cost(listing, order.cost_units),
        "fee": cost(listing, order.fee_units),
        "price": price(listing, average),
        "stopprice": price(listing, 0),
        "limitprice": price(listing, 0),
        "misc": "",
        "oflags": "fciq,post" if order.post_only else "fciq",
    }
    if order.client_id:
        shown["cl_ord_id"] = order.client_id
    if order.status != "open":
        shown["closetm"] = seconds(order.updated_ms)
        shown["reason"] = _REASONS.get(order.reason) if status == "canceled" else None
    if trade_ids:
        shown["trades"] = [txid("T", number) for number in trade_ids]
    return shown


def trade_shown(listing: Listing, trade: Trade, kind: str) -> dict[str, Any]:
    """Return a trade; `kind` is its order's."""
    return {
        "ordertxid": txid("O", trade.order_id),
        "postxid": txid("T", trade.id),
        "pair": pair_id(listing),
        "time": seconds(trade.at_ms),
        "type": trade.side,
        "ordertype": kind,
        "price": price(listing, trade.ticks),
        "cost": cost(listing, trade.cost_units),
        "fee": cost(listing, trade.fee_units),
        "vol": volume(listing, trade.lots),
        "margin": price(listing, 0),
        "misc": "",
        "trade_id": trade.id,
        "maker": trade.maker,
    }
