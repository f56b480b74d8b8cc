"""What a venue has, in the shapes of Binance's spot API."""

from __future__ import annotations

from typing import Any, Final

from streams.money import asset_of
from streams.sandbox.venues.balances import Balance
from streams.sandbox.venues.decimals import text_of
from streams.sandbox.venues.listings import Listing, VenueTerms
from streams.sandbox.venues.market.day import Day
from streams.sandbox.venues.order import Order, Trade

PLACES: Final = 8
MAX_OPEN_ORDERS: Final = 200
WEIGHT_PER_MINUTE: Final = 6_000
PRICE_BAND: Final = (5, 5)
"""How many times above the market, and how many below it, a price may be."""

STP_MODE: Final = "EXPIRE_MAKER"
_BASIS_POINTS_PPM: Final = 100


def id_of(symbol: str) -> str:
    """Return a pair's name there: `BTCUSDT`."""
    return symbol.replace("/", "")


def amount(units: int, asset: str) -> str:
    """Return an amount of an asset."""
    return text_of(units, asset_of(asset).scale, PLACES)


def price(listing: Listing, ticks: int) -> str:
    """Return a price."""
    return text_of(ticks, listing.price_decimals, PLACES)


def quantity(listing: Listing, lots: int) -> str:
    """Return an amount of a pair's base asset."""
    return text_of(lots, listing.lot_decimals, PLACES)


def exchange_info(terms: VenueTerms, symbols: list[str], now_ms: int) -> dict[str, Any]:
    """Return `GET /api/v3/exchangeInfo`."""
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": [
            {
                "rateLimitType": "REQUEST_WEIGHT",
                "interval": "MINUTE",
                "intervalNum": 1,
                "limit": WEIGHT_PER_MINUTE,
            }
        ],
        "exchangeFilters": [],
        "symbols": [_symbol(terms.listings[symbol]) for symbol in symbols],
    }


def _symbol(listing: Listing) -> dict[str, Any]:
    return {
        "symbol": id_of(listing.symbol),
        "status": "TRADING",
        "baseAsset": listing.base,
        "baseAssetPrecision": PLACES,
        "quoteAsset": listing.quote,
        "quotePrecision": PLACES,
        "quoteAssetPrecision": PLACES,
        "baseCommissionPrecision": asset_of(listing.base).scale,
        "quoteCommissionPrecision": asset_of(listing.quote).scale,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": False,
        "amendAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": price(listing, 1),
                "maxPrice": price(listing, 10 ** (listing.price_decimals + 6)),
                "tickSize": price(listing, 1),
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": quantity(listing, listing.min_lots),
                "maxQty": quantity(listing, listing.max_lots),
                "stepSize": quantity(listing, 1),
            },
            {
                "filterType": "PERCENT_PRICE_BY_SIDE",
                "bidMultiplierUp": str(PRICE_BAND[0]),
                "bidMultiplierDown": f"{1 / PRICE_BAND[1]:g}",
                "askMultiplierUp": str(PRICE_BAND[0]),
                "askMultiplierDown": f"{1 / PRICE_BAND[1]:g}",
                "avgPriceMins": 5,
            },
            {
                "filterType": "NOTIONAL",
                "minNotional": amount(listing.min_cost_units, listing.quote),
                "applyMinToMarket": True,
                "maxNotional": "9000000.00000000",
                "applyMaxToMarket": False,
                "avgPriceMins": 5,
            },
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": MAX_OPEN_ORDERS},
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": STP_MODE,
        "allowedSelfTradePreventionModes": [STP_MODE],
    }


def levels(listing: Listing, offers: list[tuple[int, int]]) -> list[list[str]]:
    """Return a side of a book."""
    return [[price(listing, ticks), quantity(listing, lots)] for ticks, lots in offers]


