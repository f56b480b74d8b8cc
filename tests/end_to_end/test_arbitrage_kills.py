"""`kill -9` while orders are under way: what the venues say was traded and what the ledger says agree, to the unit."""

from __future__ import annotations

import json
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from streams.crypto_arbitrage.journal import JOURNAL_FILE
from streams.money import format_amount
from streams.sandbox.venues.customers import FLEET
from streams.sandbox.venues.kraken.shapes import txid
from streams.sandbox.venues.listings import BINANCE, KRAKEN
from streams.sandbox.venues.order import Trade
from streams.sandbox.venues.world import deposits_of
from tests.end_to_end.conftest import MakeDaemon
from tests.end_to_end.daemon_process import DaemonProcess

KILLS: Final = 2
TRADERS: Final = 3
TRADE_WITHIN_S: Final = 12.0
TRIP_S: Final = 0.12
"""About as long as a trip takes: a kill within it finds an order under way, or one leg of two filled."""

VENUES: Final = {"binance": BINANCE, "kraken": KRAKEN}
Moved = dict[tuple[str, str], Decimal]
"""What came to the fleet's account, by venue and asset."""


@pytest.mark.timeout(120)  # three lives of a daemon; on a busy machine each takes its time
def test_after_kills_in_the_middle_of_trades_every_fill_is_booked_exactly_once(make_daemon: MakeDaemon) -> None:
    pytest.importorskip("ccxt")
    daemon = make_daemon(
        instances=TRADERS, sandbox_calls_per_minute=120, streams={"crypto_arbitrage": {"count": TRADERS}}
    ).start()
    _act(daemon, "crypto_arbitrage-003", "halt")
    _wait_for_a_fill(daemon)
    caught = Counter[str]()
    for _ in range(KILLS):
        caught[_kill_in_a_trade(daemon)] += 1
        daemon.start()
    _wait_until_reconciled(daemon)

    halted = daemon.call("fleet.get", {"id": "crypto_arbitrage-003"})["details"]
    assert halted["switch"]["halted"], "the kill switch was closed by a restart"
    assert daemon.call("ledger.verify")["ok"]
    assert not [line for line in daemon.log() if line["level"] in ("error", "critical") if not _is_halt(line)]
    inventory = {
        venue: daemon.call("fleet.get", {"id": "crypto_arbitrage-001"})["details"]["venues"][venue] for venue in VENUES
    }
    fills = {entry["evidence"]["external_id"]: entry for entry in _fills(daemon)}
    assert len(fills) == len(list(_fills(daemon))), "an order was booked twice"
    daemon.stop()

    trades = {venue: list(_trades(daemon.home, venue)) for venue in VENUES}
    assert fills.keys() == {_order(venue, trade) for venue in VENUES for trade in trades[venue]}
    print(f"killed {dict(caught)}; {len(fills)} orders were filled")
    assert _booked(fills.values()) == _traded(trades)
    for venue in VENUES:
        assert not inventory[venue]["reserved"]
        assert {asset: Decimal(amount) for asset, amount in inventory[venue]["inventory"].items()} == _account(
            daemon.home, venue
        )
        deposits = deposits_of(VENUES[venue])[FLEET]
        for asset, held in _account(daemon.home, venue).items():
            moved = _booked(fills.values()).get((venue, asset), Decimal())
            assert held == Decimal(format_amount(deposits[asset], asset)) + moved, (venue, asset)


def _kill_in_a_trade(daemon: DaemonProcess) -> str:
    """Kill at a random moment of the next trip, and return the journal's last word by then."""
    files = [daemon.home / "instances" / f"crypto_arbitrage-{n + 1:03d}" / JOURNAL_FILE for n in range(TRADERS)]
    until = time.monotonic() + TRADE_WITHIN_S
    while not (busy := [file for file in files if _last(file) == "sending"]):
        assert time.monotonic() < until, f"no order within {TRADE_WITHIN_S:g} s"
        time.sleep(0.002)
    time.sleep(random.uniform(0, TRIP_S))
    daemon.kill9()
    return _last(busy[0])


