from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from orchestrator.money.revenue_log import FILE_NAME, RevenueLogs
from orchestrator.money.schema import open_reader
from orchestrator.money.verify import verify

KILLS = 5
ROOT = Path(__file__).parents[3]


def book_until_killed(path: Path, first: int, after_s: float) -> list[tuple[int, str, int]]:
    """Run a process that books, kill it that long after its first receipt; return the receipts it printed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.orchestrator.money.booking_process", str(path), str(first)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    printed = process.stdout.readline()
    time.sleep(after_s)
    process.send_signal(signal.SIGKILL)
    printed += process.stdout.read()
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    whole_lines = printed.decode().split("\n")[:-1]
    receipts = [line.split() for line in whole_lines]
    assert receipts
    assert not any(int(replayed) for _, _, _, replayed in receipts)
    return [(int(n), transaction, int(sequence)) for n, transaction, sequence, _ in receipts]


def test_every_receipt_given_before_a_kill_is_booked_once(path: Path, tmp_path: Path) -> None:
    chance = random.Random()
    acknowledged: list[tuple[int, str, int]] = []
    report = None
    for kill in range(KILLS):
        acknowledged += book_until_killed(path, kill * 1_000_000, chance.uniform(0.0, 0.12))
        report = verify(path)
        assert report.ok, report
    assert report is not None
    with closing(open_reader(path)) as connection:
        rows = connection.execute("SELECT key, 'tx_' || lower(hex(id)), sequence FROM transactions").fetchall()
        instances = tmp_path / "instances"
        for n in range(5):
            (instances / f"i-{n}").mkdir(parents=True)
        RevenueLogs(instances).bring_up_to_date(connection)
    booked = {int(key.split(":")[-1]): (transaction, sequence) for key, transaction, sequence in rows}
    assert len(booked) == len(rows) == report.transactions
    assert len({n for n, _, _ in acknowledged}) == len(acknowledged)
    for n, transaction, sequence in acknowledged:
        assert booked[n] == (transaction, sequence)
    assert sum(log.read_text().count("\n") for log in instances.glob(f"*/{FILE_NAME}")) == len(rows)
