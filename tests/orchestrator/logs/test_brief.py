from __future__ import annotations

import pytest

from orchestrator.logs.brief import brief_fields, brief_value

LONG = "tx_beb331fad3448194c4b75b5a767a61d6"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("text", "text"),
        (3, "3"),
        (0.05, "0.05"),
        (True, "yes"),
        (None, "-"),
        ([], "-"),
        ({}, "-"),
        (["a", 1], "a, 1"),
        ({"XRP": "0.9", "BTC": ["x"]}, "XRP 0.9, BTC x"),
        (LONG, "tx_beb331fa…"),
        (LONG[3:], "beb331fa…"),
        ("rollout-0001", "rollout-0001"),
        ("a\x1b[2J\n", "a\\x1b[2J\\n"),
        ({"\x07": "\u202e"}, "\\x07 \\u202e"),
    ],
)
def test_values_are_told_as_people_write_them(value: object, told: str) -> None:
    assert brief_value(value) == told


def test_ids_stay_whole_where_they_are_to_be_copied() -> None:
    assert brief_fields({"transaction": LONG, "left": [LONG]}, whole_ids=True) == {"transaction": LONG, "left": LONG}


def test_what_an_instance_implies_is_not_told() -> None:
    of_one = {"instance": "api_services-001", "stream": "api_services", "actor": "/instances/api_services-001", "n": 1}
    assert brief_fields(of_one) == {"instance": "api_services-001", "n": "1"}
    visitor = {"instance": "api_services-001", "stream": "content", "actor": "/visitors/api_services-001"}
    assert brief_fields(visitor) == visitor
    assert brief_fields({"stream": "api_services"}) == {"stream": "api_services"}


def test_money_is_told_with_its_asset_behind_it() -> None:
    assert brief_fields({"amounts": {"USD": "0.05", "BTC": "-0.1"}}) == {"amounts": "0.05 USD, -0.1 BTC"}
    assert brief_fields({"amounts": {}}) == {"amounts": "-"}
