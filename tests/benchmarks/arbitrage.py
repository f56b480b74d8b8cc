"""Arbitrage: triangles a tick and a book update to its decision, beside a loop over ccxt's dicts and networkx."""

from __future__ import annotations

import gc
import math
import random
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from time import perf_counter_ns
from typing import Any, Final

import msgspec
import networkx  # type: ignore[import-untyped]

from streams.crypto_arbitrage.amounts import PRICE_ONE, read_amount, show_amount, show_price
from streams.crypto_arbitrage.conversion import realised
from streams.crypto_arbitrage.cross_venue import best_match, terms_of
from streams.crypto_arbitrage.market import Market
from streams.crypto_arbitrage.order_book import OrderBook
from streams.crypto_arbitrage.triangle import TriangleBoard, best_round, triangles_of
from tests.benchmarks.figure import Figure

TRIANGLES: Final = 300
LEVELS: Final = 20
ROUNDS: Final = 7
UPDATES: Final = 2_000
FEE_PPM: Final = 1_000
BUDGET: Final = read_amount("600")
SHIFTED_SHARE: Final = 0.02
"""Of the updates, those that make a market pay: far more than any real one has."""

CCXT: Final = "a loop over ccxt's dicts, in floats, best prices only"
NETWORKX: Final = "networkx, negative cycle over the same markets"


class Scene(msgspec.Struct, frozen=True):
    """Markets of one venue, the triangles over them, and books that move."""

    markets: dict[str, Market]
    board: TriangleBoard
    books: dict[str, OrderBook]
    updates: list[OrderBook]


def run() -> list[Figure]:
    """Measure each in turns with its peers."""
    scene = _scene(random.Random(7))
    tickers = {symbol: _ticker(book) for symbol, book in scene.books.items()}
    paths = [[(hop.symbol, hop.side) for hop in triangle.hops] for triangle in scene.board.triangles]
    gc.collect()
    gc.freeze()
    try:
        look_ms: list[float] = []
        all_ms: list[float] = []
        ccxt_ms: list[float] = []
        networkx_ms: list[float] = []
        walked_ms: list[float] = []
        for _ in range(ROUNDS):
            look_ms.append(_per_call_ms(scene.board.paying, 200))
            all_ms.append(_per_call_ms(lambda: _tick(scene), 50))
            ccxt_ms.append(_per_call_ms(lambda: _ccxt_loop(tickers, paths), 20))
            networkx_ms.append(_per_call_ms(lambda: _networkx(tickers), 1))
            walked_ms.append(_per_call_ms(lambda: _walk_all(scene), 1))
        ours_us = _updates_us(scene)
        theirs_us = _ccxt_updates_us(scene, tickers, paths)
        across_us = _across_us(scene)
    finally:
        gc.unfreeze()
    count = len(scene.board.triangles)
    return [
        Figure(
            f"{count} triangles re-evaluated",
            median(look_ms),
            "ms",
            {CCXT: median(ccxt_ms), NETWORKX: median(networkx_ms)},
            f"< 2 ms; < 1 × {CCXT}",
        ),
        Figure(
            f"the same after all {len(scene.books)} books were taken up anew",
            median(all_ms),
            "ms",
            {NETWORKX: median(networkx_ms)},
            "< 2 ms",
        ),
        Figure(
            f"all {count} walked down three books of {LEVELS} levels, paying or not",
            median(walked_ms),
            "ms",
            {},
            "for information: only those that pay by their best prices are",
        ),
        Figure(
            "a book update to its decision, p50",
            _quantile(ours_us, 0.5) / 1e3,
            "ms",
            {CCXT: _quantile(theirs_us, 0.5) / 1e3},
            "for information",
        ),
        Figure(
            f"a book update to its decision, p99 ({SHIFTED_SHARE:.0%} of updates pay and are walked)",
            _quantile(ours_us, 0.99) / 1e3,
            "ms",
            {CCXT: _quantile(theirs_us, 0.99) / 1e3},
            "< 1 ms",
        ),
        Figure(
            f"two books of {LEVELS} levels to the best size across venues, p99",
            _quantile(across_us, 0.99) / 1e3,
            "ms",
            {},
            "< 1 ms",
        ),
    ]


# -- ours -------------------------------------------------------------------------------------------------------------


def _tick(scene: Scene) -> int:
    """Take up every market's book, and look at every triangle."""
    looked, paying = scene.board.update_all(scene.books.values())
    return looked + len(paying)


def _walk_all(scene: Scene) -> int:
    found = 0
    for triangle in scene.board.triangles:
        hops = triangle.hops
        legs = best_round(
            triangle, [scene.books[hop.symbol] for hop in hops], [scene.markets[hop.symbol] for hop in hops], BUDGET
        )
        found += legs is not None and realised(legs) > 0
    return found


def _decide(scene: Scene, books: dict[str, OrderBook], update: OrderBook) -> int:
    """Take up one book, look at the triangles through it, and price those that may pay."""
    books[update.symbol] = update
    best = 0
    for number in scene.board.update(update):
        triangle = scene.board.triangles[number]
        legs = best_round(
            triangle,
            [books[hop.symbol] for hop in triangle.hops],
            [scene.markets[hop.symbol] for hop in triangle.hops],
            BUDGET,
        )
        if legs is not None:
            best = max(best, realised(legs))
    return best


def _updates_us(scene: Scene) -> list[float]:
    books = dict(scene.books)
    return [_once_us(partial(_decide, scene, books, update)) for update in scene.updates]


