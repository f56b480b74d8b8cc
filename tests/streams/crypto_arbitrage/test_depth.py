"""Depth walks: what a size costs, to the unit."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.crypto_arbitrage.amounts import read_amount, read_price
from streams.crypto_arbitrage.depth import walk, walk_budget
from tests.streams.crypto_arbitrage.markets import levels

ASKS = levels([("100", "1"), ("101", "2"), ("105", "10")], dearest_first=False)


def test_a_walk_takes_level_after_level() -> None:
    found = walk(ASKS, read_amount("2.5"))
    assert found.complete
    assert found.exact_cost == read_price("1") * read_amount("251.5")
    assert found.worst == read_price("101")


def test_a_walk_says_when_the_book_ends_first() -> None:
    found = walk(ASKS, read_amount("20"))
    assert (found.amount, found.complete) == (read_amount("13"), False)


def test_nothing_is_found_in_an_empty_book() -> None:
    assert walk((), 5).amount == walk_budget((), 5).amount == 0


def test_a_budget_buys_what_it_pays_for() -> None:
    found = walk_budget(ASKS, read_price("1") * read_amount("201"))
    assert (found.amount, found.worst) == (read_amount("2"), read_price("101"))


sides = st.lists(st.tuples(st.integers(1, 10**18), st.integers(1, 10**10)), max_size=8).map(
    lambda rows: tuple(sorted(rows))
)


@settings(max_examples=100)
@given(sides, st.integers(0, 10**11))
def test_what_a_budget_buys_costs_no_more_and_one_unit_more_would(
    side: tuple[tuple[int, int], ...], amount: int
) -> None:
    cost = walk(side, amount).exact_cost
    bought = walk_budget(side, cost)
    assert bought.exact_cost <= cost
    assert bought.amount == walk(side, amount).amount
    one_more = walk(side, bought.amount + 1)
    assert not one_more.complete or one_more.exact_cost > cost
