"""A disk that is really full: a small file system of its own, where this machine lets us mount one."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from orchestrator.access.client import RpcFailure
from tests.end_to_end.daemon_process import IBAN
from tests.end_to_end.http_calls import request

if TYPE_CHECKING:
    from tests.end_to_end.conftest import MakeDaemon

SIZE: Final = "4m"
FIRST: Final = "api_services-001"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "disk"
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=700", "tmpfs", str(directory)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system takes root")
    yield directory
    # Lazily: what still has a file open there, ended or not, must not keep the mount.
    subprocess.run(["umount", "-l", str(directory)], check=True)


def fill(disk: Path) -> Path:
    """Fill a disk to its last byte, and return the file that does."""
    ballast = disk / "ballast"
    with suppress(OSError), ballast.open("ab", buffering=0) as file:
        while True:
            file.write(b"x" * 65_536)
    with suppress(OSError), ballast.open("ab", buffering=0) as file:
        while True:
            file.write(b"x" * 64)
    return ballast


def test_a_full_disk_refuses_calls_and_loses_nothing_and_heals_by_itself(
    small_disk: Path, make_daemon: MakeDaemon
) -> None:
    daemon = make_daemon(small_disk / "home", instances=1, recovery={"max_retries": 0}).start()
    port, key = daemon.port(FIRST), daemon.key(FIRST)
    receipts: list[str] = []

    def call(name: str) -> int:
        reply = request(port, IBAN, key=key, idempotency_key=name)
        if reply.status == 200:
            receipts.append(reply.headers["x-receipt"])
        else:
            assert reply.status == 503, reply
            assert int(reply.headers["retry-after"]) >= 1
        return reply.status

    for number in range(20):
        assert call(f"before/{number}") == 200
    ballast = fill(small_disk)
    number = 0
    while call(f"during/{number}") == 200:  # what room the ledger still has in its files is used up
        number += 1
        assert number < 2_000, "the disk did not fill"
    assert [call(f"refused/{n}") for n in range(5)] == [503] * 5

    # Who steers the fleet meanwhile is refused too, and does no harm. (Some keys find room in their file's page.)
    with pytest.raises(RpcFailure, match="cannot be written"):
        deque(daemon.key(FIRST, label="x" * 200) for _ in range(50))
    for method, params in (
        ("fleet.pause", {"id": FIRST}),
        ("fleet.stop", {"id": FIRST}),
        ("fleet.scale", {"stream": "api_services", "to": 2}),
        ("config.set", {"section": "fleet", "values": {"chaos": False}}),
    ) * 2:
        with pytest.raises(RpcFailure, match="No space left on device"):
            daemon.call(method, params)
    assert daemon.call("system.ping")["pong"] is True
    assert daemon.states() == {FIRST: "ready"}
    assert len(list(daemon.entries())) == len(receipts)

    ballast.unlink()
    assert call(f"during/{number}") == 200  # the very call that was refused first
    assert [call(f"refused/{n}") for n in range(5)] == [200] * 5
    entries = [entry["id"] for entry in daemon.entries()]
    assert entries == receipts
    assert daemon.call("ledger.verify")["ok"] is True
    usage = request(port, "/v1/usage", key=key).json()
    assert usage["calls"] == len(receipts)
    status = daemon.call("system.status")
    assert status["services"]["up"] == status["services"]["total"]
    assert daemon.logged("service.crashed") == daemon.logged("instance.crashed") == []

    daemon.stop()
    lines = [json.loads(line) for line in daemon.log_file.read_text().splitlines()]
    events = [line["event"] for line in lines]
    assert events.index("ledger.recovered") > 0
    assert events[-1] == "daemon.stopped"
    revenue = (daemon.home / "instances" / FIRST / "revenue_log.txt").read_text().splitlines()
    assert [line.split("\t")[1] for line in revenue] == receipts


def test_a_kill_while_the_disk_is_full_loses_nothing_either(small_disk: Path, make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(small_disk / "home", instances=1).start()
    port, key = daemon.port(FIRST), daemon.key(FIRST)
    receipts: set[str] = set()
    ballast = fill(small_disk)
    deadline_s = time.monotonic() + 10
    while (reply := request(port, IBAN, key=key)).status == 200:
        receipts.add(reply.headers["x-receipt"])
        assert time.monotonic() < deadline_s
    assert reply.status == 503
    daemon.kill9()
    ballast.unlink()
    daemon.start()
    assert {entry["id"] for entry in daemon.entries()} == receipts
    assert daemon.call("ledger.verify")["ok"] is True
    assert request(port, IBAN, key=key).status == 200
