from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from orchestrator.access.top.rows import Row, Selection, TotalsByInstance, after, amounts

ROWS = [
    Row("api_services-001", "api_services", "ready", "127.0.0.1", 7801, 0, None),
    Row("api_services-002", "api_services", "failed", "127.0.0.1", 7802, 4, "12:00:00 PortTaken: 7802"),
    Row("crypto_arbitrage-001", "crypto_arbitrage", "ready", "127.0.0.1", 7803, 1, None),
    Row("crypto_arbitrage-002", "crypto_arbitrage", "paused", "127.0.0.1", 7804, 0, None),
]
MONEY = {
    "api_services-001": {"USD": Decimal("0.5")},
    "api_services-002": {"USD": Decimal(12), "BTC": Decimal(1)},
    "crypto_arbitrage-001": {"BTC": Decimal(9)},
}


def numbers(selection: Selection) -> list[int]:
    return [row.port - 7800 for row in selection.apply(ROWS, MONEY)]


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), [1, 2, 3, 4]),
        (Selection(descending=True), [4, 3, 2, 1]),
        (Selection(text="CRYPTO ready"), [3]),
        (Selection(text="porttaken"), [2]),
        (Selection(text=":7804"), [4]),
        (Selection(text="nothing has this"), []),
        (Selection(state="ready"), [1, 3]),
        (Selection(stream="api_services", state="failed"), [2]),
        (Selection(sort="state"), [2, 4, 1, 3]),
        (Selection(sort="restarts", descending=True), [2, 3, 1, 4]),
        (Selection(sort="net", descending=True), [2, 1, 3, 4]),
    ],
)
def test_a_selection_narrows_and_orders(selection: Selection, expected: list[int]) -> None:
    assert numbers(selection) == expected


def test_equal_rows_stay_in_order_of_their_ports() -> None:
    assert numbers(Selection(sort="restarts")) == [1, 4, 3, 2]


def test_the_same_order_again_is_the_other_way_round_and_money_begins_with_the_most() -> None:
    assert Selection().ordered_by("net") == Selection(sort="net", descending=True)
    assert Selection().ordered_by("net").ordered_by("net") == Selection(sort="net")
    assert Selection().ordered_by("state") == Selection(sort="state")


def test_choices_go_round_with_all_of_them_in_between() -> None:
    assert after(None, {"b", "a"}) == "a"
    assert after("a", {"b", "a"}) == "b"
    assert after("b", {"b", "a"}) is None
    assert after("gone", {"b", "a"}) is None
    assert after(None, set()) is None


def test_net_is_posted_income_less_cost_by_instance_and_asset() -> None:
    told = {
        "book": "paper",
        "items": [
            {"asset": "USD", "kind": "income", "state": "posted", "amount": "3.00", "instance": "a"},
            {"asset": "USD", "kind": "cost", "state": "posted", "amount": "0.50", "instance": "a"},
            {"asset": "USD", "kind": "income", "state": "pending", "amount": "99", "instance": "a"},
            {"asset": "BTC", "kind": "cost", "state": "posted", "amount": "0.00000001", "instance": "b"},
        ],
    }
    net = msgspec.convert(told, TotalsByInstance, strict=False).net()
    assert net == {"a": {"USD": Decimal("2.50")}, "b": {"BTC": Decimal("-0.00000001")}}
    assert amounts(net["b"]) == "-0.00000001 BTC"
    assert amounts({"BTC": Decimal(1), "USD": Decimal(2)}) == "2 USD, 1 BTC"
    assert amounts(None) == ""