def _across_us(scene: Scene) -> list[float]:
    """Price the same market on two venues, at prices that pay over the whole depth."""
    here = scene.markets["A00/USDT"]
    there = msgspec.structs.replace(here, venue="other", fee_in="quote")
    terms, took = terms_of(here, there), []
    for update in scene.updates:
        bids = tuple((price * 102 // 100, amount) for price, amount in update.bids)

        def price(asks: Any = update.asks, bids: Any = bids) -> bool:
            return (
                terms.pays(asks[0][0], bids[0][0]) and best_match(here, asks, there, bids, BUDGET, BUDGET) is not None
            )

        took.append(_once_us(price))
    return took


# -- the others -------------------------------------------------------------------------------------------------------


def _ccxt_loop(tickers: dict[str, dict[str, Any]], paths: Sequence[Sequence[tuple[str, str]]]) -> int:
    """Go over all triangles as the examples that come with ccxt do: unified tickers, floats, one by one."""
    found = 0
    for path in paths:
        amount = 1.0
        for symbol, side in path:
            ticker = tickers[symbol]
            if side == "buy":
                amount = amount / ticker["ask"] * (1 - FEE_PPM / 1e6)
            else:
                amount = amount * ticker["bid"] * (1 - FEE_PPM / 1e6)
        if amount > 1.0:
            found += 1
    return found


def _ccxt_updates_us(scene: Scene, tickers: dict[str, Any], paths: Sequence[Sequence[tuple[str, str]]]) -> list[float]:
    tickers = dict(tickers)

    def decide(update: OrderBook) -> int:
        tickers[update.symbol] = _ticker(update)
        return _ccxt_loop(tickers, paths)

    return [_once_us(partial(decide, update)) for update in scene.updates[:400]]


def _networkx(tickers: dict[str, dict[str, Any]]) -> bool:
    """Make the graph of logarithms and look for a negative cycle, as its users do."""
    graph = networkx.DiGraph()
    for symbol, ticker in tickers.items():
        base, _, quote = symbol.partition("/")
        graph.add_edge(quote, base, weight=-math.log((1 - FEE_PPM / 1e6) / ticker["ask"]))
        graph.add_edge(base, quote, weight=-math.log((1 - FEE_PPM / 1e6) * ticker["bid"]))
    return bool(networkx.negative_edge_cycle(graph))


# -- the scene --------------------------------------------------------------------------------------------------------


def _scene(rng: random.Random) -> Scene:
    """Make as many coins, priced in USDT and in each other, as it takes for the triangles."""
    worths = {"USDT": 1.0}
    markets: dict[str, Market] = {}
    while len(triangles_of(markets.values(), ["USDT"])) < TRIANGLES:
        coin = f"A{len(worths) - 1:02}"
        worth = 10 ** rng.uniform(-1, 4)
        for quote in ("USDT", *[each for each in worths if each != "USDT" and worths[each] > worth]):
            markets[f"{coin}/{quote}"] = _market(coin, quote)
        worths[coin] = worth
    triangles = triangles_of(markets.values(), ["USDT"])[:TRIANGLES]
    used = {hop.symbol for triangle in triangles for hop in triangle.hops}
    books = {symbol: _book(symbol, worths, rng, 1.0) for symbol in sorted(used)}
    board = TriangleBoard(markets, triangles)
    board.update_all(books.values())
    symbols = sorted(used)
    updates = [
        _book(rng.choice(symbols), worths, rng, 1.006 if rng.random() < SHIFTED_SHARE else 1.0) for _ in range(UPDATES)
    ]
    return Scene(markets, board, books, updates)


def _market(base: str, quote: str) -> Market:
    return Market(
        venue="venue",
        symbol=f"{base}/{quote}",
        base=base,
        quote=quote,
        base_id=base,
        quote_id=quote,
        amount_step=1_000,
        price_tick=PRICE_ONE // 10**8,
        min_amount=1_000,
        min_cost=100_000,
        fee_ppm=FEE_PPM,
        fee_in="received",
    )


def _book(symbol: str, worths: dict[str, float], rng: random.Random, shift: float) -> OrderBook:
    base, _, quote = symbol.partition("/")
    middle = worths[base] / worths[quote] * shift * rng.uniform(0.9997, 1.0003)
    rungs = [(1.0002 + 0.0002 * level, rng.uniform(50, 500) / worths[base]) for level in range(LEVELS)]

    def levels(prices: Sequence[float]) -> tuple[tuple[int, int], ...]:
        return tuple(
            (round(price * 10**8) * (PRICE_ONE // 10**8), round(amount * 10**8))
            for price, (_, amount) in zip(prices, rungs, strict=True)
        )

    return OrderBook(
        "venue",
        symbol,
        levels([middle / step for step, _ in rungs]),
        levels([middle * step for step, _ in rungs]),
        0.0,
    )


def _ticker(book: OrderBook) -> dict[str, Any]:
    """Return a ticker as ccxt gives it."""
    bid, ask = book.bids[0], book.asks[0]
    return {
        "symbol": book.symbol,
        "bid": float(show_price(bid[0])),
        "bidVolume": float(show_amount(bid[1])),
        "ask": float(show_price(ask[0])),
        "askVolume": float(show_amount(ask[1])),
    }


def _per_call_ms(call: Callable[[], object], times: int) -> float:
    began = perf_counter_ns()
    for _ in range(times):
        call()
    return (perf_counter_ns() - began) / times / 1e6


def _once_us(call: Callable[[], object]) -> float:
    began = perf_counter_ns()
    call()
    return (perf_counter_ns() - began) / 1e3


def _quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
