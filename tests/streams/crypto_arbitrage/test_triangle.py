"""Triangles: enumerated once, looked at as books change, walked at all three legs."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.crypto_arbitrage.amounts import read_amount, show_amount
from streams.crypto_arbitrage.conversion import realised
from streams.crypto_arbitrage.order_book import OrderBook
from streams.crypto_arbitrage.triangle import Triangle, TriangleBoard, best_round, triangles_of
from tests.streams.crypto_arbitrage.markets import book, market

SYMBOLS = ("BTC/USDT", "ETH/USDT", "ETH/BTC")
MARKETS = {symbol: market("binance", symbol) for symbol in SYMBOLS}
FREE = {symbol: market("binance", symbol, fee_ppm=0, amount_step=1) for symbol in SYMBOLS}


def books_with(eth_btc_ask: str, amount: str = "100") -> dict[str, OrderBook]:
    """Return books in which 60,000 × 0.05 = 3,000 is fair."""
    return {
        "BTC/USDT": book([("59990", "1")], [("60000", "0.02"), ("60010", "5")]),
        "ETH/USDT": book([("3000", "0.3"), ("2990", "50")], [("3001", "50")], symbol="ETH/USDT"),
        "ETH/BTC": book([("0.0485", amount)], [(eth_btc_ask, amount)], symbol="ETH/BTC"),
    }


def the_triangle(board: TriangleBoard) -> int:
    return [each.name for each in board.triangles].index("buy BTC/USDT, buy ETH/BTC, sell ETH/USDT")


def test_every_triangle_is_found_once_in_both_directions() -> None:
    found = triangles_of(MARKETS.values(), ["USDT"])
    assert sorted(each.name for each in found) == [
        "buy BTC/USDT, buy ETH/BTC, sell ETH/USDT",
        "buy ETH/USDT, sell ETH/BTC, sell BTC/USDT",
    ]
    assert len(triangles_of(MARKETS.values(), ["USDT", "BTC", "ETH"])) == 6
    assert triangles_of([MARKETS["BTC/USDT"], MARKETS["ETH/USDT"]], ["USDT"]) == ()


def test_a_board_says_which_triangles_may_pay_as_books_come() -> None:
    board = TriangleBoard(MARKETS, triangles_of(MARKETS.values(), ["USDT"]))
    books = books_with("0.0490")
    assert board.update(books["BTC/USDT"]) == board.update(books["ETH/USDT"]) == []
    assert board.update(books["ETH/BTC"]) == [the_triangle(board)] == board.paying()
    assert board.update(books_with("0.0499")["ETH/BTC"]) == []  # 0.2 % gross, 0.3 % in fees
    board.update(books["ETH/BTC"])
    board.forget("ETH/BTC")
    assert board.paying() == []


def test_a_round_is_sized_along_all_three_depths_by_hand() -> None:
    """Without fees: 0.02 BTC at 60,000, then 60,010; ETH at 0.049 BTC; 0.3 ETH sold at 3,000, then 2,990.

    At 60,000 × 0.049 = 2,940 and at 60,010 × 0.049 = 2,940.49 an ETH pays at 3,000 and at 2,990. The budget of
    3,000 ends it: 0.02 BTC for 1,200, and 1,800 more at 60,010 buys 0.02999500 BTC, 0.049995 in all.
    That buys 1.02030612 ETH; 0.3 bring 900, and 0.72030612 bring 2,153.7152988.
    """
    triangle = Triangle("USDT", triangles_of(FREE.values(), ["USDT"])[0].hops)
    assert triangle.name == "buy BTC/USDT, buy ETH/BTC, sell ETH/USDT"
    books = books_with("0.0490")
    legs = best_round(
        triangle,
        [books[hop.symbol] for hop in triangle.hops],
        [FREE[hop.symbol] for hop in triangle.hops],
        3000 * 10**8,
    )
    assert legs is not None
    assert [show_amount(leg.amount) for leg in legs] == ["0.049995", "1.02030612", "1.02030612"]
    assert show_amount(legs[2].brought) == "3053.71529880"[:-1]
    spent = read_amount("1200") + read_amount("1799.99995")
    assert legs[0].spent == spent
    # What 0.00000000012 BTC too little was spent for stays at its cost, so the profit is at least the difference.
    assert 0 <= realised(legs) - (legs[2].brought - spent) < read_amount("0.001")


def test_a_round_ends_where_the_prices_do_not_pay() -> None:
    triangle = triangles_of(FREE.values(), ["USDT"])[0]
    books = books_with("0.0499", amount="2")  # 60,000 × 0.0499 = 2,994 pays at 3,000 only
    legs = best_round(
        triangle,
        [books[hop.symbol] for hop in triangle.hops],
        [FREE[hop.symbol] for hop in triangle.hops],
        10**6 * 10**8,
    )
    assert legs is not None
    assert read_amount("0.2999") < legs[2].amount <= read_amount("0.3")
    assert realised(legs) > 0


prices = st.integers(950, 1050)
depths = st.lists(st.integers(1, 30), min_size=3, max_size=3)


@settings(max_examples=60, deadline=None)
@given(prices, prices, prices, depths, depths)
def test_the_first_look_never_misses_a_round_that_pays(
    p: int, q: int, r: int, first: list[int], second: list[int]
) -> None:
    books = {
        "BTC/USDT": book([(str(p * 60 - 6), "1")], [(str(p * 60), str(first[0] / 1000)), (str(p * 60 + 20), "1")]),
        "ETH/USDT": book(
            [(str(q * 3), str(first[1] / 10)), (str(q * 3 - 5), "9")], [(str(q * 3 + 1), "9")], symbol="ETH/USDT"
        ),
        "ETH/BTC": book(
            [(f"0.0{r * 5 - 9:05}", "9")],
            [(f"0.0{r * 5:05}", str(second[0] / 10)), (f"0.0{r * 5 + 9:05}", "9")],
            symbol="ETH/BTC",
        ),
    }
    board = TriangleBoard(MARKETS, triangles_of(MARKETS.values(), ["USDT"]))
    for each in books.values():
        board.update(each)
    for number, triangle in enumerate(board.triangles):
        hops = [books[hop.symbol] for hop in triangle.hops]
        markets = [MARKETS[hop.symbol] for hop in triangle.hops]
        legs = best_round(triangle, hops, markets, read_amount("500"))
        if legs is not None and realised(legs) > 0:
            assert number in board.paying()
        if number not in board.paying():
            assert legs is None
