"""A ledger after years: ten million postings of a hundred instances over three years, written by the ledger's own
writer. What is asked for every minute must not take longer than on its first day, nor more memory.

`LEDGER_YEARS_POSTINGS` makes a smaller one. Making ten million takes minutes, and five gigabytes of disk.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

from orchestrator.money.instants import to_us
from orchestrator.money.preparation import prepare
from orchestrator.money.schema import open_reader
from orchestrator.money.store import Store
from orchestrator.money.totals import read_totals
from streams.booking import Book, Evidence, Posting
from tests.benchmarks.figure import Figure

POSTINGS: Final = int(os.environ.get("LEDGER_YEARS_POSTINGS", "10_000_000"))
BEGAN: Final = datetime(2023, 1, 1, tzinfo=UTC)
DAYS: Final = 3 * 365
INSTANCES: Final = 20
STREAMS: Final = (
    *("affiliate_marketing", "api_services", "content_monetization", "crypto_arbitrage", "data_harvesting"),
)
GROUP: Final = 2_000
ROUNDS: Final = 15
SMALL: Final = 20_000
"""Postings of the ledger that the large one is compared with."""

EXPORTED: Final = 50_000
"""Lines of the export that are waited for."""

AIMS: Final = {
    "totals by stream": "≤ 50 ms",
    "totals by instance": "≤ 50 ms",
    "totals by day": "for information: a row for each of a thousand days",
    "first data of the dashboard": "≤ 300 ms",
}


def run() -> list[Figure]:
    """Make both ledgers, and ask them the same."""
    with tempfile.TemporaryDirectory(prefix="ledger-years-", dir=Path.cwd()) as name:
        large, small = Path(name, "large.sqlite3"), Path(name, "small.sqlite3")
        _make(small, SMALL)
        first, last = _make(large, POSTINGS)
        return [_writing(first, last), *_reading(large, small)]


def _writing(first: float, last: float) -> Figure:
    return Figure(
        f"durable bookings, the last tenth of {POSTINGS:,} postings",
        last,
        "/s",
        {"the first tenth": first},
        "for information: the index of ids no longer fits into the writer's cache",
    )


def _reading(large: Path, small: Path) -> Iterator[Figure]:
    fewer = f"{SMALL:,} postings"
    for question, aim in AIMS.items():
        took, memory = _asked(large, question)
        took_small, memory_small = _asked(small, question)
        yield Figure(f"{question}, {POSTINGS:,} postings", took, "ms", {fewer: took_small}, aim)
        yield Figure(f"memory for {question}", memory, "MB", {fewer: memory_small}, f"≤ 1.25 × {fewer}")
    exported_ms, memory = _asked(large, "export")
    _, memory_small = _asked(small, "export")
    yield Figure("exported for beancount", EXPORTED / exported_ms * 1e3, "/s", {}, "for information")
    yield Figure("memory for the export", memory, "MB", {fewer: memory_small}, f"≤ 1.25 × {fewer}")
    found = {fewer: _asked(small, "why")[0]}
    yield Figure("a name of evidence found", _asked(large, "why")[0], "ms", found, "for information: it reads all")
    with closing(open_reader(large)) as connection:
        began = perf_counter()
        connection.execute("SELECT account, asset, sum(units / 1000), count(*) FROM postings GROUP BY 1, 2").fetchall()
        yield Figure("sum over all postings, bare", (perf_counter() - began) * 1e3, "ms", {}, "for information")


def _make(path: Path, postings: int) -> tuple[float, float]:
    """Book, and return bookings a second of the first and of the last tenth."""
    transactions = postings // 2
    step = timedelta(days=DAYS) / transactions
    clock = to_us(BEGAN)
    store = Store(path, lambda: clock)
    store.open()
    marks = []
    try:
        for start in range(0, transactions, GROUP):
            count = min(GROUP, transactions - start)
            clock = to_us(BEGAN + step * (start + count))
            store.write_group([prepare(_booking(n, BEGAN + step * n)) for n in range(start, start + count)])
            store.checkpoint()
            marks.append((start + count, perf_counter()))
    finally:
        store.close()
    return _rate(marks[: max(len(marks) // 10, 2)]), _rate(marks[-max(len(marks) // 10, 2) :])


def _rate(marks: list[tuple[int, float]]) -> float:
    (first, began), (last, ended) = marks[0], marks[-1]
    return (last - first) / (ended - began)


def _booking(n: int, at: datetime) -> Book:
    stream = STREAMS[n % len(STREAMS)]
    instance = f"{stream}-{n // len(STREAMS) % INSTANCES:03d}"
    units = 1000 + n % 977
    earned = Posting(f"income:{stream}:{instance}", "USD", -units)
    legs = (Posting("asset:clearing:sandbox", "USD", units), earned)
    if n % 10 == 0:  # what its processor costs
        legs = (
            Posting(f"cost:cpu:{stream}:{instance}", "USD", units // 9),
            Posting("liability:owner", "USD", -(units // 9)),
        )
    return Book(
        key=f"{instance}:{n:x}",
        book="paper",
        kind="api.call",
        stream=stream,
        instance=instance,
        occurred_at=at,
        postings=legs,
        evidence=Evidence(
            "api.response", f"req-{n:x}", b'{"n": %d, "status": 200, "body": "some dozens of bytes"}' % n
        ),
    )


def _asked(path: Path, question: str) -> tuple[float, float]:
    """Return milliseconds and megabytes of a process that asks a ledger a question."""
    command = [sys.executable, "-m", __name__, str(path), question]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    milliseconds, megabytes = map(float, done.stdout.split())
    return milliseconds, megabytes


def _questions(path: Path) -> dict[str, Callable[[Any], object]]:
    from orchestrator.money.export.formats import export
    from orchestrator.money.export.selection import Selection
    from orchestrator.money.story import read_stories

    def exported(connection: Any) -> int:
        with closing(export(connection, "beancount", Selection())) as lines:
            return sum(1 for _ in islice(lines, EXPORTED))

    def dashboard(connection: Any) -> object:
        from orchestrator.money.dashboard.figures import read_figures

        return read_figures(connection, BEGAN + timedelta(days=DAYS))

    return {
        "totals by stream": lambda connection: read_totals(connection, "paper", "stream"),
        "totals by instance": lambda connection: read_totals(connection, "paper", "instance"),
        "totals by day": lambda connection: read_totals(connection, "paper", "day"),
        "first data of the dashboard": dashboard,
        "why": lambda connection: read_stories(connection, "req-nothing"),
        "export": exported,
    }


def main(arguments: list[str]) -> None:
    """Ask a question, and print how long it took and how much memory the process had at most."""
    path, question = Path(arguments[0]), arguments[1]
    ask = _questions(path)[question]
    rounds = 1 if question in {"export", "why"} else ROUNDS
    with closing(open_reader(path)) as connection:
        took = list(_times(lambda: ask(connection), rounds))
    # The first one is what somebody waits for who opens a page: nothing is in the cache of its connection.
    first_or_usual = max(took[0], median(took))
    sys.stdout.write(f"{first_or_usual * 1e3} {_most_megabytes()}\n")


def _most_megabytes() -> float:
    """Return the most memory this process has had. `getrusage` would tell of its parent's, too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(peak) / 1e3


def _times(ask: Callable[[], object], rounds: int) -> Iterator[float]:
    for _ in range(rounds):
        began = perf_counter()
        ask()
        yield perf_counter() - began


if __name__ == "__main__":
    main(sys.argv[1:])
