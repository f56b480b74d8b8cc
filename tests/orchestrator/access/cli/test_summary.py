from __future__ import annotations

from typing import Any

from orchestrator.access.cli.summary import amounts, compose

STATUS = {
    "state": "running",
    "mode": "sandbox",
    "uptime_s": 61,
    "version": "1",
    "pid": 7,
    "cpu_percent": 3.0,
    "memory_bytes": 230_000_000,
    "memory_percent": 0.9,
    "services": {"up": 11, "total": 11},
    "instances": {
        "active": 99,
        "total": 100,
        "by_state": {"ready": 99, "failed": 1},
        "by_stream": dict.fromkeys(
            ("affiliate_marketing", "api_services", "content_monetization", "crypto_arbitrage", "data_harvesting"), 20
        ),
    },
    "books": {"paper": dict.fromkeys(("BTC", "ETH", "EUR", "GBP", "USD", "USDT"), "1.00"), "live": {}},
    "gateway": {"url": "http://127.0.0.1:7800", "listening": True, "detail": ""},
    "home": "/h",
    "log_file": "/h/log/automate.jsonl",
}


def total(stream: str, asset: str, kind: str, amount: str, state: str = "posted") -> dict[str, str]:
    return {"stream": stream, "asset": asset, "kind": kind, "amount": amount, "state": state}


PAPER = {
    "items": [
        total("crypto_arbitrage", "BTC", "income", "0.00006473"),
        total("crypto_arbitrage", "BTC", "cost", "0.00003510"),
        total("affiliate_marketing", "USD", "income", "66.45"),
        total("affiliate_marketing", "GBP", "income", "35.00"),
        total("affiliate_marketing", "EUR", "income", "20.18", "pending"),
        total("gone", "USD", "income", "1.00"),
    ]
}
SIDES = [{"name": name} for name in ("venue.kraken", "site.jobs", "venue.binance", "network.acme")]


def told(sides: Any = SIDES) -> dict[str, str]:
    return {name.strip(): value for name, value in compose(STATUS, {"paper": PAPER, "live": {"items": []}}, sides)}


def test_five_streams_and_six_assets_fit_on_one_screen() -> None:
    lines = sum(value.count("\n") + 1 for value in told().values())
    assert lines <= 24


def test_each_stream_tells_its_instances_and_its_own_net_by_book() -> None:
    lines = told()["by stream"].splitlines()
    assert lines[0] == "20 affiliate_marketing   paper 66.45 USD, 35.00 GBP"
    assert lines[1] == "20 api_services"
    assert lines[3] == "20 crypto_arbitrage      paper 0.00002963 BTC"
    assert lines[5] == " 0 gone                  paper 1.00 USD"


def test_far_sides_are_counted_by_kind() -> None:
    assert told()["far sides"].startswith("1 network, 1 site, 2 venues ")
    assert told([])["far sides"] == "none"
    assert "busy" in told("the paper world is busy")["far sides"]
    assert "far sides" not in told(None)


def test_amounts_are_never_added_together_and_dollars_come_first() -> None:
    assert amounts({"BTC": "1", "USD": "2"}) == "2 USD, 1 BTC"
    assert amounts({}) == "nothing yet"
    assert amounts(dict.fromkeys("ABCDE", "1")) == "1 A, 1 B, 1 C, 1 D,\n1 E"
