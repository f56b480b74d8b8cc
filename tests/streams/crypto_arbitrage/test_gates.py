"""What keeps a fine price from being traded on: each gate alone, and a recorded clock that was behind."""

from __future__ import annotations

import csv
import gzip
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streams.crypto_arbitrage.amounts import read_amount, read_price
from streams.crypto_arbitrage.clock_offset import ClockOffset
from streams.crypto_arbitrage.gates import GateLimits, Sighting, refuse_edge, refuse_sightings
from streams.crypto_arbitrage.identity import AllowList, Identity
from streams.crypto_arbitrage.order_book import OrderBook
from tests.streams.crypto_arbitrage.markets import book, market

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
RECORDED = SHARED / "crypto" / "binance_3venue_bookticker" / "bookticker_20240808.csv.gz"

LIMITS = GateLimits(max_age_s=2.0, max_skew_s=0.5, max_still_s=30.0, max_clock_offset_s=1.0, max_edge_ppm=50_000)
NOW_S = 1000.0
WALL_MS = 1_700_000_000_000.0


def seen(received_s: float = NOW_S, moved_s: float = NOW_S, clock: ClockOffset | None = None, **more: Any) -> Sighting:
    bids, asks = more.pop("bids", [("99", "1")]), more.pop("asks", [("100", "1")])
    return Sighting(book(bids, asks, received_s=received_s, **more), moved_s, clock or ClockOffset())


def refused(*sightings: Sighting) -> str:
    return refuse_sightings(sightings, LIMITS, NOW_S, WALL_MS)


def test_two_fresh_books_pass() -> None:
    assert refused(seen(), seen(NOW_S - 0.4)) == ""


def test_a_stale_book_on_either_leg_is_refused() -> None:
    assert refused(seen(), seen(NOW_S - 2.1)) == refused(seen(NOW_S - 2.1), seen()) == "stale"


def test_books_received_too_far_apart_are_refused() -> None:
    assert refused(seen(), seen(NOW_S - 0.6)) == "skew"


def test_a_crossed_and_a_one_sided_book_are_refused() -> None:
    assert refused(seen(bids=[("100", "1")])) == "crossed"
    assert refused(seen(bids=[])) == "one_sided"


def test_a_book_that_answers_and_does_not_move_is_refused() -> None:
    assert refused(seen(moved_s=NOW_S - 31)) == "frozen"


def test_a_book_is_the_same_by_number_then_by_time_then_by_what_it_offers() -> None:
    one = book([("99", "1")], [("100", "1")])
    other = book([("99", "2")], [("100", "1")])
    assert not one.same_state(other)
    assert one.same_state(book([("99", "1"), ("98", "1")], [("100", "1"), ("101", "1")]))

    def with_time(ms: int, nonce: int | None = None) -> OrderBook:
        return book([("99", str(ms % 7 + 1))], [("100", "1")], venue_time_ms=ms, nonce=nonce)

    assert with_time(5, 1).same_state(with_time(6, 1))
    assert not with_time(5, 1).same_state(with_time(5, 2))
    assert not with_time(5).same_state(with_time(6))


def test_a_venue_that_says_its_book_is_old_is_believed() -> None:
    assert refused(seen(venue_time_ms=int(WALL_MS) - 2100)) == "stale"
    assert refused(seen(venue_time_ms=int(WALL_MS) - 1900)) == ""


def test_clocks_too_far_apart_are_refused_once_that_is_sure() -> None:
    clock = ClockOffset()
    clock.measure(WALL_MS + 1500, WALL_MS - 600, WALL_MS + 600)
    assert refused(seen(clock=clock)) == ""  # 1.5 s ± 0.6 s
    clock.measure(WALL_MS + 1500, WALL_MS - 10, WALL_MS + 10)
    assert refused(seen(clock=clock)) == "clock"


