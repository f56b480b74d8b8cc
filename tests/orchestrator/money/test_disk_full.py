"""A disk that is really full: a small file system of its own, where this machine lets us mount one."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors import ActorSystem
from orchestrator.money import ledger as ledger_module
from orchestrator.money.ledger import Ledger
from orchestrator.money.messages import VerifyLedger
from orchestrator.money.revenue_log import FILE_NAME
from streams.booking import Evidence, LedgerUnavailable, Receipt
from tests.orchestrator.money.bookings import api_call

SIZE = "2m"
WAIT_S = 20.0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "disk"
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(directory)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system takes root")
    yield directory
    subprocess.run(["umount", "-l", str(directory)], check=True)


async def test_a_full_disk_refuses_and_loses_nothing_and_heals_by_itself(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "_LOG_RETRY_S", 0.02)
    instances = small_disk / "instances"
    (instances / "api_services-001").mkdir(parents=True)
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 1_000_000)
    receipts: list[Receipt] = []
    refused = 0

    async with ActorSystem("test") as system:
        ledger = await system.spawn(lambda: Ledger(small_disk / "l.sqlite3", instances), name="ledger")
        n, calls = 0, [api_call(0)]
        while not refused:
            evidence = Evidence("api.response", f"req-{n}", os.urandom(3000))
            calls = [api_call(n + k, evidence=evidence) for k in range(5)]
            n += 5
            for outcome in await asyncio.gather(
                *(ledger.ask(call, timeout=WAIT_S) for call in calls), return_exceptions=True
            ):
                if isinstance(outcome, Receipt):
                    receipts.append(outcome)
                else:
                    assert isinstance(outcome, LedgerUnavailable), outcome
                    assert outcome.retry_after_s > 0
                    refused += 1
            assert n < 2000, "the disk did not fill"
        assert receipts, "nothing was booked before the disk was full"
        assert refused == 5  # a group is booked whole, or not at all

        ballast.unlink()
        async with asyncio.timeout(WAIT_S):
            again = [await ledger.ask(call, timeout=WAIT_S) for call in calls]
        assert not any(receipt.replayed for receipt in again)
        receipts += again
        report = await ledger.ask(VerifyLedger(), timeout=WAIT_S)
        assert (report.ok, report.transactions) == (True, len(receipts))
        assert [receipt.sequence for receipt in receipts] == list(range(1, len(receipts) + 1))

    log = (instances / "api_services-001" / FILE_NAME).read_text()
    assert [line.split("\t")[1] for line in log.splitlines()] == [receipt.id for receipt in receipts]
