"""Two books of one coin: whether buying here and selling there pays, and which size pays most."""

from __future__ import annotations

import msgspec

from streams.crypto_arbitrage.amounts import PPM, PRICE_ONE, ceil_div, down_to, up_to
from streams.crypto_arbitrage.conversion import Conversion, buying, realised, selling
from streams.crypto_arbitrage.market import Market
from streams.crypto_arbitrage.order_book import Levels


class Terms(msgspec.Struct, frozen=True, gc=False):
    """What the fees of two markets make of their prices, as fractions of whole parts per million.

    A unit of the base that can be sold costs `ask × pay_up / pay_down`, and brings `bid × get_up / get_down`.
    """

    pay_up: int
    pay_down: int
    get_up: int
    get_down: int

    def pays(self, ask: int, bid: int) -> bool:
        """Return whether buying at one price and selling at another leaves something after fees."""
        return ask * self.pay_up * self.get_down < bid * self.get_up * self.pay_down


class Match(msgspec.Struct, frozen=True, gc=False):
    """The two legs of a trade across venues.

    Attributes:
        buy: The first leg.
        sell: The second leg; it sells what the first brings.
        profit: What the two make before the cost of transfers; units of the quote.
    """

    buy: Conversion
    sell: Conversion
    profit: int


def terms_of(buy: Market, sell: Market) -> Terms:
    """Return what the fees of two markets make of their prices."""
    pay = (PPM, PPM - buy.fee_ppm) if buy.fee_on("buy") == "brought" else (PPM + buy.fee_ppm, PPM)
    get = (PPM, PPM + sell.fee_ppm) if sell.fee_on("sell") == "spent" else (PPM - sell.fee_ppm, PPM)
    return Terms(*pay, *get)


def best_match(buy: Market, asks: Levels, sell: Market, bids: Levels, budget: int, stock: int) -> Match | None:
    """Return the most profitable size along both depths; None where none is left after fees and steps.

    Args:
        buy: The market that is bought in.
        asks: What is offered there.
        sell: The market that is sold in; of the same base and quote.
        bids: What is wanted there.
        budget: The quote that may be spent; units.
        stock: The base that is at hand where it is sold; units.
    """
    amount, wanted = _overlap(buy, asks, sell, bids, budget, stock)
    bought = down_to(amount, buy.amount_step)
    sold = down_to(min(wanted, _sold_of(sell, min(_held_of(buy, bought), stock))), sell.amount_step)
    if sold <= 0:
        return None
    # The smallest purchase that still covers the sale: what is more would stay behind as dust.
    needed = sold + sell.fee(sold) if sell.fee_on("sell") == "spent" else sold
    bought = min(bought, up_to(_bought_for(buy, needed), buy.amount_step))
    first, second = buying(buy, asks, bought), selling(sell, bids, sold)
    if first is None or second is None:
        return None
    return Match(first, second, realised((first, second)))


def transfer_cost(match: Match, base_fee: int, quote_fee: int, trips: int) -> int:
    """Return the share of moving both assets back that one trip bears; units of the quote.

    Args:
        match: The trip.
        base_fee: What it costs to withdraw the base once; units of the base.
        quote_fee: What it costs to withdraw the quote once; units of the quote.
        trips: After how many trips that is done.
    """
    price = ceil_div(match.buy.cost * PRICE_ONE, match.buy.amount)
    return ceil_div(ceil_div(base_fee * price, PRICE_ONE) + quote_fee, trips)


def _overlap(buy: Market, asks: Levels, sell: Market, bids: Levels, budget: int, stock: int) -> tuple[int, int]:
    """Return how much can be bought and how much sold, walking both sides until their prices do not pay."""
    terms = terms_of(buy, sell)
    fee_on_top = PPM + buy.fee_ppm if buy.fee_on("buy") == "spent" else PPM
    left_exact = budget * PPM // fee_on_top * PRICE_ONE
    most = min([_bought_for(buy, stock), *(limit for limit in (buy.max_amount, sell.max_amount) if limit)])
    bought = sold = at_ask = at_bid = 0
    ask_left = asks[0][1] if asks else 0
    bid_left = bids[0][1] if bids else 0
    while at_ask < len(asks) and at_bid < len(bids):
        ask = asks[at_ask][0]
        if not terms.pays(ask, bids[at_bid][0]):
            break
        wanted = _bought_for(buy, bid_left + sell.fee(bid_left) if sell.fee_on("sell") == "spent" else bid_left)
        taken = min(ask_left, wanted, most - bought, left_exact // ask)
        bought += taken
        left_exact -= ask * taken
        given = bid_left if taken == wanted else min(bid_left, _sold_of(sell, _held_of(buy, taken)))
        sold += given
        if taken < ask_left and taken < wanted:
            break  # the budget, the stock or a venue's limit ends it
        if taken == wanted:
            at_bid += 1
            bid_left = bids[at_bid][1] if at_bid < len(bids) else 0
        else:
            bid_left -= given
        if taken == ask_left:
            at_ask += 1
            ask_left = asks[at_ask][1] if at_ask < len(asks) else 0
        else:
            ask_left -= taken
    return bought, sold


def _held_of(buy: Market, bought: int) -> int:
    return bought - buy.fee(bought) if buy.fee_on("buy") == "brought" else bought


def _sold_of(sell: Market, held: int) -> int:
    return held * PPM // (PPM + sell.fee_ppm) if sell.fee_on("sell") == "spent" else held


def _bought_for(buy: Market, held: int) -> int:
    return ceil_div(held * PPM, PPM - buy.fee_ppm) if buy.fee_on("buy") == "brought" else held
