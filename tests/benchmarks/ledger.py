"""Durable bookings: acknowledged through the event loop, beside bare `executemany` of the very same rows."""

from __future__ import annotations

import asyncio
import gc
import os
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

from actors import ActorSystem
from orchestrator.money.instants import hour_of, to_us
from orchestrator.money.ledger import Ledger
from orchestrator.money.movements import DAY_CHARS, flows_of, split
from orchestrator.money.preparation import decode_meters, prepare
from orchestrator.money.schema import open_reader, open_writer
from orchestrator.money.store import Store
from orchestrator.money.totals import read_totals
from orchestrator.money.writer import GroupWriter
from streams.booking import Book, Evidence, MeterIncrement, Posting
from tests.benchmarks.figure import Figure

BOOKINGS: Final = 60_000
IN_FLIGHT: Final = 4_000
ROUNDS: Final = 5
INSTANCES: Final = 20
KEYS: Final = 200
GROUP: Final = 1_000
GROUPS_PER_CHECKPOINT: Final = 8  # the store's own rhythm, so that neither side moves more pages

_ADD_PARTS: Final = "ON CONFLICT DO UPDATE SET billions = billions + excluded.billions, rest = rest + excluded.rest"
_TABLES: Final = {
    "transactions": "INSERT INTO transactions VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    "postings": "INSERT INTO postings VALUES (?,?,?,?,?)",
    "evidence": "INSERT INTO evidence VALUES (?,?)",
    "balances": ("INSERT INTO balances VALUES (?,?,?,?,?,?) ON CONFLICT DO UPDATE SET units = units + excluded.units"),
    "sums": f"INSERT INTO sums VALUES (?,?,?,?,?,?) {_ADD_PARTS}",
    "flows": f"INSERT INTO flows VALUES (?,?,?,?,?,?,?,?,?,?) {_ADD_PARTS}",
    "meters": "INSERT INTO meters VALUES (?,?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
}


async def measure() -> list[Figure]:
    """Measure bookings a second, in rounds that alternate with the bare database's."""
    bookings = [_api_call(n) for n in range(BOOKINGS)]
    acknowledged, bare, whole = [], [], []
    with tempfile.TemporaryDirectory(prefix="ledger-", dir=Path.cwd()) as name:
        directory = Path(name)
        names, groups = await asyncio.to_thread(_rows, directory / "rows.sqlite3", bookings)
        with _frozen_heap():
            for turn in range(ROUNDS):
                acknowledged.append(await _acknowledged(directory / f"{turn}.sqlite3", bookings))
                bare.append(await asyncio.to_thread(_bare, directory / f"bare-{turn}.sqlite3", names, groups))
                whole.append(await _through_the_actor(directory / str(turn), bookings))
        totals_ms, scan_ms = await asyncio.to_thread(_totals, directory / "0.sqlite3")
    return [
        Figure(
            "durable bookings, acknowledged",
            median(acknowledged),
            "/s",
            {"bare executemany of the same rows": median(bare)},
            "≥ 25,000/s; ≥ 0.4 × bare executemany of the same rows",
        ),
        Figure(
            "the same through the actor, with revenue logs",
            median(whole),
            "/s",
            {"bare executemany of the same rows": median(bare)},
            "for information",
        ),
        Figure(
            f"totals by instance over {2 * BOOKINGS:,} postings",
            totals_ms,
            "ms",
            {"sum over all postings": scan_ms},
            "does not grow with the number of postings",
        ),
    ]


def _api_call(n: int) -> Book:
    instance = f"api_services-{n % INSTANCES:03d}"
    return Book(
        key=f"{instance}:{n:032x}",
        book="paper",
        kind="api.call",
        stream="api_services",
        instance=instance,
        occurred_at=datetime.now(UTC),
        postings=(
            Posting("asset:clearing:sandbox", "USD", 2000),
            Posting(f"income:api_services:{instance}", "USD", -2000),
        ),
        evidence=Evidence("api.response", f"req-{n:032x}", os.urandom(300)),
        meters=(MeterIncrement(f"calls:ak_test_{n % KEYS}:2026-01", 1),),
    )


async def _book_all(book: Any, bookings: list[Book]) -> float:
    rest = iter(bookings)

    async def client() -> None:
        for booking in rest:
            await book(booking)

    began = perf_counter()
    await asyncio.gather(*(client() for _ in range(IN_FLIGHT)))
    return len(bookings) / (perf_counter() - began)