def _wait_for_a_fill(daemon: DaemonProcess) -> None:
    until = time.monotonic() + TRADE_WITHIN_S
    while not any(_fills(daemon)):
        assert time.monotonic() < until, f"no fill within {TRADE_WITHIN_S:g} s"
        time.sleep(0.05)


def _last(file: Path) -> str:
    lines = file.read_bytes().split(b"\n")[:-1]
    return str(json.loads(lines[-1])["type"])


def _wait_until_reconciled(daemon: DaemonProcess) -> None:
    """Have nobody begin anything, and wait until nothing is under way or owed."""
    names = [f"crypto_arbitrage-{n + 1:03d}" for n in range(TRADERS)]
    for name in names:
        _act(daemon, name, "halt")
    until = time.monotonic() + 15
    while open_ := [
        (name, details["trip"], details["unbooked"])
        for name in names
        if (details := daemon.call("fleet.get", {"id": name})["details"])["trip"] or details["unbooked"]
    ]:
        assert time.monotonic() < until, f"not reconciled: {open_}"
        time.sleep(0.1)


def _act(daemon: DaemonProcess, instance: str, action: str) -> None:
    daemon.call("fleet.act", {"id": instance, "action": action, "arguments": {}})


def _is_halt(line: dict[str, object]) -> bool:
    return line["event"] == "trading.halted" and line["reason"] == "by hand"


def _fills(daemon: DaemonProcess) -> Iterator[dict[str, Any]]:
    return (entry for entry in daemon.entries() if entry["evidence"]["kind"] == "venue.fill")


def _booked(entries: Iterable[dict[str, Any]]) -> Moved:
    moved: Moved = {}
    for entry in entries:
        for posting in entry["postings"]:
            kind, _, rest = posting["account"].partition(":venue:")
            if kind == "asset":
                place = (rest.partition(":")[0], posting["asset"])
                moved[place] = moved.get(place, Decimal()) + Decimal(posting["amount"])
    return {place: amount for place, amount in moved.items() if amount}


def _traded(trades: dict[str, list[Trade]]) -> Moved:
    moved: Moved = {}
    for venue, each_of in trades.items():
        for trade in each_of:
            listing, sign = VENUES[venue].listings[trade.symbol], 1 if trade.side == "buy" else -1
            changes = (
                (listing.base, sign * Decimal(trade.lots).scaleb(-listing.lot_decimals)),
                (listing.quote, -sign * Decimal(format_amount(trade.cost_units, listing.quote))),
                (trade.fee_asset, -Decimal(format_amount(trade.fee_units, trade.fee_asset))),
            )
            for asset, amount in changes:
                moved[venue, asset] = moved.get((venue, asset), Decimal()) + amount
    return {place: amount for place, amount in moved.items() if amount}


def _order(venue: str, trade: Trade) -> str:
    return f"{venue}:{txid('O', trade.order_id) if venue == 'kraken' else trade.order_id}"


def _trades(home: Path, venue: str) -> Iterator[Trade]:
    decoder = msgspec.msgpack.Decoder(Trade)
    with sqlite3.connect(home / "state" / "sandbox" / "crypto_arbitrage" / f"{venue}.sqlite3") as store:
        rows = store.execute("SELECT body FROM trades WHERE account = ?", (FLEET,)).fetchall()
    store.close()
    return (decoder.decode(body) for (body,) in rows)


def _account(home: Path, venue: str) -> dict[str, Decimal]:
    with sqlite3.connect(home / "state" / "sandbox" / "crypto_arbitrage" / f"{venue}.sqlite3") as store:
        rows = store.execute("SELECT asset, free, held FROM balances WHERE account = ?", (FLEET,)).fetchall()
    store.close()
    assert not any(held for _, _, held in rows), "something still rests in a book"
    return {asset: Decimal(format_amount(free, asset)) for asset, free, _ in rows}
