"""What fills mean for the books: nothing but what was sold earns or loses, and everything sums to zero."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.booking import Posting
from streams.crypto_arbitrage.amounts import read_amount
from streams.crypto_arbitrage.costing import Accounts, Costed, Holding, Holdings, cost_fill, ledger_cost, ledger_units
from streams.crypto_arbitrage.market import Side
from streams.crypto_arbitrage.order import Fee, Order, OrderReport
from streams.money import format_amount
from tests.streams.crypto_arbitrage.markets import market

ACCOUNTS = Accounts("crypto_arbitrage", "crypto_arbitrage-001")
NOW = datetime(2026, 11, 25, tzinfo=UTC)


def fill(
    holdings: Holdings,
    side: Side,
    filled: str,
    cost: str,
    *fees: tuple[str, str],
    venue: str = "binance",
    symbol: str = "BTC/USDT",
) -> Costed:
    order = Order("c" * 32, market(venue, symbol), side, read_amount(filled), 1)
    taken = tuple(Fee(asset, read_amount(units)) for asset, units in fees)
    report = OrderReport("c" * 32, "1", read_amount(filled), read_amount(cost), taken, NOW, b"{}")
    costed = cost_fill(ACCOUNTS, "USDT", holdings, order, report)
    assert_balanced(costed.postings)
    return costed


def assert_balanced(postings: tuple[Posting, ...]) -> None:
    sums: dict[str, int] = {}
    for posting in postings:
        sums[posting.asset] = sums.get(posting.asset, 0) + posting.units
    assert not any(sums.values())


def shown(costed: Costed) -> dict[str, str]:
    return {
        f"{posting.account.removesuffix(':crypto_arbitrage:crypto_arbitrage-001')} {posting.asset}": format_amount(
            posting.units, posting.asset
        )
        for posting in costed.postings
    }


def test_the_two_fills_of_the_page_by_hand() -> None:
    bought = fill({}, "buy", "0.01", "600", ("BTC", "0.00001"), venue="a")
    assert shown(bought) == {
        "asset:venue:a USDT": "-600.00",
        "asset:venue:a BTC": "0.00999000",
        "equity:trading BTC": "-0.00999000",
        "equity:trading USDT": "599.40",
        "cost:fee USDT": "0.60",
    }
    assert bought.income == 0
    sold = fill(bought.holdings, "sell", "0.00999", "605", ("USDT", "1.5"), venue="b")
    assert shown(sold) == {
        "asset:venue:b BTC": "-0.00999000",
        "equity:trading BTC": "0.00999000",
        "equity:trading USDT": "-599.40",
        "asset:venue:b USDT": "603.50",
        "cost:fee USDT": "1.50",
        "income USDT": "-5.60",
    }
    assert (sold.income, sold.fees) == (5_600_000, 1_500_000)
    assert sold.holdings == {}
    # 603.50 came, 600 went: 5.60 less 0.60 and 1.50.
    assert sold.income - sold.fees - bought.fees == 3_500_000


def test_a_loss_is_negative_income() -> None:
    bought = fill({}, "buy", "0.01", "600")
    sold = fill(bought.holdings, "sell", "0.01", "590")
    assert sold.income == -10_000_000
    assert shown(sold)["income USDT"] == "10.00"


def test_what_is_left_over_is_neither_profit_nor_loss() -> None:
    bought = fill({}, "buy", "0.01", "600")
    sold = fill(bought.holdings, "sell", "0.009", "549")
    assert sold.income == 9_000_000  # 549 for what has cost 540
    assert sold.holdings == {"BTC": Holding(read_amount("0.001"), 60_000_000)}


def test_coins_that_become_other_coins_keep_what_they_have_cost() -> None:
    btc = fill({}, "buy", "0.01", "600")
    eth = fill(btc.holdings, "buy", "0.2", "0.0098", ("ETH", "0.0002"), symbol="ETH/BTC")
    assert eth.income == 0
    assert eth.fees == 588_000  # a thousandth of 588
    assert eth.holdings == {
        "BTC": Holding(read_amount("0.0002"), 12_000_000),
        "ETH": Holding(read_amount("0.1998"), 587_412_000),
    }
    home = fill(eth.holdings, "sell", "0.1998", "600", symbol="ETH/USDT")
    assert home.income == 600_000_000 - 587_412_000


def test_a_fee_in_a_third_coin_is_a_cost_in_that_coin() -> None:
    assert shown(fill({}, "buy", "0.01", "600", ("BNB", "0.001"))) == {
        "asset:venue:binance USDT": "-600.00",
        "asset:venue:binance BTC": "0.01000000",
        "equity:trading BTC": "-0.01000000",
        "equity:trading USDT": "600.00",
        "asset:venue:binance BNB": "-0.00100000",
        "cost:fee BNB": "0.00100000",
    }


def test_a_fee_on_top_of_what_is_sold_is_a_cost_at_what_those_coins_have_cost() -> None:
    bought = fill({}, "buy", "0.0101", "606")
    sold = fill(bought.holdings, "sell", "0.01", "610", ("BTC", "0.0001"))
    assert (sold.income, sold.fees, sold.holdings) == (10_000_000, 6_000_000, {})


def test_what_is_finer_than_the_ledger_is_rounded_against_us() -> None:
    assert ledger_units(read_amount("1.23456789"), "USDT") == 1_234_567
    assert ledger_units(-read_amount("1.23456789"), "USDT") == -1_234_568
    assert ledger_cost(read_amount("1.23456701"), "USDT") == 1_234_568


amounts = st.integers(1, 10**9)
fills = st.lists(
    st.tuples(st.integers(1, 5 * 10**8), st.integers(10**4, 10**12), st.integers(0, 3), st.integers(0, 10**6)),
    min_size=1,
    max_size=8,
)


@settings(max_examples=100)
@given(fills)
def test_buying_and_then_selling_everything_earns_what_came_less_what_went(
    rows: list[tuple[int, int, int, int]],
) -> None:
    """Whatever the fees are in: no phantom profit, and at most a unit a posting of rounding against us."""
    holdings: Holdings = {}
    moved = net = roundings = 0
    for filled, cost, fee_kind, fee in rows:
        fee_asset = ("BTC", "USDT", "BTC", "USDT")[fee_kind]
        taken = (Fee(fee_asset, min(fee, (filled if fee_asset == "BTC" else cost) // 2)),)
        order = Order("c" * 32, market(), "buy", filled, 1)
        costed = cost_fill(ACCOUNTS, "USDT", holdings, order, OrderReport("c" * 32, "", filled, cost, taken, NOW, b""))
        assert_balanced(costed.postings)
        holdings, net = costed.holdings, net + costed.income - costed.fees
        moved -= cost + sum(each.units for each in taken if each.asset == "USDT")
        roundings += 2
    units = holdings["BTC"].units
    order = Order("d" * 32, market(), "sell", units, 1)
    last = cost_fill(ACCOUNTS, "USDT", holdings, order, OrderReport("d" * 32, "", units, 10**11, (), NOW, b""))
    assert_balanced(last.postings)
    assert last.holdings == {}
    truth = moved + 10**11  # in 10^-8
    assert -(roundings + 2) * 100 <= (net + last.income - last.fees) * 100 - truth <= 0
