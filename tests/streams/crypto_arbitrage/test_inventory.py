"""What lies on an account, and who has spoken for it."""

from __future__ import annotations

import pytest

from streams.crypto_arbitrage.inventory import AlreadyReserved, Inventory, InventoryShort


def stocked() -> Inventory:
    inventory = Inventory("binance")
    assert inventory.read({"USDT": 1000, "BTC": 50}, inventory.moves)
    return inventory


def test_two_trips_cannot_reserve_the_same() -> None:
    inventory = stocked()
    inventory.reserve("one", {"USDT": 700})
    with pytest.raises(InventoryShort, match="300 units of USDT free, 301 are wanted"):
        inventory.reserve("two", {"BTC": 10, "USDT": 301})
    assert inventory.free("BTC") == 50  # all or nothing
    inventory.reserve("two", {"USDT": 300})
    inventory.release("one")
    assert inventory.free("USDT") == 700


def test_a_trip_reserves_once_and_a_market_is_one_trips_at_a_time() -> None:
    inventory = stocked()
    inventory.reserve("one", {"USDT": 1}, ("BTC/USDT",))
    with pytest.raises(AlreadyReserved):
        inventory.reserve("one", {"USDT": 1})
    with pytest.raises(AlreadyReserved, match="BTC/USDT"):
        inventory.reserve("two", {"USDT": 1}, ("ETH/USDT", "BTC/USDT"))
    assert not inventory.claimed("ETH/USDT")
    inventory.release("one")
    inventory.release("one")
    assert not inventory.claimed("BTC/USDT")


def test_what_a_trip_brings_in_is_not_free_for_others_before_it_is_over() -> None:
    inventory = stocked()
    inventory.reserve("one", {"USDT": 700})
    inventory.sent("one-0", 0.0)
    inventory.traded("one", "one-0", {"USDT": -600, "BTC": 10})
    assert inventory.balances() == {"USDT": 400, "BTC": 60}
    assert (inventory.free("USDT"), inventory.free("BTC")) == (300, 50)
    inventory.release("one")
    assert (inventory.free("USDT"), inventory.free("BTC")) == (400, 60)


def test_figures_of_the_venue_that_may_be_older_than_a_trade_are_not_taken_up() -> None:
    inventory = stocked()
    asked_at = inventory.moves
    inventory.sent("one-0", 0.0)
    inventory.traded("one", "one-0", {"USDT": -600})
    assert not inventory.read({"USDT": 1000}, asked_at)
    assert inventory.read({"USDT": 401}, inventory.moves)
    assert inventory.balances() == {"USDT": 401}


def test_figures_are_not_taken_up_while_an_order_is_on_its_way_for_they_may_have_it_or_not() -> None:
    inventory = stocked()
    inventory.sent("one-0", 5.0)
    assert not inventory.read({"USDT": 400, "BTC": 60}, inventory.moves)
    inventory.traded("one", "one-0", {"USDT": -600, "BTC": 10})
    assert inventory.balances() == {"USDT": 400, "BTC": 60}  # once
    assert not inventory.stale

    inventory.sent("two-0", 6.0)
    inventory.gone("two-0")
    assert inventory.read({"USDT": 400, "BTC": 60}, inventory.moves)


def test_a_fill_of_an_order_that_a_former_life_sent_is_not_counted_on_top_of_figures_that_may_have_it() -> None:
    inventory = stocked()
    inventory.reserve("one", {"USDT": 700})
    inventory.traded("one", "one-0", {"USDT": -600, "BTC": 10})
    assert inventory.balances() == {"USDT": 1000, "BTC": 50}
    assert inventory.stale
    assert inventory.reservations() == {"one": {"USDT": 100, "BTC": 10}}
    assert inventory.read({"USDT": 1000, "BTC": 50}, inventory.moves)
    assert not inventory.stale


def test_an_order_that_nobody_ends_is_not_waited_for_for_ever() -> None:
    inventory = stocked()
    inventory.sent("one-0", 5.0)
    inventory.forget(5.0)
    assert not inventory.read({}, inventory.moves)
    inventory.forget(6.0)
    assert inventory.read({"USDT": 400}, inventory.moves)
    inventory.traded("one", "one-0", {"USDT": -600})
    assert inventory.stale