async def _acknowledged(path: Path, bookings: list[Book]) -> float:
    writer = GroupWriter(Store(path))
    await writer.start()
    try:
        return await _book_all(writer.submit, bookings)
    finally:
        await writer.close()


async def _through_the_actor(directory: Path, bookings: list[Book]) -> float:
    for n in range(INSTANCES):
        (directory / f"api_services-{n:03d}").mkdir(parents=True)
    async with ActorSystem("benchmark") as system:
        ledger = await system.spawn(lambda: Ledger(directory / "l.sqlite3", directory), name="ledger")
        return await _book_all(lambda booking: ledger.ask(booking, timeout=60.0), bookings)


def _rows(path: Path, bookings: list[Book]) -> tuple[dict[str, list[Any]], list[dict[str, list[Any]]]]:
    """Return what the ledger makes of the bookings: names, and the rows of each group by table."""
    with closing(Store(path)) as store:
        store.open()
        store.write_group([prepare(booking) for booking in bookings])
        read = store.connection.execute
        names = {name: read(f"SELECT * FROM {name}").fetchall() for name in ("accounts", "origins")}
        all_rows = {
            name: read(f"SELECT * FROM {name} ORDER BY sequence").fetchall()
            for name in ("transactions", "postings", "evidence")
        }
    legs = len(all_rows["postings"]) // len(bookings)
    hour = hour_of(to_us(bookings[0].occurred_at))
    parties = {number: (book, stream) for number, book, stream, _ in names["origins"]}
    earning = {number: (kind, False) for number, _, kind in names["accounts"] if kind == "income"}
    groups = []
    for start in range(0, len(bookings), GROUP):
        group = {
            name: rows[start * width : (start + GROUP) * width]
            for name, rows in all_rows.items()
            for width in (legs if name == "postings" else 1,)
        }
        origins = {row[0]: row[2] for row in group["transactions"]}
        balances: Counter[tuple[Any, ...]] = Counter()
        sums: Counter[tuple[Any, ...]] = Counter()
        flows: Counter[tuple[Any, ...]] = Counter()
        for sequence, _, account, asset, units in group["postings"]:
            origin = origins[sequence]
            balances[origin, account, asset, "posted", hour[:DAY_CHARS]] += units
            sums[origin, account, asset, "posted"] += units
            if account in earning:
                flows.update(dict.fromkeys(flows_of(hour, parties[origin], earning[account], asset, "posted"), units))
        meters: Counter[str] = Counter()
        for row in group["transactions"]:
            meters.update({increment.meter: increment.amount for increment in decode_meters(row[14])})
        group["balances"] = [(*place, units) for place, units in balances.items()]
        group["sums"] = [(*place, *split(units)) for place, units in sums.items()]
        group["flows"] = [(*place, *split(units)) for place, units in flows.items()]
        group["meters"] = list(meters.items())
        groups.append(group)
    return names, groups


def _bare(path: Path, names: dict[str, list[Any]], groups: list[dict[str, list[Any]]]) -> float:
    with closing(open_writer(path)) as connection:
        connection.executemany("INSERT INTO accounts VALUES (?,?,?)", names["accounts"])
        connection.executemany("INSERT INTO origins VALUES (?,?,?,?)", names["origins"])
        began = perf_counter()
        for turn, group in enumerate(groups, 1):
            connection.execute("BEGIN IMMEDIATE")
            for name, statement in _TABLES.items():
                connection.executemany(statement, group[name])
            connection.execute("COMMIT")
            if turn % GROUPS_PER_CHECKPOINT == 0:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        took = perf_counter() - began
    return sum(len(group["transactions"]) for group in groups) / took


def _totals(path: Path) -> tuple[float, float]:
    with closing(open_reader(path)) as connection:
        began = perf_counter()
        read_totals(connection, "paper", "instance")
        halfway = perf_counter()
        _scan(connection)
        return (halfway - began) * 1e3, (perf_counter() - halfway) * 1e3


def _scan(connection: sqlite3.Connection) -> None:
    connection.execute(
        "SELECT origin, account, asset, sum(units) FROM postings JOIN transactions USING (sequence) GROUP BY 1, 2, 3"
    ).fetchall()


@contextmanager
def _frozen_heap() -> Iterator[None]:
    """Keep the collector from walking the bookings made in advance: no daemon holds sixty thousand."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