def test_a_clock_that_is_stepped_is_seen_at_the_next_measurement() -> None:
    clock = ClockOffset()
    for _ in range(8):
        clock.measure(WALL_MS, WALL_MS - 1, WALL_MS + 1)
    clock.measure(WALL_MS - 5_000, WALL_MS - 100, WALL_MS + 100)  # ours was put five seconds forward
    assert clock.best.offset_ms == -5_000
    assert refused(seen(clock=clock)) == "clock"


def test_a_venue_that_tells_whole_seconds_is_not_taken_for_slow() -> None:
    clock = ClockOffset(resolution_ms=1000)
    clock.measure(WALL_MS - 999, WALL_MS, WALL_MS)
    assert abs(clock.best.offset_ms) <= clock.best.uncertainty_ms
    assert not clock.beyond(0)


def test_an_edge_is_refused_where_it_is_thin_and_where_it_is_too_good() -> None:
    spent = read_amount("1000")
    assert refuse_edge(read_amount("0.1"), spent, 200, LIMITS) == "thin"
    assert refuse_edge(0, spent, 0, LIMITS) == "thin"
    assert refuse_edge(read_amount("1"), spent, 200, LIMITS) == ""
    assert refuse_edge(read_amount("110210"), spent, 200, LIMITS) == "sanity"


def test_the_same_ticker_for_another_coin_is_not_traded() -> None:
    trusted = AllowList()
    assert trusted.trusts(market("kraken"))
    assert trusted.trusts(market("binance"))
    assert not trusted.trusts(market("kraken", base_id="BTC2"))
    assert not trusted.trusts(market("binance", "LUNA/USDT"))
    assert AllowList([Identity("binance", "LUNA", "LUNA")]).trusts(market("binance", "LUNA/USDT"))
    assert not AllowList([Identity("kraken", "LUNA", "LUNA")]).trusts(market("binance", "LUNA/USDT"))


def test_a_recorded_local_clock_behind_the_venue_is_measured_and_books_are_judged_rightly() -> None:
    """The recording's local clock is some 1.27 s behind: by it, every book comes from the future."""
    if not RECORDED.exists():
        pytest.skip(f"{RECORDED} is not there")
    strict = LIMITS
    lenient = GateLimits(2.0, 0.5, 30.0, 3.0, 50_000)
    clock = ClockOffset()
    verdicts: dict[str, set[str]] = {"before": set(), "strict": set(), "lenient": set(), "held back": set()}
    negative = 0
    with gzip.open(RECORDED, "rt", newline="") as rows:
        dated = (row for row in csv.DictReader(rows) if row["exch_ts_ms"])
        for number, row in enumerate(islice(dated, 5000)):
            local_s, venue_ms = int(row["local_ts_ns"]) / 1e9, int(row["exch_ts_ms"])
            negative += local_s * 1e3 < venue_ms
            top = OrderBook(
                row["venue"],
                row["symbol"],
                ((read_price(row["bid"]), read_amount(row["bid_qty"])),),
                ((read_price(row["ask"]), read_amount(row["ask_qty"])),),
                received_s=local_s,
                venue_time_ms=venue_ms,
                nonce=int(row["update_id"]),
            )
            sighting = Sighting(top, local_s, clock)
            if number == 0:
                verdicts["before"].add(refuse_sightings([sighting], strict, local_s, local_s * 1e3))
                # As a venue's answer to "what time is it?" would be: it says what it said of this book.
                clock.measure(venue_ms, local_s * 1e3, local_s * 1e3)
            verdicts["strict"].add(refuse_sightings([sighting], strict, local_s, local_s * 1e3))
            verdicts["lenient"].add(refuse_sightings([sighting], lenient, local_s, local_s * 1e3))
            # The same book 2.5 s later, received again as if it were new: by the naive clock it is 1.2 s old.
            again = Sighting(msgspec.structs.replace(top, received_s=local_s + 2.5), local_s + 2.5, clock)
            verdicts["held back"].add(refuse_sightings([again], lenient, local_s + 2.5, local_s * 1e3 + 2500))
    assert negative == 5000
    assert 1200 < clock.best.offset_ms < 1300
    assert verdicts == {"before": {""}, "strict": {"clock"}, "lenient": {""}, "held back": {"stale"}}
