"""The machine of a trip's legs: every way through it, without a venue."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from streams.crypto_arbitrage.amounts import read_amount, read_price, show_amount
from streams.crypto_arbitrage.order import Fee, Order, OrderReport
from streams.crypto_arbitrage.plan import Leg, Plan
from streams.crypto_arbitrage.trip import (
    Ask,
    Begin,
    Finish,
    LookAgain,
    NotPlaced,
    OutOfTurn,
    Over,
    SecondLook,
    Send,
    TimeUp,
    Trip,
    Unclear,
    step,
)
from tests.streams.crypto_arbitrage.markets import market

NOW = datetime(2026, 11, 25, tzinfo=UTC)
BUY = Leg(market("binance"), "buy", read_amount("0.01"), read_price("60000"))
SELL = Leg(market("kraken"), "sell", read_amount("0.00999"), read_price("60500"))
ACROSS = Plan(
    "a" * 32, "buy BTC/USDT on binance, sell on kraken", "USDT", (BUY, SELL), read_amount("600"), 1, NOW, 10.0
)
ROUND = Plan(
    "b" * 32,
    "round",
    "USDT",
    (
        BUY,
        Leg(market("binance", "ETH/BTC"), "buy", read_amount("0.2"), read_price("0.049")),
        Leg(market("binance", "ETH/USDT"), "sell", read_amount("0.1998"), read_price("3000")),
    ),
    read_amount("600"),
    1,
    NOW,
    10.0,
)


def report(order: Order, filled: str, cost: str, *fees: tuple[str, str]) -> OrderReport:
    taken = tuple(Fee(asset, read_amount(units, "up")) for asset, units in fees)
    return OrderReport(order.client_id, "venue-1", read_amount(filled), read_amount(cost), taken, NOW, b"{}")


def begun(plan: Plan = ACROSS) -> tuple[Trip, Order]:
    trip, command = step(Trip(plan), Begin())
    assert isinstance(command, Send)
    return trip, command.order


def bought(filled: str = "0.01") -> tuple[Trip, Order]:
    """Leg 1 of the trip across venues is filled, less a fee of 0.1 % of the coins."""
    trip, order = begun()
    trip, command = step(trip, Over(report(order, filled, "600", ("BTC", str(float(filled) / 1000)))))
    assert isinstance(command, Send)
    return trip, command.order


def test_a_trip_sends_leg_after_leg_and_is_done() -> None:
    trip, order = bought()
    assert (order.market, order.side, show_amount(order.amount)) == (SELL.market, "sell", "0.00999")
    trip, command = step(trip, Over(report(order, "0.00999", "604", ("USDT", "1.5"))))
    assert command == Finish("done", {})
    assert trip.over


def test_the_second_leg_is_sized_by_what_the_first_brought() -> None:
    _, order = bought("0.004")
    assert show_amount(order.amount) == "0.003996"


def test_a_first_leg_that_gets_nothing_ends_the_trip() -> None:
    trip, order = begun()
    assert step(trip, Over(report(order, "0", "0")))[1] == Finish("missed", {})
    assert step(trip, NotPlaced("no money"))[1] == Finish("missed", {})


def test_an_order_of_unknown_outcome_is_asked_about_and_nothing_else_happens() -> None:
    trip, order = begun()
    trip, command = step(trip, Unclear("timed out"))
    assert command == Ask(order)
    assert step(trip, Unclear("still nothing"))[1] == Ask(order)
    with pytest.raises(OutOfTurn):
        step(trip, TimeUp())
    _, command = step(trip, Over(report(order, "0.01", "600")))
    assert isinstance(command, Send)


def test_a_second_leg_that_fails_is_unwound_after_a_second_look() -> None:
    trip, order = bought()
    trip, command = step(trip, Over(report(order, "0", "0")))
    assert command == LookAgain("BTC", read_amount("0.00999"))
    back = Leg(BUY.market, "sell", read_amount("0.00999"), read_price("59900"))
    trip, command = step(trip, SecondLook(back))
    assert isinstance(command, Send)
    assert command.order.client_id == ACROSS.order_id(2)
    trip, command = step(trip, Over(report(command.order, "0.005", "299.5")))
    assert command == LookAgain("BTC", read_amount("0.00499"))
    trip, command = step(trip, SecondLook(None))
    assert command == LookAgain("BTC", read_amount("0.00499"))
    assert step(trip, TimeUp())[1] == Finish("residual", {"BTC": read_amount("0.00499")})


def test_an_unwinding_that_sells_everything_ends_the_trip() -> None:
    trip, _ = bought()
    trip, command = step(trip, NotPlaced("the market is closed"))
    back = Leg(BUY.market, "sell", read_amount("0.00999"), read_price("59900"))
    trip, command = step(trip, SecondLook(back))
    assert isinstance(command, Send)
    assert step(trip, Over(report(command.order, "0.00999", "598")))[1] == Finish("unwound", {})


def test_what_is_too_little_for_an_order_is_left() -> None:
    trip, order = bought()
    dust = read_amount("0.00005")  # 3 USDT, and 5 are the least
    _, command = step(trip, Over(report(order, "0.00994", "601")))
    assert command == Finish("done", {"BTC": dust})


def test_a_fill_too_small_for_the_second_leg_is_a_residual() -> None:
    trip, order = begun()
    _, command = step(trip, Over(report(order, "0.00005", "3")))
    assert command == Finish("residual", {"BTC": read_amount("0.00005")})


def test_a_round_that_breaks_in_the_middle_unwinds_both_coins() -> None:
    trip, order = begun(ROUND)
    trip, command = step(trip, Over(report(order, "0.01", "600", ("BTC", "0.00001"))))
    assert isinstance(command, Send)
    # No more than what was brought can be spent: 0.00999 / 0.049, in steps.
    assert show_amount(command.order.amount) == "0.2"
    trip, command = step(trip, Over(report(command.order, "0.1", "0.0049", ("ETH", "0.0001"))))
    assert isinstance(command, Send)
    assert show_amount(command.order.amount) == "0.0999"
    trip, command = step(trip, Over(report(command.order, "0", "0")))
    assert command == LookAgain("BTC", read_amount("0.00509"))
    trip, command = step(trip, SecondLook(Leg(BUY.market, "sell", read_amount("0.00509"), read_price("59000"))))
    assert isinstance(command, Send)
    trip, command = step(trip, Over(report(command.order, "0.00509", "300")))
    assert command == LookAgain("ETH", read_amount("0.0999"))


def test_events_out_of_turn_are_defects() -> None:
    trip, order = begun()
    for event in (
        Begin(),
        SecondLook(None),
        Over(report(msgspec.structs.replace(order, client_id="c" * 32), "1", "1")),
    ):
        with pytest.raises(OutOfTurn):
            step(trip, event)
    over, _ = step(trip, NotPlaced(""))
    with pytest.raises(OutOfTurn):
        step(over, Begin())


def test_order_ids_follow_from_the_plan_and_differ() -> None:
    ids = {plan.order_id(number) for plan in (ACROSS, ROUND) for number in range(20)}
    assert len(ids) == 40
    assert all(len(each) == 32 and int(each, 16) >= 0 for each in ids)


def test_a_plan_reserves_what_is_spent_before_others_bring_it() -> None:
    assert ACROSS.wants() == {"binance": {"USDT": read_amount("600")}, "kraken": {"BTC": read_amount("0.00999")}}
    assert ROUND.wants() == {"binance": {"USDT": read_amount("600")}}
    assert ROUND.symbols() == {"binance": ("BTC/USDT", "ETH/BTC", "ETH/USDT")}
