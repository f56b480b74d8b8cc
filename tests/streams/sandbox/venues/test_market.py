"""The market itself: one seeded process, two venues that follow it, and the rare moment in which one does not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import permutations

import pytest

from streams.sandbox.venues.exchange import Exchange
from streams.sandbox.venues.listings import BINANCE, KRAKEN, Listing, VenueTerms
from streams.sandbox.venues.market.dice import MILLION, Dice
from streams.sandbox.venues.market.fair_prices import STEP_MS, FairPrices
from streams.sandbox.venues.market.feed import Dislocations, Feed, Ladders, slot_steps_of

A_WEEK_STEPS = 7 * 24 * 3600 * 1000 // STEP_MS
TWENTY_MINUTES = range(A_WEEK_STEPS, A_WEEK_STEPS + 2400)
BOTH = [symbol for symbol in BINANCE.listings if symbol in KRAKEN.listings]


def feed(terms: VenueTerms, seed: int = 7) -> Feed:
    return Feed(seed, terms, FairPrices(seed))


def test_the_same_seed_and_moment_look_the_same_however_they_are_come_to() -> None:
    walked = feed(KRAKEN)
    seen = [walked.ladders("ETH/BTC", step) for step in range(400, 500)]
    assert feed(KRAKEN).ladders("ETH/BTC", 499) == seen[-1]


def test_another_seed_is_another_market() -> None:
    assert feed(BINANCE, 7).ladders("BTC/USDT", 1000) != feed(BINANCE, 8).ladders("BTC/USDT", 1000)


def test_what_was_drawn_once_stays_drawn() -> None:
    # Recorded when this was written: a change of the process is a change of every test and record that cites a seed.
    best = feed(BINANCE, 7).ladders("BTC/USDT", 123_456)
    assert (best.bids.rungs[0].ticks, best.asks.rungs[0].ticks) == (6604688, 6605482)


def test_prices_of_years_can_be_asked_for_at_once_and_stay_within_bounds() -> None:
    prices = FairPrices(3)
    for year in range(1, 30):
        worth = prices.at(year * 63_072_000)
        assert FairPrices.base_of("BTC") // 2 < worth["BTC"] < FairPrices.base_of("BTC") * 2
        assert abs(worth["USDT"] - FairPrices.base_of("USDT")) < FairPrices.base_of("USDT") // 100


def test_prices_move_like_a_market_from_second_to_second() -> None:
    prices = FairPrices(5)
    moves = []
    for step in TWENTY_MINUTES[:600]:
        before, after = prices.at(step)["BTC"], prices.at(step + 1)["BTC"]
        moves.append(abs(after - before) * MILLION // before)
    assert 10 < sum(moves) / len(moves) < 200, "millionths per half second"
    assert max(moves) < 1000


def test_the_cross_rates_fit_each_other() -> None:
    middle = {symbol: feed(BINANCE, 5).middle_ppm_ticks(symbol, 77) for symbol in ("ETH/BTC", "ETH/USDT", "BTC/USDT")}
    crossed = middle["ETH/USDT"] * 10**5 // middle["BTC/USDT"]
    assert abs(crossed * MILLION - middle["ETH/BTC"]) * 1000 < middle["ETH/BTC"], "within a tenth of a percent"


@pytest.mark.parametrize("terms", [BINANCE, KRAKEN], ids=["binance", "kraken"])
def test_no_book_is_ever_crossed_or_out_of_order(terms: VenueTerms) -> None:
    makers = feed(terms)
    for symbol in terms.listings:
        for step in range(0, 4000, 97):
            ladders = makers.ladders(symbol, step)
            bids = [rung.ticks for rung in ladders.bids.rungs]
            asks = [rung.ticks for rung in ladders.asks.rungs]
            assert bids[0] < asks[0]
            assert bids == sorted(set(bids), reverse=True)
            assert asks == sorted(set(asks))
            assert all(rung.lots > 0 for rung in (*ladders.bids.rungs, *ladders.asks.rungs))


def cost_ppm(listing: Listing, ladders: Ladders, fee_ppm: int) -> tuple[int, int]:
    """Return what one base asset costs, and what it brings, in millionths of a quote asset, after fees."""
    scale = 10**listing.price_decimals
    ask, bid = ladders.asks.rungs[0].ticks, ladders.bids.rungs[0].ticks
    return ask * (MILLION + fee_ppm) * 1000 // scale, bid * (MILLION - fee_ppm) * 1000 // scale


def opportunities(step: int, binance: Feed, kraken: Feed) -> Iterator[str]:
    """Yield the pairs that can be bought on one venue and sold on the other for more, after fees."""
    for symbol in BOTH:
        buy_b, sell_b = cost_ppm(BINANCE.listings[symbol], binance.ladders(symbol, step), BINANCE.taker_ppm)
        buy_k, sell_k = cost_ppm(KRAKEN.listings[symbol], kraken.ladders(symbol, step), KRAKEN.taker_ppm)
        if sell_k > buy_b or sell_b > buy_k:
            yield symbol


def triangles(step: int, makers: Feed) -> int:
    """Return how many ways lead through three pairs of Binance back to more than one began with."""
    rates: dict[tuple[str, str], float] = {}
    for symbol, listing in BINANCE.listings.items():
        buy, sell = cost_ppm(listing, makers.ladders(symbol, step), BINANCE.taker_ppm)
        rates[listing.quote, listing.base] = 1e9 / buy
        rates[listing.base, listing.quote] = sell / 1e9
    assets = sorted({asset for pair in rates for asset in pair})
    return sum(
        rates.get((a, b), 0) * rates.get((b, c), 0) * rates.get((c, a), 0) > 1
        for a, b, c in permutations(assets, 3)
        if a == min(a, b, c)
    )


def test_most_moments_honestly_yield_nothing_and_some_do() -> None:
    prices = FairPrices(7)
    binance, kraken, dislocations = Feed(7, BINANCE, prices), Feed(7, KRAKEN, prices), Dislocations(7)
    moments = with_cross = with_triangle = 0
    for step in TWENTY_MINUTES[::6]:
        moments += 1
        found = list(opportunities(step, binance, kraken))
        ways = triangles(step, binance)
        with_cross += bool(found)
        with_triangle += bool(ways)
        if found or ways:
            dislocation = dislocations.at(step)
            assert dislocation is not None, "nothing is to be had but where makers have lost their way"
            assert not found or found == [dislocation.symbol]
    assert 0.03 < with_cross / moments < 0.2
    assert 0.02 < with_triangle / moments < 0.2


def test_a_dislocation_comes_every_ten_to_fifteen_seconds_and_lasts_one_to_four() -> None:
    dislocations = Dislocations(7)
    found = {each.number: each for step in range(12_000) if (each := dislocations.at(step)) is not None}
    seconds_apart = 12_000 * STEP_MS / 1000 / len(found)
    assert 10 < seconds_apart < 15
    assert {(each.end_step - each.first_step) * STEP_MS for each in found.values()} <= set(range(1000, 4001, 500))
    places = {(each.venue, each.symbol) for each in found.values()}
    assert len(places) == len(BINANCE.listings) + len(KRAKEN.listings)
    assert {each.shift_ppm > 0 for each in found.values()} == {True, False}


@pytest.mark.parametrize(("visits_per_minute", "seconds"), [(15.0, 11.0), (120.0, 4.0), (1.5, 110.0), (0.001, 120.0)])
def test_a_world_with_more_visitors_is_a_livelier_market(visits_per_minute: float, seconds: float) -> None:
    slot_steps = slot_steps_of(visits_per_minute)
    assert slot_steps * STEP_MS / 1000 == seconds
    dislocations = Dislocations(7, slot_steps)
    found = {each.number for step in range(slot_steps * 40) if (each := dislocations.at(step)) is not None}
    assert len(found) > 30


def test_a_book_costs_less_than_a_millisecond() -> None:
    makers, exchange = feed(BINANCE), Exchange(BINANCE)
    started = time.process_time()
    for step in range(400):
        ladders = makers.ladders("BTC/USDT", step)
        list(exchange.offers("BTC/USDT", "buy", ladders.asks))
        list(exchange.offers("BTC/USDT", "sell", ladders.bids))
    assert (time.process_time() - started) / 400 < 0.001


def test_dice_are_even_and_bells_are_bells() -> None:
    dice = Dice(1)
    bells = [dice.bell(str(each)) for each in range(4000)]
    mean = sum(bells) / len(bells)
    deviation = (sum((each - mean) ** 2 for each in bells) / len(bells)) ** 0.5
    assert abs(mean) < 0.06 * MILLION
    assert abs(deviation - MILLION) < 0.05 * MILLION
    assert 1800 < sum(dice.chance(500_000, f"c{each}") for each in range(4000)) < 2200
    assert {dice.between(3, 5, f"b{each}") for each in range(100)} == {3, 4, 5}
