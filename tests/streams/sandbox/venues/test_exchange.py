"""The matching: exact in every unit, by price and then by time, and nothing is made or lost."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.sandbox.venues.balances import FEES, MARKET, Balance
from streams.sandbox.venues.exchange import Exchange, Placed
from streams.sandbox.venues.listings import BINANCE, KRAKEN, VenueTerms
from streams.sandbox.venues.market.feed import Ladder, Ladders, Rung, Side
from streams.sandbox.venues.order import (
    DuplicateClientId,
    InsufficientFunds,
    NewOrder,
    NoSuchOrder,
    OrderRefused,
    TooSmall,
    WouldTake,
)

ANN, BEN = "ann", "ben"
USDT, BTC = 10**6, 10**8

# Bids of 1 BTC at 99.00 and 98.00, asks of 1 BTC at 101.00 and 2 BTC at 102.00 (Binance: ticks of a cent, 10,000
# lots a BTC).
LADDERS = Ladders(
    Ladder((Rung(9900, 10_000, 0), Rung(9800, 10_000, 1)), epoch=1),
    Ladder((Rung(10_100, 10_000, 0), Rung(10_200, 20_000, 1)), epoch=1),
)
NOTHING = Ladders(Ladder((), epoch=1), Ladder((), epoch=1))


def exchange_of(terms: VenueTerms = BINANCE) -> Exchange:
    exchange = Exchange(terms)
    for account in (ANN, BEN):
        exchange.deposit(account, "USDT", 1_000 * USDT)
        exchange.deposit(account, "BTC", 10 * BTC)
    return exchange


def order(side: Side, lots: int, ticks: int = 0, account: str = ANN, **fields: object) -> NewOrder:
    new = NewOrder(
        account=account,
        symbol="BTC/USDT",
        side=side,
        kind="limit" if ticks else "market",
        time_in_force="gtc" if ticks else "ioc",
        ticks=ticks,
        lots=lots,
    )
    return msgspec.structs.replace(new, **fields)


def place(exchange: Exchange, new: NewOrder, ladders: Ladders = LADDERS) -> Placed:
    return exchange.place(new, ladders, at_ms=1)


def test_a_limit_order_takes_the_best_first_pays_each_price_and_rests_with_what_is_left() -> None:
    exchange = exchange_of()
    placed = place(exchange, order("buy", 25_000, 10_150))
    assert [(trade.ticks, trade.lots) for trade in placed.trades] == [(10_100, 10_000)]
    assert (placed.order.status, placed.order.filled_lots, placed.order.cost_units) == ("open", 10_000, 101 * USDT)
    # 1 BTC less 0.1 %; 101 USDT paid; 1.5 BTC at 101.50 are promised.
    assert exchange.balances.of(ANN, "BTC") == Balance(free=10 * BTC + 99_900_000)
    assert exchange.balances.of(ANN, "USDT") == Balance(free=746_750_000, held=152_250_000)
    assert exchange.balances.of(FEES, "BTC") == Balance(free=100_000)


def test_immediate_or_cancel_leaves_nothing_behind() -> None:
    exchange = exchange_of()
    placed = place(exchange, order("buy", 25_000, 10_150, time_in_force="ioc"))
    assert (placed.order.status, placed.order.filled_lots) == ("expired", 10_000)
    assert exchange.balances.of(ANN, "USDT").held == 0
    assert exchange.resting.of(ANN) == []


def test_fill_or_kill_takes_all_or_nothing() -> None:
    exchange = exchange_of()
    killed = place(exchange, order("buy", 30_001, 10_200, account=BEN, time_in_force="fok"))
    assert (killed.order.status, killed.order.filled_lots, killed.trades) == ("expired", 0, ())
    assert list(exchange.offers("BTC/USDT", "buy", LADDERS.asks)) == [(10_100, 10_000), (10_200, 20_000)]
    exchange.deposit(BEN, "USDT", 1)
    filled = place(exchange, order("sell", 20_000, 9800, account=BEN, time_in_force="fok"))
    assert (filled.order.status, filled.order.filled_lots) == ("filled", 20_000)
    assert filled.order.cost_units == 197 * USDT


def test_a_fee_in_the_quote_asset_comes_on_top_of_a_purchase_and_off_a_sale() -> None:
    exchange = exchange_of(KRAKEN)
    # Kraken: ticks of ten cents, 100,000 lots a BTC.
    ladders = Ladders(Ladder((Rung(990, 100_000, 0),), 1), Ladder((Rung(1010, 100_000, 0),), 1))
    place(exchange, order("buy", 100_000, 1010), ladders)
    assert exchange.balances.of(ANN, "USDT").free == 1_000 * USDT - 101 * USDT - 262_600
    assert exchange.balances.of(ANN, "BTC").free == 11 * BTC
    place(exchange, order("sell", 100_000, 990, account=BEN), ladders)
    assert exchange.balances.of(BEN, "USDT").free == 1_000 * USDT + 99 * USDT - 257_400
    assert exchange.balances.of(FEES, "USDT").free == 262_600 + 257_400


def test_a_fee_is_rounded_up_to_a_whole_unit() -> None:
    assert KRAKEN.fee_units(1, maker=False) == 1
    assert BINANCE.fee_units(1000, maker=False) == 1
    assert BINANCE.fee_units(1001, maker=False) == 2


def test_depth_that_was_taken_stays_gone_until_it_is_offered_anew() -> None:
    exchange = exchange_of()
    place(exchange, order("buy", 3_000))
    place(exchange, order("buy", 3_000))
    assert next(exchange.offers("BTC/USDT", "buy", LADDERS.asks)) == (10_100, 4_000)
    place(exchange, order("buy", 9_000))
    assert list(exchange.offers("BTC/USDT", "buy", LADDERS.asks)) == [(10_200, 15_000)]
    anew = Ladder(LADDERS.asks.rungs, epoch=2)
    assert list(exchange.offers("BTC/USDT", "buy", anew)) == [(10_100, 10_000), (10_200, 20_000)]


def test_only_what_is_visible_fills() -> None:
    exchange = exchange_of()
    placed = place(exchange, order("sell", 90_000))
    assert (placed.order.status, placed.order.filled_lots) == ("expired", 20_000)
    placed = place(exchange, order("sell", 1))
    assert (placed.order.status, placed.order.filled_lots) == ("expired", 0)


def test_a_market_order_by_cost_takes_what_its_budget_pays_for() -> None:
    exchange = exchange_of()
    placed = place(exchange, order("buy", 0, budget_units=152 * USDT))
    assert (
        placed.order.cost_units
        <= 152 * USDT
        < placed.order.cost_units + BINANCE.listings["BTC/USDT"].cost_units(10_200, 1)
    )
    assert placed.order.lots == placed.order.filled_lots == 15_000
    assert placed.order.status == "filled"
    with pytest.raises(TooSmall):
        place(exchange, order("buy", 0, budget_units=1))


def test_the_better_price_goes_first_and_of_equal_ones_the_older() -> None:
    exchange = exchange_of()
    exchange.deposit("eve", "USDT", 1_000 * USDT)
    exchange.deposit("eve", "BTC", 10 * BTC)
    cases: list[tuple[Side, Side, list[int]]] = [
        ("sell", "buy", [10_060, 10_050, 10_050, 10_040]),
        ("buy", "sell", [9_940, 9_950, 9_950, 9_960]),
    ]
    for rests, takes, prices in cases:
        first, *others = (
            place(exchange, order(rests, 100, ticks, account=account)).order.id
            for account, ticks in zip((ANN, BEN, ANN, ANN), prices, strict=True)
        )
        exchange.changes()
        placed = place(exchange, order(takes, 350, prices[0], account="eve"))
        changes = exchange.changes()
        assert [trade.ticks for trade in placed.trades] == sorted(prices, reverse=rests == "buy")
        makers = [trade.order_id for trade in changes.trades if trade.maker]
        assert makers == [others[2], others[0], others[1], first]
        left = exchange.resting.get(first)
        assert left is not None
        assert left.left_lots == 50
        exchange.cancel(ANN, first, 2)


def test_the_makers_were_there_first_at_the_same_price() -> None:
    exchange = exchange_of()
    place(exchange, order("sell", 100, 10_100, account=BEN))
    placed = place(exchange, order("buy", 10_050, 10_100))
    assert [trade.lots for trade in placed.trades] == [10_000, 50]
    assert list(exchange.offers("BTC/USDT", "buy", LADDERS.asks)) == [(10_100, 50), (10_200, 20_000)]


def test_an_order_that_rests_is_taken_when_prices_come_to_it_at_its_own_price_as_maker() -> None:
    exchange = exchange_of(KRAKEN)
    resting = place(exchange, order("buy", 50_000, 1000), NOTHING).order
    come_down = Ladders(Ladder((Rung(990, 9, 0),), 2), Ladder((Rung(995, 20_000, 0), Rung(1001, 90_000, 1)), 2))
    exchange.settle("BTC/USDT", come_down, 5)
    trade = exchange.changes().trades[-1]
    assert (trade.ticks, trade.lots, trade.maker, trade.at_ms) == (1000, 20_000, True, 5)
    assert trade.fee_units == 32_000  # 0.16 % of 20 USDT
    left = exchange.resting.get(resting.id)
    assert left is not None
    assert left.left_lots == 30_000
    exchange.settle("BTC/USDT", come_down, 6)
    assert exchange.changes().trades == [], "what was taken is gone"


def test_a_cancellation_frees_what_was_held_and_happens_once() -> None:
    exchange = exchange_of(KRAKEN)
    resting = place(exchange, order("buy", 100_000, 900)).order
    assert exchange.balances.of(ANN, "USDT").held == 90 * USDT + 234_000
    with pytest.raises(NoSuchOrder):
        exchange.cancel(BEN, resting.id, 2)
    ended = exchange.cancel(ANN, resting.id, 2)
    assert (ended.status, ended.reason) == ("canceled", "user")
    assert exchange.balances.of(ANN, "USDT") == Balance(1_000 * USDT)
    with pytest.raises(NoSuchOrder):
        exchange.cancel(ANN, resting.id, 3)


def test_what_is_held_cannot_be_spent_again() -> None:
    exchange = exchange_of()
    place(exchange, order("buy", 70_000, 9_000))
    with pytest.raises(InsufficientFunds):
        place(exchange, order("buy", 50_000, 9_000))
    with pytest.raises(InsufficientFunds):
        place(exchange, order("sell", 100_001, 20_000))
    assert len(exchange.resting.of(ANN)) == 1


def test_an_order_has_to_be_covered_at_its_worst_price_whatever_it_would_pay() -> None:
    exchange = exchange_of()
    with pytest.raises(InsufficientFunds):
        place(exchange, order("buy", 10_000, 100_001, time_in_force="ioc"))
    assert place(exchange, order("buy", 10_000, 100_000, time_in_force="ioc")).order.cost_units == 101 * USDT


def test_a_name_is_an_accounts_own_and_free_again_when_its_order_has_ended() -> None:
    exchange = exchange_of()
    first = place(exchange, order("buy", 100, 9_000, client_id="a")).order
    with pytest.raises(DuplicateClientId):
        place(exchange, order("buy", 100, 9_000, client_id="a"))
    place(exchange, order("buy", 100, 9_000, account=BEN, client_id="a"))
    exchange.cancel(ANN, first.id, 2)
    again = place(exchange, order("buy", 100, 9_000, client_id="a")).order
    assert exchange.resting.by_name(ANN, "a") == again


def test_nobody_trades_with_himself() -> None:
    binance, kraken = exchange_of(BINANCE), exchange_of(KRAKEN)
    mine = place(binance, order("sell", 100, 10_000), NOTHING).order
    placed = place(binance, order("buy", 100, 10_000), NOTHING)
    assert placed.order.status == "open", "Binance takes the older one away"
    assert binance.changes().orders[mine.id].reason == "self_trade"
    mine = place(kraken, order("sell", 100, 1_000), NOTHING).order
    placed = place(kraken, order("buy", 100, 1_000), NOTHING)
    assert (placed.order.status, placed.order.reason) == ("expired", "self_trade"), "Kraken the newer one"
    assert kraken.resting.get(mine.id) is not None


def test_an_order_that_is_only_to_rest_is_refused_where_it_would_take() -> None:
    exchange = exchange_of()
    with pytest.raises(WouldTake):
        place(exchange, order("buy", 100, 10_100, post_only=True))
    assert place(exchange, order("buy", 100, 10_099, post_only=True)).order.status == "open"


def test_whoever_is_faster_takes_the_best_away() -> None:
    exchange = exchange_of()
    exchange.take_away("BTC/USDT", "buy", LADDERS.asks, 1)
    assert place(exchange, order("buy", 100, 10_100, time_in_force="ioc")).order.filled_lots == 0


# -- what always holds ----------------------------------------------------------------------------------------------

orders = st.builds(
    order,
    side=st.sampled_from(["buy", "sell"]),
    lots=st.integers(1, 1_500),
    ticks=st.one_of(st.just(0), *[st.integers(9_890, 10_110)] * 5),
    account=st.sampled_from([ANN, BEN]),
    client_id=st.sampled_from(["", "x", "y"]),
)
steps = st.lists(
    st.one_of(
        *[st.tuples(st.just("place"), orders, st.sampled_from(["gtc", "gtc", "gtc", "ioc", "fok"]))] * 5,
        st.tuples(st.just("settle"), st.integers(-60, 60), st.integers(1, 3)),
        st.tuples(st.just("cancel"), st.sampled_from([ANN, BEN]), st.integers(0, 5)),
    ),
    min_size=5,
    max_size=40,
)


@settings(max_examples=80, deadline=None)
@given(st.sampled_from([BINANCE, KRAKEN]), steps)
def test_nothing_is_made_or_lost_and_nobody_owes(terms: VenueTerms, steps: list[tuple[object, ...]]) -> None:
    scale = 1 if terms is BINANCE else 10
    exchange = Exchange(terms)
    for account in (ANN, BEN):
        exchange.deposit(account, "USDT", 60 * USDT)
        exchange.deposit(account, "BTC", BTC // 2)
    ladders = moved_ladders(0, 1, scale)
    for kind, *rest in steps:
        if kind == "place":
            new, time = rest
            assert isinstance(new, NewOrder)
            if new.kind == "limit":
                new = msgspec.structs.replace(new, time_in_force=time, ticks=new.ticks // scale)
            try:
                placed = exchange.place(new, ladders, 1)
            except OrderRefused:
                continue
            check_placed(new, placed)
        elif kind == "settle":
            moved, epoch = rest
            assert isinstance(moved, int)
            assert isinstance(epoch, int)
            ladders = moved_ladders(moved, epoch, scale)
            exchange.settle("BTC/USDT", ladders, 2)
        else:
            owner, index = (str(each) for each in rest)
            mine = exchange.resting.of(owner)
            if mine:
                exchange.cancel(owner, mine[int(index) % len(mine)].id, 3)
        check(exchange, terms)


def moved_ladders(moved: int, epoch: int, scale: int) -> Ladders:
    def shift(ladder: Ladder) -> Ladder:
        rungs = tuple(Rung((rung.ticks + moved) // scale, rung.lots // 7, rung.index) for rung in ladder.rungs)
        return Ladder(rungs, epoch)

    return Ladders(shift(LADDERS.bids), shift(LADDERS.asks))


def check_placed(new: NewOrder, placed: Placed) -> None:
    prices = [trade.ticks for trade in placed.trades]
    assert prices == sorted(prices, reverse=new.side == "sell"), "the best price first"
    if new.kind == "limit":
        assert all(price <= new.ticks if new.side == "buy" else price >= new.ticks for price in prices)
    assert sum(trade.lots for trade in placed.trades) == placed.order.filled_lots <= new.lots
    if new.time_in_force == "fok" and new.kind == "limit":
        assert placed.order.filled_lots in (0, new.lots)


def check(exchange: Exchange, terms: VenueTerms) -> None:
    totals: dict[str, int] = {}
    held: dict[tuple[str, str], int] = {}
    for account, asset, balance in exchange.balances.rows():
        totals[asset] = totals.get(asset, 0) + balance.total
        if account != MARKET:
            assert balance.free >= 0
            assert balance.held >= 0
        if balance.held:
            held[account, asset] = balance.held
    assert set(totals.values()) == {0}, "what one gains another loses"
    promised: dict[tuple[str, str], int] = {}
    listing = terms.listings["BTC/USDT"]
    for open_order in (*exchange.resting.of(ANN), *exchange.resting.of(BEN)):
        units, what = listing.base_units(open_order.left_lots), "BTC"
        if open_order.side == "buy":
            cost = listing.cost_units(open_order.ticks, open_order.left_lots)
            units, what = cost if terms.fee_on_received else cost + terms.fee_units(cost, maker=False), "USDT"
        promised[open_order.account, what] = promised.get((open_order.account, what), 0) + units
    assert held == promised, "what is held is what open orders need, no more and no less"
    resting = (*exchange.resting.of(ANN), *exchange.resting.of(BEN))
    bids = [each.ticks for each in resting if each.side == "buy"]
    asks = [each.ticks for each in resting if each.side == "sell"]
    assert not bids or not asks or max(bids) < min(asks), "whatever could have met has met"
