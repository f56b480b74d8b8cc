"""Two books of one coin, by recorded and by hand-computed cases."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.crypto_arbitrage.amounts import read_amount, show_amount, show_price
from streams.crypto_arbitrage.conversion import refusal
from streams.crypto_arbitrage.cross_venue import best_match, terms_of, transfer_cost
from streams.crypto_arbitrage.market import Market
from streams.crypto_arbitrage.order_book import Levels, read_levels
from tests.streams.crypto_arbitrage.markets import levels, market

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
RECORDED = SHARED / "crypto" / "bitstamp_kraken_2013" / "speed-test.json"
MUCH = read_amount("1000000000")

ASKS = levels([("60000", "0.05"), ("60010", "0.1")], dearest_first=False)
BIDS = levels([("60500", "0.04"), ("60400", "0.02"), ("60100", "1")], dearest_first=True)


def free_market(venue: str) -> Market:
    return market(venue, "BTC/USD", fee_ppm=0, amount_step=1, price_tick=1, min_amount=0, min_cost=0)


def test_the_recorded_pair_gives_the_profit_computed_apart_to_the_last_unit() -> None:
    if not RECORDED.exists():
        pytest.skip(f"{RECORDED} is not there")
    books = json.loads(RECORDED.read_text(), parse_float=str, parse_int=str)

    def side(venue: str, name: str, *, dearest_first: bool) -> Levels:
        return read_levels(((row["price"], row["amount"]) for row in books[venue][name]), dearest_first=dearest_first)

    match = best_match(
        free_market("bitstamp"),
        side("BitstampUSD", "asks", dearest_first=False),
        free_market("kraken"),
        side("KrakenEUR", "bids", dearest_first=True),
        MUCH,
        MUCH,
    )
    assert match is not None
    assert show_amount(match.buy.amount) == show_amount(match.sell.amount) == "3585.97175077"
    # Apart from all that is tested here: unit after unit from both sides, in exact fractions.
    asks = sorted((Fraction(row["price"]), Fraction(row["amount"])) for row in books["BitstampUSD"]["asks"])
    bids = sorted(
        ((Fraction(row["price"]), Fraction(row["amount"])) for row in books["KrakenEUR"]["bids"]), reverse=True
    )
    profit = Fraction(0)
    while asks[0][0] < bids[0][0]:
        (ask, offered), (bid, wanted) = asks[0], bids[0]
        taken = min(offered, wanted)
        profit += (bid - ask) * taken
        asks[0], bids[0] = (ask, offered - taken), (bid, wanted - taken)
        asks, bids = asks[offered == taken :], bids[wanted == taken :]
    # The purchase is rounded up and the sale down: at most a unit each.
    assert 0 <= profit - Fraction(match.profit, 10**8) < Fraction(2, 10**8)
    assert round(Decimal(show_amount(match.profit)), 4) == Decimal("14962.6051")


def test_fees_steps_and_depth_by_hand() -> None:
    """0.06 BTC can be sold at prices that pay: 0.04 at 60,500 and 0.02 at 60,400, each less 0.26 %.

    To have 0.06 after a fee of 0.1 % of the coins, 0.06006006… must be bought; the step makes 0.06006 of it,
    of which 0.00006006 is the fee and 0.05999994 can be sold.
    Bought: 0.05 × 60,000 + 0.01006 × 60,010 = 3,603.7006.
    Sold: 0.04 × 60,500 + 0.01999994 × 60,400 = 3,627.996376, less the fee 9.4327905776, rounded up.
    """
    match = best_match(market("binance"), ASKS, market("kraken"), BIDS, MUCH, MUCH)
    assert match is not None
    assert show_amount(match.buy.amount) == "0.06006"
    assert show_amount(match.buy.brought) == show_amount(match.sell.amount) == "0.05999994"
    assert show_amount(match.buy.spent) == "3603.7006"
    assert show_amount(match.sell.brought) == "3618.56358542"
    assert show_amount(match.profit) == "14.86298542"
    assert (show_price(match.buy.limit), show_price(match.sell.limit)) == ("60010", "60400")
    assert refusal((match.buy, match.sell)) == ""


def test_the_other_way_round_nothing_pays() -> None:
    asks, bids = levels([("60500", "1")], dearest_first=False), levels([("60490", "1")], dearest_first=True)
    assert best_match(market("kraken"), asks, market("binance"), bids, MUCH, MUCH) is None


def test_an_edge_that_fees_eat_is_none() -> None:
    asks, bids = levels([("60000", "1")], dearest_first=False), levels([("60200", "1")], dearest_first=True)
    assert bids[0][0] > asks[0][0]
    assert best_match(market("binance"), asks, market("kraken"), bids, MUCH, MUCH) is None


def test_a_budget_and_a_stock_cap_the_size() -> None:
    by_budget = best_match(market("binance"), ASKS, market("kraken"), BIDS, read_amount("600"), MUCH)
    assert by_budget is not None
    assert show_amount(by_budget.buy.amount) == "0.01"
    assert by_budget.buy.spent <= read_amount("600")
    by_stock = best_match(market("binance"), ASKS, market("kraken"), BIDS, MUCH, read_amount("0.02"))
    assert by_stock is not None
    assert read_amount("0.0199") < by_stock.sell.amount <= read_amount("0.02")


def test_a_fee_on_top_is_part_of_the_budget() -> None:
    costly = market("kraken", fee_ppm=10_000)
    asks, bids = levels([("100", "50")], dearest_first=False), levels([("120", "50")], dearest_first=True)
    match = best_match(costly, asks, market("binance"), bids, read_amount("1010"), MUCH)
    assert match is not None
    assert (match.buy.spent, match.buy.amount) == (read_amount("1010"), read_amount("10"))


def test_a_coarse_step_where_it_is_sold_leaves_little_behind() -> None:
    coarse = market("kraken", amount_step=read_amount("0.01"))
    match = best_match(market("binance"), ASKS, coarse, BIDS, MUCH, MUCH)
    assert match is not None
    assert show_amount(match.sell.amount) == "0.05"
    assert 0 <= match.buy.brought - match.sell.amount < read_amount("0.00001")


def test_a_fee_in_a_third_coin_counts_against_the_profit_only() -> None:
    third = {"fee_in": "third", "fee_asset": "BNB"}
    match = best_match(market("binance", **third), ASKS, market("kraken", fee_ppm=0), BIDS, MUCH, MUCH)
    assert match is not None
    assert match.buy.brought == match.buy.amount == match.sell.amount
    assert match.profit == match.sell.brought - match.buy.spent - match.buy.market.fee(match.buy.spent)


def test_transfers_are_paid_by_the_trips_between_them() -> None:
    match = best_match(market("binance"), ASKS, market("kraken"), BIDS, MUCH, MUCH)
    assert match is not None
    # (0.0001 BTC at about 60,001.68 + 1 USDT) / 10
    cost = transfer_cost(match, read_amount("0.0001"), read_amount("1"), 10)
    assert show_amount(cost).startswith("0.70001")


offers = st.lists(st.tuples(st.integers(900, 1100), st.integers(1, 50)), min_size=1, max_size=6)


@settings(max_examples=100)
@given(offers, offers, st.sampled_from(["quote", "base", "received"]), st.sampled_from(["quote", "base", "received"]))
def test_no_other_size_makes_more(
    offered: list[tuple[int, int]], wanted: list[tuple[int, int]], buy_fee: str, sell_fee: str
) -> None:
    """Against every size in steps of a hundredth, priced one by one."""
    buy = market("a", fee_in=buy_fee, fee_ppm=10_000, amount_step=1, min_cost=0, min_amount=0)
    sell = market("b", fee_in=sell_fee, fee_ppm=20_000, amount_step=1, min_cost=0, min_amount=0)
    asks = levels([(str(price), str(amount)) for price, amount in offered], dearest_first=False)
    bids = levels([(str(price), str(amount)) for price, amount in wanted], dearest_first=True)
    match = best_match(buy, asks, sell, bids, MUCH, MUCH)
    best = 0 if match is None else match.profit
    most = sum(amount for _, amount in wanted)
    others = (
        best_match(buy, asks, sell, bids, MUCH, read_amount(str(share * most / 100))) for share in range(1, 101, 9)
    )
    assert best >= max((other.profit for other in others if other is not None), default=0) - 10
    if match is None:
        assert not terms_of(buy, sell).pays(asks[0][0], bids[0][0])
    else:
        assert match.profit > 0