def book_ticker(listing: Listing, bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> dict[str, str]:
    """Return the best offers; zero where there is none."""
    (bid, bid_lots), (ask, ask_lots) = (bids or [(0, 0)])[0], (asks or [(0, 0)])[0]
    return {
        "symbol": id_of(listing.symbol),
        "bidPrice": price(listing, bid),
        "bidQty": quantity(listing, bid_lots),
        "askPrice": price(listing, ask),
        "askQty": quantity(listing, ask_lots),
    }


def day_ticker(listing: Listing, day: Day, best: dict[str, str], last_ticks: int, now_ms: int) -> dict[str, Any]:
    """Return what `GET /api/v3/ticker/24hr` says of a pair."""
    change = last_ticks - day.open_ticks
    percent = text_of(change * 100_000 // max(day.open_ticks, 1), 3)
    average = day.cost_units // (day.lots * listing.cost_units(1, 1)) if day.lots else last_ticks
    return {
        **best,
        "priceChange": price(listing, change),
        "priceChangePercent": percent,
        "weightedAvgPrice": price(listing, average),
        "prevClosePrice": price(listing, day.open_ticks),
        "lastPrice": price(listing, last_ticks),
        "lastQty": quantity(listing, 0),
        "openPrice": price(listing, day.open_ticks),
        "highPrice": price(listing, day.high_ticks),
        "lowPrice": price(listing, day.low_ticks),
        "volume": quantity(listing, day.lots),
        "quoteVolume": amount(day.cost_units, listing.quote),
        "openTime": now_ms - 24 * 60 * 60 * 1000,
        "closeTime": now_ms,
        "firstId": -1,
        "lastId": -1,
        "count": day.trades,
    }


def account(terms: VenueTerms, balances: dict[str, Balance], now_ms: int, *, all_assets: bool) -> dict[str, Any]:
    """Return `GET /api/v3/account`."""
    maker, taker = (text_of(ppm, 6, PLACES) for ppm in (terms.maker_ppm, terms.taker_ppm))
    return {
        "makerCommission": terms.maker_ppm // _BASIS_POINTS_PPM,
        "takerCommission": terms.taker_ppm // _BASIS_POINTS_PPM,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {"maker": maker, "taker": taker, "buyer": "0.00000000", "seller": "0.00000000"},
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": False,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": now_ms,
        "accountType": "SPOT",
        "balances": [
            {"asset": asset, "free": amount(balance.free, asset), "locked": amount(balance.held, asset)}
            for asset, balance in balances.items()
            if all_assets or balance.total
        ],
        "permissions": ["SPOT"],
        "uid": 1,
    }


# The chain that an asset travels by, and what its withdrawal costs.
_NETWORKS: Final = {
    "BTC": ("BTC", "0.0001"),
    "ETH": ("ETH", "0.001"),
    "SOL": ("SOL", "0.008"),
    "XRP": ("XRP", "0.2"),
    "LTC": ("LTC", "0.001"),
    "USDT": ("TRX", "1"),
}


def coin(asset: str, balance: Balance) -> dict[str, Any]:
    """Return what `GET /sapi/v1/capital/config/getall` says of an asset: its wallet is open, and what leaving costs."""
    network, fee = _NETWORKS[asset]
    return {
        "coin": asset,
        "depositAllEnable": True,
        "free": amount(balance.free, asset),
        "freeze": "0",
        "ipoable": "0",
        "ipoing": "0",
        "isLegalMoney": False,
        "locked": amount(balance.held, asset),
        "name": asset,
        "networkList": [
            {
                "network": network,
                "coin": asset,
                "name": network,
                "isDefault": True,
                "depositEnable": True,
                "withdrawEnable": True,
                "depositDesc": "",
                "withdrawDesc": "",
                "specialTips": "",
                "resetAddressStatus": False,
                "addressRegex": "",
                "memoRegex": "",
                "minConfirm": 1,
                "unLockConfirm": 0,
                "withdrawFee": fee,
                "withdrawIntegerMultiple": text_of(1, asset_of(asset).scale),
                "withdrawMax": "9999999",
                "withdrawMin": fee,
            }
        ],
        "storage": "0",
        "trading": True,
        "withdrawAllEnable": True,
        "withdrawing": "0",
    }


def status(order: Order) -> str:
    """Return how an order stands."""
    if order.status == "open":
        return "PARTIALLY_FILLED" if order.filled_lots else "NEW"
    if order.reason == "self_trade":
        return "EXPIRED_IN_MATCH"
    return {"filled": "FILLED", "canceled": "CANCELED", "expired": "EXPIRED"}[order.status]


def _order_core(listing: Listing, order: Order) -> dict[str, Any]:
    return {
        "symbol": id_of(order.symbol),
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "price": price(listing, order.ticks),
        "origQty": quantity(listing, order.lots),
        "executedQty": quantity(listing, order.filled_lots),
        "origQuoteOrderQty": amount(order.budget_units, listing.quote),
        # The missing letter, and the one too many, are the venue's own.
        "cummulativeQuoteQty": amount(order.cost_units, listing.quote),
        "status": status(order),
        "timeInForce": order.time_in_force.upper(),
        "type": "MARKET" if order.kind == "market" else "LIMIT_MAKER" if order.post_only else "LIMIT",
        "side": order.side.upper(),
        "selfTradePreventionMode": STP_MODE,
    }


def order_shown(listing: Listing, order: Order) -> dict[str, Any]:
    """Return an order as it is shown to who asks for it."""
    return {
        **_order_core(listing, order),
        "stopPrice": "0.00000000",
        "icebergQty": "0.00000000",
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "isWorking": True,
        "workingTime": order.created_ms,
    }


def order_placed(listing: Listing, order: Order, trades: tuple[Trade, ...], detail: str) -> dict[str, Any]:
    """Return the answer to a new order.

    Args:
        listing: The pair.
        order: The order.
        trades: What it traded at once.
        detail: `ACK`, `RESULT` or `FULL`.
    """
    core = {**_order_core(listing, order), "transactTime": order.created_ms}
    if detail == "ACK":
        return {name: core[name] for name in ("symbol", "orderId", "orderListId", "clientOrderId", "transactTime")}
    core["workingTime"] = order.created_ms
    if detail == "FULL":
        core["fills"] = [
            {
                "price": price(listing, trade.ticks),
                "qty": quantity(listing, trade.lots),
                "commission": amount(trade.fee_units, trade.fee_asset),
                "commissionAsset": trade.fee_asset,
                "tradeId": trade.id,
            }
            for trade in trades
        ]
    return core


def order_cancelled(listing: Listing, order: Order, request_id: str) -> dict[str, Any]:
    """Return the answer to a cancellation; `request_id` is what the client calls the cancellation."""
    return {
        **_order_core(listing, order),
        "origClientOrderId": order.client_id,
        "clientOrderId": request_id,
        "transactTime": order.updated_ms,
    }


def trade_shown(listing: Listing, trade: Trade) -> dict[str, Any]:
    """Return a trade as it is shown to its account."""
    return {
        "symbol": id_of(trade.symbol),
        "id": trade.id,
        "orderId": trade.order_id,
        "orderListId": -1,
        "price": price(listing, trade.ticks),
        "qty": quantity(listing, trade.lots),
        "quoteQty": amount(trade.cost_units, listing.quote),
        "commission": amount(trade.fee_units, trade.fee_asset),
        "commissionAsset": trade.fee_asset,
        "time": trade.at_ms,
        "isBuyer": trade.side == "buy",
        "isMaker": trade.maker,
        "isBestMatch": True,
    }
